"""Retention of the clients of some sites: from the facts of a moment to the table and the curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dispensary.database import ReadSession
from dispensary.evaluation import queries
from dispensary.evaluation.queries import Period
from dispensary.evaluation.rules import (
    DEFAULT_ROLES,
    IN_TREATMENT,
    MARKS,
    AtMark,
    Curve,
    Observed,
    Role,
    Scale,
    Stay,
    at_marks,
    kaplan_meier,
    observe,
)
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place

NAME = "retention"
VERSION = "1"
DEFAULT_GAP = 30
LONGEST_GAP = 366


@dataclass(frozen=True)
class Question:
    """What is asked of retention. The same question asked again gets the same answer."""

    period: Period
    """Stays that began in it."""
    as_of: datetime
    gap_days: int = DEFAULT_GAP
    """A client dropped out once more than so many whole days passed without a dose (programmes use 2 to 30)."""
    roles: Mapping[str, Role] = field(default_factory=lambda: DEFAULT_ROLES)
    scale: Scale = field(default_factory=Scale)
    months: tuple[int, ...] = MARKS


@dataclass(frozen=True)
class Cohort:
    """The stays of one kind, how they ended, and what follows."""

    observed: tuple[tuple[Stay, Observed], ...]
    curve: Curve
    marks: tuple[AtMark, ...]
    endings: Mapping[str, int]
    """How many stays ended for each reason, and how many are going on."""

    @property
    def clients(self) -> int:
        return len({stay.client_id for stay, _ in self.observed})


@dataclass(frozen=True)
class Retention:
    """The answer: first stays and all stays apart, since most who leave come back."""

    question: Question
    places: tuple[Place, ...]
    first: Cohort
    all: Cohort
    outside_period: int
    """Stays that began before or after the period."""
    never_dosed: int
    """Clients who began an episode in the period and never had a dose: not in any denominator here."""
    in_gap: int
    """Stays going on whose client has been without a dose for at least a whole day, but not yet for too long."""

    def definition(self) -> dict[str, object]:
        """What the figures mean, for the person who reads them."""
        return definition(self.question)


def retention(session: ReadSession, *, places: Sequence[Place], question: Question, now: datetime) -> Retention:
    """Answers the question from the facts on record at its as-of moment. Raises BadInput for one without an answer."""
    check_moment(question.period, question.as_of, now)
    faults = _faults(question)
    if faults:
        raise BadInput(*faults)
    every = queries.stays(session, places=places, gap_days=question.gap_days, as_of=question.as_of)
    inside = [stay for stay in every if question.period.from_day <= stay.first_day < question.period.until_day]
    observed = [
        (stay, observe(stay, gap_days=question.gap_days, roles=question.roles, scale=question.scale)) for stay in inside
    ]
    return Retention(
        question,
        tuple(places),
        first=_cohort(question, [pair for pair in observed if pair[0].number == 1]),
        all=_cohort(question, observed),
        outside_period=len(every) - len(inside),
        never_dosed=queries.never_dosed(session, places=places, period=question.period, as_of=question.as_of),
        in_gap=sum(
            1 for stay, seen in observed if seen.ending == IN_TREATMENT and (stay.as_of_day - stay.last_day).days > 1
        ),
    )


def _cohort(question: Question, observed: Sequence[tuple[Stay, Observed]]) -> Cohort:
    curve = kaplan_meier((seen.time, seen.event) for _, seen in observed)
    endings = Counter(seen.ending for _, seen in observed)
    marks = at_marks(curve, question.scale, question.months)
    return Cohort(tuple(observed), curve, marks, dict(sorted(endings.items())))


def check_moment(period: Period, as_of: datetime, now: datetime) -> None:
    """Raises BadInput for a period without days, a moment without a zone, or one that is still to come.

    Facts can still be added to a moment to come, and an export of it could never be repeated.
    """
    if period.until_day <= period.from_day:
        raise BadInput(Refusal("no-days", "The period ends before it begins.", "Correct the days.", field="until"))
    if as_of.tzinfo is None:
        raise BadInput(Refusal("no-zone", "The as-of moment has no time zone.", "Add one: …+08:00.", field="as_of"))
    if as_of > now:
        raise BadInput(Refusal("to-come", "The as-of moment is still to come.", "Choose one by now.", field="as_of"))


def _faults(question: Question) -> list[Refusal]:
    faults = []
    if not 1 <= question.gap_days <= LONGEST_GAP:
        faults.append(
            Refusal("gap", f"A gap has 1 to {LONGEST_GAP} days.", "Programmes use 2 to 30.", field="gap_days")
        )
    days = question.scale.month_days
    if days is not None and not (days.is_finite() and 28 <= days <= 31):
        faults.append(Refusal("month", "A month has 28 to 31 days.", "For example 30.4375.", field="month_days"))
    if not question.months or any(not 0 <= month <= 600 for month in question.months):
        faults.append(Refusal("months", "The table speaks at 0 to 600 months.", "Correct them.", field="months"))
    return faults


def definition(question: Question) -> dict[str, object]:
    """The definition in words, with the parameters that were used in it."""
    gap, days = question.gap_days, question.scale.month_days
    months = "calendar months" if days is None else f"months of {_plain(days)} days"
    by_role = {
        role: ", ".join(sorted(reason for reason, has in question.roles.items() if has is role)) or "none"
        for role in Role
    }
    return {
        "name": NAME,
        "version": VERSION,
        "says": (
            "Time from the first day with a dose to the end of a stay, by Kaplan-Meier; variance by Greenwood; 95 %"
            " limits on the log-log scale. A day has a dose when any portion of it was taken at the counter or handed"
            " over in a bottle, whatever the day of the pickup; a bottle that came back full does not count."
        ),
        "dropped_out": (
            f"No dose for more than {gap} whole days in a row, held days among them. The stay ended on the day after"
            f" its last dose day, not on the day on which somebody noticed. Within {gap} days a return continues the"
            " stay, later it is another one."
        ),
        "stated_exit": (
            "A reason that a person stated goes before the gap rule. Bottles for days after the stated day do not"
            " prolong the stay."
        ),
        "roles": {role.value: reasons for role, reasons in by_role.items()},
        "censored": (
            "A stay that is going on is censored at the as-of day, also while its client is without a dose for"
            f" {gap} days or less; one too young for a mark is never counted as retained at it."
        ),
        "numerator": f"stays that had not ended in an event, at 0 to {max(question.months)} {months}",
        "denominator": "stays that began in the period with at least one dose; not those enrolled and never dosed",
    }


def _plain(days: Decimal) -> str:
    return format(days.normalize(), "f")
