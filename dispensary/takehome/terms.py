"""What a doctor can write into a take-home decision beside its limits, and what is asked of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dispensary.refusals import Refusal

LONGEST_REASON = 2_000
LONGEST_ONE_OFF = 60
"""Days: a bound against slips of the pen, no clinical figure. What holds for longer is a decision."""


class DecisionKind(StrEnum):
    """How a decision came to be."""

    GRANT = "grant"
    ONE_OFF = "one_off"
    """For some days and an occasion; what it interrupts goes on afterwards."""
    SUSPENSION = "suspension"
    """Nothing is carried until a person restores it, and they look at it again on a day."""
    BY_LAW = "by_law"
    """A limit of the law cut what was decided; nobody chose it."""


class Occasion(StrEnum):
    """What a one-off decision is for."""

    TRAVEL = "travel"
    HOLIDAY = "holiday"
    ILLNESS = "illness"
    CLOSURE = "closure"
    WORK = "work"
    OTHER = "other"


class Naloxone(StrEnum):
    """What became of the naloxone that is offered at each start and renewal of take-home."""

    GIVEN = "given"
    DECLINED = "declined"
    HAS_ONE = "has_one"


@dataclass(frozen=True)
class Terms:
    """How much is carried home, in dose days, and on which weekdays (Monday is 0). Nothing means no such limit."""

    per_supply: int
    per_week: int | None = None
    consecutive: int | None = None
    weekdays: frozenset[int] | None = None

    @property
    def a_week(self) -> int | None:
        """Dose days a week at most, the weekly pattern counted: two weekdays are two a week whatever else is said."""
        if self.weekdays is None:
            return self.per_week
        pattern = len(self.weekdays)
        return pattern if self.per_week is None else min(pattern, self.per_week)


def pattern(weekdays: frozenset[int] | None) -> frozenset[int] | None:
    """The weekly pattern as it is kept: every weekday is the same as no pattern."""
    return None if weekdays is not None and len(weekdays) == 7 else weekdays


def asks_naloxone(kind: DecisionKind, terms: Terms, *, asked_before: bool) -> bool:
    """Whether the offer of naloxone is to be answered: at each start and renewal of take-home.

    A decision that allows nothing starts nothing; a one-off is a start for whom nobody has asked in this stay.
    """
    return terms.per_supply > 0 and (kind is DecisionKind.GRANT or not asked_before)


@dataclass(frozen=True)
class Asked:
    """What is written into a decision beside its terms. `until` is the first day on which it does not count."""

    kind: DecisionKind
    terms: Terms
    begins: date
    until: date | None
    today: date
    reason: str = ""
    occasion: Occasion | None = None
    review_on: date | None = None
    agreement_signed_on: date | None = None
    naloxone: Naloxone | None = None
    asked_before: bool = False
    """Whether naloxone has been offered in this stay already."""


def faults_of(asked: Asked) -> Iterator[Refusal]:
    """What is wrong with a decision whatever the policy says: one refusal a field."""
    if asked.until is not None and asked.until <= asked.begins:
        yield Refusal("ends-before", "The decision ends before it begins.", "Correct the last day.", field="days_until")
    yield from _faults_of_pattern(asked.terms)
    if asked.kind is DecisionKind.ONE_OFF:
        yield from _faults_of_one_off(asked)
    if asked.review_on is not None and asked.review_on <= asked.today:
        yield Refusal("review-passed", "A review lies ahead.", "Choose a later day.", field="review_on")
    if asked.agreement_signed_on is not None and asked.agreement_signed_on > asked.today:
        yield Refusal(
            "agreement-to-come",
            f"The agreement cannot have been signed on {asked.agreement_signed_on}: that day is to come.",
            "Leave it empty until it is signed.",
            field="agreement_signed_on",
        )
    if asked.naloxone is None and asks_naloxone(asked.kind, asked.terms, asked_before=asked.asked_before):
        yield Refusal(
            "naloxone-not-asked",
            "Naloxone is offered at each start and renewal of take-home.",
            "Offer it, and write down what they said.",
            field="naloxone",
        )
    if len(asked.reason) > LONGEST_REASON:
        yield Refusal("reason-long", "The reason is too long.", "Shorten it.", field="reason")


def _faults_of_pattern(terms: Terms) -> Iterator[Refusal]:
    if terms.weekdays is None:
        return
    if not terms.weekdays or not terms.weekdays <= frozenset(range(7)):
        yield Refusal(
            "weekday-unknown", "The weekly pattern names no day of the week.", "Tick at least one.", field="weekdays"
        )


def _faults_of_one_off(asked: Asked) -> Iterator[Refusal]:
    if asked.occasion is None:
        yield Refusal("no-occasion", "Nobody said what it is for.", "Choose an occasion.", field="occasion")
    if asked.until is None:
        yield Refusal("one-off-open", "What is granted once has a last day.", "Say the last day.", field="days_until")
    elif (asked.until - asked.begins).days > LONGEST_ONE_OFF:
        yield Refusal(
            "one-off-long",
            f"What is granted once holds for {LONGEST_ONE_OFF} days at most.",
            "Shorten it, or decide for good.",
            field="days_until",
        )
