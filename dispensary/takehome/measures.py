"""What a take-home policy may ask of a record: the figures that it counts and the facts that it reads."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

LONGEST_RECORD = 365
"""Days of a client's record that an assessment reads; no policy may count over more."""
_MOST_DAYS = 36_500
_MOST_MONTHS = 1_200
_FARTHEST_KM = 2_000
"""Kilometres, the most that a client's record takes."""


class Measure(StrEnum):
    """A figure of a client's record.

    Of those in AT_LEAST a policy asks for so much or more, of those in AT_MOST for so much or less. None of the former
    rises and none of the latter falls when a day becomes a missed one; that is why an assessment cannot rise by it.
    """

    DAY_OF_TREATMENT = "day_of_treatment"
    """Day 1 is the day of the first dose of the episode."""
    MONTHS_OF_TREATMENT = "months_of_treatment"
    """Whole calendar months since the day of the first dose of the episode."""
    ADHERENCE_PERCENT = "adherence_percent"
    """Covered days of every 100 covered or missed ones, within the policy's window."""
    COVERED_DAYS = "covered_days"
    """Covered days within the policy's window."""
    DOSE_STABLE_DAYS = "dose_stable_days"
    """Days for which the same daily dose has been ordered, the day of the assessment included."""
    DISTANCE_KM = "distance_km"
    """Kilometres from home to the site, as the client told."""
    MISSED_DAYS = "missed_days"
    """Missed days within the policy's window."""
    CONSECUTIVE_MISSED_DAYS = "consecutive_missed_days"
    """The longest run of missed days within the policy's window."""
    INTOXICATED_PRESENTATIONS = "intoxicated_presentations"
    """Days within the policy's window on which a dose was withheld because the client was intoxicated."""
    DAYS_SINCE_REVIEW = "days_since_review"
    """Days since a person last reviewed the client, in this episode."""


AT_LEAST = (
    Measure.DAY_OF_TREATMENT,
    Measure.MONTHS_OF_TREATMENT,
    Measure.ADHERENCE_PERCENT,
    Measure.COVERED_DAYS,
    Measure.DOSE_STABLE_DAYS,
    Measure.DISTANCE_KM,
)
AT_MOST = (
    Measure.MISSED_DAYS,
    Measure.CONSECUTIVE_MISSED_DAYS,
    Measure.INTOXICATED_PRESENTATIONS,
    Measure.DAYS_SINCE_REVIEW,
)
WINDOWED = (
    Measure.ADHERENCE_PERCENT,
    Measure.COVERED_DAYS,
    Measure.MISSED_DAYS,
    Measure.CONSECUTIVE_MISSED_DAYS,
    Measure.INTOXICATED_PRESENTATIONS,
)
"""Counted over the policy's window, so that the policy must say how long it is."""


class Fact(StrEnum):
    """Something that the record says yes or no to, or that nobody has asked. Yes is what speaks for the client."""

    ATTENDANCE = "attendance"
    """No missed day within the policy's window; with missed days a person judges."""
    LOCKBOX = "lockbox"
    HOUSING_STABLE = "housing_stable"
    EMPLOYED = "employed"
    HEALTH_STABLE = "health_stable"
    GUARDIAN = "guardian"
    """Somebody vouches for the client."""
    EMPLOYED_OR_GUARDIAN = "employed_or_guardian"
    NO_CHILDREN_AT_HOME = "no_children_at_home"
    NO_OPEN_ALERTS = "no_open_alerts"
    NO_DIVERSION_REPORT = "no_diversion_report"
    """No report of diversion that nobody has resolved. What a lost bottle means, a person judges."""
    BOTTLES_RETURNED = "bottles_returned"
    """Every bottle whose day has passed came back at the next hand-over; unknown where a site takes none back."""
    RECALLS_PASSED = "recalls_passed"
    """No recall within the policy's window that failed, and none that is overdue."""
    AGREEMENT_SIGNED = "agreement_signed"
    """The take-home agreement was signed in this episode."""


class Concern(StrEnum):
    """What a criterion is about where the software itself must hold something against it."""

    DRUG_TESTS = "drug_tests"
    """Results of drug tests. A criterion about them may be weighed or be advice and never refuses by itself."""


def bounds(measure: Measure) -> tuple[int, bool]:
    """The most that a policy may ask of a figure, and whether it is counted in whole ones."""
    if measure is Measure.ADHERENCE_PERCENT:
        return 100, False
    if measure is Measure.MONTHS_OF_TREATMENT:
        return _MOST_MONTHS, True
    if measure is Measure.DISTANCE_KM:
        return _FARTHEST_KM, True
    return (LONGEST_RECORD if measure in WINDOWED else _MOST_DAYS), True


def fits(measure: Measure, figure: object) -> bool:
    """Whether a policy may ask for this figure."""
    most, whole = bounds(measure)
    is_number = type(figure) is int or (not whole and isinstance(figure, Decimal) and figure.is_finite())
    return is_number and 0 <= Decimal(str(figure)) <= most
