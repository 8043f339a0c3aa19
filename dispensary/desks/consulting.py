"""The doctor's and nurse's desk: who waits for them, a client's page, holds, alerts, the end of a stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy.dialects.postgresql import Range

from dispensary import leaving
from dispensary.care.referral_models import Service
from dispensary.clients.queries import Face
from dispensary.clients.queries import find as find_clients
from dispensary.clients.rules import ExitReason
from dispensary.database import Database, WriteSession
from dispensary.desks.around import who_treats
from dispensary.desks.evidence import evidence
from dispensary.desks.record import Record, read_record
from dispensary.desks.timeline import PERIODS, USUAL
from dispensary.desks.worklist import Kind, Waits, Whose, chosen, waiting
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, DoseDay
from dispensary.web import consultation, dosing_acts
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.words import day_in_words

SHOWN = 8
"""Rows of the list that fit a screen of 1280 by 800 when each has one reason; the others are one link away."""


@dataclass(frozen=True)
class Consultation:
    """Somebody of the staff, at this moment, with one client before them."""

    database: Database
    actor: Actor
    site: Place
    client_id: ClientId
    now: datetime

    @property
    def today(self) -> DoseDay:
        return self.site.dose_day(self.now)

    def opened(self, *, seen_on: str, months: int = USUAL) -> Record:
        """The client's record, and the entry that says who looked at it, on which page. Raises NotThere."""
        with self.database.writing() as session:
            record = read_record(session, place=self.site, client_id=self.client_id, today=self.today, months=months)
            consultation.looked_at(session, actor=self.actor, client_id=self.client_id, at=self.now, page=seen_on)
        return record

    def does(
        self, act: Callable[[WriteSession], object], *, then: str, else_again: Callable[[Refused], Template]
    ) -> Response[Any]:
        """Does one act and goes on to `then`, below the client's page; refused, the page comes again."""
        return done_or_again(
            self.database, act, then=lambda _: f"/consulting/clients/{self.client_id}{then}", else_again=else_again
        )


def about(actor: Actor, record: Record) -> dict[str, Any]:
    """What every page about one client is given."""
    return {
        "record": record,
        "window": record.window,
        "face": record.window.face,
        "today": record.today,
        "can": acts_of(actor),
        "last_day": last_day,
        "short_day": short_day,
        "near_day": near_day,
        "plain_day": plain_day,
        "month_of": month_of,
        "evidence": evidence,
    }


def acts_of(actor: Actor) -> frozenset[str]:
    """What the actor may do here, by the names of the acts, so that a page offers nothing that is refused."""
    return frozenset(act.name.lower() for act in Act if actor.may(act))


def last_day(days: Range[date]) -> date | None:
    """The last day of a range that is kept with its end excluded; nothing when it is open."""
    return days.upper - timedelta(days=1) if days.upper else None


def short_day(day: date) -> str:
    """A day where there is little room and the year is plain: 24 Nov."""
    return day_in_words(day, "MMMd")


def near_day(day: date) -> str:
    """A day of these weeks: Tue 24 Nov."""
    return day_in_words(day, "MMMEd")


def month_of(day: date) -> str:
    """A month where there is little room: Nov."""
    return day_in_words(day, "MMM")


def plain_day(day: date) -> str:
    """A day of which nobody asks the weekday: 24 Nov 2026."""
    return day_in_words(day, "yMMMd")


@get("/consulting", sync_to_thread=True, guards=[requires_client_reader])
def worklist(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    show: FromQuery[str] = "",
    whose: FromQuery[str] = "",
    every: FromQuery[bool] = False,
) -> Template:
    """Who waits for somebody, the gravest first, and the way to any client.

    `show` narrows it to one kind of reason; `whose` to clients whom the reader has taken on, or whom nobody has.
    """
    today = site.dose_day(clock())
    with database.reading() as session:
        listed = waiting(session, site_id=site.id, today=today)
        treats = who_treats(session, site.id)
    return _worklist_page(actor, today, listed, treats, show=show, whose=whose, every=every)


