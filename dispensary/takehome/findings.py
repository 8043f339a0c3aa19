"""Criterion by criterion: what a client's record says of it, in a sentence, with the figures and days that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from dispensary.takehome.facts import Told, told
from dispensary.takehome.history import Figured, History, percent
from dispensary.takehome.measures import AT_MOST, Measure
from dispensary.takehome.policy import Criterion, Kind, Needs, Policy


class State(StrEnum):
    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What became of one criterion."""

    criterion: str
    kind: Kind
    text: str
    state: State
    sentence: str
    """What the record says of it."""
    evidence: Mapping[str, object]
    remedy: str
    """What would change it; nothing where the record cannot say."""
    source: str

    def as_json(self) -> dict[str, object]:
        return {**vars(self), "kind": self.kind.value, "state": self.state.value, "evidence": dict(self.evidence)}


def find(policy: Policy, criterion: Criterion, history: History, on: date, figured: Figured) -> Finding:
    """Judges one criterion by the record and its figures as of the day.

    A practitioner's “no” always counts. Their “yes” outweighs the record for a consideration, which is theirs to
    weigh, and never for a requirement. What rules somebody out is met while nothing shows that it does; there a
    practitioner answers whether it does, so that it is their “yes” which always counts.
    """
    said = [told(fact, policy, history, on) for fact in criterion.reads]
    said += [_told_of_need(measure, least, figured) for measure, least in criterion.needs.items()]
    said += [_told_of_need(measure, most, figured) for measure, most in criterion.at_most.items()]
    answered = history.judged.get(criterion.name)
    state = _state(criterion, [one.value for one in said], answered)
    sentences = [one.sentence for one in said]
    if answered is not None:
        sentences.append(f"A practitioner answered {'yes' if answered else 'no'}.")
    elif criterion.judged:
        sentences.append("No practitioner has answered yet.")
    evidence: dict[str, object] = {}
    for one in said:
        evidence.update(one.evidence)
    if answered is not None:
        evidence["judged"] = answered
    return Finding(
        criterion=criterion.name,
        kind=criterion.kind,
        text=criterion.text,
        state=state,
        sentence=" ".join(sentences),
        evidence=evidence,
        remedy=_remedy(criterion, state, [one for one in said if one.value is not True], answered),
        source=criterion.source,
    )


def meets(needs: Needs, figured: Figured) -> bool:
    """Whether every figure is known and as large as asked, or no larger where a policy bears only so much."""
    return all(_holds(measure, asked, figured) for measure, asked in needs.items())


def _holds(measure: Measure, asked: Decimal, figured: Figured) -> bool:
    found = figured[measure]
    if found is None:
        return False
    exactly = _exact(asked)
    return found <= exactly if measure in AT_MOST else found >= exactly


@lru_cache(maxsize=1024)
def _exact(asked: Decimal) -> Fraction | int:
    return int(asked) if asked == asked.to_integral_value() else Fraction(asked)


def told_of_needs(needs: Needs, figured: Figured) -> str:
    """Each figure that is asked for, and how much of it there is."""
    return " ".join(_told_of_need(measure, least, figured).sentence for measure, least in needs.items())


def _state(criterion: Criterion, values: list[bool | None], answered: bool | None) -> State:
    speaks_for = answered
    if criterion.kind is Kind.EXCLUSION and answered is not None:
        speaks_for = not answered
    if speaks_for is False or (speaks_for is True and criterion.kind is Kind.CONSIDERATION):
        return State.MET if speaks_for else State.NOT_MET
    if False in values:
        return State.NOT_MET
    if None in values or (criterion.judged and answered is None):
        return State.UNKNOWN
    return State.MET


def _remedy(criterion: Criterion, state: State, lacking: list[Told], answered: bool | None) -> str:
    if state is State.MET:
        return ""
    if criterion.judged and answered is None:
        return "A practitioner answers it."
    return " ".join(dict.fromkeys(one.remedy for one in lacking if one.remedy))


def _told_of_need(measure: Measure, asked: Decimal, figured: Figured) -> Told:
    found = figured[measure]
    bears = measure in AT_MOST
    evidence: dict[str, object] = {measure.value: percent(found) if isinstance(found, Fraction) else found}
    evidence[f"{measure.value}_at_most" if bears else f"{measure.value}_needed"] = str(asked)
    if found is None:
        return Told(None, _NOT_MEASURED[measure], evidence, _ASKED.get(measure, ""))
    met = meets({measure: asked}, figured)
    shown = f"{percent(found)} %" if isinstance(found, Fraction) else str(found)
    sentence = f"{_MEASURED[measure]}: {shown}, {'at most' if bears else 'needed'} {asked}."
    remedy = ""
    if not met and isinstance(found, int):
        remedy = _REMEDY.get(measure, "") if bears or measure is Measure.DISTANCE_KM else f"{int(asked) - found} more."
    return Told(met, sentence, evidence, remedy)


_MEASURED = {
    Measure.DAY_OF_TREATMENT: "Day of treatment",
    Measure.MONTHS_OF_TREATMENT: "Whole months of treatment",
    Measure.ADHERENCE_PERCENT: "Dose days covered",
    Measure.COVERED_DAYS: "Covered dose days",
    Measure.DOSE_STABLE_DAYS: "Days with the same dose",
    Measure.DISTANCE_KM: "Kilometres to the site",
    Measure.MISSED_DAYS: "Missed days",
    Measure.CONSECUTIVE_MISSED_DAYS: "Missed days in a row",
    Measure.INTOXICATED_PRESENTATIONS: "Days on which a dose was withheld because of intoxication",
    Measure.DAYS_SINCE_REVIEW: "Days since the last review",
}
_NOT_MEASURED = {
    Measure.DAY_OF_TREATMENT: "No dose has been given yet.",
    Measure.MONTHS_OF_TREATMENT: "No dose has been given yet.",
    Measure.ADHERENCE_PERCENT: "No dose day has closed yet.",
    Measure.COVERED_DAYS: "No dose day has closed yet.",
    Measure.DOSE_STABLE_DAYS: "No dose is ordered.",
    Measure.DISTANCE_KM: "Nobody has asked how far the client lives.",
    Measure.MISSED_DAYS: "No dose day has closed yet.",
    Measure.CONSECUTIVE_MISSED_DAYS: "No dose day has closed yet.",
    Measure.INTOXICATED_PRESENTATIONS: "No dose day has closed yet.",
    Measure.DAYS_SINCE_REVIEW: "Nobody has reviewed the client in this stay.",
}
_REMEDY = {
    Measure.MISSED_DAYS: "Missed days leave the count as days go by.",
    Measure.CONSECUTIVE_MISSED_DAYS: "Missed days leave the count as days go by.",
    Measure.INTOXICATED_PRESENTATIONS: "They leave the count as days go by.",
    Measure.DAYS_SINCE_REVIEW: "Review the client.",
}
_ASKED = {
    Measure.DISTANCE_KM: "Ask, and write the answer on the client's record.",
    Measure.DAYS_SINCE_REVIEW: "Review the client.",
}
