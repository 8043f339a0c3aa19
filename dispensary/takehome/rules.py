"""What a policy says of a client on a day, criterion by criterion. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from dispensary.documents import Status
from dispensary.takehome.findings import Finding, State, find, meets, told_of_needs
from dispensary.takehome.history import COVERED, Figured, History, figures, measured
from dispensary.takehome.measures import Measure
from dispensary.takehome.policy import MOST_PER_SUPPLY, Kind, Level, Policy, SetBy
from dispensary.units import in_days

NO_LEVEL = "none"
UNDETERMINED = "undetermined"


class Answer(StrEnum):
    """What a policy answers, from the most to the least that it allows by itself."""

    ALLOW = "allow"
    ALLOW_WITH_REASON = "allow_with_reason"
    """Allowed to a prescriber who writes down why."""
    REFER = "refer_to_prescriber"
    """Nothing is handed over on the policy's word. The prescriber decides, with a reason."""
    REFUSE = "refuse"
    """The law sets a limit of nothing."""


@dataclass(frozen=True)
class Allowance:
    """How much a policy allows, and how much no reason can exceed. Dose days; nothing a week means no weekly limit."""

    answer: Answer
    per_supply: int | None
    """Nothing where the policy has no answer."""
    per_week: int | None
    closed_days_apart: bool
    most_per_supply: int = MOST_PER_SUPPLY
    most_per_week: int | None = None
    consecutive: int | None = None
    """Days in a row; nothing means no such limit."""
    most_consecutive: int | None = None
    closed_days_in_a_row: int | None = None
    """How many closed days in a row are kept apart; nothing means all of them."""

    def as_json(self) -> dict[str, object]:
        """What is kept of it. What was added later is there only where it says something."""
        kept = {**vars(self), "answer": self.answer.value}
        return {name: value for name, value in kept.items() if value is not None or name not in _ADDED}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> Allowance:
        """What `as_json` wrote, read again."""
        return cls(**{**kept, "answer": Answer(str(kept["answer"]))})  # type: ignore[arg-type]


_ADDED = ("consecutive", "most_consecutive", "closed_days_in_a_row")


@dataclass(frozen=True)
class Next:
    """The first day on which the policy would allow more if nothing but days changed."""

    on: date
    days: int
    level: str
    sentence: str

    def as_json(self) -> dict[str, object]:
        return {**vars(self), "on": self.on.isoformat()}


@dataclass(frozen=True)
class Assessment:
    """What a policy says of one client on one day, criterion by criterion."""

    policy: str
    version: str
    on: date
    level: str
    allowance: Allowance
    sentence: str
    findings: tuple[Finding, ...]
    figures: Mapping[str, object]
    next: Next | None
    changes: tuple[str, ...]
    """What would change the answer for the better, each in a sentence; what days alone do comes first."""

    def as_json(self) -> dict[str, object]:
        return {
            "policy": self.policy,
            "version": self.version,
            "on": self.on.isoformat(),
            "level": self.level,
            "allowance": self.allowance.as_json(),
            "sentence": self.sentence,
            "findings": [finding.as_json() for finding in self.findings],
            "figures": dict(self.figures),
            "next": self.next.as_json() if self.next else None,
            "changes": list(self.changes),
        }


def assess(policy: Policy, history: History, on: date) -> Assessment:
    """Judges a client's record by a policy. Equal inputs give an equal answer; a missed day never gives more.

    A draft, and a policy that is not in force on the day, answer `refer_to_prescriber` without a number. A required
    criterion that is not met, or not known to be, gives no level. A consideration that is not met asks for a reason
    and takes nothing away. Advice changes nothing.
    """
    figured = measured(policy, history, on)
    findings = tuple(find(policy, criterion, history, on, figured) for criterion in policy.criteria)
    level = _highest(policy, findings, figured)
    coming = _next(policy, history, on, _rank(policy, findings, figured), figured)
    return Assessment(
        policy=policy.policy,
        version=policy.version,
        on=on,
        level=_level_name(policy, findings, level, on),
        allowance=_allowance(policy, findings, level, on),
        sentence=_why(policy, findings, level, figured, on),
        findings=findings,
        figures=figures(policy, history, on),
        next=coming,
        changes=((coming.sentence,) if coming else ()) + _changes(policy, findings, figured, on),
    )


