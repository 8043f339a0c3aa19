"""What a policy says of a client on a day, what a doctor may decide on it, and what the counter may hand over. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from dispensary.documents import Status
from dispensary.refusals import Refusal
from dispensary.takehome.findings import Finding, State, find, meets, told_of_needs
from dispensary.takehome.history import COVERED, History, figures, measured
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK, Kind, Level, Measure, Policy, SetBy

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

    def as_json(self) -> dict[str, object]:
        return {**vars(self), "answer": self.answer.value}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> Allowance:
        """What `as_json` wrote, read again."""
        return cls(**{**kept, "answer": Answer(str(kept["answer"]))})  # type: ignore[arg-type]


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
        }


def assess(policy: Policy, history: History, on: date) -> Assessment:
    """Judges a client's record by a policy. Equal inputs give an equal answer; a missed day never gives more.

    A draft, and a policy that is not in force on the day, answer `refer_to_prescriber` without a number. A required
    criterion that is not met, or not known to be, gives no level. A consideration that is not met asks for a reason
    and takes nothing away. Advice changes nothing.
    """
    findings = tuple(find(policy, criterion, history, on) for criterion in policy.criteria)
    level = _highest(policy, history, on)
    allowance = _allowance(policy, findings, level, on)
    return Assessment(
        policy=policy.policy,
        version=policy.version,
        on=on,
        level=_level_name(policy, findings, level, on),
        allowance=allowance,
        sentence=_why(policy, findings, level, history, on),
        findings=findings,
        figures=figures(policy, history, on),
        next=_next(policy, history, on),
    )


def policy_answers(policy: Policy, on: date) -> bool:
    """Whether the policy gives numbers on this day at all."""
    return policy.status is not Status.DRAFT and policy.in_force(on)


def _highest(policy: Policy, history: History, on: date) -> Level | None:
    if policy.status is Status.DRAFT:
        return None
    figured = measured(policy, history, on)
    return next((level for level in reversed(policy.levels) if meets(level.needs, figured)), None)


def _level_name(policy: Policy, findings: Collection[Finding], level: Level | None, on: date) -> str:
    if not policy_answers(policy, on):
        return UNDETERMINED
    return level.name if level and _required_met(findings) else NO_LEVEL


def _required_met(findings: Collection[Finding]) -> bool:
    return all(finding.state is State.MET for finding in findings if finding.kind is Kind.REQUIRED)


def _allowance(policy: Policy, findings: Collection[Finding], level: Level | None, on: date) -> Allowance:
    apart = policy.closed_days_apart
    if not policy_answers(policy, on):
        return Allowance(Answer.REFER, None, None, apart)
    by_law = policy.limits_set_by is SetBy.LAW
    most, weekly = MOST_PER_SUPPLY, None
    if by_law:
        most, weekly = (level.per_supply, level.per_week) if level else (0, None)
    if level is None:
        return Allowance(Answer.REFUSE if by_law else Answer.REFER, 0, None, apart, most, weekly)
    if not _required_met(findings):
        return Allowance(Answer.REFER, 0, None, apart, most, weekly)
    weighed = all(finding.state is State.MET for finding in findings if finding.kind is Kind.CONSIDERATION)
    answer = Answer.ALLOW if weighed else Answer.ALLOW_WITH_REASON
    return Allowance(answer, level.per_supply, level.per_week, apart, most, weekly)


def _why(policy: Policy, findings: Collection[Finding], level: Level | None, history: History, on: date) -> str:
    if policy.status is Status.DRAFT:
        return f"{policy.policy} is a draft whose cut points nobody has set: the prescriber decides."
    if not policy.in_force(on):
        return f"{policy.policy} is not in force on {on}: the prescriber decides."
    told = told_of_needs((level or policy.levels[0]).needs, measured(policy, history, on))
    if level is None:
        return f"No level is reached. {told}"
    if not _required_met(findings):
        unmet = [f.criterion for f in findings if f.kind is Kind.REQUIRED and f.state is not State.MET]
        return f"Required and not met: {', '.join(unmet)}. The prescriber decides."
    told = f"Level “{level.name}”: {in_words(level.per_supply, level.per_week)} ({level.source}). {told}"
    open_questions = [f.criterion for f in findings if f.kind is Kind.CONSIDERATION and f.state is not State.MET]
    if open_questions:
        told += f" A reason is asked because of: {', '.join(open_questions)}."
    return told


def in_words(per_supply: int, per_week: int | None) -> str:
    """A limit as a person reads it."""
    if per_supply == 0 or per_week == 0:
        return "no take-home doses"
    at_once = f"{per_supply} {'day' if per_supply == 1 else 'days'} at once"
    if per_week is None:
        return f"up to {at_once}"
    return f"up to {per_week} a week" if per_supply >= per_week else f"up to {per_week} a week, {at_once}"


def _next(policy: Policy, history: History, on: date) -> Next | None:
    """When more would be allowed if every dose day from today on were covered and all else stayed as it is."""

    def rank(then: History, day: date) -> int:
        level = _highest(policy, then, day)
        findings = [find(policy, c, then, day) for c in policy.criteria if c.kind is Kind.REQUIRED]
        return policy.levels.index(level) if level and _required_met(findings) else -1

    if not policy_answers(policy, on):
        return None
    now = rank(history, on)
    asked = (int(least) for needs in policy.all_needs() for least in needs.values())
    farthest = policy.window_days + max(asked, default=0) + 1
    days = first_day_when(history, on, farthest, lambda then, day: rank(then, day) > now)
    if days is None:
        return None
    then = on + timedelta(days=days)
    level = policy.levels[rank(if_all_covered(history, on, days), then)]
    words = in_words(level.per_supply, level.per_week)
    by_time_alone = set(level.needs) == {Measure.DAY_OF_TREATMENT}
    more = "1 more day" if days == 1 else f"{days} more days"
    condition = "" if by_time_alone else " without a missed day"
    return Next(then, days, level.name, f"{more}{condition}, to {then}: {words}.")


def if_all_covered(history: History, on: date, days: int) -> History:
    """The record as it would be after so many more covered days, today's the first."""
    until_today = history.record[: max(0, (on - history.record_from).days)]
    return replace(history, record=until_today + COVERED * days)


