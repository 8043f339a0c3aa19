"""What HIV viral loads say: undetectable, suppressed, low-level, unsuppressed, failure of the treatment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dispensary.monitoring.findings import Finding, Severity, found, referred
from dispensary.monitoring.sources import Figures, figures
from dispensary.units import months_after

NEWEST = "WHO-2023"


@dataclass(frozen=True)
class ViralLoad:
    """One result in copies/mL. `below` marks one that was reported as less than this."""

    on: date
    copies: int
    below: bool = False


def viral_load(
    results: Sequence[ViralLoad],
    *,
    version: str = NEWEST,
    support_on: Sequence[date] = (),
    by: Figures | None = None,
) -> Finding:
    """What the last result says, the oldest first. `support_on` are the days on which adherence support was given.

    Support counts from the day of the first high result on, and before the day of the last: what came earlier or later
    cannot have changed it. Exactly the bound of failure is suppressed.

    Raises ValueError without a result, KeyError for another version.
    """
    rule = (by or figures()).viral_load[version]
    last = results[-1]
    told: dict[str, object] = {"copies_ml": last.copies, "below": last.below, "version": version}
    amount = f"{'below ' if last.below else ''}{last.copies:,} copies/mL"
    repeat = months_after(last.on, rule.repeat_after_months)
    if last.copies <= rule.failure_above or last.below:
        if last.below and last.copies > rule.failure_above:
            sentence = f"Viral load {amount}: the test is too coarse to tell."
            return referred("viral-load", sentence, source=rule.source, figures=told)
        if last.copies < rule.undetectable_below or (last.below and last.copies <= rule.undetectable_below):
            return found(rule, "viral-load", Severity.NONE, "undetectable", f"Viral load {amount}.", figures=told)
        if rule.low_level:
            advice = f"Adherence support; repeat about {repeat}."
            said = f"Viral load {amount}: low-level."
            return found(rule, "viral-load", Severity.WARNING, "low_level", said, advice=advice, figures=told)
        return found(rule, "viral-load", Severity.NONE, "suppressed", f"Viral load {amount}: suppressed.", figures=told)
    high = _run_of_high(results, rule.failure_above)
    least, most = rule.months_apart
    said = f"Viral load {amount}: unsuppressed."
    for earlier in high[:-1]:
        apart = months_after(earlier.on, least) <= last.on <= months_after(earlier.on, most)
        supported = any(earlier.on <= day < last.on for day in support_on)
        if apart and supported and len(high) >= rule.consecutive:
            told["since"] = earlier.on.isoformat()
            said = f"Viral load {amount}, and above {rule.failure_above:,} since {earlier.on} in spite of support."
            advice = "Treatment fails: the HIV doctor decides about another regimen."
            return found(rule, "viral-load", Severity.URGENT, "failure", said, advice=advice, figures=told)
    support = "" if any(day >= high[0].on for day in support_on) else "Offer adherence support now. "
    advice = f"{support}Repeat about {repeat}, {least} to {most} months after the first."
    return found(rule, "viral-load", Severity.WARNING, "unsuppressed", said, advice=advice, figures=told)


def _run_of_high(results: Sequence[ViralLoad], above: int) -> list[ViralLoad]:
    """The results above the bound without one below it between them, up to the last."""
    run: list[ViralLoad] = []
    for each in reversed(results):
        if each.copies <= above or each.below:
            break
        run.insert(0, each)
    return run
