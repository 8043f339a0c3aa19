"""Pickups: bottles prepared for a client to collect, the pass that verifies it, the labels and the card to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients import queries as clients
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.losses import loss_words
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Act, Actor
from dispensary.supplies import queries
from dispensary.supplies.carrying import carriers, out_now
from dispensary.supplies.handover import issue_again, not_this_person, prepare_and_tell, tell_again
from dispensary.supplies.losses import reports_by_bottle
from dispensary.supplies.models import Pickup, PickupPass
from dispensary.supplies.moment import read_moment
from dispensary.supplies.pickups import bottles_of, cancel_pickup, live_pass, passes_of, shown
from dispensary.supplies.printing.passcard import pass_card
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.supplies.shown import proposed_days
from dispensary.supplies.verifying import CARDS_OFF, pass_rules, refused_between
from dispensary.units import ClientId, DoseDay
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires, requires_dispenser, requires_packer
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


def _day(text: str, *, field: str) -> date:
    with Typed({field: text}) as typed:
        return typed.day(field)


@get("/counter/pickups", sync_to_thread=True, guards=[requires(Act.DISPENSE, Act.PREPARE_PICKUP)])
def pickups(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """The prepared pickups of today and the next days, what is out with a carrier, and how many passes were refused."""
    now = clock()
    today = site.dose_day(now)
    since, until = site.window_of(today)
    with database.reading() as session:
        days = [today + timedelta(days=n) for n in range(8)]
        waiting = {day: queries.pickups_on(session, site_id=site.id, day=day) for day in days}
        overdue = queries.pickups_before(session, site_id=site.id, day=today)
        people = [ClientId(w.pickup.client_id) for ws in [*waiting.values(), overdue] for w in ws]
        faces = clients.faces_on_papers(session, people)
        refused_passes = len(refused_between(session, site_id=site.id, since=since, until=until))
        cards = pass_rules(session, site.id).cards
        out = out_now(session, site_id=site.id)
    return page(
        "counter/pickups.html",
        out=out,
        waiting=waiting,
        overdue=overdue,
        faces=faces,
        today=today,
        refused_passes=refused_passes,
        cards=cards,
    )


@get("/counter/clients/{client_id:uuid}/pickup", sync_to_thread=True, guards=[requires_packer])
def pickup_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    on: FromQuery[str] = "",
) -> Template:
    """Which bottles to prepare for which day of collection: what the decision in force allows then. A look as well."""
    now = clock()
    today = site.dose_day(now)
    chosen = DoseDay(_day(on, field="collect_on")) if on else DoseDay(today + timedelta(days=1))
    with database.writing() as session:
        shown = _pickup_page(session, site, ClientId(client_id), today, chosen)
        audit.record(session, actor=actor, act="looked at", subject="client", subject_id=client_id, at=now)
    return shown


def _pickup_page(
    session: ReadSession,
    site: TheSite,
    client_id: ClientId,
    today: DoseDay,
    collect_on: DoseDay,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    face = clients.face_at(session, site_id=site.id, client_id=client_id)
    ahead = [DoseDay(collect_on + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
    reading = read_moment(session, site_id=site.id, client_id=client_id, today=collect_on, days=ahead)
    return page(
        "counter/pickup.html",
        refused=refused,
        typed=typed,
        face=face,
        today=today,
        collect_on=collect_on,
        moment=reading.moment,
        proposed=proposed_days(reading.moment),
    )


@post("/counter/clients/{client_id:uuid}/pickup", sync_to_thread=True, guards=[requires_packer])
def prepare(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Packs the bottles, issues the pass and tells the client by text."""
    now = clock()
    today = site.dose_day(now)
    collect_on = DoseDay(_day(one(data, "collect_on"), field="collect_on"))
    try:
        days = [DoseDay(_day(day, field="take_home_days")) for day in several(data, "take_home_days") if day]
        database.write(
            lambda session: prepare_and_tell(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                collect_on=collect_on,
                take_home_days=days,
                valid=site.window_of(collect_on),
                public_base_url=settings.public_base_url,
                zone=site.zone,
                today=today,
                at=now,
            )
        )
    except NotThere:
        raise
    except Refused as refused:
        with database.reading() as session:
            return _pickup_page(session, site, ClientId(client_id), today, collect_on, refused, data)
    return Redirect("/counter/pickups", status_code=303)


