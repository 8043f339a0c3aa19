"""What the counter does for a client who comes back after days without any dose. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from dispensary.prescribing.guideline import Guideline, Ruling
from dispensary.prescribing.missed import missed_days
from dispensary.prescribing.sections import Consequence, Counter, Topic
from dispensary.refusals import Refusal
from dispensary.units import DoseDay, Milligrams, plain


@dataclass(frozen=True)
class Reduced:
    """Less than the order, agreed with the prescriber, until they order again."""

    mg: Milligrams
    """The most that a day's portions may add up to."""
    from_day: date
    missed: int
    """The days without a dose that the prescriber was told of; 0 when it was about something else."""


@dataclass(frozen=True)
class Absence:
    """Consecutive days before today without any dose in hand or swallowed, and whose rule judges them."""

    days: int
    last_covered: DoseDay | None
    """The last day with a dose before today; nothing when there never was one."""
    ask_from: int
    """From how many days on the prescriber decides, where the site follows no guideline that answers."""
    guideline: Guideline | None = None
    """What the site follows for missed days; read when there is an absence to judge."""
    day_of_treatment: int | None = None
    """Which day of treatment today is."""
    usual_mg: Decimal | None = None
    """The whole dose of the last day before the absence."""


def judged(absence: Absence, dose_mg: Decimal) -> Ruling | None:
    """What the site's guideline says of this absence; nothing without an absence or a guideline that answers.

    A step that was planned for days on which the client did not come does not raise what is given afterwards: the
    figure follows from the lesser of the order and the dose that the client was used to.
    """
    return _judged(absence, dose_mg, absence.days)


def _judged(absence: Absence, dose_mg: Decimal, missed: int) -> Ruling | None:
    guideline = absence.guideline
    if guideline is None or missed < 1 or not guideline.answers(Topic.MISSED):
        return None
    day = absence.day_of_treatment
    then = day - (absence.days - missed) if day is not None else None
    ruling = missed_days(guideline, dose_mg=dose_mg, missed=missed, day_of_treatment=then)
    if ruling.instruction != Counter.GIVE_AS_ORDERED and absence.usual_mg and absence.usual_mg < dose_mg:
        ruling = missed_days(guideline, dose_mg=absence.usual_mg, missed=missed, day_of_treatment=then)
    return ruling


def ordered_knowing(absence: Absence, dose_mg: Decimal, ordered_on: date) -> bool:
    """Whether an order was written when the absence already asked for what it asks for today.

    The prescriber then knew of it, and the order stands. One that was written after three missed days does not know of
    the fifth, from which a guideline begins anew; a step that was planned before the absence knows nothing of it.
    """
    if absence.last_covered is None or absence.days < 1:
        return True
    ruling = judged(absence, dose_mg)
    if ruling is None:
        return ordered_on > absence.last_covered + timedelta(days=absence.ask_from)
    known = min((ordered_on - absence.last_covered).days - 1, absence.days)
    before = _judged(absence, dose_mg, known) if known > 0 else None
    return before is not None and _asks(before) == _asks(ruling)


def _asks(ruling: Ruling) -> tuple[str, tuple[Consequence, ...], Decimal | None]:
    return ruling.instruction, ruling.consequences, ruling.mg


def covers(reduction: Reduced | None, absence: Absence) -> bool:
    """Whether a reduction was agreed in this absence, by a prescriber who was told of all of its days."""
    if reduction is None or absence.last_covered is None:
        return False
    return reduction.from_day > absence.last_covered and absence.days <= reduction.missed


def absence_refusal(absence: Absence, dose_mg: Decimal, reduction: Reduced | None) -> Refusal | None:
    """Why a dose of this order is not given after the absence; nothing when it is given, as ordered or reduced."""
    if absence.last_covered is None:
        return None
    ruling = judged(absence, dose_mg)
    if ruling is None:
        return _the_sites_rule(absence) if absence.days >= absence.ask_from else None
    if ruling.instruction == Counter.GIVE_AS_ORDERED:
        return None
    evidence = {
        "days_without": absence.days,
        "last_covered": absence.last_covered,
        "most_mg": ruling.mg,
        "guideline": ruling.guideline,
        "version": ruling.version,
        "source": ruling.source,
    }
    if ruling.instruction == Counter.REDUCED_AFTER_CALL and ruling.mg is not None:
        if covers(reduction, absence):
            return None
        return Refusal(
            "absent-call",
            f"{absence.days} days without a dose (last on {absence.last_covered}): {_told(ruling)}",
            f"Call the prescriber, and write the call down: up to {plain(ruling.mg)} mg may then be given.",
            evidence,
        )
    return Refusal(
        "absent",
        f"{absence.days} days without a dose (last on {absence.last_covered}): {_told(ruling)}",
        "Do not supply. The prescriber decides, and orders again from today.",
        evidence,
    )


def _told(ruling: Ruling) -> str:
    return f"{ruling.sentence} ({ruling.source})"


def _the_sites_rule(absence: Absence) -> Refusal:
    return Refusal(
        "absent",
        f"{absence.days} days passed without a dose (last on {absence.last_covered}): tolerance may be lost.",
        "Do not give the dose of the old order. Call the prescriber, who orders again from today.",
        {"days_without": absence.days, "last_covered": absence.last_covered},
    )
