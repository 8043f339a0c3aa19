"""Bottles for a home: counted out and in at the counter; taken, and handed over, on the carrier's phone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at, photo_of
from dispensary.database import Database, WriteSession
from dispensary.desks.camera import MAY_LOOK
from dispensary.desks.losses import loss_words
from dispensary.desks.pickups import AtPickup, pickup_page
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.supplies.carried_losses import lost_on_the_way
from dispensary.supplies.carrying import bring_back, call_off, count_out, deliver, out_now, take
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.losses import Lost, reports_by_bottle
from dispensary.supplies.pickups import bottles_of
from dispensary.supplies.verifying import record_refused_pass
from dispensary.units import ClientId, DoseDay
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_carrier, requires_dispenser
from dispensary.web.photo import shown_photo
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

_MOST = 112


@post("/counter/pickups/{pickup_id:uuid}/carry", sync_to_thread=True, guards=[requires_dispenser])
def carry(
    pickup_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Counts the bottles out to a carrier."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> str:
        with Typed(data) as typed:
            carrier_id = typed.id("carrier_id") if one(data, "carrier_id") else None
            bottles = typed.whole_or_none("bottles", 0, _MOST)
        count_out(
            session,
            actor=actor,
            pickup_id=pickup_id,
            carrier_id=carrier_id,
            bottles=bottles,
            today=here.today,
            at=here.now,
        )
        return "counted-out"

    return here.does(act, typed=data)


@post(
    "/counter/pickups/{pickup_id:uuid}/carried/{carrying_id:uuid}/back",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def back(
    pickup_id: FromPath[UUID],
    carrying_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Counts in what a carrier brought back, or calls off what was never taken."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> str:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
            bottles = typed.whole_or_none("bottles", 0, _MOST)
        if one(data, "never_taken") == "yes":
            call_off(session, actor=actor, carrying_id=carrying_id, reason=reason, at=here.now)
            return "called-off"
        bring_back(
            session,
            actor=actor,
            carrying_id=carrying_id,
            bottles=bottles,
            reason=reason,
            into_stock=one(data, "into_stock") == "yes",
            today=here.today,
            at=here.now,
        )
        return "back"

    return here.does(act, typed=data)


@post(
    "/counter/pickups/{pickup_id:uuid}/carried/{carrying_id:uuid}/lost",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def lost_says_the_carrier(
    pickup_id: FromPath[UUID],
    carrying_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down what the carrier tells of bottles that were lost on the way, and opens the report."""
    here = AtPickup(database, actor, site, pickup_id, clock())

    def act(session: WriteSession) -> UUID:
        return _lost(session, here.actor, carrying_id, data, for_others=True, today=here.today, now=here.now)

    return done_or_again(
        database,
        act,
        then=lambda report_id: f"/reports/{report_id}",
        else_again=lambda why: pickup_page(here, refused=why, typed=data),
    )


def _lost(
    session: WriteSession,
    actor: Actor,
    carrying_id: UUID,
    data: Mapping[str, Any],
    *,
    for_others: bool,
    today: DoseDay,
    now: datetime,
) -> UUID:
    with Typed(data) as typed:
        what = typed.choice("what", Lost)
        told = typed.text("told", most=LONGEST_NOTE, required=False)
        police_number = typed.text("police_number", most=60, required=False)
        bottle_ids = typed.ids("bottle")
    return lost_on_the_way(
        session,
        actor=actor,
        carrying_id=carrying_id,
        bottle_ids=bottle_ids,
        what=what,
        told=told,
        police_number=police_number,
        key=str(key_of(data)),
        may_for_others=for_others,
        today=today,
        at=now,
    ).id


