"""Reading orders, holds and what became of each dose day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from dispensary.database import ReadSession
from dispensary.prescribing.models import DayOutcome, DoseOrder, Hold
from dispensary.units import ClientId


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


def last_day_mg(session: ReadSession, *, client_id: ClientId, before: date) -> Decimal | None:
    """What was ordered for the last day before this one, in mg; nothing for a first order."""
    return session.scalar(
        select(DoseOrder.mg)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
        .where(func.lower(DoseOrder.days) < before)
        .order_by(func.lower(DoseOrder.days).desc())
        .limit(1)
    )


def outcomes_of(session: ReadSession, *, client_id: ClientId, first: date, last: date) -> Sequence[DayOutcome]:
    """The frozen outcomes of a client's dose days, oldest first."""
    return session.scalars(
        select(DayOutcome)
        .where(DayOutcome.client_id == client_id, DayOutcome.dose_day.between(first, last))
        .order_by(DayOutcome.dose_day, DayOutcome.portion)
    ).all()


def missed_run(session: ReadSession, *, client_id: ClientId, before: date) -> int:
    """How many dose days up to the day before this one were missed in a row: days with no portion covered."""
    last_covered = (
        select(func.max(DayOutcome.dose_day))
        .where(DayOutcome.client_id == client_id, DayOutcome.dose_day < before)
        .where(DayOutcome.outcome.in_(("observed", "take_home")))
        .scalar_subquery()
    )
    missed = session.scalar(
        select(func.count(func.distinct(DayOutcome.dose_day)))
        .where(DayOutcome.client_id == client_id, DayOutcome.dose_day < before, DayOutcome.outcome == "missed")
        .where(DayOutcome.dose_day > func.coalesce(last_covered, date.min))
    )
    return missed or 0
