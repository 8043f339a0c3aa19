"""What a guideline says of somebody who comes back after consecutive missed days. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dispensary.prescribing.guideline import Guideline, Ruling, everywhere, no_answer, ruled, share
from dispensary.prescribing.sections import Consequence, Counter, MissedRow, Topic, Verdict
from dispensary.units import plain

_ANSWERS = {
    Counter.GIVE_AS_ORDERED: Verdict.ALLOW,
    Counter.REDUCED_AFTER_CALL: Verdict.WITHHOLD_REFER,
    Counter.DO_NOT_SUPPLY: Verdict.WITHHOLD_REFER,
}


def missed_days(
    guideline: Guideline,
    *,
    dose_mg: Decimal,
    missed: int,
    intoxicated: bool = False,
    day_of_treatment: int | None = None,
) -> Ruling:
    """What the counter may do after so many consecutive days without an observed dose and without one at home.

    `mg` is the most that may be given once what the instruction asks for is done; it is never above the order, and a
    longer absence never makes it more, whatever the order of the guideline's own rows. An absence that began in the
    first two weeks of treatment asks for the prescriber from the second missed day on (common practice), and nobody
    who is intoxicated is given anything (WHO-2009, annex 12; AU-NAT-2003, s4-4.3).
    """
    days = f"{missed} missed {'day' if missed == 1 else 'days'}"
    if intoxicated:
        sentence = f"{days}, and intoxicated: do not supply. See the client again later today."
        return _withheld(guideline, sentence, everywhere().intoxicated_source)
    if missed < 1:
        sentence = f"No missed day: as ordered, {plain(dose_mg)} mg."
        return ruled(
            guideline, Topic.MISSED, Verdict.ALLOW, sentence, instruction=Counter.GIVE_AS_ORDERED.value, mg=dose_mg
        )
    section = guideline.missed
    row = next((row for row in section.rows if _holds(row, missed)), None) if section else None
    if section is None or row is None or not guideline.answers(Topic.MISSED):
        return no_answer(guideline, Topic.MISSED, instruction=Counter.DO_NOT_SUPPLY.value)
    if _began_early(day_of_treatment, missed):
        sentence = f"{days} in the first two weeks of treatment: do not supply. The prescriber sees the client."
        return _withheld(guideline, sentence, everywhere().early_source, *row.consequences)
    mg = _most(section.rows, dose_mg, missed) if _has_figure(row) else None
    return ruled(
        guideline,
        Topic.MISSED,
        _ANSWERS[row.instruction],
        f"{days}: {_told(row, mg)}{f', {row.condition}' if row.condition else ''}.",
        instruction=row.instruction.value,
        mg=mg,
        consequences=row.consequences,
        advice=(section.note,) if section.note and missed > 1 else (),
        figures={"ordered_mg": dose_mg, "missed": missed},
    )


def _withheld(guideline: Guideline, sentence: str, source: str, *consequences: Consequence) -> Ruling:
    also = tuple(dict.fromkeys((Consequence.PRESCRIBER_REVIEW, *consequences)))
    instruction = Counter.DO_NOT_SUPPLY.value
    return ruled(
        guideline,
        Topic.MISSED,
        Verdict.WITHHOLD_REFER,
        sentence,
        instruction=instruction,
        consequences=also,
        source=source,
    )


def _holds(row: MissedRow, missed: int) -> bool:
    return row.first <= missed and (row.last is None or missed <= row.last)


def _began_early(day_of_treatment: int | None, missed: int) -> bool:
    """Whether the first missed day lay in the first weeks; `day_of_treatment` is that of the client's return."""
    early = everywhere()
    if day_of_treatment is None or missed < early.early_missed:
        return False
    return day_of_treatment - missed <= early.early_until_day


def _has_figure(row: MissedRow) -> bool:
    return row.instruction is Counter.GIVE_AS_ORDERED or row.percent is not None or row.most_mg is not None


def _most(rows: tuple[MissedRow, ...], dose_mg: Decimal, missed: int) -> Decimal:
    """The least of what this row and those of shorter absences give.

    A row that says “30 mg at most” would otherwise give 30 mg of 40 after four days where three days gave half.
    """
    return min(mg for row in rows if row.first <= missed for mg in _amounts(row, dose_mg))


def _amounts(row: MissedRow, dose_mg: Decimal) -> Iterator[Decimal]:
    yield dose_mg
    if row.most_mg is not None:
        yield row.most_mg
    for band in row.by_dose:
        if dose_mg <= band.up_to_mg:
            yield band.mg
            return
    if row.percent is not None:
        yield share(dose_mg, row.percent)


def _told(row: MissedRow, mg: Decimal | None) -> str:
    if mg is None:
        return "do not supply; the prescriber decides"
    if row.instruction is Counter.GIVE_AS_ORDERED:
        return f"as ordered, {plain(mg)} mg"
    if row.instruction is Counter.REDUCED_AFTER_CALL:
        return f"at most {plain(mg)} mg, after a call to the prescriber"
    return f"do not supply; the prescriber decides, at most {plain(mg)} mg"
