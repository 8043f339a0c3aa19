"""What liver tests say: ALT by its limit and trend, Hy's rule, ALT on TB medicines, FIB-4, APRI, Child-Pugh. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import pairwise

from dispensary.monitoring.findings import Finding, Severity, found, referred
from dispensary.monitoring.sources import Figures, figures
from dispensary.units import plain

UMOL_IN_MG_DL = Decimal("17.1")
"""µmol/L of bilirubin in 1 mg/dL."""
ASK_SYMPTOMS = "Ask about nausea, vomiting, belly pain and yellow eyes today: with them these medicines stop. "
_NO_LIMIT = "The laboratory's upper limit of {test} is not known: it cannot be judged."


class Ascites(StrEnum):
    NONE = "none"
    MILD = "mild"
    SEVERE = "moderate-severe"


class Encephalopathy(StrEnum):
    NONE = "none"
    LOW = "1-2"
    HIGH = "3-4"


@dataclass(frozen=True)
class Measured:
    """A value of a day, in the unit that is kept, with the laboratory's upper limit in the same unit."""

    on: date
    value: Decimal
    upper: Decimal | None = None

    @property
    def times(self) -> Decimal | None:
        """The value in times the upper limit; nothing without one."""
        return self.value / self.upper if self.upper else None


def alt(results: Sequence[Measured], *, by: Figures | None = None) -> Finding:
    """What the last ALT (U/L) says, the oldest result first. Raises ValueError without any."""
    rule = (by or figures()).alt
    last = results[-1]
    times = last.times
    trend = trend_of([each.value for each in results])
    told: dict[str, object] = {"alt_u_l": last.value, "upper_u_l": last.upper, "trend": trend}
    if times is None:
        return referred("alt", _NO_LIMIT.format(test="ALT"), source=rule.source, figures=told)
    grade = sum(times >= each for each in rule.grades_from_times)
    told |= {"times_upper": _two(times), "grade": grade}
    said = f"ALT {plain(last.value)} U/L, {plain(_two(times))} times the upper limit, {trend}."
    first, latest = rule.repeat_after_weeks
    if times > rule.urgent_above_times:
        return found(rule, "alt", Severity.URGENT, "urgent_review", said, advice="Urgent review.", figures=told)
    if times > rule.repeat_above_times:
        advice = f"Repeat in {first} to {latest} weeks; look for a virus, alcohol, other medicines."
        return found(rule, "alt", Severity.WARNING, "repeat", said, advice=advice, figures=told)
    if times > 1:
        return found(rule, "alt", Severity.INFO, "above_limit", said, figures=told)
    return found(rule, "alt", Severity.NONE, "within_limit", said, figures=told)


def trend_of(values: Sequence[Decimal]) -> str:
    """Rising or falling when the last three (or two, where there are no more) all go one way; else steady or first."""
    last = values[-3:]
    if len(last) < 2:
        return "the first result"
    steps = [later - earlier for earlier, later in pairwise(last)]
    if all(step > 0 for step in steps):
        return "rising"
    return "falling" if all(step < 0 for step in steps) else "steady"


def hy(alt_now: Measured, bilirubin: Measured, *, by: Figures | None = None) -> Finding:
    """Hy's rule: ALT and bilirubin both high at once, in times their upper limits."""
    rule = (by or figures()).alt
    of_alt, of_bilirubin = alt_now.times, bilirubin.times
    told = {"alt_u_l": alt_now.value, "bilirubin_umol_l": bilirubin.value}
    if of_alt is None or of_bilirubin is None:
        return referred("hy", _NO_LIMIT.format(test="ALT or bilirubin"), source=rule.source, figures=told)
    told |= {"alt_times_upper": _two(of_alt), "bilirubin_times_upper": _two(of_bilirubin)}
    said = f"ALT {plain(_two(of_alt))} times and bilirubin {plain(_two(of_bilirubin))} times their upper limits."
    if of_alt >= rule.hy_alt_from_times and of_bilirubin >= rule.hy_bilirubin_from_times:
        return found(rule, "hy", Severity.URGENT, "hys_law", said, advice="Urgent review (Hy's rule).", figures=told)
    return found(rule, "hy", Severity.NONE, "not_met", said, figures=told)


def tb_alt(alt_now: Measured, *, symptoms: bool | None, by: Figures | None = None) -> Finding:
    """Whether isoniazid, rifampicin and pyrazinamide are stopped because of the ALT (U/L).

    Where nobody has asked about symptoms (None) it is judged as without, and says that they were not asked about.
    """
    rule = (by or figures()).tb_alt
    times = alt_now.times
    told = {"alt_u_l": alt_now.value, "upper_u_l": alt_now.upper, "symptoms": symptoms}
    if times is None:
        return referred("tb-alt", _NO_LIMIT.format(test="ALT"), source=rule.source, figures=told)
    told["times_upper"] = _two(times)
    asked = {True: "with symptoms", False: "without symptoms", None: "symptoms were not asked about"}[symptoms]
    said = f"ALT {plain(_two(times))} times the upper limit on TB medicines, {asked}."
    bound = rule.stop_from_times_with_symptoms if symptoms else rule.stop_from_times
    if times >= bound:
        advice = "Stop isoniazid, rifampicin and pyrazinamide: tell the TB doctor today."
        return found(rule, "tb-alt", Severity.URGENT, "stop", said, advice=advice, figures=told)
    if times > 1:
        stops_with = times >= rule.stop_from_times_with_symptoms
        ask = stops_with and symptoms is None
        return found(
            rule,
            "tb-alt",
            Severity.WARNING if stops_with else Severity.INFO,
            "continue_monitor_weekly",
            said,
            advice=f"{ASK_SYMPTOMS if ask else ''}Continue, and measure every week.",
            figures=told,
        )
    return found(rule, "tb-alt", Severity.NONE, "continue", said, figures=told)


