"""What an assessment knows of a client: plain values, the same whoever reads them and whenever they are read again."""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256

from dispensary.takehome.measures import Measure
from dispensary.takehome.policy import Policy

COVERED, PARTLY, MISSED, HELD, OPEN, NO_ORDER = ("c", "p", "m", "h", "o", "-")
"""The letters of a record. An open day is ordered, not covered and not closed yet: it counts for nothing."""

_MISSED_RUNS = re.compile(f"{MISSED}+")

Figured = Mapping[Measure, Fraction | int | None]
"""The figures of a record that a policy may ask for; nothing where the record has no answer."""


@dataclass(frozen=True)
class OpenAlert:
    """An alert that nobody had resolved on the day of the assessment."""

    cause: str
    severity: str
    opened_on: date


@dataclass(frozen=True)
class History:
    """A client's record up to the day before an assessment.

    `record` has one letter for each dose day from `record_from` on, the oldest first. A day of which some portions are
    covered is a covered one, as in every count of covered days here; it has a letter of its own so that it is seen.
    """

    first_dose_day: date | None
    record_from: date
    record: str
    dose_stable_since: date | None = None
    """The first day of the daily dose that is ordered on the day of the assessment; nothing without an order."""
    lockbox: bool | None = None
    housing_stable: bool | None = None
    employed: bool | None = None
    health_stable: bool | None = None
    open_alerts: tuple[OpenAlert, ...] = ()
    judged: Mapping[str, bool] = field(default_factory=dict)
    """What a practitioner answered on the day of the assessment, by the name of the criterion."""
    children_at_home: bool | None = None
    guardian: bool | None = None
    distance_km: int | None = None
    intoxicated_days: tuple[date, ...] = ()
    """Days on which a dose was withheld because the client was intoxicated."""
    failed_recalls: tuple[date, ...] = ()
    """Days on which bottles that had been called back were counted and not found right."""
    overdue_recalls: tuple[date, ...] = ()
    """Days by which bottles should have come back that are called back still."""
    bottles_are_returned: bool | None = None
    """True where the site takes bottles back; without it nothing counts as not returned."""
    unreturned_bottle_days: tuple[date, ...] = ()
    """Dose days of bottles that had not come back by the hand-over after their day."""
    last_review_on: date | None = None
    agreement_signed_on: date | None = None

    def as_json(self) -> dict[str, object]:
        """What is kept of it. What was added to records later is there only where it says something."""
        kept: dict[str, object] = {
            "first_dose_day": _written(self.first_dose_day),
            "record_from": _written(self.record_from),
            "record": self.record,
            "dose_stable_since": _written(self.dose_stable_since),
            "lockbox": self.lockbox,
            "housing_stable": self.housing_stable,
            "employed": self.employed,
            "health_stable": self.health_stable,
            "open_alerts": [[alert.cause, alert.severity, _written(alert.opened_on)] for alert in self.open_alerts],
            "judged": dict(self.judged),
        }
        later: dict[str, object] = {name: getattr(self, name) for name in _PLAIN}
        later |= {name: _written(getattr(self, name)) for name in _DAY}
        later |= {name: [_written(day) for day in getattr(self, name)] for name in _DAYS}
        return kept | {name: value for name, value in later.items() if value is not None and value != []}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> History:
        """What `as_json` wrote, read again. Raises TypeError, ValueError or KeyError for anything else."""
        values: dict[str, object] = dict(kept)
        alerts = values.pop("open_alerts")
        if not isinstance(alerts, list):
            raise TypeError("open_alerts is a list")
        for name in ("first_dose_day", "record_from", "dose_stable_since", *(set(_DAY) & set(values))):
            values[name] = _read(values[name])
        for name in set(_DAYS) & set(values):
            days = values[name]
            if not isinstance(days, list):
                raise TypeError(f"{name} is a list of days")
            values[name] = tuple(date.fromisoformat(day) for day in days)
        return cls(
            **values,  # type: ignore[arg-type]
            open_alerts=tuple(OpenAlert(cause, severity, date.fromisoformat(day)) for cause, severity, day in alerts),
        )


_PLAIN = ("children_at_home", "guardian", "distance_km", "bottles_are_returned")
_DAY = ("last_review_on", "agreement_signed_on")
_DAYS = ("intoxicated_days", "failed_recalls", "overdue_recalls", "unreturned_bottle_days")


@dataclass(frozen=True)
class Window:
    """The dose days before a day, as far as the record and the policy's window reach."""

    first: date
    letters: str

    @property
    def covered(self) -> int:
        return self.letters.count(COVERED) + self.letters.count(PARTLY)

    @property
    def missed(self) -> int:
        return self.letters.count(MISSED)

    @property
    def held(self) -> int:
        return self.letters.count(HELD)

    @property
    def longest_missed_run(self) -> int:
        return max(map(len, _MISSED_RUNS.findall(self.letters)), default=0)

    @property
    def adherence(self) -> Fraction | None:
        """Covered days of every 100 covered or missed ones, exactly; held days leave both."""
        counted = self.covered + self.missed
        return Fraction(100 * self.covered, counted) if counted else None

    def days(self, letter: str) -> list[date]:
        return [self.first + timedelta(days=n) for n, found in enumerate(self.letters) if found == letter]


