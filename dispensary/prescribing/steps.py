"""Whether a first dose, a first day's total and a rise lie within a guideline's limits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from dispensary.prescribing.guideline import Guideline, Ruling, everywhere, no_answer, ruled
from dispensary.prescribing.section_documents import STRICTNESS
from dispensary.prescribing.sections import Induction, Range, Topic, Verdict
from dispensary.units import in_days, plain


class Tolerance(StrEnum):
    """What is known of the client's tolerance to opioids."""

    LOW = "low"
    UNCERTAIN = "uncertain"
    USUAL = "usual"
    HIGH = "high"


class _Limit(NamedTuple):
    """A limit that a dose is outside of."""

    name: str
    answer: Verdict
    sentence: str


def start(
    guideline: Guideline, *, mg: Decimal, tolerance: Tolerance, at_risk: bool = False, reason: str = ""
) -> Ruling:
    """Whether a first dose lies within the guideline. More mg, or less tolerance, is never answered more readily.

    `at_risk` is whoever takes sedatives or alcohol beside, or whom something else puts at risk. A dose below the
    guideline's range is allowed and said: it does no harm that the next step cannot mend.
    """
    section = guideline.induction
    if section is None or not guideline.answers(Topic.INDUCTION):
        return no_answer(guideline, Topic.INDUCTION)
    fits, advice = _start_range(section, tolerance, at_risk)
    if fits is None:
        return no_answer(guideline, Topic.INDUCTION, what="the first dose", advice=tuple(_noted(section)))
    limits = list(_above_band(section, mg))
    if mg > fits.most:
        sentence = f"{plain(mg)} mg is outside of the start of {fits} where tolerance is {tolerance.value}"
        risk = " and the risk is raised" if at_risk else ""
        limits.append(_Limit("start", Verdict.ALLOW_WITH_REASON, f"{sentence}{risk}."))
    if fits.least is not None and mg < fits.least:
        advice.append(f"{plain(mg)} mg is below the guideline's start of {fits}.")
    if hours := section.observe_hours:
        advice.append(f"Observe the client for {_plain_range(hours)} hours after the dose.")
    inside = f"{plain(mg)} mg is within the start of {fits}."
    return _ruled(guideline, limits, inside, reason, mg, [*advice, *_cautions(section, mg), *_noted(section)])


def first_day(guideline: Guideline, *, total_mg: Decimal, reason: str = "") -> Ruling:
    """Whether the first day's total lies within the guideline; a `reason` is what is written down for an excess."""
    section = guideline.induction
    if section is None or not guideline.answers(Topic.INDUCTION):
        return no_answer(guideline, Topic.INDUCTION)
    if not section.first_day:
        return no_answer(guideline, Topic.INDUCTION, what="the first day's total")
    limits = list(_above_band(section, total_mg))
    inside = f"{plain(total_mg)} mg on the first day is within the guideline."
    return _ruled(guideline, limits, inside, reason, total_mg, [*_cautions(section, total_mg), *_noted(section)])


def step(
    guideline: Guideline,
    *,
    current_mg: Decimal,
    new_mg: Decimal,
    days_since_change: int,
    start_mg: Decimal | None = None,
    day_of_treatment: int | None = None,
    mg_a_week_ago: Decimal | None = None,
    reason: str = "",
) -> Ruling:
    """Whether a rise lies within the guideline's step, its days between, and its rise over a week.

    A larger or an earlier rise is never answered more readily. Whatever the guideline, a rise less than three days
    after the last change is warned of, since the level still climbs: a steady state takes about five half-lives, 5 to
    7 days. Above 100 mg an electrocardiogram is advised (Krantz 2009), above 120 mg a specialist's review with a
    trough level (ON-CPSO-2011). A fall is no step of an induction and is allowed.
    """
    advice = _high_dose(new_mg)
    section = guideline.induction
    if new_mg <= current_mg:
        return ruled(guideline, Topic.INDUCTION, Verdict.ALLOW, "The dose does not rise.", mg=new_mg)
    if section is None or not guideline.answers(Topic.INDUCTION):
        return no_answer(guideline, Topic.INDUCTION, advice=tuple(advice))
    if section.step is None:
        return no_answer(guideline, Topic.INDUCTION, what="steps", advice=tuple(advice))
    rise = new_mg - current_mg
    limits = [
        *_step_limits(section, rise, days_since_change, day_of_treatment),
        *_weekly_limits(section, new_mg, start_mg, day_of_treatment, mg_a_week_ago, advice),
    ]
    if section.step.least is not None and rise < section.step.least:
        advice.append(f"{plain(rise)} mg is a smaller step than the guideline's {section.step}.")
    if section.maintenance and new_mg > section.maintenance.most:
        advice.append(f"{plain(new_mg)} mg is above the usual {section.maintenance} of maintenance.")
    inside = f"{plain(current_mg)} to {plain(new_mg)} mg after {in_days(days_since_change)} is within the guideline."
    return _ruled(guideline, limits, inside, reason, new_mg, [*advice, *_noted(section)])