@post("/consulting/find", sync_to_thread=True, guards=[requires_client_reader], status_code=200)
def find(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Opens the client whose number or name this is; several are listed.

    It is posted, so that what was typed stands in no address, history or log.
    """
    sought, today = one(data, "sought")[:120], site.dose_day(clock())
    with database.reading() as session:
        found = find_clients(session, site_id=site.id, text=sought)
        if len(found) == 1:
            return Redirect(f"/consulting/clients/{found[0].client_id}", status_code=303)
        listed = waiting(session, site_id=site.id, today=today)
        treats = who_treats(session, site.id)
    return _worklist_page(actor, today, listed, treats, found=found, typed={"sought": sought})


def _worklist_page(
    actor: Actor,
    today: DoseDay,
    listed: list[Waits],
    treats: list[tuple[AccountId, str]],
    *,
    show: str = "",
    whose: str = "",
    every: bool = False,
    found: list[Face] | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    kind = Kind(show) if show in list(Kind) else None
    of = Whose(whose) if whose in list(Whose) else Whose.EVERYBODY
    theirs = chosen(listed, of, actor.account_id)
    rows = [row for row in theirs if kind is None or any(reason.kind is kind for reason in row.reasons)]
    shown = rows if every else on_a_screen(rows, kind)
    return page(
        "consulting/worklist.html",
        typed=typed,
        rows=shown,
        more=len(rows) - len(shown),
        in_all=len(listed),
        kinds=Counter(kind for row in theirs for kind in {reason.kind for reason in row.reasons}),
        whose_are={each: len(chosen(listed, each, actor.account_id)) for each in Whose},
        show=kind,
        whose=of,
        every=every,
        me=actor.account_id,
        treats=treats,
        found=found,
        today=today,
        near_day=near_day,
        plain_day=plain_day,
        can=acts_of(actor),
    )


def on_a_screen(rows: list[Waits], kind: Kind | None) -> list[Waits]:
    """As many rows as fit a screen: half as much room again for each reason more, and at least one row."""
    room = float(SHOWN)
    shown: list[Waits] = []
    for row in rows:
        reasons = sum(kind is None or reason.kind is kind for reason in row.reasons)
        room -= 1 + (reasons - 1) / 2
        if room < 0 and shown:
            break
        shown.append(row)
    return shown


@get("/consulting/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_client_reader])
def client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    months: FromQuery[int] = USUAL,
    done: FromQuery[str] = "",
    service: FromQuery[str] = "",
) -> Template:
    """One client: who, the dose and what became of each day, take-home, alerts. The look is written down."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    sent_for = service if service in {each.value for each in Service} else ""
    return client_page(here, months=months if months in PERIODS else USUAL, done=done, sent_for=sent_for)


def client_page(
    here: Consultation,
    *,
    months: int = USUAL,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    sent_for: str = "",
) -> Template:
    """The page of one client, with what was refused and typed when something was.

    `sent_for` is the service for which the form of a referral stands open.
    """
    record = here.opened(seen_on="client", months=months)
    ends = record.in_treatment and here.actor.may(Act.ORDER)
    with here.database.reading() as session:
        ahead = leaving.lies_ahead(session, client_id=here.client_id, site=here.site, at=here.now) if ends else None
        called_off = leaving.called_off_lately(session, client_id=here.client_id, at=here.now)
    return page(
        "consulting/client.html",
        ahead=ahead,
        called_off=called_off,
        refused=refused,
        typed=typed,
        done=done,
        periods=list(PERIODS),
        sent_for=sent_for,
        me=here.actor.account_id,
        **about(here.actor, record),
    )


@post("/consulting/clients/{client_id:uuid}/holds", sync_to_thread=True, guards=[requires(Act.HOLD)])
def hold(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Withholds doses from a day on, with a reason."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            from_day = typed.day("hold_from")
            last = typed.day_or_none("hold_last")
            reason = typed.text("hold_reason", most=500)
        return dosing_acts.hold(
            session,
            actor=actor,
            client_id=here.client_id,
            from_day=from_day,
            until_day=last + timedelta(days=1) if last else None,
            reason=reason,
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="?done=held", else_again=lambda why: client_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/holds/{hold_id:uuid}/release",
    sync_to_thread=True,
    guards=[requires(Act.HOLD)],
)
def release(
    client_id: FromPath[UUID],
    hold_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a hold at once, for a reason."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            reason = typed.text("release_reason", most=LONGEST_NOTE)
        dosing_acts.release(session, actor=actor, client_id=here.client_id, hold_id=hold_id, reason=reason, at=here.now)

    return here.does(act, then="?done=released", else_again=lambda why: client_page(here, refused=why))


@post(
    "/consulting/clients/{client_id:uuid}/alerts/{alert_id:uuid}/resolve",
    sync_to_thread=True,
    guards=[requires(Act.RESOLVE_ALERT)],
)
def resolve(
    client_id: FromPath[UUID],
    alert_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Closes an alert with what was done about it."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            resolution = typed.text("resolution", most=1000)
        return consultation.resolve(
            session, actor=actor, client_id=here.client_id, alert_id=alert_id, resolution=resolution, at=here.now
        )

    return here.does(act, then="?done=resolved", else_again=lambda why: client_page(here, refused=why, typed=data))


@post("/consulting/clients/{client_id:uuid}/end", sync_to_thread=True, guards=[requires(Act.ORDER)])
def end(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends the stay in treatment, for a reason that the doctor states."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            ended_on = typed.day("ended_on")
            reason = typed.choice("exit_reason", ExitReason)
            sessions_go_on = bool(typed.yes_no("sessions_go_on"))
            if ended_on > here.today:
                typed.fault("ended_on", "ends-later", "A stay ends today or earlier.", "Correct the day.")
        return dosing_acts.leave(
            session,
            actor=actor,
            client_id=here.client_id,
            ended_on=ended_on,
            reason=reason,
            sessions_go_on=sessions_go_on,
            at=here.now,
        )

    return here.does(act, then="?done=ended", else_again=lambda why: client_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [worklist, find, client, hold, release, resolve, end]