@get("/counter/pickups/{pickup_id:uuid}", sync_to_thread=True, guards=[requires(Act.DISPENSE, Act.PREPARE_PICKUP)])
def one_pickup(
    pickup_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One prepared pickup: its client, its bottles, its pass, and what can be done with them. A look as well."""
    return pickup_page(AtPickup(database, actor, site, pickup_id, clock()), done=done)


@dataclass(frozen=True)
class AtPickup:
    """Who works at the counter, when, and which pickup is before them."""

    database: Database
    actor: Actor
    site: Place
    pickup_id: UUID
    now: datetime

    @property
    def today(self) -> DoseDay:
        return self.site.dose_day(self.now)

    def does(self, act: Callable[[WriteSession], str], typed: Mapping[str, Any] | None = None) -> Response[Any]:
        """Does one act, and says on the pickup's page what came of it; refused, the page says why."""
        return done_or_again(
            self.database,
            act,
            then=lambda done: f"/counter/pickups/{self.pickup_id}?done={done}",
            else_again=lambda why: pickup_page(self, refused=why, typed=typed),
        )


def pickup_page(
    here: AtPickup, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    """A pickup's page, with what was refused and typed when something was."""

    def read(session: WriteSession) -> dict[str, Any]:
        pickup = session.get(Pickup, here.pickup_id)
        if pickup is None or pickup.site_id != here.site.id:
            raise NotThere(Refusal("no-pickup", "No such pickup is waiting.", "Look at the list again."))
        client_id = ClientId(pickup.client_id)
        looked_at(session, actor=here.actor, client_id=client_id, at=here.now, page="pickup")
        return {
            "pickup": pickup,
            "face": clients.face_at(session, site_id=here.site.id, client_id=client_id),
            "bottles": bottles_of(session, pickup_id=pickup.id),
            "lost": reports_by_bottle(session, pickup_id=pickup.id),
            "loss_words": loss_words(),
            "passes": passes_of(session, pickup_id=pickup.id),
            "names": names_of(session, [pickup.prepared_by]),
            "out": next((o for o in out_now(session, site_id=here.site.id) if o.carrying.pickup_id == pickup.id), None),
            "carriers": carriers(session, actor=here.actor),
            "cards": pass_rules(session, here.site.id).cards,
        }

    return page(
        "counter/pickup_one.html",
        refused=refused,
        typed=typed,
        done=done,
        today=here.today,
        now=here.now,
        **here.database.write(read),
    )


@post("/counter/pickups/{pickup_id:uuid}/pass", sync_to_thread=True, guards=[requires_packer])
def new_pass(
    pickup_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Issues a new pass, since the phone or the card was lost or the old one was stopped, and texts it."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> str:
        told = issue_again(
            session,
            actor=actor,
            pickup_id=pickup_id,
            key=str(key_of(data)),
            valid=site.window_of,
            public_base_url=settings.public_base_url,
            zone=site.zone,
            at=here.now,
        )
        return "issued" if told else "issued-untold"

    return here.does(act)


@post("/counter/pickups/{pickup_id:uuid}/text", sync_to_thread=True, guards=[requires_packer])
def text_again(
    pickup_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Texts the code and the link of the live pass once more."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> str:
        told = tell_again(
            session,
            actor=actor,
            pickup_id=pickup_id,
            key=str(key_of(data)),
            public_base_url=settings.public_base_url,
            zone=site.zone,
            at=here.now,
        )
        return "texted" if told else "untold"

    return here.does(act)


@post("/counter/pickups/{pickup_id:uuid}/wrong-person", sync_to_thread=True, guards=[requires_dispenser])
def wrong_person(
    pickup_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Stops the pass that somebody else than the client showed. Nothing is handed over."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> str:
        not_this_person(session, actor=actor, pickup_id=pickup_id, zone=site.zone, today=here.today, at=here.now)
        return "stopped"

    return here.does(act)


@get("/counter/pickups/refused", sync_to_thread=True, guards=[requires_dispenser])
def refused_passes(database: TheDatabase, site: TheSite, clock: TheClock, on: FromQuery[str] = "") -> Template:
    """The passes that were refused on a day: when, why, to whom, and whose they are where that is known."""
    today = site.dose_day(clock())
    day = min(_day(on, field="on") if on else today, today)
    since, until = site.window_of(day)
    with database.reading() as session:
        rows = refused_between(session, site_id=site.id, since=since, until=until)
    return page("counter/refused_passes.html", rows=rows, day=day, today=today, before=day - timedelta(days=1))


@post("/counter/pickups/{pickup_id:uuid}/cancel", sync_to_thread=True, guards=[requires_packer])
def cancel(
    pickup_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Redirect:
    """Puts the bottles of a pickup back into stock, with the reason."""
    now = clock()
    with Typed(data) as typed:
        reason = typed.text("reason", most=LONGEST_NOTE, required=False)
    database.write(
        lambda session: cancel_pickup(
            session, actor=actor, pickup_id=pickup_id, reason=reason, day=site.dose_day(now), at=now
        )
    )
    return Redirect("/counter/pickups", status_code=303)


@get("/counter/pickups/{pickup_id:uuid}/card.pdf", sync_to_thread=True, guards=[requires_packer])
def card(pickup_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """The pass as a card to print: QR and code, nothing about the person."""
    with database.reading() as session:
        if not pass_rules(session, site.id).cards:
            raise Refused(CARDS_OFF)
        pickup, live = _live(session, site, pickup_id)
        token, code = shown(session, live.id)
    content = pass_card(token, code, day=pickup.collect_on, place=site.name, language=site.language)
    return pdf(content, "pass.pdf")


def _live(session: ReadSession, site: TheSite, pickup_id: FromPath[UUID]) -> tuple[Pickup, PickupPass]:
    pickup = session.get(Pickup, pickup_id)
    live = live_pass(session, pickup_id=pickup_id)
    if pickup is None or pickup.site_id != site.id or live is None:
        raise NotThere(Refusal("no-pass", "No pass is live for this pickup.", "Look at the list of pickups."))
    return pickup, live


HANDLERS: list[ControllerRouterHandler] = [
    pickups,
    one_pickup,
    new_pass,
    text_again,
    wrong_person,
    refused_passes,
    pickup_form,
    prepare,
    cancel,
    card,
]
