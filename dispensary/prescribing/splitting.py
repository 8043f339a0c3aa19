"""Whether blood levels, or a pregnancy, speak for dividing a day's dose. Pure."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from dispensary.prescribing.guideline import Guideline, Ruling, no_answer, ruled
from dispensary.prescribing.sections import Split, Topic, Verdict
from dispensary.units import plain


class Dividing(StrEnum):
    CONSIDER_SPLIT = "consider_split"
    NOT_INDICATED = "not_indicated"


def split(
    guideline: Guideline,
    *,
    trough_ng_ml: Decimal | None = None,
    peak_ng_ml: Decimal | None = None,
    days_on_dose: int | None = None,
    portions: int = 2,
    pregnant: bool = False,
    reason: str = "",
) -> Ruling:
    """Whether to divide the dose: the peak (2-4 h after the dose) is more than twice the trough (24 h after it).

    Levels in ng/mL. In pregnancy clearance rises and a divided dose may be considered without levels (McCarthy 2018).
    Levels from before the dose has settled say nothing. Without a sign for it a prescriber may still divide the dose,
    with a reason. A higher peak or a lower trough never speaks against dividing.
    """
    section = guideline.split
    if section is None or section.ratio_above is None or not guideline.answers(Topic.SPLIT):
        return no_answer(guideline, Topic.SPLIT)
    settled = days_on_dose is None or section.days_on_dose is None or days_on_dose >= section.days_on_dose
    ratio = peak_ng_ml / trough_ng_ml if peak_ng_ml is not None and trough_ng_ml and settled else None
    if ratio is None and not pregnant:
        why = f"after {days_on_dose} days on the dose levels cannot be read" if not settled else "peak and trough lack"
        sentence = f"Whether to divide the dose cannot be said: {why}. The prescriber decides."
        return ruled(guideline, Topic.SPLIT, Verdict.REFER, sentence)
    rapid = ratio is not None and ratio > section.ratio_above
    most = section.portions_pregnant if pregnant else section.portions
    limits = (() if rapid or pregnant else ("not-indicated",)) + (("portions",) if portions > most else ())
    return ruled(
        guideline,
        Topic.SPLIT,
        Verdict.ALLOW_WITH_REASON if limits else Verdict.ALLOW,
        _told(section, ratio, pregnant, portions, most),
        instruction=(Dividing.CONSIDER_SPLIT if rapid or pregnant else Dividing.NOT_INDICATED).value,
        reason=reason,
        limits=limits,
        advice=tuple(_advice(section, trough_ng_ml, peak_ng_ml, pregnant)),
        figures={"ratio": ratio.quantize(Decimal("0.01")) if ratio is not None else None, "portions": portions},
    )


def _told(section: Split, ratio: Decimal | None, pregnant: bool, portions: int, most: int) -> str:
    assert section.ratio_above is not None, "checked before"
    sentences = []
    if ratio is not None:
        shown, above = plain(ratio.quantize(Decimal("0.01"))), plain(section.ratio_above)
        if ratio > section.ratio_above:
            sentences.append(f"Peak divided by trough is {shown}, more than {above}: consider a divided dose.")
        else:
            sentences.append(f"Peak divided by trough is {shown}, not more than {above}.")
    if pregnant:
        sentences.append("In pregnancy clearance rises: consider a divided or a higher dose.")
    if portions > most:
        sentences.append(f"{portions} portions are more than the usual {most}.")
    return " ".join(sentences)


def _advice(section: Split, trough: Decimal | None, peak: Decimal | None, pregnant: bool) -> list[str]:
    advice = [section.note] if section.note else []
    low = section.trough_pregnant if pregnant else section.trough_effective
    if trough is not None and low is not None and trough < low:
        advice.append(f"The trough of {plain(trough)} ng/mL is below the {plain(low)} ng/mL often quoted as effective.")
    if peak is not None and section.peak_toxic_above is not None and peak > section.peak_toxic_above:
        advice.append(f"The peak of {plain(peak)} ng/mL is above {plain(section.peak_toxic_above)} ng/mL: toxic range.")
    return advice
