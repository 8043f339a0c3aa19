"""Figures of a whole country, as its dashboard counts them; and of stays that were brought in from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select

from dispensary.database import ReadSession
from dispensary.evaluation.episode_sets import episode_set, retention_of
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import NO_GAP
from dispensary.evaluation.retention import Question as OfRetention
from dispensary.evaluation.rollup import site_figures
from dispensary.evaluation.rules import DEFAULT_ROLES, Role
from dispensary.programmes.acts.country import places_of
from dispensary.programmes.figures import Question, figure
from dispensary.staff.branch_models import Area
from dispensary.staff.branch_rules import Kind

_LONG_AGO = timedelta(days=3650)


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


@figure("brought-in-people")
def brought_in_people(session: ReadSession, question: Question) -> Decimal:
    """How many people's stays were brought in under a `name`."""
    return Decimal(episode_set(session, question.figure.parameters["name"]).clients)


@figure("brought-in-retained")
def brought_in_retained(session: ReadSession, question: Question) -> Decimal:
    """The share that stayed for so many `months`, of the stays brought in under a `name`; every exit counts as one."""
    months = int(question.figure.parameters["months"])
    today = question.period.until_day
    asked = OfRetention(
        Period(today - _LONG_AGO, today),
        question.now,
        gap_days=NO_GAP,
        roles=dict.fromkeys(DEFAULT_ROLES, Role.EVENT),
        months=(months,),
        least=1,
    )
    found = retention_of(session, kept=episode_set(session, question.figure.parameters["name"]), question=asked)
    (mark,) = found.first.marks
    return mark.retention if mark.retention is not None else Decimal(0)
