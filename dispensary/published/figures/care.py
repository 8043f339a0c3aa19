"""Figures of care around the dose that no measure has: schedules as they were agreed, places, entries from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise
from operator import itemgetter

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from dispensary.care.centre_models import HealthCentre
from dispensary.care.instrument_setting import in_use
from dispensary.care.intake_models import Intake
from dispensary.care.offer_models import ServiceOffer
from dispensary.care.pathways import LOW, OfferKind, shipped
from dispensary.care.screening_models import ScreeningScore, ScreeningTaken
from dispensary.care.session_models import PlanBegun, PlanSession
from dispensary.clients.consent_models import ClientConsent
from dispensary.clients.disclosure_models import Disclosure, Release
from dispensary.clients.models import Episode
from dispensary.database import ReadSession
from dispensary.prescribing.models import DayOutcome
from dispensary.published.figures import Question, figure
from dispensary.staff.accreditation_models import Accreditation
from dispensary.staff.accreditations import plain_kind
from dispensary.staff.models import Site
from dispensary.units import SiteId


def _sites(question: Question) -> list[SiteId]:
    return [each.id for each in question.places]


def _within(
    question: Question, day: InstrumentedAttribute[date] | InstrumentedAttribute[date | None]
) -> tuple[ColumnElement[bool], ...]:
    return day >= question.period.from_day, day < question.period.until_day


@figure("places")
def placed(session: ReadSession, question: Question) -> Decimal:
    """Sites of the file that lie in a country or belong to a site that does."""
    lies = or_(Site.area_id.is_not(None), Site.main_site_id.is_not(None))
    return Decimal(session.scalar(select(func.count()).where(Site.id.in_(_sites(question)), lies)) or 0)


@figure("held-days")
def held_days(session: ReadSession, question: Question) -> Decimal:
    """Portions of closed days of the period that somebody held back."""
    held = select(func.count()).where(
        DayOutcome.site_id.in_(_sites(question)),
        *_within(question, DayOutcome.dose_day),
        DayOutcome.outcome == "held",
    )
    return Decimal(session.scalar(held) or 0)


@figure("centres")
def centres(session: ReadSession, question: Question) -> Decimal:
    """Places of the sites' directories that clients are referred to."""
    offered = select(func.count()).where(HealthCentre.site_id.in_(_sites(question)), HealthCentre.open)
    return Decimal(session.scalar(offered) or 0)


@figure("screening-months")
def screening_months(session: ReadSession, question: Question) -> Decimal:
    """After how many months `instrument` is asked again: the longest of the sites."""
    key = question.figure.parameters["instrument"]
    every = [in_use(session, site_id=site_id)[key].every_months for site_id in _sites(question)]
    return Decimal(max(each or 0 for each in every))


@figure("not-screened")
def not_screened(session: ReadSession, question: Question) -> Decimal:
    """People whose stay began in the period and of whom `instrument` was not asked on its first day."""
    asked = (
        select(ScreeningTaken.id)
        .where(ScreeningTaken.client_id == Episode.client_id, ScreeningTaken.taken_on == Episode.began_on)
        .where(
            ScreeningTaken.instrument == question.figure.parameters["instrument"], ScreeningTaken.voided_at.is_(None)
        )
    )
    without = select(func.count()).where(
        Episode.site_id.in_(_sites(question)),
        *_within(question, Episode.began_on),
        ~asked.exists(),
    )
    return Decimal(session.scalar(without) or 0)


@figure("intakes")
def intakes(session: ReadSession, question: Question) -> Decimal:
    """People who came in the period by `route`, whatever became of it."""
    came = select(func.count()).where(
        Intake.site_id.in_(_sites(question)),
        *_within(question, Intake.came_on),
        Intake.route == question.figure.parameters["route"],
    )
    return Decimal(session.scalar(came) or 0)


@figure("session-days")
def session_days(session: ReadSession, question: Question) -> Decimal:
    """Days from one session of `plan` to the next, `which` is least or most; of the `sessions` alone, such as 1-8."""
    return _chosen(question, ((after - before).days for before, after in _neighbours(session, question)))


@figure("session-months")
def session_months(session: ReadSession, question: Question) -> Decimal:
    """The same in months: from one calendar month to another."""
    return _chosen(
        question,
        (
            (after.year - before.year) * 12 + after.month - before.month
            for before, after in _neighbours(session, question)
        ),
    )


