"""Reads the sections of a guideline's document, and says what in them cannot be meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TypedDict, TypeVar

from dispensary.documents import Reader, Status
from dispensary.prescribing.sections import (
    Action,
    Confidence,
    Consequence,
    Counter,
    DoseBand,
    Everywhere,
    FirstDayBand,
    Induction,
    Missed,
    MissedRow,
    Prescription,
    Range,
    Split,
    Taper,
    TaperBand,
    Verdict,
    Vomited,
    VomitedRow,
    WrongDose,
    WrongDoseRow,
)
from dispensary.units import MOST_MILLIGRAMS

_MOST_MG = int(MOST_MILLIGRAMS)
_MOST_DAYS = 366
Row = TypeVar("Row")
STRICTNESS = (Verdict.ALLOW, Verdict.ALLOW_WITH_REASON, Verdict.WITHHOLD_REFER, Verdict.REFER, Verdict.REFUSE)
"""From the laxest answer to the strictest."""


class _Standing(TypedDict):
    source: str
    confidence: Confidence
    status: Status
    note: str


def _standing(reader: Reader) -> _Standing:
    standing = _Standing(
        source=reader.text("source"),
        confidence=reader.one_of("confidence", Confidence, Confidence.LOW),
        status=reader.one_of("status", Status, Status.DRAFT),
        note=reader.text("note", required=False),
    )
    if standing["confidence"] is Confidence.LOW and standing["status"] is not Status.DRAFT:
        reader.problem("is of low confidence and must be a draft")
    return standing


def induction(reader: Reader) -> Induction:
    read = Induction(
        **_standing(reader),
        start=_range(reader, "start"),
        start_low=_range(reader, "start_low"),
        start_high=_range(reader, "start_high"),
        start_at_risk=_range(reader, "start_at_risk"),
        first_day=tuple(
            FirstDayBand(
                above_mg=_mg(part, "above_mg"),
                answer=part.one_of("answer", Verdict, Verdict.REFER),
                text=part.text("text"),
            )
            for part in reader.parts("first_day", "first-day band")
        ),
        step=_range(reader, "step"),
        days_between=reader.whole("days_between", 1, _MOST_DAYS),
        no_rise_until_day=reader.whole("no_rise_until_day", 1, _MOST_DAYS),
        week1_rise_mg=reader.amount("week1_rise_mg", 0, _MOST_MG),
        weekly_rise_mg=reader.amount("weekly_rise_mg", 0, _MOST_MG),
        maintenance=_range(reader, "maintenance"),
        observe_hours=_range(reader, "observe_hours"),
    )
    for lower, higher in _pairs(read.first_day):
        rises = STRICTNESS.index(higher.answer) >= STRICTNESS.index(lower.answer)
        if not (higher.above_mg > lower.above_mg and rises):
            reader.problem("has first-day bands that do not rise in mg and strictness")
    return read


def taper(reader: Reader) -> Taper:
    read = Taper(
        **_standing(reader),
        bands=tuple(_taper_band(part) for part in reader.parts("bands", "taper band")),
    )
    above = [band.above_mg for band in read.bands]
    if read.status is not Status.DRAFT and (not above or above[-1] != 0 or above != sorted(set(above), reverse=True)):
        reader.problem("needs bands from the highest dose down to one above 0 mg")
    return read


def _taper_band(reader: Reader) -> TaperBand:
    band = TaperBand(
        above_mg=_mg(reader, "above_mg"),
        percent=_percent(reader, "percent"),
        mg=reader.amount("mg", 0, _MOST_MG),
        days_between=_whole(reader, "days_between", _MOST_DAYS),
    )
    if (band.percent is None) == (band.mg is None):
        reader.problem("needs either percent or mg")
    return band


def missed(reader: Reader) -> Missed:
    read = Missed(**_standing(reader), rows=tuple(_missed_row(part) for part in reader.parts("rows", "missed row")))
    if read.status is Status.DRAFT:
        return read
    follows = all(a.last is not None and a.last + 1 == b.first for a, b in _pairs(read.rows))
    if not read.rows or read.rows[0].first != 1 or read.rows[-1].last is not None or not follows:
        reader.problem("needs rows from the first missed day on, without a gap, the last without an end")
    order = list(Counter)
    if any(order.index(b.instruction) < order.index(a.instruction) for a, b in _pairs(read.rows)):
        reader.problem("has a longer absence with a laxer instruction")
    return read


def _missed_row(reader: Reader) -> MissedRow:
    row = MissedRow(
        first=_whole(reader, "first", _MOST_DAYS),
        last=reader.whole("last", 1, _MOST_DAYS),
        instruction=reader.one_of("instruction", Counter, Counter.DO_NOT_SUPPLY),
        percent=_percent(reader, "percent"),
        most_mg=reader.amount("most_mg", 0, _MOST_MG),
        by_dose=tuple(
            DoseBand(up_to_mg=_mg(part, "up_to_mg"), mg=_mg(part, "mg"))
            for part in reader.parts("by_dose", "dose band")
        ),
        consequences=reader.several("consequences", Consequence),
        condition=reader.text("condition", required=False),
    )
    has_figure = row.percent is not None or row.most_mg is not None
    if row.instruction is Counter.REDUCED_AFTER_CALL and not has_figure:
        reader.problem("reduces the dose and needs percent or most_mg")
    if row.by_dose and row.percent is None:
        reader.problem("has doses by the order and needs percent for what is above them")
    if any(b.up_to_mg <= a.up_to_mg for a, b in _pairs(row.by_dose)):
        reader.problem("has dose bands that do not rise")
    return row


def vomited(reader: Reader) -> Vomited:
    read = Vomited(**_standing(reader), rows=tuple(_vomited_row(part) for part in reader.parts("rows", "vomited row")))
    if read.status is Status.DRAFT:
        return read
    minutes = [row.minutes for row in read.rows]
    timed = [minute for minute in minutes[:-1] if minute is not None]
    rising = timed == sorted(set(timed)) and len(timed) == len(minutes) - 1
    if not minutes or minutes[-1] is not None or not rising:
        reader.problem("needs rows of rising minutes, the last without any")
    if any(b.percent > a.percent for a, b in _pairs(read.rows)):
        reader.problem("replaces more after a longer time")
    return read


def _vomited_row(reader: Reader) -> VomitedRow:
    upto, before = reader.whole("up_to_minutes", 1, 1440), reader.whole("before_minutes", 1, 1440)
    if upto is not None and before is not None:
        reader.problem("needs up_to_minutes or before_minutes, not both")
    percent = _percent(reader, "replace_percent")
    if percent is None:
        reader.problem("has no replace_percent")
    return VomitedRow(
        minutes=upto if upto is not None else before,
        included=before is None,
        percent=percent or Decimal(0),
        answer=reader.one_of("answer", Verdict, Verdict.REFER),
        only_in_withdrawal=reader.yes_or_no("only_in_withdrawal"),
    )


def wrong_dose(reader: Reader) -> WrongDose:
    read = WrongDose(
        **_standing(reader),
        rows=tuple(
            WrongDoseRow(
                until_day=part.whole("until_day", 1, _MOST_DAYS),
                up_to_mg=part.amount("up_to_mg", 0, _MOST_MG),
                not_seen_daily=part.yes_or_no("not_seen_daily"),
                excess_above_percent=part.amount("excess_above_percent", 0, 1000),
                action=part.one_of("action", Action, Action.EMERGENCY),
                observe_hours=part.amount("observe_hours", 0, 72),
                text=part.text("text"),
            )
            for part in reader.parts("rows", "wrong-dose row")
        ),
        call_above_percent=reader.amount("call_above_percent", 0, 1000) or Decimal(0),
    )
    if read.status is not Status.DRAFT and not read.rows:
        reader.problem("has no rows")
    return read


def prescription(reader: Reader) -> Prescription:
    read = Prescription(
        **_standing(reader),
        longest_days=reader.whole("longest_days", 1, _MOST_DAYS),
        both_dates=reader.yes_or_no("both_dates", required=True),
        by_law=reader.yes_or_no("by_law", required=True),
    )
    if read.status is not Status.DRAFT and read.longest_days is None:
        reader.problem("has no longest_days")
    return read


def split(reader: Reader) -> Split:
    read = Split(
        **_standing(reader),
        ratio_above=reader.amount("ratio_above", 1, 100),
        days_on_dose=reader.whole("days_on_dose", 1, _MOST_DAYS),
        trough_effective=reader.amount("trough_effective", 0, 10_000),
        peak_toxic_above=reader.amount("peak_toxic_above", 0, 10_000),
        trough_pregnant=reader.amount("trough_pregnant", 0, 10_000),
        portions=_whole(reader, "portions", 4),
        portions_pregnant=_whole(reader, "portions_pregnant", 4),
    )
    if read.status is not Status.DRAFT and read.ratio_above is None:
        reader.problem("has no ratio_above")
    return read


def everywhere(reader: Reader) -> Everywhere:
    return Everywhere(
        **_standing(reader),
        settle_days=_whole(reader, "settle_days", _MOST_DAYS),
        ecg_above_mg=_mg(reader, "ecg_above_mg"),
        review_above_mg=_mg(reader, "review_above_mg"),
        early_until_day=_whole(reader, "early_until_day", _MOST_DAYS),
        early_missed=_whole(reader, "early_missed", _MOST_DAYS),
        early_source=reader.text("early_source"),
        intoxicated_source=reader.text("intoxicated_source"),
        unwitnessed_source=reader.text("unwitnessed_source"),
        pregnant_source=reader.text("pregnant_source"),
    )


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    return pairwise(rows)


def _mg(reader: Reader, key: str) -> Decimal:
    found = reader.amount(key, 0, _MOST_MG)
    if found is None:
        reader.problem(f"has no {key}")
    return found or Decimal(0)


def _whole(reader: Reader, key: str, most: int) -> int:
    found = reader.whole(key, 1, most)
    if found is None:
        reader.problem(f"has no {key}")
    return found or 1


def _percent(reader: Reader, key: str) -> Decimal | None:
    return reader.amount(key, 0, 100)


def _range(reader: Reader, key: str) -> Range | None:
    part = reader.part(key)
    if part is None:
        return None
    found = Range(most=_mg(part, "most"), least=part.amount("least", 0, _MOST_MG))
    if found.least is not None and found.least > found.most:
        part.problem("has a least above its most")
    return found
