"""Figures of care around the dose that no measure has: sessions as they were held, places, entries from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median_low

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from dispensary.care.centre_models import HealthCentre
from dispensary.care.intake_models import Intake
from dispensary.care.offer_models import ServiceOffer
from dispensary.care.own_documents import pathways_there
from dispensary.care.pathways import LOW, OfferKind
from dispensary.care.screening_models import ScreeningScore, ScreeningTaken
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.clients.consent_models import ClientConsent
from dispensary.clients.disclosure_models import Disclosure, Release
from dispensary.clients.models import Episode
from dispensary.database import ReadSession
from dispensary.prescribing.models import DayOutcome
from dispensary.published.figures import Question, figure
from dispensary.staff.accreditation_models import Accreditation
from dispensary.staff.accreditations import plain_kind
from dispensary.staff.models import Site
from dispensary.units import SiteId, months_after


def _sites(question: Question) -> list[SiteId]:
    return [each.id for each in question.places]


def _within(
    question: Question, day: InstrumentedAttribute[date] | InstrumentedAttribute[date | None]
) -> tuple[ColumnElement[bool], ...]:
    return day >= question.period.from_day, day < question.period.until_day


@figure("places")
def placed(session: ReadSession, question: Question) -> Decimal:
    """Sites that lie in a country, or belong to one that does, and where a stay began by the period's end."""
    lies = or_(Site.area_id.is_not(None), Site.main_site_id.is_not(None))
    began = select(Episode.id).where(Episode.site_id == Site.id, Episode.began_on < question.period.until_day)
    placed = select(func.count()).where(Site.id.in_(_sites(question)), lies, began.exists())
    return Decimal(session.scalar(placed) or 0)


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
    """Months from one asking of `instrument` to the next of the same person, as they were asked: the median."""
    rows = session.execute(
        select(ScreeningTaken.client_id, ScreeningTaken.taken_on)
        .where(ScreeningTaken.site_id.in_(_sites(question)), ScreeningTaken.voided_at.is_(None))
        .where(ScreeningTaken.instrument == question.figure.parameters["instrument"])
        .order_by(ScreeningTaken.client_id, ScreeningTaken.taken_on)
    ).all()
    apart = [
        months_between(before, after)
        for _, those in groupby(rows, key=itemgetter(0))
        for (_, before), (_, after) in pairwise(those)
    ]
    return Decimal(median_low(apart)) if apart else Decimal(0)


def months_between(before: date, after: date) -> int:
    """The number of months after which the later day, or one nearest to it, would come; the fewer of two as near."""
    about = (after.year - before.year) * 12 + after.month - before.month
    near = range(max(about - 1, 0), about + 2)
    return min(near, key=lambda months: (abs((months_after(before, months) - after).days), months))


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
    """How many sessions were held of a `plan` to which somebody came to the end: the least or the most."""
    counted = select(func.count()).select_from(PlanSession).join(PlanBegun, PlanBegun.id == PlanSession.plan_id)
    of = counted.where(PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"])
    whole = func.bool_and(PlanSession.state == SessionState.ATTENDED.value)
    return _chosen(question, session.scalars(of.group_by(PlanSession.plan_id).having(whole)))


@figure("session-minutes")
def session_minutes(session: ReadSession, question: Question) -> Decimal:
    """How long the sessions of a `plan` that were held took, as they were agreed: the least or the most."""
    held = select(PlanSession.id).where(
        PlanSession.plan_id == PlanBegun.id, PlanSession.state == SessionState.ATTENDED.value
    )
    of = select(PlanBegun.minutes).where(
        PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"], held.exists()
    )
    return _chosen(question, session.scalars(of))


def _neighbours(session: ReadSession, question: Question) -> Iterator[tuple[date, date]]:
    """The days of each two sessions that follow each other in a plan and were held both."""
    first, last = map(int, question.figure.parameters.get("sessions", "1-999").split("-"))
    rows = session.execute(
        select(PlanSession.plan_id, PlanSession.seq, PlanSession.on_day)
        .join(PlanBegun, PlanBegun.id == PlanSession.plan_id)
        .where(PlanBegun.site_id.in_(_sites(question)), PlanBegun.plan == question.figure.parameters["plan"])
        .where(PlanSession.state == SessionState.ATTENDED.value)
        .order_by(PlanSession.plan_id, PlanSession.seq)
    ).all()
    for _, those in groupby(rows, key=itemgetter(0)):
        for (_, held, before), (_, seq, after) in pairwise(those):
            if first <= seq <= last and seq == held + 1:
                yield before, after


def _chosen(question: Question, found: Iterable[int]) -> Decimal:
    """The least or the most; nought where there is nothing."""
    which = min if question.figure.parameters["which"] == "least" else max
    return Decimal(which(found, default=0))


@figure("told-besides")
def told_besides(session: ReadSession, question: Question) -> Decimal:
    """What was told to a `recipient` that is another kind of information than `kinds`.

    Who is told without a consent has no kind on record: that is counted, whoever it was.
    """
    told = (
        select(func.count(func.distinct(Release.id)))
        .join(Disclosure, Disclosure.release_id == Release.id)
        .outerjoin(ClientConsent, ClientConsent.id == Release.consent_id)
        .where(
            Release.site_id.in_(_sites(question)),
            or_(
                ClientConsent.recipient_kind == question.figure.parameters["recipient"],
                Release.consent_id.is_(None),
            ),
        )
        .where(Release.kinds != question.figure.parameters["kinds"].split())
    )
    return Decimal(session.scalar(told) or 0)


@figure("offers-at-low-risk")
def offers_at_low_risk(session: ReadSession, question: Question) -> Decimal:
    """Offers of more than information that followed a screening at which every risk was low."""
    more = [key for key, each in pathways_there(session).offers.items() if each.kind is not OfferKind.INFORMATION]
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