def window_of(history: History, on: date, days: int) -> Window:
    """The `days` dose days that end on the day before `on`."""
    first = max(history.record_from, on - timedelta(days=days))
    begin = (first - history.record_from).days
    end = max(begin, (on - history.record_from).days)
    return Window(first, history.record[begin:end])


def within(days: Collection[date], on: date, window_days: int) -> list[date]:
    """Those of the days that lie in the window before a day, or on the day."""
    return [day for day in days if on - timedelta(days=window_days) <= day <= on]


def measured(policy: Policy, history: History, on: date) -> Figured:
    """Each figure that the policy asks for, as of this day."""
    window = window_of(history, on, policy.window_days)
    return {measure: _FIGURES[measure](policy, history, window, on) for measure in policy.asked}


_FIGURES: Mapping[Measure, Callable[[Policy, History, Window, date], Fraction | int | None]] = {
    Measure.DAY_OF_TREATMENT: lambda policy, history, window, on: _days_since(history.first_dose_day, on),
    Measure.MONTHS_OF_TREATMENT: lambda policy, history, window, on: _months_since(history.first_dose_day, on),
    Measure.ADHERENCE_PERCENT: lambda policy, history, window, on: window.adherence,
    Measure.COVERED_DAYS: lambda policy, history, window, on: window.covered,
    Measure.DOSE_STABLE_DAYS: lambda policy, history, window, on: _days_since(history.dose_stable_since, on),
    Measure.DISTANCE_KM: lambda policy, history, window, on: history.distance_km,
    Measure.MISSED_DAYS: lambda policy, history, window, on: window.missed,
    Measure.CONSECUTIVE_MISSED_DAYS: lambda policy, history, window, on: window.longest_missed_run,
    Measure.INTOXICATED_PRESENTATIONS: lambda policy, history, window, on: len(
        within(history.intoxicated_days, on, policy.window_days)
    ),
    Measure.DAYS_SINCE_REVIEW: lambda policy, history, window, on: _days_from(history.last_review_on, on),
}


def figures(policy: Policy, history: History, on: date) -> dict[str, object]:
    """The record in figures, as they are shown beside an assessment; those of AT_MOST only where a policy asks."""
    window = window_of(history, on, policy.window_days)
    missed = window.days(MISSED)
    shown: dict[str, object] = {
        "day_of_treatment": _days_since(history.first_dose_day, on),
        "first_dose_day": _written(history.first_dose_day),
        "window_from": _written(window.first),
        "window_until": _written(on - timedelta(days=1)),
        "covered_days": window.covered,
        "partly_covered_days": [_written(day) for day in window.days(PARTLY)],
        "missed_days": [_written(day) for day in missed],
        "held_days": window.held,
        "open_days": [_written(day) for day in window.days(OPEN)],
        "adherence_percent": None if window.adherence is None else percent(window.adherence),
        "longest_missed_run": window.longest_missed_run,
        "last_missed_day": _written(missed[-1]) if missed else None,
        "dose_stable_since": _written(history.dose_stable_since),
    }
    if Measure.INTOXICATED_PRESENTATIONS in policy.asked:
        days = within(history.intoxicated_days, on, policy.window_days)
        shown["intoxicated_days"] = [_written(day) for day in days]
    if Measure.DAYS_SINCE_REVIEW in policy.asked:
        shown["last_review_on"] = _written(history.last_review_on)
    return shown


def percent(share: Fraction) -> str:
    """A share in per cent with one decimal, cut off and never rounded up, so that 94.96 does not look like 95."""
    return str(Decimal(int(share * 10)) / 10)


def canonical(value: object) -> str:
    """JSON of which equal values have equal text: keys in order, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> bytes:
    """SHA-256 of the canonical JSON."""
    return sha256(canonical(value).encode()).digest()


def _days_since(first: date | None, on: date) -> int | None:
    """Days from the first day to this one, both included; nothing when it has not come."""
    return (on - first).days + 1 if first is not None and first <= on else None


def _days_from(day: date | None, on: date) -> int | None:
    """Days that have passed since; a day to come has none."""
    return (on - day).days if day is not None and day <= on else None


def _months_since(first: date | None, on: date) -> int | None:
    """Whole calendar months since the day; one that began on the 31st ends with the last day of a shorter month."""
    if first is None or first > on:
        return None
    months = (on.year - first.year) * 12 + on.month - first.month
    same_day = min(first.day, monthrange(on.year, on.month)[1])
    return months if on.day >= same_day else months - 1


def _written(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _read(day: object) -> date | None:
    return date.fromisoformat(str(day)) if day else None
