"""Visits at home: the round of a day and its list on paper, what was found, and who is on call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.care.on_call import LONGEST_PHONE, on_call, put_on_call, take_off_call
from dispensary.care.reopening import reopen_visit
from dispensary.care.rounds import called_off_on, not_written_down, planned_ahead, round_of
from dispensary.care.visits import (
    MOST_TURNS,
    Purpose,
    end_visit,
    plan_visit,
    put_turn,
)
from dispensary.clients.contact_rules import CameOf
from dispensary.clients.contacts import LONGEST_NOTE
from dispensary.clients.numbers import with_number
from dispensary.clients.taken_back import taken_back_of_visits
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.consulting import acts_of, near_day, plain_day
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, colleagues
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.models import Pickup
from dispensary.supplies.printing.route_list import Stop, route_list_pdf
from dispensary.supplies.visits import call_visit_off, move_visit
from dispensary.units import AccountId, ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/visits"
_GOES = requires(Act.ENROL, Act.CARRY)
_PLANS = requires(Act.ENROL)


def _bottles(session: ReadSession, site: Place, on: date) -> dict[UUID, tuple[str, int]]:
    """Of each client, how the bottles stand that somebody carries to them on this day, and how many."""
    carried = (
        select(Carrying.client_id, Carrying.state, Carrying.bottles)
        .join(Pickup, Pickup.id == Carrying.pickup_id)
        .where(Carrying.site_id == site.id, Pickup.collect_on == on, Carrying.state != "called_off")
        .order_by(Carrying.counted_out_at)
    )
    return {client_id: (state, bottles) for client_id, state, bottles in session.execute(carried)}


@dataclass(frozen=True)
class _At:
    """Somebody of the staff, at this moment."""

    database: Database
    actor: Actor
    site: Place
    now: datetime

    @property
    def today(self) -> date:
        return self.site.dose_day(self.now)

    @property
    def own(self) -> AccountId | None:
        """Whose turns are theirs to see: whoever only carries sees their own, others everybody's."""
        return None if self.actor.may(Act.ENROL) else self.actor.account_id

    def shown(
        self,
        on: date | None = None,
        *,
        done: str = "",
        refused: Refused | None = None,
        typed: Mapping[str, Any] | None = None,
    ) -> Template:
        day = on or self.today
        with self.database.reading() as session:
            rows = round_of(session, site_id=self.site.id, on=day, visitor_id=self.own)
            late = not_written_down(session, site_id=self.site.id, before=self.today, visitor_id=self.own)
            off = called_off_on(session, site_id=self.site.id, on=day, visitor_id=self.own)
            shown: dict[str, Any] = {
                "bottles": _bottles(session, self.site, day),
                "ahead": planned_ahead(session, site_id=self.site.id, after=self.today),
                "called": on_call(session, site_id=self.site.id, today=self.today),
                "off": off,
                "back": taken_back_of_visits(session, visit_ids=[each.visit.id for each in (*rows, *late, *off)]),
                "people": [(one.id, one.name) for one in colleagues(session, self.site.id) if one.left_at is None],
            }
        return page(
            "care/visits.html",
            rows=rows,
            late=[row for row in late if row.visit.on_day != day],
            day=day,
            today=self.today,
            done=done,
            refused=refused,
            typed=typed,
            me=self.actor.account_id,
            longest=LONGEST_NOTE,
            longest_phone=LONGEST_PHONE,
            near_day=near_day,
            plain_day=plain_day,
            can=acts_of(self.actor),
            **shown,
        )


@get(HERE, sync_to_thread=True, guards=[_GOES])
def visits(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    on: FromQuery[date | None] = None,
    done: FromQuery[str] = "",
) -> Template:
    """The round of today, or of another day."""
    return _At(database, actor, site, clock()).shown(on, done=done)


