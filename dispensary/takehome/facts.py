"""What a client's record says of a fact that a policy reads: yes, no or not known, with what says so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dispensary.takehome.history import MISSED, PARTLY, History, window_of, within
from dispensary.takehome.measures import Fact
from dispensary.takehome.policy import Policy


@dataclass(frozen=True)
class Told:
    """Whether something holds, in a sentence, with the figures and days that say so."""

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
    Fact.GUARDIAN: (
        "Somebody vouches for the client.",
        "Nobody vouches for the client.",
        "Nobody has asked whether somebody vouches for the client.",
    ),
    Fact.EMPLOYED_OR_GUARDIAN: (
        "Has work or study, or somebody who vouches.",
        "Has neither work or study nor somebody who vouches.",
        "Nobody has asked about work or study and about somebody who vouches.",
    ),
    Fact.NO_CHILDREN_AT_HOME: (
        "No children live at home.",
        "Children live at home.",
        "Nobody has asked whether children live at home.",
    ),
}


def told(fact: Fact, policy: Policy, history: History, on: date) -> Told:
    """What the record up to the day says of the fact."""
    if fact is Fact.ATTENDANCE:
        return _attendance(policy, history, on)
    if fact is Fact.NO_OPEN_ALERTS:
        return _alerts(fact, history, "")
    if fact is Fact.NO_DIVERSION_REPORT:
        return _alerts(fact, history, "diversion")
    if fact is Fact.BOTTLES_RETURNED:
        return _bottles(policy, history, on)
    if fact is Fact.RECALLS_PASSED:
        return _recalls(policy, history, on)
    if fact is Fact.AGREEMENT_SIGNED:
        signed = history.agreement_signed_on
        sentence = f"The agreement was signed on {signed}." if signed else "No agreement has been signed in this stay."
        evidence = {"agreement_signed_on": signed.isoformat() if signed else None}
        return Told(signed is not None, sentence, evidence, "" if signed else "Have the agreement signed.")
    value = _flag(fact, history)
    yes, no, unasked = _FLAGS[fact]
    sentence = unasked if value is None else yes if value else no
    return Told(value, sentence, {fact.value: value}, _ASK if value is None else "")


def _flag(fact: Fact, history: History) -> bool | None:
    if fact is Fact.NO_CHILDREN_AT_HOME:
        return None if history.children_at_home is None else not history.children_at_home
    if fact is Fact.EMPLOYED_OR_GUARDIAN:
        either = (history.employed, history.guardian)
        return True if True in either else None if None in either else False
    value: bool | None = getattr(history, fact.value)
    return value


def _alerts(fact: Fact, history: History, about: str) -> Told:
    alerts = [
        [alert.cause, alert.severity, alert.opened_on.isoformat()]
        for alert in history.open_alerts
        if alert.cause.startswith(about)
    ]
    if about:
        sentence = "A report of diversion is open." if alerts else "No report of diversion is open."
        remedy = "Look into the report and resolve it."
    else:
        sentence = f"{len(alerts)} open {'alert' if len(alerts) == 1 else 'alerts'}." if alerts else "No open alert."
        remedy = "Resolve the alerts."
    evidence = {fact.value: not alerts, "diversion_reports" if about else "open_alerts": alerts}
    return Told(not alerts, sentence, evidence, remedy if alerts else "")


def _attendance(policy: Policy, history: History, on: date) -> Told:
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
        return Told(None, "No dose day has closed yet.", evidence)
    sentence = f"{window.missed} of {window.covered + window.missed} dose days missed since {window.first}."
    return Told(None if incomplete else True, sentence, evidence, "A practitioner judges the record.")


def _bottles(policy: Policy, history: History, on: date) -> Told:
    missing = [day.isoformat() for day in within(history.unreturned_bottle_days, on, policy.window_days)]
    evidence = {"unreturned_bottle_days": missing}
    if not history.bottles_are_returned:
        return Told(None, "The site takes no bottles back.", evidence, "A practitioner judges it.")
    if not missing:
        return Told(True, "Every bottle that was due back came back.", evidence)
    sentence = f"{len(missing)} {'bottle was' if len(missing) == 1 else 'bottles were'} due back and did not come."
    return Told(False, sentence, evidence, "Ask for the bottles, and count them back.")


def _recalls(policy: Policy, history: History, on: date) -> Told:
    failed = [day.isoformat() for day in within(history.failed_recalls, on, policy.window_days)]
    overdue = [day.isoformat() for day in history.overdue_recalls]
    evidence = {"failed_recalls": failed, "overdue_recalls": overdue}
    if not failed and not overdue:
        return Told(True, "No recall failed or is overdue.", evidence)
    sentences = [f"The count on {', '.join(failed)} was not right."] if failed else []
    sentences += [f"Bottles called back by {', '.join(overdue)} have not come."] if overdue else []
    return Told(False, " ".join(sentences), evidence, "Count the bottles that are called back." if overdue else "")
