"""What an ECG says: the corrected QT time by Bazett and Fridericia, and which of them counts. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum

from dispensary.monitoring.findings import Finding, Severity, found, referred
from dispensary.monitoring.sources import Figures, figures
from dispensary.units import plain


class Formula(StrEnum):
    BAZETT = "Bazett"
    FRIDERICIA = "Fridericia"


def corrected(qt_ms: Decimal, heart_rate: Decimal, formula: Formula) -> Decimal:
    """QTc in ms to one place: QT by the root (Bazett) or cube root (Fridericia) of 60 / heart rate.

    Raises ValueError where the QT or the rate is not above 0.
    """
    if qt_ms <= 0 or heart_rate <= 0:
        raise ValueError("QT and heart rate are above 0")
    with localcontext() as exact:
        exact.prec = 28
        power = Decimal(1) / (2 if formula is Formula.BAZETT else 3)
        seconds = Decimal(60) / heart_rate
        return (qt_ms / seconds**power).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)


def which(heart_rate: Decimal, *, by: Figures | None = None) -> Formula:
    """Fridericia's for a fast or slow heart, in which Bazett's misleads; else Bazett's."""
    rule = (by or figures()).qtc
    usual = rule.fridericia_below_bpm <= heart_rate <= rule.fridericia_above_bpm
    return Formula.BAZETT if usual else Formula.FRIDERICIA


def qtc(
    *,
    qt_ms: Decimal | None = None,
    heart_rate: Decimal | None = None,
    reported_ms: Decimal | None = None,
    reported_by: Formula | None = None,
    sex: str = "",
    by: Figures | None = None,
) -> Finding:
    """What the QT time says, in ms, with the heart rate a minute; a reported QTc counts where those are not known."""
    rule = (by or figures()).qtc
    if qt_ms is not None and heart_rate is not None and qt_ms > 0 and heart_rate > 0:
        formula: Formula | None = which(heart_rate, by=by)
        both = {each: corrected(qt_ms, heart_rate, each) for each in Formula}
        value = both[formula or Formula.BAZETT]
        told: dict[str, object] = {
            "qtc_ms": value,
            "formula": (formula or Formula.BAZETT).value,
            "qtcb_ms": both[Formula.BAZETT],
            "qtcf_ms": both[Formula.FRIDERICIA],
            "qt_ms": qt_ms,
            "heart_rate": heart_rate,
        }
    elif reported_ms is not None:
        value, formula = reported_ms, reported_by
        told = {"qtc_ms": value, "formula": formula.value if formula else "not stated"}
    else:
        return referred("qtc", "QT and heart rate are needed, or a reported QTc.", source=rule.source)
    whole = value.quantize(Decimal(1), rounding=ROUND_HALF_UP)
    limit = rule.prolonged_from_ms.get(sex)
    if limit is not None:
        told |= {"prolonged_from_ms": limit, "prolonged": whole >= limit, "prolonged_source": rule.prolonged_source}
    said = f"QTc {plain(value)} ms ({formula.value if formula else 'formula not stated'})."
    if whole >= rule.urgent_from_ms:
        advice = "Think of a lower dose or another medicine; correct potassium, magnesium and other causes."
        return found(rule, "qtc", Severity.URGENT, "urgent", said, advice=advice, figures=told)
    if whole > rule.monitor_above_ms:
        advice = "Talk about it, and measure more often."
        return found(rule, "qtc", Severity.WARNING, "monitor", said, advice=advice, figures=told)
    severity = Severity.INFO if limit is not None and whole >= limit else Severity.NONE
    return found(rule, "qtc", severity, "ok", said, figures=told)
