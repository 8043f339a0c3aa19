"""What decisions in force let people carry home in a week, as the doctor's own pages read them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.published.figures import Question, figure
from dispensary.takehome.models import Decision


@figure("fewest-a-week")
def fewest(session: ReadSession, question: Question) -> Decimal:
    """The fewest doses a week that anybody with take-home may carry, by the decisions in force today."""
    return Decimal(min(_a_week(session, question), default=0))


@figure("most-a-week")
def most(session: ReadSession, question: Question) -> Decimal:
    """The most of them."""
    return Decimal(max(_a_week(session, question), default=0))


def _a_week(session: ReadSession, question: Question) -> Sequence[int]:
    decided = select(Decision.per_week).join(Client, Client.id == Decision.client_id)
    found = session.scalars(
        decided.where(
            Client.site_id.in_([place.id for place in question.places]),
            Decision.days.contains(question.places[0].dose_day(question.now)),
            Decision.voided_at.is_(None),
            Decision.per_supply > 0,
            Decision.per_week.is_not(None),
        )
    )
    return [each for each in found if each is not None]
