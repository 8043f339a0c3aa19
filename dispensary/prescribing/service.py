"""Ordering a dose, holding it, releasing it, stopping it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client, the_episode
from dispensary.database import WriteSession
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.queries import last_day_mg
from dispensary.prescribing.rules import JumpGuard, jump_refusal, portions_of
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, DoseDay, Milligrams


def order_dose(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    mg: Milligrams,
    parts: Sequence[Milligrams] = (),
    from_day: date,
    until_day: date | None = None,
    reason: str,
    second_look: str = "",
    covered_days: Collection[DoseDay] = (),
    bottles_seen: bool = False,
    today: date,
    at: datetime,
) -> DoseOrder:
    """Orders a dose from a day on, until superseded or to the day before `until_day`.

    The order in force gives way from that day without a gap; orders for later days are set aside. `covered_days` are
    the days for which the client already has doses: the new order cannot begin on one, and bottles at home for later
    days must have been seen. Raises BadInput or Refused.
    """
    client = the_client(session, client_id, actor.site_id)
    episode = the_episode(session, client.id, from_day)
    site = session.get_one(Site, actor.site_id)
    portions = portions_of(mg, parts)
    last = last_day_mg(session, client_id=client_id, before=from_day)
    faults = [
        fault
        for fault in (
            portions if isinstance(portions, Refusal) else None,
            _begins_well(from_day, until_day, today, covered_days),
            _bottles_seen(from_day, covered_days, seen=bottles_seen),
            jump_refusal(last, mg, JumpGuard(site.jump_percent, site.jump_mg), second_look),
            None if reason.strip() else Refusal("reason", "The reason is missing.", "Say why.", field="reason"),
        )
        if fault
    ]
    if faults or isinstance(portions, Refusal):
        raise BadInput(*faults)
    _give_way(session, episode.id, from_day, at)
    order = DoseOrder(
        episode_id=episode.id,
        client_id=client_id,
        site_id=actor.site_id,
        days=Range(from_day, until_day, bounds="[)"),
        mg=mg,
        portions=[Decimal(part) for part in portions],
        end_reason="as_written" if until_day else None,
        ended_at=at if until_day else None,
        reason=reason.strip(),
        ordered_by=actor.account_id,
        ordered_at=at,
    )
    session.add(order)
    session.flush()
    details = {"mg": mg, "portions": portions, "from": from_day, "until": until_day, "second_look": bool(second_look)}
    audit.record(
        session, actor=actor, act="ordered dose", subject="client", subject_id=client_id, at=at, details=details
    )
    return order


def _begins_well(
    from_day: date, until_day: date | None, today: date, covered_days: Collection[DoseDay]
) -> Refusal | None:
    if from_day < today:
        return Refusal("begins-earlier", "An order begins today or later.", "Correct the first day.", field="from_day")
    if until_day is not None and until_day <= from_day:
        return Refusal("ends-before", "The order ends before it begins.", "Correct the last day.", field="until_day")
    if from_day in covered_days:
        return Refusal(
            "day-covered",
            f"The client already has a dose for {from_day}.",
            "Begin on a day for which nothing was given yet.",
            {"day": from_day},
            field="from_day",
        )
    return None


def _bottles_seen(from_day: date, covered_days: Collection[DoseDay], *, seen: bool) -> Refusal | None:
    at_home = sorted(day for day in covered_days if day > from_day)
    if not at_home or seen:
        return None
    return Refusal(
        "bottles-at-home",
        f"The client has bottles at home for {len(at_home)} days from {at_home[0]}, with the earlier dose.",
        "Decide whether they are called back, then confirm that you have seen this.",
        {"days": at_home},
        field="bottles_seen",
    )


def _give_way(session: WriteSession, episode_id: UUID, from_day: date, at: datetime) -> None:
    later = session.scalars(
        select(DoseOrder)
        .where(DoseOrder.episode_id == episode_id, DoseOrder.voided_at.is_(None))
        .where(func.coalesce(func.upper(DoseOrder.days), date.max) > from_day)
        .with_for_update()
    ).all()
    for order in later:
        if order.days.lower is not None and order.days.lower >= from_day:
            order.voided_at = at
        else:
            order.days = Range(order.days.lower, from_day, bounds="[)")
            order.end_reason = "superseded"
            order.ended_at = at
    session.flush()


def stop_order(
    session: WriteSession, *, actor: Actor, client_id: ClientId, from_day: date, reason: str, today: date, at: datetime
) -> None:
    """Stops the order in force from a day on: a chosen gap, with its reason. Raises BadInput or NotThere."""
    the_client(session, client_id, actor.site_id)
    if from_day < today or not reason.strip():
        raise BadInput(Refusal("stop", "An order is stopped from today or later, with a reason.", "Correct it."))
    running = session.scalar(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None), DoseOrder.days.contains(from_day))
        .with_for_update()
    )
    if running is None or running.days.lower is None:
        raise NotThere(Refusal("no-order", "No order is in force on that day.", "Look at the orders."))
    if running.days.lower == from_day:
        running.voided_at = at
        _ends_here(session, running.episode_id, from_day, at)
    else:
        running.days = Range(running.days.lower, from_day, bounds="[)")
        running.end_reason, running.ended_at = "stopped", at
    session.flush()
    details = {"from": from_day, "reason": reason.strip()}
    audit.record(
        session, actor=actor, act="stopped order", subject="client", subject_id=client_id, at=at, details=details
    )


def _ends_here(session: WriteSession, episode_id: UUID, day: date, at: datetime) -> None:
    """The order that gave way on this day to one that is set aside now ends here as stopped: the gap was chosen."""
    session.execute(
        update(DoseOrder)
        .where(DoseOrder.episode_id == episode_id, DoseOrder.voided_at.is_(None))
        .where(func.upper(DoseOrder.days) == day, DoseOrder.end_reason == "superseded")
        .values(end_reason="stopped", ended_at=at)
    )


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


def release_hold(session: WriteSession, *, actor: Actor, client_id: ClientId, hold_id: UUID, at: datetime) -> None:
    """Ends a hold at once. Raises NotThere when it is not this client's or was released before."""
    the_client(session, client_id, actor.site_id)
    hold = session.get(Hold, hold_id, with_for_update=True)
    if hold is None or hold.client_id != client_id or hold.released_at is not None:
        raise NotThere(Refusal("no-hold", "There is no such hold to release.", "Look at the client's page."))
    hold.released_by, hold.released_at = actor.account_id, at
    session.flush()
    audit.record(session, actor=actor, act="released hold", subject="client", subject_id=client_id, at=at)
