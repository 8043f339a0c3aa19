"""What was planned with a client whose stay ends: shown before, called off with it, and shown afterwards.

Visits at home, agreed sessions, bookings and weekly times would otherwise go on by themselves, and a family would be
reminded of them after a death. What was called off in error is planned again by hand, from the list that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select

import notifications.service
import scheduling.queries
import scheduling.standing
from dispensary.care.own_documents import plans_there
from dispensary.care.plans import SessionPlan
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.care.sessions import end_with_stay, running_plans
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import call_off_with_stay
from dispensary.clients.rules import ExitReason
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import giving_up
from dispensary.phone.offering import tell_offers
from dispensary.staff import audit
from dispensary.staff.models import Account, AuditEntry
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor
from dispensary.supplies import carrying
from dispensary.supplies.carrying_models import Carrying
from dispensary.units import ClientId
from notifications.texts import KINDS
from scheduling.models import Booking, BookingState
from scheduling.waiting_models import Standing, Wait, WaitState

SHOWN_FOR: Final = timedelta(days=30)
"""How long the client's page says what was called off. The house's own figure."""
_OF_TREATMENT: Final = (
    "booking_reminder",
    "booking_reminder_longer",
    "place_offered",
    "review_due",
    "missed_today",
    "feedback_visit",
)
"""Texts about treatment that wait to be sent: out of place once it has ended. Of sessions, these more."""
_OF_SESSIONS: Final = ("meeting_reminder", "meeting_reminder_day")
_COUNTED_OUT: Final = "The stay in treatment ended."


@dataclass(frozen=True)
class Plan:
    """Sessions of one plan that are still to come, or were."""

    key: str
    plan: SessionPlan | None
    """As it ships; nothing for one that a later program has no more."""
    days: Sequence[date]


@dataclass(frozen=True)
class Planned:
    """What was planned with a client: it lies ahead of them, or was called off when their stay ended."""

    visits: Sequence[tuple[HomeVisit, str]] = ()
    """Each with the name of whoever goes."""
    plans: Sequence[Plan] = ()
    bookings: Sequence[Booking] = ()
    """Those that no weekly time has made."""
    weekly: Sequence[Standing] = ()
    waits: Sequence[Wait] = ()
    carried: Sequence[tuple[Carrying, str]] = ()
    """Bottles that are counted out or on the way to them, each with who carries them."""

    def __bool__(self) -> bool:
        return bool(self.visits or self.plans or self.bookings or self.weekly or self.waits or self.carried)


@dataclass(frozen=True)
class CalledOff:
    """What was called off when a stay ended."""

    at: datetime
    what: Planned


def lies_ahead(session: ReadSession, *, client_id: ClientId, site: Place, at: datetime) -> Planned:
    """What would be called off if the client's stay ended now."""
    today = site.dose_day(at)
    weekly = scheduling.standing.of_holder(session, site.id, client_id, today)
    booked = scheduling.queries.bookings_of(session, client_id, at)
    return Planned(
        visits=_visits(session, client_id, HomeVisit.state == "planned", HomeVisit.on_day >= today),
        plans=[
            Plan(each.begun.plan, each.plan, [one.on_day for one in each.sessions if one.state == SessionState.PLANNED])
            for each in running_plans(session, client_id=client_id)
        ],
        bookings=_beside([each for each in booked if each.place_id == site.id], weekly),
        weekly=weekly,
        waits=giving_up.waits_of(session, client_id=client_id, site=site),
        carried=carrying.carried_to(session, client_id=client_id),
    )


def call_off(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: ExitReason,
    sessions_go_on: bool,
    at: datetime,
) -> None:
    """Calls off what lies ahead of a client whose stay ends on a day, each on the trail, and takes back what waits.

    Nobody is texted about it whom no text reaches; others are told which bookings are dropped. Bottles that were
    counted out and not taken stay in the safe; those on the way are answered for by whoever carries them, as ever.
    """
    site = place(session, actor.site_id)
    ends_sessions = reason.comes_no_more or not sessions_go_on
    # One whose day is over may have been made: it stays to be written down, also where the stay ended before it.
    call_off_with_stay(session, actor=actor, client_id=client_id, from_day=max(from_day, site.dose_day(at)), at=at)
    if ends_sessions:
        end_with_stay(session, actor=actor, client_id=client_id, at=at)
    for row, _ in carrying.carried_to(session, client_id=client_id):
        if row.state == "counted" and row.site_id == actor.site_id:
            carrying.call_off(session, actor=actor, carrying_id=row.id, reason=_COUNTED_OUT, at=at)
    kinds = (*_OF_TREATMENT, *(_OF_SESSIONS if ends_sessions else ()))
    notifications.service.withdraw(
        session, recipient_id=client_id, kinds=tuple(KINDS) if reason is ExitReason.DIED else kinds, now=at
    )
    if scheduling.queries.is_place(session, site.id):
        _give_up(session, actor, client_id, site, not reason.comes_no_more, at)