@figure("sessions-of-plan")
def sessions_of_plan(session: ReadSession, question: Question) -> Decimal:
    """How many sessions a `plan` has: the least or the most."""
    counted = select(func.count()).select_from(PlanSession).join(PlanBegun, PlanBegun.id == PlanSession.plan_id)
    of = counted.where(PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"])
    return _chosen(question, session.scalars(of.group_by(PlanSession.plan_id)))


@figure("session-minutes")
def session_minutes(session: ReadSession, question: Question) -> Decimal:
    """How long the sessions of a `plan` take: the least or the most."""
    of = select(PlanBegun.minutes).where(
        PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"]
    )
    return _chosen(question, session.scalars(of))


def _neighbours(session: ReadSession, question: Question) -> Iterator[tuple[date, date]]:
    """The days of each two sessions that follow each other in a plan."""
    first, last = map(int, question.figure.parameters.get("sessions", "1-999").split("-"))
    rows = session.execute(
        select(PlanSession.plan_id, PlanSession.seq, PlanSession.on_day)
        .join(PlanBegun, PlanBegun.id == PlanSession.plan_id)
        .where(PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"])
        .order_by(PlanSession.plan_id, PlanSession.seq)
    ).all()
    for _, those in groupby(rows, key=itemgetter(0)):
        for (_, _, before), (_, seq, after) in pairwise(those):
            if first <= seq <= last:
                yield before, after


def _chosen(question: Question, found: Iterable[int]) -> Decimal:
    """The least or the most; nought where there is nothing."""
    which = min if question.figure.parameters["which"] == "least" else max
    return Decimal(which(found, default=0))


@figure("told-besides")
def told_besides(session: ReadSession, question: Question) -> Decimal:
    """What was told to a `recipient` by consent that names another kind of information than `kinds`."""
    told = (
        select(func.count(func.distinct(Release.id)))
        .join(Disclosure, Disclosure.release_id == Release.id)
        .join(ClientConsent, ClientConsent.id == Release.consent_id)
        .where(
            Release.site_id.in_(_sites(question)),
            ClientConsent.recipient_kind == question.figure.parameters["recipient"],
        )
        .where(Release.kinds != question.figure.parameters["kinds"].split())
    )
    return Decimal(session.scalar(told) or 0)


@figure("offers-at-low-risk")
def offers_at_low_risk(session: ReadSession, question: Question) -> Decimal:
    """Offers of more than information that followed a screening at which every risk was low."""
    more = [key for key, each in shipped().offers.items() if each.kind is not OfferKind.INFORMATION]
    higher = select(ScreeningScore.screening_id).where(
        ScreeningScore.screening_id == ServiceOffer.screening_id, ScreeningScore.band.not_in(LOW)
    )
    led = select(func.count()).where(
        ServiceOffer.site_id.in_(_sites(question)),
        ServiceOffer.screening_id.is_not(None),
        ServiceOffer.offer.in_(more),
        ~higher.exists(),
    )
    return Decimal(session.scalar(led) or 0)


@figure("not-accredited")
def not_accredited(session: ReadSession, question: Question) -> Decimal:
    """Screenings by one of the `instruments` that somebody took who was not accredited for it on that day."""
    held = (
        select(Accreditation.id)
        .where(Accreditation.account_id == ScreeningTaken.taken_by, Accreditation.site_id == ScreeningTaken.site_id)
        .where(Accreditation.kind == plain_kind(question.figure.parameters["accreditation"]))
        .where(Accreditation.from_day <= ScreeningTaken.taken_on)
        .where(func.coalesce(Accreditation.until_day, ScreeningTaken.taken_on) >= ScreeningTaken.taken_on)
    )
    taken = select(func.count()).where(
        ScreeningTaken.site_id.in_(_sites(question)),
        ScreeningTaken.instrument.in_(question.figure.parameters["instruments"].split()),
        ~held.exists(),
    )
    return Decimal(session.scalar(taken) or 0)


@figure("stays-ended")
def stays_ended(session: ReadSession, question: Question) -> Decimal:
    """Stays that ended in the period for this `reason`."""
    ended = select(func.count()).where(
        Episode.site_id.in_(_sites(question)),
        *_within(question, Episode.ended_on),
        Episode.exit_reason == question.figure.parameters["reason"],
    )
    return Decimal(session.scalar(ended) or 0)