def policy_answers(policy: Policy, on: date) -> bool:
    """Whether the policy gives numbers on this day at all."""
    return policy.status is not Status.DRAFT and policy.in_force(on)


def _highest(policy: Policy, findings: Collection[Finding], figured: Figured) -> Level | None:
    if policy.status is Status.DRAFT:
        return None
    met = {finding.criterion for finding in findings if finding.state is State.MET}
    reached = (
        level
        for level in reversed(policy.levels)
        if meets(level.needs, figured) and meets(level.at_most, figured) and met.issuperset(level.requires)
    )
    return next(reached, None)


def _level_name(policy: Policy, findings: Collection[Finding], level: Level | None, on: date) -> str:
    if not policy_answers(policy, on):
        return UNDETERMINED
    return level.name if level and not _barring(findings) else NO_LEVEL


def _barring(findings: Collection[Finding]) -> list[Finding]:
    """What stands against any level: a requirement that is not met, or not known to be."""
    return [finding for finding in findings if finding.kind.bars and finding.state is not State.MET]


def _allowance(policy: Policy, findings: Collection[Finding], level: Level | None, on: date) -> Allowance:
    if not policy_answers(policy, on):
        return _allowed(policy, Answer.REFER, None)
    by_law = policy.limits_set_by is SetBy.LAW
    if level is None:
        return _allowed(policy, Answer.REFUSE if by_law else Answer.REFER, 0, most=_NOTHING if by_law else None)
    most = level if by_law else None
    if _barring(findings):
        return _allowed(policy, Answer.REFER, 0, most=most)
    weighed = all(finding.state is State.MET for finding in findings if finding.kind is Kind.CONSIDERATION)
    answer = Answer.ALLOW if weighed else Answer.ALLOW_WITH_REASON
    return _allowed(policy, answer, level.per_supply, level.per_week, level.consecutive, most=most)


_NOTHING = Level("", {}, {}, (), per_supply=0, per_week=None, consecutive=None, source="", is_open=False)


def _allowed(
    policy: Policy,
    answer: Answer,
    per_supply: int | None,
    per_week: int | None = None,
    consecutive: int | None = None,
    *,
    most: Level | None = None,
) -> Allowance:
    """An allowance with the limits of the law: those of the level where the policy is law, those that it names else."""
    limits = most or policy.law
    answers = per_supply is not None
    return Allowance(
        answer,
        per_supply,
        per_week,
        policy.closed_days_apart,
        most_per_supply=limits.per_supply if limits and answers else MOST_PER_SUPPLY,
        most_per_week=limits.per_week if limits and answers else None,
        consecutive=consecutive,
        most_consecutive=limits.consecutive if limits and answers else None,
        closed_days_in_a_row=policy.closed_days_in_a_row,
    )


def _why(policy: Policy, findings: Collection[Finding], level: Level | None, figured: Figured, on: date) -> str:
    if policy.status is Status.DRAFT:
        return f"{policy.policy} is a draft whose cut points nobody has set: the prescriber decides."
    if not policy.in_force(on):
        return f"{policy.policy} is not in force on {on}: the prescriber decides."
    asking = level or policy.levels[0]
    told = told_of_needs({**asking.needs, **asking.at_most}, figured)
    if level is None:
        met = {finding.criterion for finding in findings if finding.state is State.MET}
        lacking = [name for name in asking.requires if name not in met]
        asked = f" Asked for and not met: {', '.join(lacking)}." if lacking else ""
        return f"No level is reached. {told}{asked}".rstrip()
    if barring := _barring(findings):
        ruled_out = [f.criterion for f in barring if f.kind is Kind.EXCLUSION]
        unmet = [f.criterion for f in barring if f.kind is Kind.REQUIRED]
        sentences = [f"Required and not met: {', '.join(unmet)}."] if unmet else []
        sentences += [f"Ruled out, or not known not to be: {', '.join(ruled_out)}."] if ruled_out else []
        return " ".join([*sentences, "The prescriber decides."])
    told = f"Level “{level.name}”: {level_in_words(level)} ({level.source}). {told}".rstrip()
    open_questions = [f.criterion for f in findings if f.kind is Kind.CONSIDERATION and f.state is not State.MET]
    if open_questions:
        told += f" A reason is asked because of: {', '.join(open_questions)}."
    return told


def level_in_words(level: Level) -> str:
    """What a level allows as a person reads it."""
    return in_words(level.per_supply, level.per_week, level.consecutive)


