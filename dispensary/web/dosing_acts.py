"""Acts around a client's orders, for pages and API alike: order, hold, release, end a stay.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act by the same person is then found done, and is not done a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range

from dispensary import leaving
from dispensary.clients.models import Episode
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode, the_client
from dispensary.clients.tasks import end_tasks
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.chain import running_on
from dispensary.prescribing.course import Given
from dispensary.prescribing.judging import NOTHING_SAID, About
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.service import InHand, end_orders, hold_doses, order_dose, release_hold
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.supplies.queries import covered_days, last_observed_day, last_whole_day
from dispensary.supplies.recalls import call_back
from dispensary.takehome.service import end_decisions
from dispensary.units import ClientId, DoseDay, Milligrams

BRING_WITHIN = timedelta(days=2)
"""Bottles with an earlier dose are brought back within so many days (common practice: 24 to 48 hours)."""


class Bottles(StrEnum):
    """What becomes of bottles at home with the earlier dose."""

    UNSAID = ""
    STAY = "stay"
    """The prescriber has seen them, and they are taken as they are."""
    CALL_BACK = "call_back"
    """They are brought back; an order may then begin on a later day that they are for."""

    def in_hand(self, covered: Iterable[DoseDay]) -> InHand:
        return InHand(tuple(covered), seen=self is Bottles.STAY, called_back=self is Bottles.CALL_BACK)


@dataclass(frozen=True)
class Wanted:
    """A dose order as it was asked for. `until_day` is the first day on which it does not count any more."""

    mg: Milligrams
    parts: Sequence[Milligrams]
    from_day: date
    until_day: date | None
    reason: str
    places: Sequence[str] = ()
    second_look: str = ""
    outside: str = ""
    """Why it is right to leave the guideline that the site follows."""
    about: About = NOTHING_SAID
    bottles: Bottles = Bottles.UNSAID


def order(
    session: WriteSession, *, actor: Actor, client_id: ClientId, wanted: Wanted, today: date, at: datetime
) -> DoseOrder:
    """Orders a dose, knowing the days for which the client has doses already, and calls bottles back where asked.

    Raises BadInput or Refused, and then nothing is ordered and nothing called back.
    """
    the_client(session, client_id, actor.site_id)  # a repeated request waits here for the first
    before = _ordered_before(session, actor, client_id, wanted)
    if before is not None and _stands(session, before, wanted):
        return before
    if before is not None:
        refuse_ordered_since(session, client_id=client_id, from_day=wanted.from_day, ordered_at=before.ordered_at)
    covered = covered_days(session, client_id=client_id, from_day=today)
    given = last_given(session, client_id=client_id, before=wanted.from_day)
    in_hand = wanted.bottles.in_hand(covered)
    ordered = order_dose(
        session,
        actor=actor,
        client_id=client_id,
        mg=wanted.mg,
        parts=wanted.parts,
        places=wanted.places or None,
        from_day=wanted.from_day,
        until_day=wanted.until_day,
        reason=wanted.reason,
        second_look=wanted.second_look,
        outside=wanted.outside,
        about=wanted.about,
        last_given=given,
        covered_days=in_hand.covered,
        bottles_seen=in_hand.seen,
        called_back=in_hand.called_back,
        today=today,
        at=at,
    )
    call_back_earlier(
        session,
        actor=actor,
        client_id=client_id,
        bottles=wanted.bottles,
        given=given,
        covered=covered,
        from_day=wanted.from_day,
        today=today,
        at=at,
    )
    return ordered


def _ordered_before(session: ReadSession, actor: Actor, client_id: ClientId, wanted: Wanted) -> DoseOrder | None:
    """The newest order from the same day on that this person wrote in the same words, whatever became of it."""
    portions = [Decimal(part) for part in wanted.parts or [wanted.mg]]
    return session.scalar(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.ordered_by == actor.account_id)
        .where(func.lower(DoseOrder.days) == wanted.from_day, DoseOrder.plan_id.is_(None))
        .where(DoseOrder.mg == wanted.mg, DoseOrder.portions == portions)
        .where(DoseOrder.places == list(wanted.places) if wanted.places else DoseOrder.places.is_(None))
        .where(DoseOrder.reason == wanted.reason.strip())
        .order_by(DoseOrder.ordered_at.desc(), DoseOrder.id.desc())
        .limit(1)
    )


def _stands(session: ReadSession, order: DoseOrder, wanted: Wanted) -> bool:
    """Whether an order still is all that was wanted: to the same day as written, and nothing after it."""
    written = order.voided_at is None and order.end_reason in (None, "as_written")
    if not written or order.days.upper != wanted.until_day:
        return False
    return wanted.until_day is None or running_on(session, client_id=order.client_id, day=wanted.until_day) is None


def refuse_ordered_since(session: ReadSession, *, client_id: ClientId, from_day: date, ordered_at: datetime) -> None:
    """Raises Refused when other orders have come in the place of one that is asked for again.

    It may be a browser that sends an old form, or a tab that was left open: what somebody ordered in the meantime is
    not undone by that.
    """
    since = session.scalar(
        select(DoseOrder.id)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None), DoseOrder.ordered_at > ordered_at)
        .where(func.coalesce(func.upper(DoseOrder.days), date.max) > from_day)
        .limit(1)
    )
    if since is not None:
        raise Refused(
            Refusal(
                "ordered-since",
                "You ordered this before, and another order has taken its place since.",
                "Look at the orders. If it is right all the same, say in the reason why it is ordered again.",
                {"order": since},
                field="reason",
            )
        )


def call_back_earlier(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    bottles: Bottles,
    given: Given | None,
    covered: Collection[DoseDay],
    from_day: date,
    today: date,
    at: datetime,
) -> None:
    """Calls back the bottles with an earlier dose, from the first day of the new one on, where that was chosen.

    `covered` are the days from today on for which the client has a dose. Raises Refused when there is none to call.
    """
    if bottles is not Bottles.CALL_BACK or not any(day > today for day in covered):
        return
    absent = given is not None and (today - given.day).days > 1 and today not in covered
    call_back(
        session,
        actor=actor,
        client_id=client_id,
        cause="restart" if absent else "dose_changed",
        from_day=max(from_day, today),
        bring_by=today + BRING_WITHIN,
        at=at,
    )


def last_given(session: ReadSession, *, client_id: ClientId, before: date) -> Given | None:
    """The last day before this one of which the client had the whole dose, as orders are compared with it."""
    found = last_whole_day(session, client_id=client_id, before=before)
    return Given(*found) if found else None


def hold(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    until_day: date | None,
    reason: str,
    today: date,
    at: datetime,
) -> Hold:
    """Withholds doses from today or a later day on. Raises BadInput or Refused."""
    the_client(session, client_id, actor.site_id)
    if from_day < today:
        raise BadInput(
            Refusal("begins-earlier", "A hold begins today or later.", "Correct the first day.", field="from_day")
        )
    backwards = until_day is not None and until_day <= from_day  # no range, and refused below
    same = (
        None
        if backwards
        else session.scalar(
            select(Hold)
            .where(Hold.client_id == client_id, Hold.released_at.is_(None), Hold.placed_by == actor.account_id)
            .where(Hold.days == Range(from_day, until_day, bounds="[)"), Hold.reason == reason.strip())
        )
    )
    return same or hold_doses(
        session, actor=actor, client_id=client_id, from_day=from_day, until_day=until_day, reason=reason, at=at
    )


def release(
    session: WriteSession, *, actor: Actor, client_id: ClientId, hold_id: UUID, reason: str, at: datetime
) -> None:
    """Ends a hold, for a reason that stays beside it. Raises BadInput, or NotThere when somebody else has ended it."""
    the_client(session, client_id, actor.site_id)
    held = session.get(Hold, hold_id)
    done = held is not None and held.client_id == client_id and held.released_at is not None
    if not (done and held and held.released_by == actor.account_id):
        release_hold(session, actor=actor, client_id=client_id, hold_id=hold_id, reason=reason, at=at)


def leave(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    ended_on: date,
    reason: ExitReason,
    at: datetime,
    sessions_go_on: bool = False,
) -> Episode:
    """Ends the client's running stay in treatment for a stated reason, and with it all that was ordered and decided.

    What was planned and booked with them is called off. Sessions go on where that was said: care is voluntary, and may
    outlast treatment; never with somebody who has died or is in prison.

    Raises BadInput, also for a day on or after which a dose was given, or NotThere.
    """
    the_client(session, client_id, actor.site_id)
    last = session.scalar(
        select(Episode)
        .where(Episode.client_id == client_id, Episode.site_id == actor.site_id)
        .order_by(Episode.began_on.desc(), Episode.id.desc())
        .limit(1)
    )
    if last is None:
        raise NotThere(Refusal("no-episode", "There is no running episode to end.", "Look at the client's page."))
    if (last.ended_on, last.exit_reason) == (ended_on, reason.value):
        return last
    given = last_observed_day(session, client_id=client_id, from_day=ended_on)
    if given is not None:
        raise BadInput(
            Refusal(
                "dosed-since",
                f"A dose was taken at the counter on {given}: the stay did not end on {ended_on}.",
                "Choose the day after the last dose, or a later one.",
                {"last_dose": given},
                field="ended_on",
            )
        )
    ended = end_episode(session, actor=actor, episode_id=last.id, ended_on=ended_on, reason=reason, at=at)
    end_orders(session, actor=actor, client_id=client_id, from_day=ended_on, at=at)
    end_decisions(session, actor=actor, client_id=client_id, from_day=ended_on, at=at)
    end_tasks(session, actor=actor, client_id=client_id, outcome="The stay in treatment ended.", at=at)
    leaving.call_off(
        session,
        actor=actor,
        client_id=client_id,
        from_day=ended_on,
        reason=reason,
        sessions_go_on=sessions_go_on,
        at=at,
    )
    return ended