@get("/carrying", sync_to_thread=True, guards=[requires_carrier])
def mine(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """What the actor is to take, and has out."""
    with database.reading() as session:
        rows = out_now(session, site_id=site.id, carrier_id=actor.account_id)
    return page("carrying/mine.html", rows=rows, done=done, today=site.dose_day(clock()))


@get("/carrying/{carrying_id:uuid}", sync_to_thread=True, guards=[requires_carrier])
def one_home(
    carrying_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """One client's bottles: to take, or to hand over. The look is written down."""
    return _page(database, actor, site, carrying_id, clock())


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    carrying_id: UUID,
    now: datetime,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    def read(session: WriteSession) -> dict[str, Any]:
        carrying = session.get(Carrying, carrying_id)
        if carrying is None or carrying.site_id != site.id or carrying.carrier_id != actor.account_id:
            raise _not_mine()
        client_id = ClientId(carrying.client_id)
        looked_at(session, actor=actor, client_id=client_id, at=now, page="carrying")
        return {
            "carrying": carrying,
            "face": face_at(session, site_id=site.id, client_id=client_id),
            "bottles": bottles_of(session, pickup_id=carrying.pickup_id),
            "lost": reports_by_bottle(session, pickup_id=carrying.pickup_id),
            "loss_words": loss_words(),
        }

    return page(
        "carrying/home.html",
        headers=MAY_LOOK,
        refused=refused,
        typed=typed,
        now=now.astimezone(ZoneInfo(site.zone)),
        **database.write(read),
    )


def _not_mine() -> NotThere:
    return NotThere(Refusal("not-carried", "These bottles are not out with you.", "Look at your list."))


@get("/carrying/{carrying_id:uuid}/photo", sync_to_thread=True, guards=[requires_carrier])
def photo(carrying_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite) -> Response[bytes]:
    """The photo of the client to whom the actor carries, while they do: never kept by the browser."""
    with database.reading() as session:
        carrying = session.get(Carrying, carrying_id)
        if carrying is None or carrying.carrier_id != actor.account_id or carrying.ended_at is not None:
            raise _not_mine()
        found = photo_of(session, ClientId(carrying.client_id), site_id=site.id)
    return shown_photo(found)


@post("/carrying/{carrying_id:uuid}/take", sync_to_thread=True, guards=[requires_carrier])
def taken(
    carrying_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The carrier confirms the count and takes the bottles."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            bottles = typed.whole_or_none("bottles", 0, _MOST)
        take(session, actor=actor, carrying_id=carrying_id, bottles=bottles, today=site.dose_day(now), at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/carrying/{carrying_id}",
        else_again=lambda why: _page(database, actor, site, carrying_id, now, why, data),
    )


@post("/carrying/{carrying_id:uuid}/deliver", sync_to_thread=True, guards=[requires_carrier])
def delivered(
    carrying_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Hands the bottles over; a pass that does not open them is written down as any other that is refused."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            shown = typed.text("shown", most=120)
        return deliver(
            session,
            actor=actor,
            carrying_id=carrying_id,
            shown=shown,
            identified_by=one(data, "identified_by"),
            well=one(data, "well") == "yes",
            happened_at=_moment(data, site),
            key=str(key_of(data)),
            zone=site.zone,
            at=now,
        )

    try:
        database.write(act)
    except NotThere:
        raise
    except Refused as refused:
        if refused.first.code.startswith(("pass-", "code-", "pickup-not-out")):
            with database.writing() as session:
                about = refused.first
                record_refused_pass(session, site_id=site.id, account_id=actor.account_id, refusal=about, at=now)
        return _page(database, actor, site, carrying_id, now, refused, data)
    return Redirect("/carrying?done=delivered", status_code=303)


@post("/carrying/{carrying_id:uuid}/lost", sync_to_thread=True, guards=[requires_carrier])
def lost_on_my_way(
    carrying_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The carrier writes down, from where they are, which bottles will not arrive; the others stay with them."""
    now = clock()

    def act(session: WriteSession) -> UUID:
        return _lost(session, actor, carrying_id, data, for_others=False, today=site.dose_day(now), now=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/carrying/{carrying_id}",
        else_again=lambda why: _page(database, actor, site, carrying_id, now, why, data),
    )


def _moment(data: Mapping[str, Any], site: Place) -> datetime | None:
    """When it was, at the site's clock, where it is entered late; nothing for now."""
    if not one(data, "happened_on") and not one(data, "happened_time"):
        return None
    with Typed(data) as typed:
        day, time = typed.day("happened_on"), typed.time("happened_time")
    return datetime.combine(day, time, ZoneInfo(site.zone))


HANDLERS: list[ControllerRouterHandler] = [
    carry,
    back,
    mine,
    one_home,
    photo,
    taken,
    delivered,
    lost_says_the_carrier,
    lost_on_my_way,
]
