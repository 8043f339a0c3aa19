"""How much of a dose that was vomited may be given again. Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from dispensary.prescribing.guideline import Guideline, Ruling, everywhere, no_answer, ruled, share
from dispensary.prescribing.sections import Topic, Verdict, VomitedRow
from dispensary.units import plain


class Replacement(StrEnum):
    REPLACE = "replace"
    DO_NOT_REPLACE = "do_not_replace"


def replacement(
    guideline: Guideline,
    *,
    dose_mg: Decimal,
    minutes: Decimal,
    witnessed: bool,
    take_home: bool = False,
    pregnant: bool = False,
    withdrawal: bool = False,
) -> Ruling:
    """How many mg may be given again for a dose that was vomited so many minutes after it was swallowed.

    `mg` is never more than the dose, and never more after a longer time. What no member of staff saw is not replaced,
    nor is a dose that was taken home; in pregnancy the prescriber decides and no figure is given.
    """
    if not witnessed or take_home:
        why = "It was a take-home dose" if take_home else "Nobody of the staff saw it"
        sentence = f"{why}: nothing is replaced without the prescriber. Look for withdrawal the next day."
        return _referred(guideline, sentence, everywhere().unwitnessed_source, mg=Decimal(0))
    if not guideline.answers(Topic.VOMITED) or guideline.vomited is None:
        return no_answer(guideline, Topic.VOMITED, instruction=_NOT)
    if pregnant:
        sentence = "In pregnancy the prescriber decides what is replaced, and sooner than otherwise."
        return _referred(guideline, sentence, everywhere().pregnant_source)
    row = next(row for row in guideline.vomited.rows if _holds(row, minutes))
    mg = share(dose_mg, row.percent)
    figures = {"dose_mg": dose_mg, "minutes": minutes, "percent": row.percent}
    if mg == 0 or (row.only_in_withdrawal and not withdrawal):
        only = " unless the client is in withdrawal" if row.only_in_withdrawal else ""
        return ruled(
            guideline,
            Topic.VOMITED,
            Verdict.WITHHOLD_REFER,
            f"Seen after {plain(minutes)} minutes: nothing is replaced{only}.",
            instruction=_NOT,
            mg=Decimal(0),
            figures={**figures, "percent": Decimal(0)},
        )
    return ruled(
        guideline,
        Topic.VOMITED,
        row.answer,
        f"Seen after {plain(minutes)} minutes: up to {plain(mg)} mg, {plain(row.percent)} % of the dose.",
        instruction=Replacement.REPLACE.value,
        mg=mg,
        figures=figures,
    )


def _referred(guideline: Guideline, sentence: str, source: str, mg: Decimal | None = None) -> Ruling:
    return ruled(guideline, Topic.VOMITED, Verdict.REFER, sentence, instruction=_NOT, mg=mg, source=source)


_NOT = Replacement.DO_NOT_REPLACE.value


def _holds(row: VomitedRow, minutes: Decimal) -> bool:
    return row.minutes is None or minutes < row.minutes or (row.included and minutes == row.minutes)
