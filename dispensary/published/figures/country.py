"""Figures of a whole country, as its dashboard counts them."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from dispensary.database import ReadSession
from dispensary.evaluation.rollup import site_figures
from dispensary.published.figures import Question, figure
from dispensary.staff.branch_models import Area
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import places_of


def _for_each(question: Question) -> int:
    """For how many of them one that is built stands: `one_in` of the figure."""
    return int(question.figure.parameters.get("one_in", "1"))


@figure("country-sites")
def country_sites(session: ReadSession, question: Question) -> Decimal:
    """Main sites and satellites of the country `code`, times `one_in`."""
    return Decimal(len(places_of(session, question.figure.parameters["code"])) * _for_each(question))


@figure("country-provinces")
def country_provinces(session: ReadSession, question: Question) -> Decimal:
    """Provinces of the tree."""
    counted = select(func.count()).where(Area.kind == Kind.PROVINCE.value)
    return Decimal(session.scalar(counted) or 0)


@figure("country-clients")
def country_clients(session: ReadSession, question: Question) -> Decimal:
    """People in treatment by the last closed day of each site of the country `code`, times `one_in`."""
    places = places_of(session, question.figure.parameters["code"])
    figures = site_figures(session, site_ids=places, seen={}, now=question.now)
    return Decimal(sum(each.active for each in figures) * _for_each(question))
