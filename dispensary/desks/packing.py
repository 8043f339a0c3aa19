"""Tomorrow's bottles: the pack list, preparing them in one go, and the second person's look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
from dispensary.clients.queries import faces_on_papers
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.supplies.batch import check_bottles, checks_twice, lost_in_the_safe, to_check, to_pack
from dispensary.supplies.passes import plain_text
from dispensary.supplies.serials import serial_in, spoken_serial
from dispensary.units import ClientId, DoseDay
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one, secret, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_packer
from dispensary.web.packing_acts import PreparedOne, prepare_each
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

_FARTHEST = 14


@get("/counter/pack", sync_to_thread=True, guards=[requires_packer])
def pack_list(database: TheDatabase, site: TheSite, clock: TheClock, on: FromQuery[str] = "") -> Template:
    """Who comes on a day, tomorrow unless said otherwise, and the bottles that may be prepared for them."""
    today = site.dose_day(clock())
    return _pack_page(database, site, today, _day(on, today))


def _day(text: str, today: DoseDay) -> DoseDay:
    if not text:
        return DoseDay(today + timedelta(days=1))
    with Typed({"on": text}) as typed:
        chosen = typed.day("on")
        if not timedelta() <= chosen - today <= timedelta(days=_FARTHEST):
            typed.fault("on", "far-day", f"Bottles are prepared for the next {_FARTHEST} days.", "Choose another day.")
    return DoseDay(chosen)


def _pack_page(
    database: TheDatabase, site: TheSite, today: DoseDay, on: DoseDay, done: Sequence[PreparedOne] = ()
) -> Template:
    with database.reading() as session:
        booked = {b.holder_id: b.starts_at for b in scheduling.queries.bookings_on(session, site.id, on)}
        rows = to_pack(session, site_id=site.id, on=on, booked=booked)
        return page(
            "counter/pack.html",
            today=today,
            on=on,
            rows=rows,
            open_rows=[row for row in rows if row.bottles and not row.prepared],
            done=done,
            faces=faces_on_papers(session, [each.client_id for each in done]),
            second_check=checks_twice(session, site_id=site.id),
        )


@post("/counter/pack", sync_to_thread=True, guards=[requires_packer])
def prepare(
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Template:
    """Prepares what was ticked, client by client, and says for each how many bottles, or why not."""
    now = clock()
    today = site.dose_day(now)
    on = _day(one(data, "on"), today)
    chosen = [_chosen(value) for value in several(data, "client") if value]
    if not chosen:
        raise BadInput(Refusal("clients", "Nobody was chosen.", "Tick whose bottles to prepare.", field="client"))
    done = prepare_each(
        database,
        actor=actor,
        site=site,
        chosen=chosen,
        collect_on=on,
        public_base_url=settings.public_base_url,
        at=now,
    )
    return _pack_page(database, site, today, on, done)


def _chosen(value: str) -> tuple[ClientId, list[DoseDay]]:
    """A ticked row: the client, and the very days that were on the screen."""
    client, _, days = value.partition(" ")
    try:
        return ClientId(UUID(client)), [DoseDay(date.fromisoformat(day)) for day in days.split()]
    except ValueError:
        raise BadInput(Refusal("clients", "A chosen row was not readable.", "Open the list again.")) from None


# The second look


@get("/counter/check", sync_to_thread=True, guards=[requires_packer])
def check_list(database: TheDatabase, actor: TheActor, site: TheSite) -> Template:
    """Every prepared bottle, checked or not."""
    return _check_page(database, actor, site)


def _check_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        rows = to_check(session, site_id=site.id)
        return page(
            "counter/check.html",
            refused=refused,
            typed=typed,
            rows=rows,
            unchecked=[row for row in rows if not row.is_checked],
            own=[row for row in rows if not row.is_checked and row.bottle.packed_by == actor.account_id],
            seconds=choices(who_can_stand_by(session, actor=actor)),
            spoken_serial=spoken_serial,
        )


@post("/counter/check", sync_to_thread=True, guards=[requires_packer])
def check(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Checks the bottle whose label was scanned, or every ticked one."""
    now = clock()

    def act(session: WriteSession) -> int:
        return check_bottles(session, actor=actor, bottle_ids=_bottles_of(session, site, data), at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/check",
        else_again=lambda why: _check_page(database, actor, site, why, {"bottle": several(data, "bottle")}),
    )


def _bottles_of(session: ReadSession, site: TheSite, data: Mapping[str, Any]) -> list[UUID]:
    scanned = one(data, "scanned")
    with Typed(data) as typed:
        ticked = typed.ids("bottle")
    if not scanned:
        return ticked
    serial = serial_in(plain_text(scanned))
    if serial is None:
        raise BadInput(
            Refusal("not-a-label", "This is not the label of a bottle.", "Scan its label again.", field="scanned")
        )
    found = [row.bottle.id for row in to_check(session, site_id=site.id) if row.bottle.serial == serial]
    if not found:
        raise Refused(
            Refusal(
                "not-prepared",
                "This bottle does not stand prepared here.",
                "Put it aside and look at its record: it may have been handed over or put back.",
                field="scanned",
            )
        )
    return found


@post("/counter/check/{bottle_id:uuid}/lost", sync_to_thread=True, guards=[requires_packer])
def write_off(
    bottle_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes off a prepared bottle that broke or is gone, with a second person."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
            second_id = somebody(typed, data, "second_id")
        return lost_in_the_safe(
            session,
            actor=actor,
            bottle_id=bottle_id,
            reason=reason,
            second_id=second_id,
            pin=secret(data, "second_pin"),
            day=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/check",
        else_again=lambda why: _check_page(database, actor, site, why, {**data, "lost": str(bottle_id)}),
    )


HANDLERS: list[ControllerRouterHandler] = [pack_list, prepare, check_list, check, write_off]
"""Mounted at /."""