def _start_range(section: Induction, tolerance: Tolerance, at_risk: bool) -> tuple[Range | None, list[str]]:
    """The strictest range that applies. Where the guideline has none for low tolerance, that for raised risk does."""
    advice: list[str] = []
    fits = section.start
    if tolerance is Tolerance.HIGH:
        fits = section.start_high or section.start
    elif tolerance is not Tolerance.USUAL:
        fits = section.start_low or section.start_at_risk or section.start
        if fits is section.start and fits is not None:
            advice.append("The guideline has no range of its own for low or uncertain tolerance.")
    if at_risk:
        ranges = [each for each in (fits, section.start_at_risk) if each is not None]
        fits = min(ranges, key=lambda each: each.most, default=None)
        if section.start_at_risk is None:
            advice.append("The guideline has no range of its own for raised risk.")
    return fits, advice


def _above_band(section: Induction, mg: Decimal) -> Iterator[_Limit]:
    passed = [band for band in section.first_day if mg > band.above_mg and band.answer is not Verdict.ALLOW]
    if passed:
        yield _Limit("first-day", passed[-1].answer, passed[-1].text)


def _cautions(section: Induction, mg: Decimal) -> list[str]:
    return [band.text for band in section.first_day if mg > band.above_mg and band.answer is Verdict.ALLOW]


def _noted(section: Induction) -> list[str]:
    return [section.note] if section.note else []


def _step_limits(section: Induction, rise: Decimal, days: int, day_of_treatment: int | None) -> Iterator[_Limit]:
    if section.step and rise > section.step.most:
        sentence = f"A step of {plain(rise)} mg exceeds the guideline's {section.step}."
        yield _Limit("step", Verdict.ALLOW_WITH_REASON, sentence)
    settling = days < everywhere().settle_days
    if section.days_between is not None and days < section.days_between:
        sentence = f"The last change was {in_days(days)} ago; the guideline leaves at least {section.days_between}."
        yield _Limit("days-between", Verdict.ALLOW_WITH_REASON, sentence)
    if settling:
        sentence = f"{in_days(days)} after the last change the level has not settled yet."
        yield _Limit("settling", Verdict.ALLOW_WITH_REASON, sentence)
    until = section.no_rise_until_day
    if until is not None and day_of_treatment is not None and day_of_treatment <= until:
        sentence = f"The guideline does not raise the dose on the first {in_days(until)}."
        yield _Limit("no-rise-yet", Verdict.ALLOW_WITH_REASON, sentence)


def _weekly_limits(
    section: Induction,
    new_mg: Decimal,
    start_mg: Decimal | None,
    day: int | None,
    week_ago: Decimal | None,
    advice: list[str],
) -> Iterator[_Limit]:
    first_week = day is not None and day <= 7
    if section.week1_rise_mg is not None and (first_week or day is None):
        if start_mg is None or day is None:
            advice.append("The rise in the first week was not checked: first dose or day of treatment is not given.")
        elif new_mg - start_mg > section.week1_rise_mg:
            most = plain(section.week1_rise_mg)
            sentence = f"{plain(new_mg - start_mg)} mg above the first dose in week 1; the guideline has {most} mg."
            yield _Limit("week-1", Verdict.ALLOW_WITH_REASON, sentence)
    if section.weekly_rise_mg is not None:
        base = start_mg if first_week and week_ago is None else week_ago
        if base is None:
            advice.append("The rise over a week was not checked: the dose of a week ago is not given.")
        elif new_mg - base > section.weekly_rise_mg:
            most = plain(section.weekly_rise_mg)
            sentence = f"{plain(new_mg - base)} mg more than a week ago; the guideline has {most} mg."
            yield _Limit("weekly", Verdict.ALLOW_WITH_REASON, sentence)


def _high_dose(mg: Decimal) -> list[str]:
    warned = everywhere()
    if mg > warned.review_above_mg:
        above = plain(warned.review_above_mg)
        return [f"Above {above} mg: a specialist's review, a trough level and an electrocardiogram."]
    return [f"Above {plain(warned.ecg_above_mg)} mg: an electrocardiogram."] if mg > warned.ecg_above_mg else []


def _ruled(
    guideline: Guideline, limits: list[_Limit], inside: str, reason: str, mg: Decimal, advice: list[str]
) -> Ruling:
    answer = max((limit.answer for limit in limits), key=STRICTNESS.index, default=Verdict.ALLOW)
    return ruled(
        guideline,
        Topic.INDUCTION,
        answer,
        " ".join(limit.sentence for limit in limits) or inside,
        mg=mg if answer in (Verdict.ALLOW, Verdict.ALLOW_WITH_REASON) else None,
        reason=reason,
        limits=tuple(limit.name for limit in limits),
        advice=tuple(advice),
    )


def _plain_range(found: Range) -> str:
    return f"{plain(found.least)} to {plain(found.most)}" if found.least is not None else plain(found.most)