@get(f"{HERE}/route.pdf", sync_to_thread=True, guards=[_GOES])
def route(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, on: FromQuery[date | None] = None
) -> Response[bytes]:
    """The reader's own round on paper. That it was printed is written down."""
    here = _At(database, actor, site, clock())
    day = on or here.today
    with database.writing() as session:
        rows = round_of(session, site_id=site.id, on=day, visitor_id=actor.account_id)
        rows = [row for row in rows if row.visit.state == "planned" and row.where]
        bottles = _bottles(session, site, day)
        details: dict[str, object] = {"on": day, "clients": len(rows)}
        audit.record(
            session,
            actor=actor,
            act="printed route list",
            subject="site",
            subject_id=site.id,
            at=here.now,
            details=details,
        )
        content = route_list_pdf(
            [
                Stop(row.visit.turn, row.number, row.called, row.where, bottles.get(row.visit.client_id, ("", 0))[1])
                for row in rows
            ],
            visitor=actor.name,
            on_call=[
                f"{name} {row.phone}"
                for row, name in on_call(session, site_id=site.id, today=day)
                if row.first_day <= day
            ],
            site=session.get_one(Site, site.id),
            day=day,
            printed_at=here.now,
        )
    headers = {"content-disposition": f'inline; filename="visits-{day}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


@post(HERE, sync_to_thread=True, guards=[_PLANS])
def plan(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Plans a visit to whoever has agreed to visits."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> date:
        with Typed(data) as typed:
            number = typed.text("number", most=24)
            visitor = typed.id("visitor_id")
            on = typed.day("on_day")
            purpose = typed.choice("purpose", Purpose)
            client_id = with_number(session, site_id=site.id, number=number)
            if client_id is None and number:
                typed.fault("number", "no-such-number", "No client of this site has this number.", "As on the card.")
        plan_visit(
            session,
            actor=actor,
            client_id=ClientId(client_id or UUID(int=0)),
            visitor_id=AccountId(visitor),
            on=on,
            purpose=purpose,
            today=here.today,
            at=here.now,
        )
        return on

    return done_or_again(
        database,
        act,
        then=lambda on: f"{HERE}?on={on}&done=planned",
        else_again=lambda why: here.shown(refused=why, typed=data),
    )


@post(f"{HERE}/{{home_visit_id:uuid}}/done", sync_to_thread=True, guards=[_GOES])
def visited(
    home_visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down whether they met, and what was found."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            met = typed.yes_no("met")
            found = typed.text("found", most=LONGEST_NOTE, required=False)
            needs_help = bool(typed.yes_no("needs_help"))
            if met is None:
                typed.fault("met", "no-choice", "Nothing was chosen here.", "Choose one.")
        end_visit(
            session,
            actor=actor,
            visit_id=home_visit_id,
            met=bool(met),
            found=found,
            key=key_of(data),
            today=here.today,
            at=here.now,
            came_of=CameOf.NEEDS_HELP if needs_help else None,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=visited",
        else_again=lambda why: here.shown(refused=why, typed={**data, "visit": str(home_visit_id)}),
    )


@post(f"{HERE}/{{home_visit_id:uuid}}/back", sync_to_thread=True, guards=[_GOES])
def back(
    home_visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes back what was written down of a visit, or that it was called off."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> date:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            seen = typed.moment("seen")
        return reopen_visit(session, actor=actor, visit_id=home_visit_id, seen=seen, why=why, at=here.now).on_day

    return done_or_again(
        database,
        act,
        then=lambda on: f"{HERE}?on={on}&done=back",
        else_again=lambda why: here.shown(refused=why, typed=data),
    )


@post(f"{HERE}/{{home_visit_id:uuid}}/off", sync_to_thread=True, guards=[_PLANS])
def off(
    home_visit_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Nobody goes."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        call_visit_off(session, actor=actor, visit_id=home_visit_id, at=here.now)

    return done_or_again(
        database, act, then=lambda _: f"{HERE}?done=off", else_again=lambda why: here.shown(refused=why)
    )


@post(f"{HERE}/{{home_visit_id:uuid}}/move", sync_to_thread=True, guards=[_PLANS])
def move(
    home_visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Moves a planned visit to another day or another visitor."""
    here = _At(database, actor, site, clock())
    back: list[date] = []

    def act(session: WriteSession) -> date:
        with Typed(data) as typed:
            was = typed.day("seen_day")
            back[:] = [was]
            seen = (was, typed.id("seen_visitor"))
            to = typed.day("to_day")
            visitor = AccountId(typed.id("to_visitor"))
        moved = move_visit(
            session,
            actor=actor,
            visit_id=home_visit_id,
            to=to,
            visitor_id=visitor,
            seen=seen,
            today=here.today,
            at=here.now,
        )
        return moved.on_day

    return done_or_again(
        database,
        act,
        then=lambda on: f"{HERE}?on={on}&done=moved",
        else_again=lambda why: here.shown(
            next(iter(back), None), refused=why, typed={**data, "moves": str(home_visit_id)}
        ),
    )


@post(f"{HERE}/{{home_visit_id:uuid}}/turn", sync_to_thread=True, guards=[_GOES])
def turn(
    home_visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Puts a visit one turn earlier or later in its round, as whoever goes knows the way."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> date:
        with Typed(data) as typed:
            way = typed.text("way", most=8)
            seen = typed.whole("seen_turn", 1, MOST_TURNS)
            if way not in ("earlier", "later"):
                typed.fault("way", "no-choice", "Nothing was chosen here.", "Choose one.")
        put = put_turn(session, actor=actor, visit_id=home_visit_id, earlier=way == "earlier", seen=seen, at=here.now)
        return put.on_day

    return done_or_again(
        database, act, then=lambda on: f"{HERE}?on={on}", else_again=lambda why: here.shown(refused=why)
    )


@post(f"{HERE}/on-call", sync_to_thread=True, guards=[_PLANS])
def add_on_call(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Puts a colleague on call for some days."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            who = typed.id("account_id")
            first, last = typed.day("first_day"), typed.day("last_day")
            phone = typed.text("phone", most=LONGEST_PHONE)
        put_on_call(session, actor=actor, account_id=AccountId(who), first=first, last=last, phone=phone, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=on-call",
        else_again=lambda why: here.shown(refused=why, typed=data),
    )


@post(f"{HERE}/on-call/{{on_call_id:uuid}}/off", sync_to_thread=True, guards=[_PLANS])
def end_on_call(
    on_call_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes a line off the list."""
    here = _At(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        take_off_call(session, actor=actor, on_call_id=on_call_id, at=here.now)

    return done_or_again(
        database, act, then=lambda _: f"{HERE}?done=off-call", else_again=lambda why: here.shown(refused=why)
    )


HANDLERS: list[ControllerRouterHandler] = [
    visits,
    route,
    plan,
    visited,
    back,
    off,
    move,
    turn,
    add_on_call,
    end_on_call,
]