def _give_up(session: WriteSession, actor: Actor, client_id: ClientId, site: Place, tell: bool, at: datetime) -> None:
    for wait in giving_up.leave_lines(session, client_id=client_id, site=site, at=at):
        details: dict[str, object] = {"wait": wait.id, "stay": "ended"}
        _record(session, actor, "left the waiting list", client_id, at, details)
    ended, given_up = giving_up.end_weekly(session, client_id=client_id, site=site, at=at)
    if ended and tell:
        giving_up.tell_weekly_ended(session, ended=ended, site=site, at=at)
    if ended:
        details = {"dropped": len(given_up), "stay": "ended"}
        _record(session, actor, "ended weekly times", client_id, at, details)
    for booking in giving_up.drop_bookings(session, client_id=client_id, site=site, tell=tell, at=at):
        _record(session, actor, "dropped", client_id, at, {"booking": booking.id, "stay": "ended"})
    tell_offers(session, site=site, at=at)


def called_off_lately(session: ReadSession, *, client_id: ClientId, at: datetime) -> CalledOff | None:
    """What was called off when the client's last stay ended, for some time after; nothing when nothing was."""
    ended = session.scalar(
        select(func.max(AuditEntry.at)).where(
            AuditEntry.subject_id == client_id, AuditEntry.act == "ended episode", AuditEntry.at >= at - SHOWN_FOR
        )
    )
    if ended is None:
        return None
    begun = session.scalars(
        select(PlanBegun).where(PlanBegun.client_id == client_id, PlanBegun.ended_at == ended).order_by(PlanBegun.id)
    ).all()
    called_off = (PlanSession.state == SessionState.CALLED_OFF.value, PlanSession.marked_at == ended)
    bookings = select(Booking).where(
        Booking.holder_id == client_id,
        Booking.state == BookingState.DROPPED,
        Booking.changed_at == ended,
        Booking.starts_at >= ended,
    )
    weekly = select(Standing).where(
        Standing.holder_id == client_id, Standing.until_day.is_not(None), Standing.changed_at == ended
    )
    waits = select(Wait).where(Wait.holder_id == client_id, Wait.state == WaitState.WITHDRAWN, Wait.settled_at == ended)
    regular = session.scalars(weekly.order_by(Standing.weekday)).all()
    what = Planned(
        visits=_visits(session, client_id, HomeVisit.state == "called_off", HomeVisit.ended_at == ended),
        plans=[
            Plan(
                each.plan,
                plans_there(session).get(each.plan),
                session.scalars(
                    select(PlanSession.on_day)
                    .where(PlanSession.plan_id == each.id, *called_off)
                    .order_by(PlanSession.on_day)
                ).all(),
            )
            for each in begun
        ],
        bookings=_beside(session.scalars(bookings.order_by(Booking.starts_at)).all(), regular),
        weekly=regular,
        waits=session.scalars(waits.order_by(Wait.day)).all(),
        carried=[one for one in carrying.carried_to(session, client_id=client_id) if one[0].state == "out"],
    )
    return CalledOff(ended, what) if what else None


def _beside(bookings: Sequence[Booking], weekly: Sequence[Standing]) -> list[Booking]:
    """The bookings that were made by themselves: those of a weekly time are said by it."""
    regular = {each.id for each in weekly}
    return [each for each in bookings if each.standing_id not in regular]


def _visits(session: ReadSession, client_id: ClientId, *wanted: ColumnElement[bool]) -> Sequence[tuple[HomeVisit, str]]:
    rows = (
        select(HomeVisit, Account.name)
        .join(Account, Account.id == HomeVisit.visitor_id)
        .where(HomeVisit.client_id == client_id, *wanted)
        .order_by(HomeVisit.on_day, HomeVisit.id)
    )
    return [(visit, name) for visit, name in session.execute(rows)]


def _record(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
