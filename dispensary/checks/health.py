"""The questions about health, put to the rules of the monitoring room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from dispensary.checks import health_questions as asked
from dispensary.checks.typed import bad, day
from dispensary.monitoring import adherence, heart, liver, viral
from dispensary.monitoring.analytes import BadValue, Comparator, Value, analytes, read_value
from dispensary.monitoring.findings import Finding
from dispensary.monitoring.interactions import burden, interaction, looks
from dispensary.monitoring.sources import figures

Answered = dict[str, object]


def of_qtc(question: asked.Qtc) -> Answered:
    finding = heart.qtc(
        qt_ms=_number_or_none("qt_ms", "qt", question.qt_ms),
        heart_rate=_number_or_none("heart_rate", "heart_rate", question.heart_rate),
        reported_ms=_number_or_none("reported_ms", "qtc", question.reported_ms),
        reported_by=question.formula,
        sex=question.sex,
    )
    return finding.as_json()


def of_alt(question: asked.Alt) -> Answered:
    results = _measured("results", "alt", question.results)
    findings = [liver.alt(results)]
    if question.bilirubin is not None:
        bilirubin = _measured("bilirubin", "bilirubin", [question.bilirubin])[0]
        findings.append(liver.hy(results[-1], bilirubin))
    return gravest(findings)


def of_tb_alt(question: asked.TbAlt) -> Answered:
    return liver.tb_alt(_measured("result", "alt", [question.result])[0], symptoms=question.symptoms).as_json()


def of_fib4(question: asked.Fib4) -> Answered:
    return liver.fib4(
        age=question.age,
        ast=_number("ast", "ast", question.ast),
        alt_value=_number("alt", "alt", question.alt),
        platelets=_number("platelets", "platelets", question.platelets),
    ).as_json()


def of_apri(question: asked.Apri) -> Answered:
    upper = _number("upper", "ast", question.upper)
    ast = liver.Measured(_NO_DAY, _number("ast", "ast", question.ast), upper)
    return liver.apri(ast, _number("platelets", "platelets", question.platelets)).as_json()


def of_child_pugh(question: asked.ChildPugh) -> Answered:
    return liver.child_pugh(
        bilirubin=_number("bilirubin", "bilirubin", question.bilirubin, question.bilirubin_unit),
        albumin=_number("albumin", "albumin", question.albumin, question.albumin_unit),
        inr=_number("inr", "inr", question.inr),
        ascites=question.ascites,
        encephalopathy=question.encephalopathy,
    ).as_json()


def of_viral_load(question: asked.ViralLoads) -> Answered:
    versions = figures().viral_load
    if question.version not in versions:
        raise bad("version", f"There is no {question.version}.", f"There are {', '.join(versions)}.")
    results = []
    for each in question.results:
        value = _value("results", "viral_load", each.value, each.unit)
        below = value.comparator is Comparator.BELOW
        results.append(viral.ViralLoad(day("results", each.on), int(value.number or 0), below))
    _in_order("results", [each.on for each in results])
    return viral.viral_load(results, version=question.version, support_on=question.support_on).as_json()


def of_adherence(question: asked.Adherence) -> Answered:
    window = adherence.Window(day("first", question.first), day("last", question.last))
    if not 1 <= window.days <= _LONGEST_WINDOW:
        raise bad("last", f"The window has 1 to {_LONGEST_WINDOW} days, from its first to its last.")
    parts: dict[str, list[adherence.Fill]] = {}
    for refill in question.refills:
        parts.setdefault(refill.part, []).append(adherence.Fill(day("refills", refill.on), refill.days))
    good = Fraction(question.threshold_percent, 100) if question.threshold_percent else None
    return adherence.adherence(parts, window, good_from=good, carry=question.carry_forward).as_json()


def of_interaction(question: asked.Interaction) -> Answered:
    findings = interaction(question.substance, question.moment)
    whole = burden([question.substance, *question.beside])
    added = {
        "adds_up": {
            "sedating": list(whole.sedating),
            "lengthening_qt": list(whole.lengthening_qt),
            "serotonergic": list(whole.serotonergic),
            "unknown": list(whole.unknown),
        },
        "looks": [
            {"on": each.on.isoformat(), "why": each.why}
            for each in (looks(question.substance, question.moment, day("on", question.on)) if question.on else ())
        ],
    }
    if not findings:
        nothing = f"{question.substance.strip()} has stopped: nothing of methadone changes back."
        answer = {"kind": "interaction", "severity": "none", "finding": "nothing_to_do", "sentence": nothing}
        return {**answer, "source": "The table of interactions", **added}
    return gravest(findings) | added


_LONGEST_WINDOW = 3660
_NO_DAY = date.min
"""For a rule that does not ask when."""


def gravest(findings: Sequence[Finding]) -> Answered:
    """The gravest finding as the answer, with all of them in it."""
    first = max(findings, key=lambda each: each.severity)
    return {**first.as_json(), "findings": [each.as_json() for each in findings]}


def _measured(field: str, code: str, results: Sequence[asked.Result]) -> list[liver.Measured]:
    measured = [
        liver.Measured(
            day(field, each.on),
            _number(field, code, each.value, each.unit),
            None if each.upper is None else _number(field, code, each.upper, each.unit),
        )
        for each in results
    ]
    _in_order(field, [each.on for each in measured])
    return measured


def _in_order(field: str, days: Sequence[date]) -> None:
    if list(days) != sorted(days):
        raise bad(field, "The results are not in the order of their days.", "Put the oldest first.")


def _value(field: str, code: str, typed: str, unit: str = "") -> Value:
    try:
        return read_value(analytes()[code], typed, unit)
    except BadValue as reason:
        raise bad(field, str(reason)) from None


def _number(field: str, code: str, typed: str, unit: str = "") -> Decimal:
    value = _value(field, code, typed, unit)
    return value.number if value.number is not None else Decimal(0)


def _number_or_none(field: str, code: str, typed: str | None) -> Decimal | None:
    return None if typed is None else _number(field, code, typed)
