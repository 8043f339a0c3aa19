"""Ordering a dose, stopping it, holding it, releasing it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client, the_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.chain import cut, end_reduction, give_way, running_on
from dispensary.prescribing.course import Given
from dispensary.prescribing.judging import NOTHING_SAID, About, judge, too_long
from dispensary.prescribing.models import DayOutcome, DoseOrder, Hold
from dispensary.prescribing.queries import course_of, held_by, open_reduction
from dispensary.prescribing.rules import JumpGuard, places_of, portions_of
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, DoseDay, Milligrams, in_days


@dataclass(frozen=True)
class InHand:
    """What the client has already, and what is done about bottles with the earlier dose."""

    covered: Collection[DoseDay] = ()
    """Days from today on for which there is a dose."""
    seen: bool = False
    """The prescriber has seen that there are bottles at home, and they stay."""
    called_back: bool = False
    """They are called back: an order may then begin on a later day that they cover."""


def order_dose(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    mg: Milligrams,
    parts: Sequence[Milligrams] = (),
    places: Sequence[str] | None = None,
    from_day: date,
    until_day: date | None = None,
    reason: str,
    second_look: str = "",
    outside: str = "",
    about: About | None = None,
    last_given: Given | None = None,
    covered_days: Collection[DoseDay] = (),
    bottles_seen: bool = False,
    called_back: bool = False,
    today: date,
    at: datetime,
) -> DoseOrder:
    """Orders a dose from a day on, until superseded or to the day before `until_day`.

    The order in force gives way from that day without a gap; orders for later days are set aside, those of a plan too,
    and less that was agreed by telephone ends. `covered_days` are the days from today on for which the client already
    has doses: the order cannot begin on one unless the bottles are called back, and bottles at home for later days must
    have been seen. `second_look` says why a jump is right, `outside` why it is right to leave the guideline that the
    site follows. Raises BadInput or Refused.
    """
    client = the_client(session, client_id, actor.site_id)
    episode = the_episode(session, client.id, from_day)
    site = session.get_one(Site, actor.site_id)
    held = held_by(session, site_id=actor.site_id, day=from_day)
    course = course_of(session, episode_id=episode.id, last_given=last_given)
    portions = portions_of(mg, parts)
    in_hand = InHand(covered_days, bottles_seen, called_back)
    judged = judge(
        held,
        course,
        JumpGuard(site.jump_percent, site.jump_mg),
        day=from_day,
        mg=mg,
        about=about or NOTHING_SAID,
        second_look=second_look,
        reason=outside,
    )
    faults = [
        fault
        for fault in (
            portions if isinstance(portions, Refusal) else None,
            places_of(len(portions), places) if not isinstance(portions, Refusal) else None,
            begins_well(from_day, until_day, today, in_hand),
            bottles_in_view(from_day, in_hand),
            reduction_goes_on(session, client_id, from_day, today, in_hand),
            *judged.refusals,
            too_long(held, first_day=from_day, until_day=until_day, reason=outside),
            None if reason.strip() else Refusal("reason", "The reason is missing.", "Say why.", field="reason"),
        )
        if fault
    ]
    if faults or isinstance(portions, Refusal):
        raise BadInput(*faults)
    give_way(session, client_id, episode.id, from_day, actor=actor, at=at)
    order = DoseOrder(
        episode_id=episode.id,
        client_id=client_id,
        site_id=actor.site_id,
        days=Range(from_day, until_day, bounds="[)"),
        mg=mg,
        portions=[Decimal(part) for part in portions],
        places=list(places) if places else None,
        end_reason="as_written" if until_day else None,
        ended_at=at if until_day else None,
        reason=reason.strip(),
        ordered_by=actor.account_id,
        ordered_at=at,
    )
    session.add(order)
    session.flush()
    end_reduction(session, client_id=client_id, at=at, order=order)
    details = {
        "mg": mg,
        "portions": portions,
        "places": places,
        "from": from_day,
        "until": until_day,
        "second_look": bool(second_look),
        "guideline": judged.ruling.answer.value if held.induction else None,
        "outside": outside.strip(),
        "called_back": called_back,
    }
    audit.record(
        session, actor=actor, act="ordered dose", subject="client", subject_id=client_id, at=at, details=details
    )
    return order


def begins_well(from_day: date, until_day: date | None, today: date, in_hand: InHand) -> Refusal | None:
    """The refusal of days on which an order, or a plan, cannot begin or end."""
    if from_day < today:
        return Refusal("begins-earlier", "An order begins today or later.", "Correct the first day.", field="from_day")
    if until_day is not None and until_day <= from_day:
        return Refusal("ends-before", "The order ends before it begins.", "Correct the last day.", field="until_day")
    return day_is_free(from_day, today, in_hand)


def day_is_free(day: date, today: date, in_hand: InHand) -> Refusal | None:
    """The refusal of a day for which the client has a dose; a later one can be had by calling the bottles back."""
    if day not in in_hand.covered or (in_hand.called_back and day > today):
        return None
    return Refusal(
        "day-covered",
        f"The client already has a dose for {day}.",
        f"Begin on {first_free(day, in_hand.covered)}, the next day for which nothing was given"
        + (", or call the bottles back." if day > today else "."),
        {"day": day, "next_free": first_free(day, in_hand.covered)},
        field="from_day",
    )


def first_free(day: date, covered: Collection[DoseDay]) -> date:
    """The first day from this one on for which the client has no dose."""
    while day in covered:
        day += timedelta(days=1)
    return day


def bottles_in_view(from_day: date, in_hand: InHand) -> Refusal | None:
    """The question whether bottles at home with the earlier dose stay; nothing once it has been answered."""
    at_home = sorted(day for day in in_hand.covered if day > from_day)
    if not at_home or in_hand.seen or in_hand.called_back:
        return None
    return Refusal(
        "bottles-at-home",
        f"The client has bottles at home for {in_days(len(at_home))} from {at_home[0]}, with the earlier dose.",
        "Decide whether they are called back, or say why they stay.",
        {"days": at_home},
        field="bottles",
    )


def reduction_goes_on(
    session: ReadSession, client_id: ClientId, from_day: date, today: date, in_hand: InHand
) -> Refusal | None:
    """The refusal of an order that leaves days on which the order before would count again, in full.

    An order ends what was agreed by telephone, so that the first day that can still be dosed must be its own.
    """
    agreed = open_reduction(session, client_id=client_id)
    day = _still_dosed(session, client_id, from_day, today, in_hand)
    if agreed is None or day is None:
        return None
    return Refusal(
        "reduction-ends",
        f"Less than the order was agreed by telephone. Until {from_day} the order before would count again in full.",
        f"Begin on {day}.",
        {"reduced_mg": agreed.mg, "first_day": day},
        field="from_day",
    )


def _still_dosed(
    session: ReadSession, client_id: ClientId, from_day: date, today: date, in_hand: InHand
) -> date | None:
    """The first day before this one that can still be dosed by an order in force; nothing when there is none."""
    closed = select(DayOutcome.dose_day).where(DayOutcome.client_id == client_id, DayOutcome.dose_day == today)
    first = today + timedelta(days=1) if session.scalar(closed.limit(1)) is not None else today
    order = running_on(session, client_id=client_id, day=first_free(first, in_hand.covered))
    if order is None or order.days.lower is None:
        return None
    day = first_free(max(first, order.days.lower), in_hand.covered)
    return day if day < from_day else None


def stop_order(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: str,
    covered_days: Collection[DoseDay] = (),
    called_back: bool = False,
    bottles_seen: bool = False,
    today: date,
    at: datetime,
) -> None:
    """Stops what is ordered from a day on: a chosen gap, with its reason. Later orders are set aside with it.

    A day for which a dose was given cannot be taken back; later ones can, when the bottles are called back. Less that
    was agreed by telephone holds as long as the order does. Raises BadInput or NotThere.
    """
    the_client(session, client_id, actor.site_id)
    if from_day < today or not reason.strip():
        raise BadInput(Refusal("stop", "An order is stopped from today or later, with a reason.", "Correct it."))
    in_hand = InHand(covered_days, bottles_seen, called_back)
    if faults := [one for one in (day_is_free(from_day, today, in_hand), bottles_in_view(from_day, in_hand)) if one]:
        raise BadInput(*faults)
    if running_on(session, client_id=client_id, day=from_day) is None:
        raise NotThere(Refusal("no-order", "No order is in force on that day.", "Look at the orders."))
    goes_on = _still_dosed(session, client_id, from_day, today, in_hand) is not None
    cut(session, client_id, from_day, "stopped", actor=actor, at=at)
    if not goes_on:
        end_reduction(session, client_id=client_id, at=at)
    details = {"from": from_day, "reason": reason.strip(), "called_back": called_back}
    audit.record(
        session, actor=actor, act="stopped order", subject="client", subject_id=client_id, at=at, details=details
    )


def end_orders(session: WriteSession, *, actor: Actor, client_id: ClientId, from_day: date, at: datetime) -> None:
    """Nothing is ordered or held from a day on, since the stay ends: for the end of an episode, which has its entry.

    Orders end with reason `exit`, those of plans for later days are set aside, holds are released and less that was
    agreed by telephone ends. The caller has locked the client.
    """
    cut(session, client_id, from_day, "exit", actor=actor, at=at)
    end_reduction(session, client_id=client_id, at=at)
    holds = session.scalars(
        select(Hold).where(Hold.client_id == client_id, Hold.released_at.is_(None)).with_for_update()
    ).all()
    for hold in holds:
        hold.released_by, hold.released_at, hold.release_reason = actor.account_id, at, "The stay ended."
    session.flush()


def hold_doses(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    until_day: date | None,
    reason: str,
    at: datetime,
) -> Hold:
    """Withholds doses from a day on, until released or to the day before `until_day`. Raises BadInput."""
    the_client(session, client_id, actor.site_id)
    episode = the_episode(session, client_id, from_day)
    if not reason.strip():
        raise BadInput(Refusal("reason", "A hold has a reason.", "Say why the dose is withheld.", field="reason"))
    if until_day is not None and until_day <= from_day:
        raise BadInput(Refusal("ends-before", "The hold ends before it begins.", "Correct it.", field="until_day"))
    hold = Hold(
        episode_id=episode.id,
        client_id=client_id,
        days=Range(from_day, until_day, bounds="[)"),
        reason=reason.strip(),
        placed_by=actor.account_id,
        placed_at=at,
    )
    session.add(hold)
    session.flush()
    details = {"from": from_day, "until": until_day}
    audit.record(session, actor=actor, act="held doses", subject="client", subject_id=client_id, at=at, details=details)
    return hold


def release_hold(
    session: WriteSession, *, actor: Actor, client_id: ClientId, hold_id: UUID, reason: str, at: datetime
) -> None:
    """Ends a hold at once, with the reason why doses are given again.

    Raises BadInput without a reason, NotThere when it is not this client's or was released before.
    """
    the_client(session, client_id, actor.site_id)
    if not reason.strip():
        raise BadInput(
            Refusal("reason", "A release has a reason.", "Say why doses are given again.", field="release_reason")
        )
    hold = session.get(Hold, hold_id, with_for_update=True)
    if hold is None or hold.client_id != client_id or hold.released_at is not None:
        raise NotThere(Refusal("no-hold", "There is no such hold to release.", "Look at the client's page."))
    hold.released_by, hold.released_at, hold.release_reason = actor.account_id, at, reason.strip()
    session.flush()
    details = {"reason": reason.strip()}
    audit.record(
        session, actor=actor, act="released hold", subject="client", subject_id=client_id, at=at, details=details
    )