def first_day_when(history: History, on: date, farthest: int, holds: Callable[[History, date], bool]) -> int | None:
    """After how many more covered days something first holds that, once it holds, holds for good; nothing if never.

    No figure of a record falls while days are covered, so that halving the span finds the first day.
    """

    def after(days: int) -> bool:
        return holds(if_all_covered(history, on, days), on + timedelta(days=days))

    days = 1 + bisect_left(range(1, farthest + 1), True, key=after)
    return days if days <= farthest else None


def may_decide(allowance: Allowance, *, per_supply: int, per_week: int | None, reason: str) -> tuple[Refusal, ...]:
    """Why a doctor may not decide so; empty when they may.

    More than a limit of the law is refused whatever the reason; anything else that differs from the assessment, be it
    more or less, needs one.
    """
    faults = []
    if not 0 <= per_supply <= MOST_PER_SUPPLY:
        faults.append(
            Refusal(
                "per-supply-out-of-bounds",
                f"A supply has 0 to {MOST_PER_SUPPLY} take-home days, not {per_supply}.",
                "Correct the number.",
                field="per_supply",
            )
        )
    if per_week is not None and not 0 <= per_week <= MOST_PER_WEEK:
        faults.append(
            Refusal(
                "per-week-out-of-bounds",
                f"A week has 0 to {MOST_PER_WEEK} take-home days, not {per_week}.",
                "Correct the number, or leave it empty for no weekly limit.",
                field="per_week",
            )
        )
    if faults:
        return tuple(faults)
    if per_supply > allowance.most_per_supply:
        faults.append(
            Refusal(
                "above-legal-limit",
                f"The law allows at most {allowance.most_per_supply} days at once here, not {per_supply}.",
                "Decide on less. No reason lifts a limit of the law; days on which the site is closed come on top."
                if allowance.closed_days_apart
                else "Decide on less. No reason lifts a limit of the law.",
                {"most": allowance.most_per_supply},
                field="per_supply",
            )
        )
    most = allowance.most_per_week
    if most is not None and (per_week is None or per_week > most):
        faults.append(
            Refusal(
                "above-legal-limit",
                f"The law allows at most {most} a week here.",
                "Decide on less. No reason lifts a limit of the law.",
                {"most": most},
                field="per_week",
            )
        )
    if not reason.strip() and needs_reason(allowance, per_supply=per_supply, per_week=per_week):
        faults.append(
            Refusal(
                "reason-missing",
                "This differs from what the policy says, or the policy asks for a documented reason.",
                "Write down why.",
                field="reason",
            )
        )
    return tuple(faults)