def fib4(*, age: int, ast: Decimal, alt_value: Decimal, platelets: Decimal, by: Figures | None = None) -> Finding:
    """FIB-4 from age in years, AST and ALT in U/L and platelets in 10^9/L."""
    rule = (by or figures()).fib4
    told: dict[str, object] = {"age_years": age, "ast_u_l": ast, "alt_u_l": alt_value, "platelets_10_9_l": platelets}
    if platelets <= 0 or alt_value <= 0:
        return referred("fib-4", "FIB-4 needs ALT and platelets above 0.", source=rule.source, figures=told)
    score = age * ast / (platelets * alt_value.sqrt())
    told["fib4"] = _two(score)
    said = f"FIB-4 {plain(_two(score))}."
    if score > rule.high_above:
        advice = "Advanced fibrosis is likely: refer to a liver clinic."
        return found(rule, "fib-4", Severity.WARNING, "high", said, advice=advice, figures=told)
    if score < rule.low_below:
        return found(rule, "fib-4", Severity.NONE, "low", said, figures=told)
    advice = "Neither likely nor ruled out: another test is needed."
    return found(rule, "fib-4", Severity.INFO, "indeterminate", said, advice=advice, figures=told)


def apri(ast: Measured, platelets: Decimal, *, by: Figures | None = None) -> Finding:
    """APRI from AST (U/L, with its limit) and platelets in 10^9/L."""
    rule = (by or figures()).apri
    times = ast.times
    told: dict[str, object] = {"ast_u_l": ast.value, "upper_u_l": ast.upper, "platelets_10_9_l": platelets}
    if times is None or platelets <= 0:
        return referred("apri", _NO_LIMIT.format(test="AST"), source=rule.source, figures=told)
    score = times / platelets * 100
    told["apri"] = _two(score)
    said = f"APRI {plain(_two(score))}."
    if score > rule.cirrhosis_above:
        advice = "Cirrhosis is likely: refer to a liver clinic."
        return found(rule, "apri", Severity.WARNING, "cirrhosis", said, advice=advice, figures=told)
    if score > rule.fibrosis_above:
        advice = "Fibrosis is likely: another test is needed."
        return found(rule, "apri", Severity.INFO, "fibrosis", said, advice=advice, figures=told)
    return found(rule, "apri", Severity.NONE, "low", said, figures=told)


def child_pugh(
    *,
    bilirubin: Decimal,
    albumin: Decimal,
    inr: Decimal,
    ascites: Ascites,
    encephalopathy: Encephalopathy,
    by: Figures | None = None,
) -> Finding:
    """Points and class from bilirubin in µmol/L, albumin in g/L and INR, with what the class means for dosing.

    Points are counted in the units of the score: bilirubin in mg/dL to one place, albumin in g/dL.
    """
    known = by or figures()
    rule, dosing = known.child_pugh, known.child_pugh_dosing
    in_mg = (bilirubin / UMOL_IN_MG_DL).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    in_g = albumin / 10
    low, high = rule.albumin_g_dl
    points = (
        _points(in_mg, rule.bilirubin_mg_dl),
        1 if in_g > high else 2 if in_g >= low else 3,
        _points(inr, rule.inr),
        1 + list(Ascites).index(ascites),
        1 + list(Encephalopathy).index(encephalopathy),
    )
    total = sum(points)
    letter = "C" if total >= rule.c_from else "B" if total >= rule.b_from else "A"
    severity = {"A": Severity.NONE, "B": Severity.INFO, "C": Severity.WARNING}[letter]
    advice = {"A": dosing.a, "B": dosing.b, "C": dosing.c}[letter] if dosing.used else "Refer to prescriber."
    said = f"Child-Pugh {letter}, {total} points ({'+'.join(map(str, points))})."
    told = {"points": total, "class": letter, "bilirubin_mg_dl": in_mg, "albumin_g_dl": in_g, "inr": inr}
    return found(rule, "child-pugh", severity, letter, said, advice=advice, figures=told)


def _points(value: Decimal, bounds: tuple[Decimal, Decimal]) -> int:
    """1 below the bounds, 2 from one to the other, 3 above."""
    low, high = bounds
    return 1 if value < low else 2 if value <= high else 3


def _two(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
