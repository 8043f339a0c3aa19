"""Retention as curves: each group with its band, and below them how many were at risk."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dispensary.evaluation.cohorts import Cohort
from dispensary.evaluation.retention import NAME, Retention
from dispensary.evaluation.retention_words import VERSION
from dispensary.evaluation.small_cells import LEAST, Cell, Count, hidden_cells
from dispensary.reporting.charts import MOST_BANDS, Line, Step, curves
from dispensary.reporting.drawing import Drawing
from dispensary.reporting.told import group_of, of_when, percent, why_hidden
from dispensary.words import _

MOST_LINES = 8
"""Curves that can be told apart in one figure; the table has the others."""


def named(kind: str) -> str:
    """The first stays, or all of them, in words."""
    return _("first stays") if kind == "first" else _("all stays")


def cohorts(answer: Retention, kind: str) -> list[tuple[str, Cohort]]:
    """Whom there is a curve of: each group that is shown where it is split, else everybody."""
    if answer.split is None:
        return [(named(kind), answer.first if kind == "first" else answer.all)]
    return [(group_of(answer.split.by, group.levels), group.cohort(kind)) for group in answer.split.shown]


def drawn(answer: Retention, kind: str = "first") -> Drawing:
    """The curves, each for as long as five stays of it or more were observed."""
    question = answer.question
    every = cohorts(answer, kind)
    lines = [_line(label, each) for label, each in every[:MOST_LINES]]
    foot = [
        _("Kaplan-Meier with 95 %% limits; drawn while %(least)s or more are at risk.", least=LEAST)
        if len(lines) <= MOST_BANDS
        else _("Kaplan-Meier; drawn while %(least)s or more are at risk. The table has the limits.", least=LEAST),
        of_when(f"{NAME}, {VERSION}", answer.places, question.period, question.as_of),
    ]
    if len(every) > MOST_LINES:
        foot.append(_("The first %(some)s of %(all)s groups; the table has all.", some=MOST_LINES, all=len(every)))
    if answer.split and answer.split.hidden:
        foot.append(why_hidden(LEAST))
    title = _("Still in treatment, %(stays)s", stays=named(kind))
    if answer.split:
        by = ", ".join(key.replace("_", " ") for key in answer.split.by)
        title = _("%(measure)s, by %(strata)s", measure=title, strata=by)
    after = question.landmark_days
    return curves(
        title,
        lines,
        says=_read_out(lines),
        months=question.months,
        foot=foot,
        at_risk=_("At risk, by months since the first dose")
        if after is None
        else _("At risk, by months since the landmark at %(days)s days", days=after),
    )


def _line(label: str, of: Cohort) -> Line:
    steps = [
        Step(of.scale.months(point.time), point.survival, point.lower, point.upper)
        for point in of.curve.points
        if point.at_risk >= LEAST
    ]
    known = [mark.months for mark in of.marks if mark.at_risk >= LEAST]
    until = max(steps[-1].months if steps else Decimal(0), Decimal(max(known, default=0)))
    return Line(
        label, steps, min(until, Decimal(max(of.months))), {mark.months: seen(mark.at_risk) for mark in of.marks}
    )


def seen(count: int) -> int | None:
    """A number of people that may be told; nothing for a small one."""
    return None if 0 < count < LEAST else count


def endings(of: Cohort) -> list[tuple[str, int | None]]:
    """How many stays ended for each reason; nothing where it is a few, or would give back another that is."""
    counts: dict[Cell, Count] = {("stays", (None,)): Count(of.curve.n, of.curve.n)}
    counts |= {("stays", (reason,)): Count(count, count) for reason, count in of.endings.items()}
    hidden = hidden_cells(counts, least=LEAST)
    return [(reason, None if ("stays", (reason,)) in hidden else count) for reason, count in of.endings.items()]


def _read_out(lines: Sequence[Line]) -> str:
    said = []
    for line in lines:
        told = [
            _("after %(months)s months %(share)s", months=months, share=percent(line.share_at(months)))
            for months in line.at_risk
            if months and months <= line.until
        ]
        said.append(f"{line.label}: {', '.join(told) or _('too few')}")
    return "; ".join(said) + "."