def differs(allowance: Allowance, *, per_supply: int, per_week: int | None) -> bool:
    """Whether a decision allows something else than the assessment says, be it more or less."""
    return (per_supply, per_week) != (allowance.per_supply, allowance.per_week)


def needs_reason(allowance: Allowance, *, per_supply: int, per_week: int | None) -> bool:
    return allowance.answer is not Answer.ALLOW or differs(allowance, per_supply=per_supply, per_week=per_week)


@dataclass(frozen=True)
class DecisionLimits:
    """What a decision allows the counter to hand over, in dose days."""

    per_supply: int
    per_week: int | None
    """From Monday to Sunday; nothing means no weekly limit."""
    closed_days_apart: bool


def take_home_allowed(
    limits: DecisionLimits,
    wanted_days: Collection[date],
    carried_days: Collection[date],
    closed_days: Collection[date],
    *,
    today: date,
) -> tuple[Refusal, ...]:
    """Why bottles for these dose days may not leave together; empty when they may.

    `carried_days` are the dose days for which the client already carries bottles that count, from the Monday of the
    week of `today` on; those that are still to come are in hand and count against what may be carried at once, so that
    two supplies never add up to more than was decided. It is the rule of the trigger `take_home_within_decision`, which
    has the last word: dose days are counted once however many portions they have, and days on which the site is closed
    are left out where the policy keeps them apart.
    """
    apart = set(closed_days) if limits.closed_days_apart else set()
    counted, carried = set(wanted_days) - apart, set(carried_days) - apart
    faults = []
    in_hand = {day for day in carried if day >= today}
    if len(in_hand | counted) > limits.per_supply and counted:
        over = len(in_hand | counted) - limits.per_supply
        faults.append(
            Refusal(
                "take-home-per-supply",
                f"{len(in_hand | counted)} take-home days at once, decided: {limits.per_supply}.",
                f"Leave out {min(over, len(counted))}, or ask the doctor for another decision.",
                {"wanted": sorted(counted), "in_hand": sorted(in_hand), "per_supply": limits.per_supply},
            )
        )
    if limits.per_week is None:
        return tuple(faults)
    for monday in sorted({monday_of(day) for day in wanted_days}):
        that_week = {day for day in carried | counted if monday_of(day) == monday}
        if len(that_week) > limits.per_week:
            faults.append(
                Refusal(
                    "take-home-per-week",
                    f"{len(that_week)} take-home days in the week of {monday}, decided: {limits.per_week}.",
                    f"Leave out {len(that_week) - limits.per_week}, or ask the doctor for another decision.",
                    {"carried": sorted(carried), "wanted": sorted(counted), "per_week": limits.per_week},
                )
            )
    return tuple(faults)


def monday_of(day: date) -> date:
    """The first day of the day's week, as limits count weeks."""
    return day - timedelta(days=day.weekday())
