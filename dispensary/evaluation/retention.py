"""Retention of the clients of some sites: from the facts of a moment to the table and the curve."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from dispensary.database import ReadSession, through
from dispensary.evaluation import entry, queries
from dispensary.evaluation.cohorts import Cohort, Seen, Split, both, split
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention_words import definition
from dispensary.evaluation.rules import DEFAULT_ROLES, IN_TREATMENT, MARKS, Role, Scale, from_landmark, observe
from dispensary.evaluation.small_cells import LEAST
from dispensary.evaluation.strata import MOST_STRATA, STRATA
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place
from dispensary.wall import Door

NAME = "retention"
DEFAULT_GAP = 30
LONGEST_GAP = 366
NO_GAP = 0
"""Of episodes that were kept elsewhere: they are as their file has them."""
LATEST_LANDMARK = 3660
TAKE_HOME_BY_LANDMARK = "take_home_by_landmark"
"""Whether the client had had a bottle at home by the landmark: yes or no. The split of a landmark analysis."""


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
    by: tuple[str, ...] = ()
    """Strata as they were when the stay began, or on the day of the landmark where there is one."""
    landmark_days: int | None = None
    """Only stays that are going on so many days after they began, split by take-home until then, timed from then."""
    cox: bool = False
    """Whether the strata are compared by Cox regression too."""
    least: int = LEAST
    """The fewest people of whom a group is shown; 1 shows everything, to those who may read the records anyway."""


@dataclass(frozen=True)
class Records:
    """Episodes that were kept elsewhere and brought in."""

    name: str
    imported_at: datetime
    seen_to: date
    """The last day that they know."""
    episodes: int
    clients: int
    sha256: str
    """Of the file that they came in."""


@dataclass(frozen=True)
class LeftOut:
    """Stays of the period that are in no cohort, and why."""

    role: int = 0
    """They ended for a reason whose role is `excluded`."""
    over_by_landmark: int = 0
    unseen_at_landmark: int = 0
    """They are too young for the landmark, or were last observed before it."""


@dataclass(frozen=True)
class Retention:
    """The answer: first stays and all stays apart, since most who leave come back."""

    question: Question
    places: tuple[Place, ...]
    first: Cohort
    all: Cohort
    split: Split | None
    """The same by strata, where that was asked."""
    outside_period: int
    """Stays that began before or after the period."""
    never_dosed: int
    """Clients who began an episode in the period and never had a dose: not in any denominator here."""
    in_gap: int
    """Stays going on whose client has been without a dose for at least a whole day, but not yet for too long."""
    left_out: LeftOut
    records: Records | None = None
    """Whose episodes these are, where they are not the clinic's own."""

    def definition(self) -> dict[str, object]:
        """What the figures mean, for the person who reads them."""
        return definition(self.question, of_clinic=self.records is None)


@through(Door.FIGURES)
def retention(session: ReadSession, *, places: Sequence[Place], question: Question, now: datetime) -> Retention:
    """Answers the question from the facts on record at its as-of moment. Raises BadInput for one without an answer."""
    check_moment(question.period, question.as_of, now)
    faults = faults_of(question, strata=STRATA, reasons=DEFAULT_ROLES)
    if faults:
        raise BadInput(*faults)
    every = queries.stays(
        session,
        places=places,
        gap_days=question.gap_days,
        until_day=question.period.until_day,
        as_of=question.as_of,
    )
    inside = [stay for stay in every if question.period.from_day <= stay.first_day < question.period.until_day]
    observed, left_out = taken(
        question,
        [
            (stay, observe(stay, gap_days=question.gap_days, roles=question.roles, scale=question.scale))
            for stay in inside
        ],
    )
    first, all_stays = both(observed, scale=question.scale, months=question.months)
    return Retention(
        question,
        tuple(places),
        first=first,
        all=all_stays,
        split=_split(session, question, observed),
        outside_period=len(every) - len(inside),
        never_dosed=queries.never_dosed(session, places=places, period=question.period, as_of=question.as_of),
        in_gap=sum(
            1 for stay, seen in observed if seen.ending == IN_TREATMENT and (stay.as_of_day - stay.last_day).days > 1
        ),
        left_out=left_out,
    )


def taken(question: Question, observed: Sequence[Seen]) -> tuple[list[Seen], LeftOut]:
    """The stays that are in the cohort, each seen from the landmark where there is one."""
    taken = [pair for pair in observed if pair[1].role is not Role.EXCLUDED]
    by_role = len(observed) - len(taken)
    if question.landmark_days is None:
        return taken, LeftOut(by_role)
    reached, over = list[Seen](), 0
    for stay, seen in taken:
        later = from_landmark(stay, seen, days=question.landmark_days, scale=question.scale)
        if later is not None:
            reached.append((stay, later))
        else:
            over += seen.role is not Role.CENSORED
    return reached, LeftOut(by_role, over, len(taken) - len(reached) - over)


def _split(session: ReadSession, question: Question, observed: Sequence[Seen]) -> Split | None:
    if not question.by and question.landmark_days is None:
        return None
    stays, after = [stay for stay, _ in observed], question.landmark_days or 0
    by, levels = (
        question.by,
        entry.levels_on(session, stays=stays, after_days=after, by=question.by, as_of=question.as_of),
    )
    if question.landmark_days is not None:
        had = entry.with_take_home(session, stays=stays, after_days=after, as_of=question.as_of)
        by = (TAKE_HOME_BY_LANDMARK, *by)
        levels = {key: ("yes" if key in had else "no", *of) for key, of in levels.items()}
    return split(observed, levels, by=by, scale=question.scale, months=question.months, least=question.least)


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


def faults_of(
    question: Question, *, strata: Collection[str], reasons: Collection[str], least_gap: int = 1
) -> list[Refusal]:
    """What is wrong with a question of records that have these strata and these reasons of exit."""
    faults = []
    if not least_gap <= question.gap_days <= LONGEST_GAP:
        faults.append(
            Refusal("gap", f"A gap has {least_gap} to {LONGEST_GAP} days.", "Programmes use 2 to 30.", field="gap_days")
        )
    days = question.scale.month_days
    if days is not None and not (days.is_finite() and 28 <= days <= 31):
        faults.append(Refusal("month", "A month has 28 to 31 days.", "For example 30.4375.", field="month_days"))
    if not question.months or any(not 0 <= month <= 600 for month in question.months):
        faults.append(Refusal("months", "The table speaks at 0 to 600 months.", "Correct them.", field="months"))
    for reason in sorted(question.roles.keys() - set(reasons)):
        remedy = f"The reasons are {', '.join(sorted(reasons))}."
        faults.append(Refusal("reason", f"No exit has the reason “{reason[:40]}”.", remedy, field="role"))
    if question.landmark_days is not None and not 1 <= question.landmark_days <= LATEST_LANDMARK:
        remedy = f"It is 1 to {LATEST_LANDMARK} days after entry."
        faults.append(Refusal("landmark", "A landmark is a day of the stay.", remedy, field="landmark_days"))
    if question.cox and not question.by and question.landmark_days is None:
        faults.append(Refusal("no-strata", "Cox regression compares strata.", "Name them with --by.", field="cox"))
    for key in question.by:
        if key not in strata:
            remedy = f"It can be split by {', '.join(strata)}." if strata else "It cannot be split."
            faults.append(Refusal("stratum", f"Retention is not split by “{key[:40]}”.", remedy, field="by"))
    if len(question.by) > MOST_STRATA or len(set(question.by)) < len(question.by):
        faults.append(Refusal("strata", f"At most {MOST_STRATA} strata, each once.", "Leave some out.", field="by"))
    return faults
