"""Retention as a curve: with its band, and below it how many were at risk."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.cohorts import Cohort
from dispensary.evaluation.retention import NAME, Question, Retention
from dispensary.evaluation.retention_words import VERSION
from dispensary.evaluation.small_cells import LEAST
from dispensary.reporting.charts import Line, Step, curves
from dispensary.reporting.drawing import Drawing
from dispensary.reporting.told import of_when, percent
from dispensary.words import _


def drawn(answer: Retention) -> Drawing:
    """The curve of first stays, for as long as five of them or more were observed."""
    question = answer.question
    lines = [_line(_("first stays"), answer.first, question)]
    foot = [
        _("Kaplan-Meier with 95 %% limits; drawn while %(least)s or more are at risk.", least=LEAST),
        of_when(f"{NAME}, {VERSION}", answer.places, question.period, question.as_of),
    ]
    return curves(
        _("Still in treatment, first stays"),
        lines,
        says=_read_out(lines),
        months=question.months,
        foot=foot,
        at_risk=_("At risk, by months since the first dose"),
    )


def _line(label: str, cohort: Cohort, question: Question) -> Line:
    steps = [
        Step(question.scale.months(point.time), point.survival, point.lower, point.upper)
        for point in cohort.curve.points
        if point.at_risk >= LEAST
    ]
    known = [mark.months for mark in cohort.marks if mark.at_risk >= LEAST]
    until = max(steps[-1].months if steps else Decimal(0), Decimal(max(known, default=0)))
    at_risk = {
        mark.months: mark.at_risk if mark.at_risk >= LEAST or not mark.at_risk else None for mark in cohort.marks
    }
    return Line(label, steps, min(until, Decimal(max(question.months))), at_risk)


def _read_out(lines: list[Line]) -> str:
    said = []
    for line in lines:
        told = [
            _("after %(months)s months %(share)s", months=months, share=percent(share))
            for months in line.at_risk
            if months and months <= line.until and (share := line.share_at(months)) is not None
        ]
        said.append(f"{line.label}: {', '.join(told)}")
    return "; ".join(said) + "."
