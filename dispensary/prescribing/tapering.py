"""Whether a step down lies within a guideline, and a dated taper that obeys it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from dispensary.prescribing.guideline import Guideline, Ruling, everywhere, no_answer, ruled, share
from dispensary.prescribing.sections import TaperBand, Topic, Verdict
from dispensary.units import in_days, plain

_PREGNANT = "In pregnancy the dose is not tapered unless the client insists; the prescriber decides."


@dataclass(frozen=True)
class TaperStep:
    """The dose from a day on; 0 mg is the first day without one."""

    first_day: date
    mg: Decimal


@dataclass(frozen=True)
class TaperPlan:
    """The steps that a guideline gives, and what it says of them as a whole."""

    ruling: Ruling
    steps: tuple[TaperStep, ...]


def taper_step(
    guideline: Guideline,
    *,
    current_mg: Decimal,
    new_mg: Decimal,
    days_since_change: int,
    pregnant: bool = False,
    reason: str = "",
) -> Ruling:
    """Whether a step down is as small and as late as the guideline has it; figure `lowest_mg` is how low it goes.

    In pregnancy the prescriber decides, whatever the step (common practice; withdrawal endangers the pregnancy).
    """
    if new_mg >= current_mg:
        return ruled(guideline, Topic.TAPER, Verdict.ALLOW, "The dose does not fall.", mg=new_mg)
    if pregnant:
        return ruled(guideline, Topic.TAPER, Verdict.REFER, _PREGNANT, source=everywhere().pregnant_source)
    band = _band(guideline, current_mg)
    if band is None:
        return no_answer(guideline, Topic.TAPER)
    lowest = _lowest(band, current_mg)
    faults = {}
    if new_mg < lowest:
        faults["step"] = f"From {plain(current_mg)} mg the guideline goes no lower than {plain(lowest)} mg in one step."
    if days_since_change < band.days_between:
        faults["days-between"] = (
            f"The last change was {in_days(days_since_change)} ago; the guideline leaves at least {band.days_between}."
        )
    return ruled(
        guideline,
        Topic.TAPER,
        Verdict.ALLOW_WITH_REASON if faults else Verdict.ALLOW,
        " ".join(faults.values()) or f"{plain(current_mg)} to {plain(new_mg)} mg is within the guideline.",
        mg=new_mg,
        reason=reason,
        limits=tuple(faults),
        figures={"lowest_mg": lowest, "days_between": band.days_between},
    )


def taper_plan(
    guideline: Guideline,
    *,
    from_mg: Decimal,
    to_mg: Decimal,
    first_day: date,
    pregnant: bool = False,
    finest_mg: Decimal = Decimal(1),
) -> TaperPlan:
    """The quickest taper that the guideline has: dated steps, each of which `taper_step` allows.

    Steps are rounded up to `finest_mg`, the smallest change that is dispensed. A percentage of a small dose is less
    than that, so that such a guideline cannot reach 0 mg: the plan then stops, its ruling refers the rest to the
    prescriber, and no step is invented.
    """
    if pregnant:
        return TaperPlan(
            ruled(guideline, Topic.TAPER, Verdict.REFER, _PREGNANT, source=everywhere().pregnant_source), ()
        )
    if _band(guideline, from_mg) is None:
        return TaperPlan(no_answer(guideline, Topic.TAPER), ())
    steps = tuple(_steps(guideline, from_mg, to_mg, first_day, finest_mg))
    reached = steps[-1].mg if steps else from_mg
    if reached > to_mg:
        sentence = (
            f"The guideline's steps reach {plain(reached)} mg: from there a step is less than {plain(finest_mg)} mg. "
            "The prescriber orders the rest."
        )
        return TaperPlan(ruled(guideline, Topic.TAPER, Verdict.REFER, sentence), steps)
    days = f"{len(steps)} {'step' if len(steps) == 1 else 'steps'}"
    sentence = f"{plain(from_mg)} mg to {plain(reached)} mg in {days}."
    return TaperPlan(ruled(guideline, Topic.TAPER, Verdict.ALLOW, sentence, mg=reached), steps)


def _steps(
    guideline: Guideline, from_mg: Decimal, to_mg: Decimal, first_day: date, finest_mg: Decimal
) -> Iterator[TaperStep]:
    current, day = from_mg, first_day
    while current > to_mg:
        band = _band(guideline, current)
        assert band is not None, "the last band begins above 0 mg"
        following = max(_up_to(_lowest(band, current), finest_mg), to_mg)
        if following >= current:
            return
        yield TaperStep(day, following)
        current = following
        band = _band(guideline, current) or band
        day += timedelta(days=band.days_between)


def _band(guideline: Guideline, mg: Decimal) -> TaperBand | None:
    if guideline.taper is None or not guideline.answers(Topic.TAPER):
        return None
    return next((band for band in guideline.taper.bands if mg > band.above_mg), None)


def _lowest(band: TaperBand, current_mg: Decimal) -> Decimal:
    if band.mg is not None:
        return max(current_mg - band.mg, band.above_mg)
    assert band.percent is not None, "a band has mg or per cent"
    return current_mg - share(current_mg, band.percent)


def _up_to(mg: Decimal, finest_mg: Decimal) -> Decimal:
    return (mg / finest_mg).to_integral_value(ROUND_CEILING) * finest_mg