def in_words(per_supply: int, per_week: int | None, consecutive: int | None = None) -> str:
    """A limit as a person reads it."""
    if per_supply == 0 or per_week == 0:
        return "no take-home doses"
    at_once = f"{in_days(per_supply)} at once"
    if per_week is None:
        said = f"up to {at_once}"
    else:
        said = f"up to {per_week} a week" if per_supply >= per_week else f"up to {per_week} a week, {at_once}"
    return said if consecutive is None else f"{said}, {consecutive} in a row"


def _rank(policy: Policy, findings: Collection[Finding], figured: Figured) -> int:
    """The place of the level that is given; -1 for none."""
    level = _highest(policy, findings, figured)
    return policy.levels.index(level) if level and not _barring(findings) else -1


def _next(policy: Policy, history: History, on: date, now: int, figured: Figured) -> Next | None:
    """When more than level `now` would be given if every dose day from today on were covered and all else stayed."""
    if not policy_answers(policy, on) or now == len(policy.levels) - 1:
        return None
    ahead = if_all_covered(history, on, policy.looks_ahead)
    asked = [criterion for criterion in policy.criteria if criterion.name in policy.deciding]
    # A review stays as fresh as it is: whoever comes each day is reviewed as often as now.
    stays = {measure: figured[measure] for measure in policy.asked & {Measure.DAYS_SINCE_REVIEW}}

    def rank(day: date) -> int:
        then = dict(measured(policy, ahead, day))
        then.update(stays)
        return _rank(policy, [find(policy, criterion, ahead, day, then) for criterion in asked], then)

    days = first_day_when(on, policy.looks_ahead, lambda day: rank(day) > now)
    if days is None:
        return None
    then = on + timedelta(days=days)
    level = policy.levels[rank(then)]
    counted = {*level.needs, *level.at_most, *(measure for criterion in asked for measure in criterion.at_most)}
    by_time_alone = counted <= {Measure.DAY_OF_TREATMENT, Measure.MONTHS_OF_TREATMENT}
    more = "1 more day" if days == 1 else f"{days} more days"
    condition = "" if by_time_alone else " without a missed day"
    return Next(then, days, level.name, f"{more}{condition}, to {then}: {level_in_words(level)}.")


def _changes(policy: Policy, findings: tuple[Finding, ...], figured: Figured, on: date) -> tuple[str, ...]:
    """What would be given today if criteria were met that are not: each alone, else all that stand against it at once.

    A consideration that is weighed takes away the question for a reason; it changes no limit.
    """
    if not policy_answers(policy, on):
        return ()
    unmet = [finding for finding in findings if finding.state is not State.MET and finding.criterion in policy.deciding]
    now = _rank(policy, findings, figured)

    def if_met(those: Collection[Finding]) -> Level | None:
        names = {finding.criterion for finding in those}
        supposed = [replace(f, state=State.MET) if f.criterion in names else f for f in findings]
        then = _rank(policy, supposed, figured)
        return policy.levels[then] if then > now else None

    alone = [(finding, level) for finding in unmet if (level := if_met([finding]))]
    if alone:
        return tuple(_once_met([finding], level) for finding, level in alone)
    together = if_met(unmet) if unmet else None
    return (_once_met(unmet, together),) if together else ()


def _once_met(those: Collection[Finding], level: Level) -> str:
    named = (f"“{f.criterion}” {'no longer holds' if f.kind is Kind.EXCLUSION else 'is met'}" for f in those)
    remedies = " ".join(dict.fromkeys(finding.remedy for finding in those if finding.remedy))
    return f"Once {' and '.join(named)}: {level_in_words(level)}. {remedies}".rstrip()


def if_all_covered(history: History, on: date, days: int) -> History:
    """The record as it would be after so many more covered days, today's the first."""
    until_today = history.record[: max(0, (on - history.record_from).days)]
    return replace(history, record=until_today + COVERED * days)


def first_day_when(on: date, farthest: int, holds: Callable[[date], bool]) -> int | None:
    """After how many more covered days something first holds that, once it holds, holds for good; nothing if never.

    No figure of a record gets worse while days are covered, so that halving the span finds the first day.
    """
    days = 1 + bisect_left(range(1, farthest + 1), True, key=lambda days: holds(on + timedelta(days=days)))
    return days if days <= farthest else None
