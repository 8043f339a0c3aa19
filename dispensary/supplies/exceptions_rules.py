"""What may be given when something at the counter is not as usual, and how much is left of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from dispensary.refusals import Refusal
from dispensary.units import Milligrams, plain

_LEAST = Decimal("0.01")


class ExceptionKind(StrEnum):
    """What can be otherwise than usual at the counter."""

    VOMITED = "vomited"
    INTOXICATED = "intoxicated"
    REFUSED = "refused"
    PARTLY_TAKEN = "partly_taken"
    SPILLED = "spilled"
    LATE = "late"
    TOP_UP = "top_up"
    WRONG_DOSE = "wrong_dose"


SEEN_AGAIN = (ExceptionKind.INTOXICATED, ExceptionKind.REFUSED, ExceptionKind.SPILLED)
"""After these the day's dose is still to be given, and the client is seen again the same day."""


def nothing_carried_home() -> Refusal:
    """Why no bottle leaves on a day on which a dose was withheld (Australian guidelines 2003, section 4.3)."""
    return Refusal(
        "not-well-today",
        "The dose was withheld today because the client did not seem safe to dose: no bottle is carried home.",
        "Give the dose here once the client is well. Bottles leave from tomorrow on.",
    )


def reduced_portions(portions: Collection[Milligrams], most: Decimal) -> tuple[Milligrams, ...]:
    """A day's portions in proportion, adding up to at most `most` mg; as they are when they are no more than that.

    No portion becomes larger, and rounding to 0.01 mg never gives more in all.
    """
    whole = sum(portions, Decimal(0))
    if whole <= most:
        return tuple(portions)
    scaled: list[Milligrams] = []
    so_far = given = Decimal(0)
    for portion in portions:
        so_far += portion
        reach = (most * so_far / whole).quantize(_LEAST, rounding=ROUND_FLOOR)
        scaled.append(Milligrams(reach - given))
        given = reach
    return tuple(scaled)


def expected_at_count(
    bottles: Iterable[tuple[date, int]], on: date, *, portions_taken: int, from_day: date | None = None
) -> int:
    """How many bottles must be full when they are counted on a day: those dated after the last dose that was due.

    `bottles` has the dose day and the portion of each one that is at home. Of the day itself those up to the last
    portion that was taken are empty, and the later ones full. Of bottles that were called back from a later day on,
    the earlier ones are not counted. Tolerance is nothing (common practice of call-backs, and the counting of bottles
    at home in Mississippi's rule 24-2-53.7).
    """
    first = max(on, from_day) if from_day else on
    return sum(1 for day, portion in bottles if day >= first and (day, portion) > (on, portions_taken))


@dataclass(frozen=True)
class Allowing:
    """What a prescriber is said to have allowed, against what may be allowed at all."""

    mg: Decimal
    lost_mg: Decimal
    """The dose that was vomited."""
    ruled_mg: Decimal | None
    """The most that the site's guideline gives; nothing where it has no figure, and the prescriber decides alone."""
    beyond: bool
    """Whether the prescriber said in so many words that more than the guideline's figure is to be given."""


def may_replace(asked: Allowing) -> Refusal | None:
    """Why so much may not be given again; nothing when it may.

    Never more than what was vomited, whoever says so; more than the guideline's figure only on the prescriber's word.
    """
    if asked.mg > asked.lost_mg:
        return Refusal(
            "above-vomited",
            f"{plain(asked.mg)} mg is more than the {plain(asked.lost_mg)} mg that were vomited.",
            "Nobody may allow more than what was lost. Correct the amount.",
            {"mg": asked.mg, "vomited_mg": asked.lost_mg},
            field="mg",
        )
    if asked.ruled_mg is not None and asked.mg > asked.ruled_mg and not asked.beyond:
        return Refusal(
            "above-guideline",
            f"{plain(asked.mg)} mg is more than the guideline's {plain(asked.ruled_mg)} mg.",
            "If the prescriber said so, knowing the guideline's figure, confirm that; otherwise correct the amount.",
            {"mg": asked.mg, "ruled_mg": asked.ruled_mg},
            field="beyond",
        )
    return None


@dataclass(frozen=True)
class OrderedSince:
    """An order for today or tomorrow, as a top-up is held against it."""

    mg: Decimal
    ordered_at: datetime
    for_today: bool


def top_up_left(
    orders: Iterable[OrderedSince], *, taken_mg: Decimal, taken_at: datetime, most_today: Decimal | None = None
) -> Decimal:
    """How many mg a top-up may have today, after the day's dose was taken; 0 when nothing is left.

    Up to what is ordered for today, or for tomorrow by an order that was written after today's dose was taken: a step
    that was planned before is for its own day. `most_today` is what was agreed by telephone for today, if anything.
    """
    reach = [order.mg for order in orders if order.for_today or order.ordered_at > taken_at]
    most = max(reach, default=Decimal(0))
    if most_today is not None:
        most = min(most, most_today)
    return max(most - taken_mg, Decimal(0))
