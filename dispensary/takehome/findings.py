"""Criterion by criterion: what a client's record says of it, in a sentence, with the figures and days that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from dispensary.takehome.history import MISSED, PARTLY, Figured, History, measured, percent, window_of
from dispensary.takehome.policy import Criterion, Fact, Kind, Measure, Needs, Policy


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


def find(policy: Policy, criterion: Criterion, history: History, on: date) -> Finding:
    """Judges one criterion.

    A practitioner's “no” always counts. Their “yes” outweighs the record for a consideration, which is theirs to
    weigh, and never for a requirement.
    """
    figured = measured(policy, history, on)
    said = [_told(fact, policy, history, on) for fact in criterion.reads]
    said += [_told_of_need(measure, least, figured) for measure, least in criterion.needs.items()]
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
    """Whether every figure is known and at least as large as asked."""
    return all((found := figured[measure]) is not None and found >= Fraction(least) for measure, least in needs.items())


def told_of_needs(needs: Needs, figured: Figured) -> str:
    """Each figure that is asked for, and how much of it there is."""
    return " ".join(_told_of_need(measure, least, figured).sentence for measure, least in needs.items())


def _state(criterion: Criterion, values: list[bool | None], answered: bool | None) -> State:
    if answered is False or (answered is True and criterion.kind is Kind.CONSIDERATION):
        return State.MET if answered else State.NOT_MET
    if False in values:
        return State.NOT_MET
    if None in values or (criterion.judged and answered is None):
        return State.UNKNOWN
    return State.MET


def _remedy(criterion: Criterion, state: State, lacking: list[_Told], answered: bool | None) -> str:
    if state is State.MET:
        return ""
    if criterion.judged and answered is None:
        return "A practitioner answers it."
    return " ".join(dict.fromkeys(one.remedy for one in lacking if one.remedy))


@dataclass(frozen=True)
class _Told:
    value: bool | None
    sentence: str
    evidence: Mapping[str, object]
    remedy: str = ""


_ASK = "Ask, and write the answer on the client's record."
_FLAGS: dict[Fact, tuple[str, str, str]] = {
    Fact.LOCKBOX: (
        "Doses are locked away at home.",
        "Doses are not locked away at home.",
        "Nobody has asked whether doses are locked away at home.",
    ),
    Fact.HOUSING_STABLE: (
        "Housing is stable.",
        "Housing is not stable.",
        "Nobody has asked whether housing is stable.",
    ),
    Fact.EMPLOYED: (
        "Has work or study.",
        "Has no work or study.",
        "Nobody has asked about work or study.",
    ),
    Fact.HEALTH_STABLE: (
        "Health is stable.",
        "Health is not stable.",
        "Nobody has written down whether health is stable.",
    ),
}


def _told(fact: Fact, policy: Policy, history: History, on: date) -> _Told:
    if fact is Fact.ATTENDANCE:
        return _told_of_attendance(policy, history, on)
    if fact is Fact.NO_OPEN_ALERTS:
        alerts = [[alert.cause, alert.severity, alert.opened_on.isoformat()] for alert in history.open_alerts]
        sentence = f"{len(alerts)} open {'alert' if len(alerts) == 1 else 'alerts'}." if alerts else "No open alert."
        remedy = "Resolve the alerts." if alerts else ""
        return _Told(not alerts, sentence, {fact.value: not alerts, "open_alerts": alerts}, remedy)
    value: bool | None = getattr(history, fact.value)
    yes, no, unasked = _FLAGS[fact]
    sentence = unasked if value is None else yes if value else no
    return _Told(value, sentence, {fact.value: value}, _ASK if value is None else "")


def _told_of_attendance(policy: Policy, history: History, on: date) -> _Told:
    """A record without a missed day speaks for itself. How many make it irregular, no source says: a person judges."""
    window = window_of(history, on, policy.window_days)
    incomplete = window.days(MISSED) + window.days(PARTLY)
    evidence = {
        "window_from": window.first.isoformat(),
        "covered_days": window.covered,
        "missed_days": [day.isoformat() for day in window.days(MISSED)],
        "partly_covered_days": [day.isoformat() for day in window.days(PARTLY)],
        "longest_missed_run": window.longest_missed_run,
    }
    if not window.covered and not window.missed:
        return _Told(None, "No dose day has closed yet.", evidence)
    sentence = f"{window.missed} of {window.covered + window.missed} dose days missed since {window.first}."
    return _Told(None if incomplete else True, sentence, evidence, "A practitioner judges the record.")


def _told_of_need(measure: Measure, least: Decimal, figured: Figured) -> _Told:
    found = figured[measure]
    evidence: dict[str, object] = {measure.value: percent(found) if isinstance(found, Fraction) else found}
    evidence[f"{measure.value}_needed"] = str(least)
    if found is None:
        return _Told(None, _NOT_MEASURED[measure], evidence)
    met = meets({measure: least}, figured)
    shown = f"{percent(found)} %" if isinstance(found, Fraction) else str(found)
    sentence = f"{_MEASURED[measure]}: {shown}, needed {least}."
    remedy = ""
    if not met and isinstance(found, int):
        remedy = f"{int(least) - found} more."
    return _Told(met, sentence, evidence, remedy)


_MEASURED = {
    Measure.DAY_OF_TREATMENT: "Day of treatment",
    Measure.ADHERENCE_PERCENT: "Dose days covered",
    Measure.COVERED_DAYS: "Covered dose days",
    Measure.DOSE_STABLE_DAYS: "Days with the same dose",
}
_NOT_MEASURED = {
    Measure.DAY_OF_TREATMENT: "No dose has been given yet.",
    Measure.ADHERENCE_PERCENT: "No dose day has closed yet.",
    Measure.COVERED_DAYS: "No dose day has closed yet.",
    Measure.DOSE_STABLE_DAYS: "No dose is ordered.",
}
