"""Figures of a pilot: who was still in treatment so many months after they entered, and who still carried doses home.

Stays are counted from entry to exit, as they were entered: where a clinic's doses are on record for less than that, no
gap between two doses could end one.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Date, Interval, and_, cast, func, or_, select, true

from dispensary.clients.models import Episode
from dispensary.database import ReadSession
from dispensary.published.figures import Question, figure
from dispensary.takehome.models import Decision


@figure("stayed")
def stayed(session: ReadSession, question: Question) -> Decimal:
    """The share whose stay went on so many `months` after it began, of those that began in the period so long ago."""
    return _share(session, question, true())


@figure("stayed-with-take-home")
def stayed_with_take_home(session: ReadSession, question: Question) -> Decimal:
    """The share who besides had a decision in force on that day by which they carry doses home."""
    carried = select(Decision.id).where(
        Decision.episode_id == Episode.id,
        Decision.days.contains(_due(question)),
        Decision.voided_at.is_(None),
        Decision.per_supply > 0,
    )
    return _share(session, question, carried.exists())


def _due(question: Question) -> ColumnElement[date]:
    months = cast(f"{int(question.figure.parameters['months'])} months", Interval)
    return cast(Episode.began_on + months, Date)


def _share(session: ReadSession, question: Question, besides: ColumnElement[bool]) -> Decimal:
    due = _due(question)
    went_on = and_(or_(Episode.ended_on.is_(None), Episode.ended_on >= due), besides)
    counted = select(func.count(), func.count().filter(went_on)).where(
        Episode.site_id.in_([place.id for place in question.places]),
        Episode.began_on >= question.period.from_day,
        Episode.began_on < question.period.until_day,
        due <= question.period.until_day - timedelta(days=1),
    )
    began, kept = session.execute(counted).one()
    return Decimal(kept) / began if began else Decimal(0)
