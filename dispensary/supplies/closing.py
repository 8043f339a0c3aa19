"""The close of a dose day: missed days frozen, unclaimed bottles back in stock, the safe counted, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text, union, update
from sqlalchemy.dialects.postgresql import Range

import scheduling.service
from dispensary.clients.guest_models import GuestStay
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.evaluation.rollup import count_site_day
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, dose_day
from dispensary.stock.counting import count_lot, last_counts
from dispensary.stock.models import Lot
from dispensary.stock.queries import lots
from dispensary.supplies.carrying import call_off, out_now
from dispensary.supplies.exception_rows import not_seen_again
from dispensary.supplies.freezing import freeze_day
from dispensary.supplies.lasting import usual_dose
from dispensary.supplies.missed_bookings import ask_after_them
from dispensary.supplies.models import DayClose, Pickup, PickupPass
from dispensary.supplies.pickups import put_back
from dispensary.units import DoseDay, Millilitres, SiteId


@dataclass(frozen=True)
class Counted:
    """What was measured of one lot at the close: in the open bottle and beside it in prepared bottles."""

    bulk: Millilitres
    reason: str = ""


def close_day(
    session: WriteSession,
    *,
    actor: Actor,
    day: DoseDay,
    today: DoseDay,
    counts: Mapping[UUID, Counted] | None,
    at: datetime,
) -> DayClose:
    """Closes a dose day of the actor's site, with every earlier day that was left open.

    Each ordered portion gets its outcome and keeps it; a guest's day is frozen by the guest site's close. With `counts`
    (the counter's close) prepared bottles that nobody collected go back into stock, every lot is counted, and a
    difference becomes a register line with its reason. It is refused while bottles are out with a carrier: each is
    named, and answered for first. Without (the night's close) the count stays due. No dose for the
    day is possible afterwards. Raises BadInput or Refused, and then nothing is closed.
    """
    if _alone(session, actor.site_id) is None or day > today:
        raise BadInput(Refusal("close-future", f"{day} has not begun.", "Close today or an earlier day."))
    if session.get(DayClose, (actor.site_id, day)) is not None:
        raise Refused(Refusal("closed-already", f"{day} is closed.", "Nothing to do.", {"day": day}))
    open_before = left_open(session, site_id=actor.site_id, before=day)
    _lock_clients(session, actor.site_id, Range(min([*open_before, day]), day, bounds="[]"))
    if counts is not None:
        _nothing_is_out(session, actor=actor, at=at)
    for earlier in open_before:
        _close(session, actor=actor, day=earlier, counts=None, at=at)
    closed = _close(session, actor=actor, day=day, counts=counts, at=at)
    details = {"day": day, "missed": closed.missed, "unclaimed": closed.unclaimed, "counted": closed.counted}
    audit.record(
        session, actor=actor, act="closed day", subject="site", subject_id=actor.site_id, at=at, details=details
    )
    return closed


def _nothing_is_out(session: WriteSession, *, actor: Actor, at: datetime) -> None:
    """Calls off what was counted out and never taken. Raises Refused with everything that a carrier still has."""
    faults = []
    for out in out_now(session, site_id=actor.site_id):
        if out.carrying.state == "counted":
            reason = "the day was closed before it was taken"
            call_off(session, actor=actor, carrying_id=out.carrying.id, reason=reason, at=at)
            continue
        faults.append(
            Refusal(
                "still-out",
                f"{out.carrying.bottles} bottles for {out.number} are still out with {out.carrier}.",
                "Count them in under Pickups, or let the carrier enter when they were handed over.",
                {"pickup": out.carrying.pickup_id},
            )
        )
    if faults:
        raise Refused(*faults)


def _alone(session: WriteSession, site_id: SiteId) -> Site | None:
    """The site, once no other close of it and no answer to a guest's stay is under way; until the unit ends, none is.

    Locked lightly, so that what merely refers to the site (an audit entry) does not wait.
    """
    return session.scalar(select(Site).where(Site.id == site_id).with_for_update(key_share=True))


def _lock_clients(session: WriteSession, site_id: SiteId, days: Range[date]) -> None:
    """Waits for each act on a client whose day may be frozen: the site's own, and its guests of these days.

    After the site, and each client before pickups, lots and the audit chain: the order in which a dose locks too, so
    that nobody waits in a circle.
    """
    guests = select(GuestStay.client_id).where(
        GuestStay.guest_site_id == site_id, GuestStay.verified_at.is_not(None), GuestStay.days.overlaps(days)
    )
    whose = union(select(Client.id).where(Client.site_id == site_id), guests)  # each by its index: not one OR of both
    locked = select(Client.id).where(Client.id.in_(whose)).order_by(Client.id)
    session.execute(locked.with_for_update(key_share=True))


def left_open(session: ReadSession, *, site_id: SiteId, before: date) -> list[DoseDay]:
    """Dose days before this one that nobody closed: from the day after the last closed one, or the site's first."""
    last = session.scalar(
        select(func.max(DayClose.dose_day)).where(DayClose.site_id == site_id, DayClose.dose_day < before)
    )
    if last is None:
        site = session.get_one(Site, site_id)
        last = dose_day(site.zone, site.day_starts, site.opened_at) - timedelta(days=1)
    return [DoseDay(last + timedelta(days=n)) for n in range(1, (before - last).days)]


def _close(
    session: WriteSession, *, actor: Actor, day: DoseDay, counts: Mapping[UUID, Counted] | None, at: datetime
) -> DayClose:
    outcomes = freeze_day(session, site_id=actor.site_id, day=day, at=at)
    not_seen_again(session, actor=actor, day=day, at=at)
    unclaimed = sum(_unclaimed(session, actor=actor, day=day, at=at)) if counts is not None else 0
    session.execute(
        update(PickupPass)
        .where(PickupPass.site_id == actor.site_id, PickupPass.ended_at.is_(None), PickupPass.valid_until <= at)
        .values(ended_at=at, end_reason="expired")
    )
    if counts is not None:
        _count(session, actor=actor, day=day, counts=counts, at=at)
    missed = scheduling.service.mark_missed(session, place_id=actor.site_id, day=day)
    ask_after_them(session, actor=actor, missed=missed, day=day, at=at)
    closed = DayClose(
        site_id=actor.site_id,
        dose_day=day,
        closed_at=at,
        closed_by=actor.account_id,
        counted=counts is not None,
        observed=outcomes.get("observed", 0),
        taken_home=outcomes.get("take_home", 0),
        missed=outcomes.get("missed", 0),
        held=outcomes.get("held", 0),
        unclaimed=unclaimed,
    )
    session.add(closed)
    session.flush()
    count_site_day(session, site_id=actor.site_id, day=day)
    return closed


def _unclaimed(session: WriteSession, *, actor: Actor, day: DoseDay, at: datetime) -> Iterator[int]:
    waiting = session.scalars(
        select(Pickup)
        .where(Pickup.site_id == actor.site_id, Pickup.state == "prepared", Pickup.collect_on <= day)
        .with_for_update()
    ).all()
    for pickup in waiting:
        yield put_back(session, actor=actor, pickup=pickup, state="unclaimed", reason="not collected", day=day, at=at)


def _count(session: WriteSession, *, actor: Actor, day: DoseDay, counts: Mapping[UUID, Counted], at: datetime) -> None:
    missing: list[str] = []
    faults: list[Refusal] = []
    usual_mg = usual_dose(session, site_id=actor.site_id, day=day)
    for lot in lots(session, site_id=actor.site_id):
        session.refresh(lot)
        counted = counts.get(lot.id)
        if counted is None:
            missing.append(lot.batch)
            continue
        measured = Millilitres(counted.bulk + lot.bottled)
        try:
            count_lot(
                session,
                actor=actor,
                lot_id=lot.id,
                measured=measured,
                reason=counted.reason,
                day=day,
                at=at,
                usual_mg=usual_mg,
            )
        except BadInput as reason:
            faults += reason.refusals
    if missing:
        lacking = f"Not counted: {', '.join(missing)}."
        faults.append(Refusal("not-counted", lacking, "Measure every lot that is not empty.", {"lots": missing}))
    if faults:
        raise BadInput(*faults)


@dataclass(frozen=True)
class ToCount:
    """A lot as the close asks for it."""

    lot: Lot
    expected_bulk: Millilitres
    bottled: Millilitres
    last_count: datetime | None


def to_count(session: ReadSession, *, site_id: SiteId, day: date) -> list[ToCount]:
    """What the close expects in the safe: in bulk once uncollected bottles are poured back, and in later pickups."""
    returning = {
        row.lot_id: row.ml
        for row in session.execute(
            text("""SELECT b.lot_id, sum(b.ml) AS ml FROM bottle b JOIN pickup p ON p.id = b.pickup_id
                    WHERE b.site_id = :site AND b.state IN ('prepared', 'checked') AND p.collect_on <= :day
                    GROUP BY b.lot_id"""),
            {"site": site_id, "day": day},
        )
    }
    counted = last_counts(session, site_id=site_id)
    rows = []
    for lot in lots(session, site_id=site_id):
        bottled = Millilitres(lot.bottled - returning.get(lot.id, 0))
        rows.append(ToCount(lot, Millilitres(lot.balance - bottled), bottled, counted.get(lot.id)))
    return rows
