"""Reading orders, holds and what became of each dose day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, text

from dispensary.database import ReadSession
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.course import Course, Given, Leg
from dispensary.prescribing.judging import Held
from dispensary.prescribing.models import DoseOrder, DosePlan, Hold, Reduction
from dispensary.prescribing.sections import Topic
from dispensary.units import ClientId, DoseDay, Milligrams, SiteId


def order_on(session: ReadSession, *, client_id: ClientId, day: date) -> DoseOrder | None:
    """The order in force on a dose day."""
    return session.scalar(
        select(DoseOrder).where(
            DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None), DoseOrder.days.contains(day)
        )
    )


def orders_of(session: ReadSession, *, client_id: ClientId) -> Sequence[DoseOrder]:
    """Every order of a client that was not set aside, the newest first."""
    return session.scalars(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
        .order_by(func.lower(DoseOrder.days).desc())
    ).all()


def holds_of(session: ReadSession, *, client_id: ClientId, from_day: date) -> Sequence[Hold]:
    """Holds that are not released and reach this day or a later one."""
    return session.scalars(
        select(Hold)
        .where(Hold.client_id == client_id, Hold.released_at.is_(None))
        .where(func.coalesce(func.upper(Hold.days), date.max) > from_day)
        .order_by(func.lower(Hold.days))
    ).all()


def course_of(session: ReadSession, *, episode_id: UUID, last_given: Given | None = None) -> Course:
    """The orders of a stay as steps are judged by them. `last_given` comes from whoever hands doses over.

    Before any day of the stay has closed, what was given under its orders is the first that was given.
    """
    orders = session.scalars(
        select(DoseOrder)
        .where(DoseOrder.episode_id == episode_id, DoseOrder.voided_at.is_(None))
        .order_by(func.lower(DoseOrder.days))
    )
    legs = tuple(Leg(o.days.lower, o.mg, o.days.upper) for o in orders if o.days.lower is not None)
    first = session.scalar(
        text("""SELECT min(dose_day) FROM day_as_known WHERE episode_id = :episode AND given_mg > 0
                AND client_id = (SELECT client_id FROM episode WHERE id = :episode)"""),
        {"episode": episode_id},
    )
    if first is None and last_given is not None and legs and legs[0].first_day <= last_given.day:
        first = DoseDay(last_given.day)
    return Course(legs, first, last_given)


def held_by(session: ReadSession, *, site_id: SiteId, day: date) -> Held:
    """The guidelines that an order from this day on is held against."""
    return Held(
        induction=guideline_of(session, site_id, Topic.INDUCTION, day),
        taper=guideline_of(session, site_id, Topic.TAPER, day),
        split=guideline_of(session, site_id, Topic.SPLIT, day),
        prescription=guideline_of(session, site_id, Topic.PRESCRIPTION, day),
    )


def open_reduction(session: ReadSession, *, client_id: ClientId) -> Reduction | None:
    """Less than the order, agreed by telephone, that still holds."""
    return session.scalar(select(Reduction).where(Reduction.client_id == client_id, Reduction.ended_at.is_(None)))


def plans_of(session: ReadSession, *, client_id: ClientId) -> Sequence[DosePlan]:
    """The plans that were signed for a client, the newest first."""
    return session.scalars(
        select(DosePlan).where(DosePlan.client_id == client_id).order_by(DosePlan.signed_at.desc())
    ).all()


@dataclass(frozen=True)
class DayKnown:
    """What became of a portion of a closed day: as it was frozen, or as it was corrected afterwards."""

    dose_day: DoseDay
    portion: int
    portions: int
    ordered_mg: Milligrams
    given_mg: Milligrams
    outcome: str
    frozen_at: datetime
    corrected_at: datetime | None


def outcomes_of(session: ReadSession, *, client_id: ClientId, first: date, last: date) -> Sequence[DayKnown]:
    """What became of a client's closed dose days, oldest first."""
    rows = session.execute(
        text("""SELECT dose_day, portion, portions, ordered_mg, given_mg, outcome, frozen_at, corrected_at
                FROM day_as_known WHERE client_id = :client AND dose_day BETWEEN :first AND :last
                ORDER BY dose_day, portion"""),
        {"client": client_id, "first": first, "last": last},
    )
    return [DayKnown(*row) for row in rows]


_MISSED_RUN = text("""
SELECT count(DISTINCT dose_day) FROM day_as_known
WHERE client_id = :client AND dose_day < :before AND outcome = 'missed'
    AND dose_day > coalesce((SELECT max(dose_day) FROM day_as_known WHERE client_id = :client AND dose_day < :before
        AND outcome IN ('observed', 'take_home')), '-infinity')
""")


def missed_run(session: ReadSession, *, client_id: ClientId, before: date) -> int:
    """How many dose days up to the day before this one were missed in a row: days with no portion covered."""
    return session.scalar(_MISSED_RUN, {"client": client_id, "before": before}) or 0
