"""Figures of a whole country, as its dashboard counts them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import func, select

from dispensary.database import ReadSession
from dispensary.evaluation.rollup import site_figures
from dispensary.published.figures import Question, figure
from dispensary.staff.branch_queries import Branch, tree
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import places_of
from dispensary.staff.models import Site
from dispensary.supplies.models import Dose


def _for_each(question: Question) -> int:
    """For how many of them one that is built stands: `one_in` of the figure."""
    return int(question.figure.parameters.get("one_in", "1"))


@figure("country-sites")
def country_sites(session: ReadSession, question: Question) -> Decimal:
    """Main sites and satellites of the country `code`, times `one_in`."""
    return Decimal(len(places_of(session, question.figure.parameters["code"])) * _for_each(question))


@figure("country-provinces")
def country_provinces(session: ReadSession, question: Question) -> Decimal:
    """Provinces of the country `code` in which a clinic, or a satellite of one, gave somebody a dose in the period."""
    given = select(Dose.id).where(
        Dose.site_id == Site.id,
        Dose.dose_day >= question.period.from_day,
        Dose.dose_day < question.period.until_day,
        Dose.voided_at.is_(None),
    )
    places = places_of(session, question.figure.parameters["code"])
    dosed = session.scalars(select(Site.code).where(Site.id.in_(places), given.exists()))
    branches = {each.code: each for each in tree(session)}
    return Decimal(len({_province(branches, code) for code in dosed} - {None}))


def _province(branches: Mapping[str, Branch], code: str) -> str | None:
    """The province that a site lies in; none where it lies in the country itself."""
    at = branches.get(code)
    while at is not None and at.kind is not Kind.PROVINCE:
        at = branches.get(at.parent)
    return at.code if at else None


@figure("country-carried")
def country_carried(session: ReadSession, question: Question) -> Decimal:
    """Doses of the period that were carried home from a site of the country `code`."""
    places = places_of(session, question.figure.parameters["code"])
    carried = select(func.count()).where(
        Dose.site_id.in_(places),
        Dose.dose_day >= question.period.from_day,
        Dose.dose_day < question.period.until_day,
        Dose.voided_at.is_(None),
        Dose.kind == "take_home",
    )
    return Decimal(session.scalar(carried) or 0)


@figure("country-clients")
def country_clients(session: ReadSession, question: Question) -> Decimal:
    """People in treatment by the last closed day of each site of the country `code`, times `one_in`."""
    places = places_of(session, question.figure.parameters["code"])
    figures = site_figures(session, site_ids=places, seen={}, now=question.now)
    return Decimal(sum(each.active for each in figures) * _for_each(question))
