"""The programme on one page: its figures, its curve of retention, and what they mean, on paper and in tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispensary import __version__
from dispensary.database import ReadSession
from dispensary.evaluation.answering import Answer, Asked, answer, ask
from dispensary.evaluation.exports import export_measure
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import Question, Retention, retention
from dispensary.evaluation.tables import Columns, figure, whole
from dispensary.reporting.drawing import Drawing
from dispensary.reporting.pens import on_sheet
from dispensary.reporting.retained import drawn, seen
from dispensary.reporting.told import codes, number, value_of, why_hidden
from dispensary.staff.queries import Place
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import short_day
from dispensary.units import months_after
from dispensary.words import _, pgettext

NAME = "programme-report"
MEASURE = "programme"
BESIDE = ("naloxone", "naloxone-kits", "employment")
"""Measures that stand on the page too, each asked in its usual way: what booklet 3 prints of every programme."""
RETENTION_MONTHS = 36
"""Whose stays the curve is of: those that began in so many months up to the end of the period."""
RETAINED: Columns = {
    "months": whole("months since the stay began"),
    "at_risk": whole("first stays that were observed until then; empty for a few"),
    "retention": figure("Kaplan-Meier estimate; empty where only a few were observed that long"),
    "lower_95": figure("95 % limits on the log-log scale"),
    "upper_95": figure("see lower_95"),
}
_MARGIN, _WIDTH = 14.0, A4[0] - 28.0
_FOOT = A4[1] - 12.0


@dataclass(frozen=True)
class Report:
    """What the page says."""

    found: Answer
    beside: tuple[Answer, ...]
    retained: Retention

    @property
    def asked(self) -> Asked:
        return self.found.asked

    @property
    def answers(self) -> tuple[Answer, ...]:
        return (self.found, *self.beside)


def asked_of(places: Sequence[Place], period: Period, as_of: datetime, now: datetime) -> Asked:
    """What the report asks of the programme. Raises BadInput."""
    return ask(measure(MEASURE), places=places, period=period, as_of=as_of, now=now)


def report_of(session: ReadSession, found: Answer) -> Report:
    """The page of these figures, with the curve of everybody who began in the three years to the end of the period."""
    asked = found.asked
    begins = months_after(asked.period.until_day, -RETENTION_MONTHS)
    question = Question(Period(begins, asked.period.until_day), asked.as_of)
    beside = tuple(answer(session, each) for each in _asked_beside(asked))
    return Report(found, beside, retention(session, places=asked.places, question=question, now=asked.as_of))


def _asked_beside(asked: Asked) -> list[Asked]:
    given = {"places": asked.places, "period": asked.period, "as_of": asked.as_of, "now": asked.as_of}
    return [ask(measure(key), **given) for key in BESIDE]  # type: ignore[arg-type]


def export_report(session: ReadSession, *, asked: Asked, path: Path) -> Report:
    """Writes the page as PDF beside the tables that it was drawn from, each measure with its manifest. Raises BadInput.

    The manifest of the programme has the page, and is written last.
    """
    made: list[Report] = []

    def beside(out: Export, found: Answer) -> list[Table]:
        made.append(report_of(session, found))
        says = "the figures and the curve on one page"
        return [
            out.table("-retention", RETAINED, _retained_rows(made[0])),
            out.picture("pdf", says, on_paper(made[0])),
        ]

    for each in _asked_beside(asked):
        export_measure(session, asked=each, path=path.with_name(f"{path.stem}-{each.measure.key}{path.suffix}"))
    export_measure(session, asked=asked, path=path, beside=beside)
    return made[0]


def manifests() -> list[str]:
    """What the manifests of a report are called."""
    return [f"{name}.manifest.json" for name in (NAME, *(f"{NAME}-{key}" for key in BESIDE))]


def on_page(session: ReadSession, *, asked: Asked) -> bytes:
    """The page alone, as PDF."""
    return on_paper(report_of(session, answer(session, asked)))


def _retained_rows(report: Report) -> Iterator[tuple[object, ...]]:
    for mark in report.retained.first.marks:
        told = seen(mark.at_risk) is not None and mark.retention is not None
        limits = (mark.retention, mark.lower, mark.upper) if told else (None, None, None)
        yield mark.months, seen(mark.at_risk), *(None if each is None else round(each, 8) for each in limits)


def on_paper(report: Report) -> bytes:
    """One page A4 as PDF: the same figures give the same bytes. In the site's language, where there is one site."""
    asked = report.asked
    languages = {place.language for place in asked.places}
    return printed(
        lambda sheet: _draw(sheet, report),
        A4,
        made_at=asked.as_of,
        title=f"{codes(asked.places, 3)} {asked.period.from_day} {asked.period.until_day - timedelta(days=1)}",
        language=languages.pop() if len(languages) == 1 else "en",
    )


def _draw(sheet: Sheet, report: Report) -> None:
    asked = report.asked
    last = asked.period.until_day - timedelta(days=1)
    sheet.page()
    sheet.text(_MARGIN, 12, _("Programme report"), size=18, bold=True, width=_WIDTH)
    when = _("%(first)s to %(last)s", first=short_day(asked.period.from_day), last=short_day(last))
    sheet.text(_MARGIN, 20.5, when, size=12, width=_WIDTH)
    known = _("as known on %(moment)s UTC", moment=f"{asked.as_of.astimezone(UTC):%Y-%m-%d %H:%M}")
    sheet.text(_MARGIN, 20.5, known, size=10, side="right", width=_WIDTH)
    names = ", ".join(f"{place.name} ({place.code})" for place in asked.places)
    y = sheet.block(_MARGIN, 27, names, _WIDTH, size=10, least=7, most_lines=3) + 1.5
    sheet.rule(_MARGIN, y, _WIDTH, thick=0.4)
    y = _headings(sheet, y + 3)
    lines = sum(len(found.rows) + 1 for found in report.answers)
    for found in report.answers:
        y = _figures(sheet, found, y, 9.0 if lines <= 16 else 8.0)
    curve = drawn(report.retained)
    room = _FOOT - y - 58  # what is left to the words below the curve
    width = min(_WIDTH, max(90.0, room * curve.width / curve.height))
    y = _curve(sheet, report, curve, y + 4, width)
    _small_print(sheet, report, y + 3)


_COLUMNS = (_MARGIN + _WIDTH - 72, _MARGIN + _WIDTH - 48, _MARGIN + _WIDTH - 22)


def _headings(sheet: Sheet, y: float) -> float:
    for x, heading in zip(_COLUMNS, (pgettext("count", "Number"), _("Of"), _("Value")), strict=True):
        sheet.text(x, y, heading, size=8, bold=True, side="right", width=22)
    return y


def _figures(sheet: Sheet, found: Answer, y: float, size: float) -> float:
    """A measure in the table: what is counted, how many, of how many, and the value."""
    rows = {row.indicator: row for row in found.rows}
    high = leading(size) + 0.8
    sheet.text(_MARGIN, y, _(found.asked.measure.title), size=size, bold=True, width=_WIDTH - 74)
    y += high
    for indicator in found.asked.measure.indicators:
        row = rows[indicator.key]
        sheet.rule(_MARGIN, y - 0.5, _WIDTH, thick=0.1, grey=180)
        says = _(indicator.says)
        sheet.text(_MARGIN, y, says, size=size, width=min(_WIDTH - 74, sheet.wide(says, size)))
        hidden = _("not shown")
        parts = (row.numerator, row.denominator)
        shown = ["-" if row.shown else hidden] * 2
        if indicator.figure == "count":
            shown[1] = "-"
        shown = [told if part is None else number(part) for told, part in zip(shown, parts, strict=True)]
        for x, text in zip(_COLUMNS, (*shown, value_of(indicator, row)), strict=True):
            sheet.text(x, y, text, size=size, bold=x == _COLUMNS[2], side="right", width=22)
        y += high
    return y + 1.2


def _curve(sheet: Sheet, report: Report, curve: Drawing, y: float, width: float) -> float:
    if not report.retained.first.curve.n:
        sheet.text(_MARGIN, y, _("Nobody began a stay in the three years to the end of the period."), size=9.5)
        return y + leading(9.5)
    return on_sheet(sheet, curve, _MARGIN + (_WIDTH - width) / 2, y, width)


def _small_print(sheet: Sheet, report: Report, y: float) -> None:
    asked = report.asked
    defined = report.retained.definition()
    marks = ", ".join(f"{mark.months}" for mark in report.retained.first.marks if mark.months)
    paragraphs = [
        *(_meaning(found) for found in report.answers),
        f"{_('Retention')} ({defined['name']}, {defined['version']}), "
        + _(
            "first stays that began from %(first)s on, in months (%(marks)s)",
            first=short_day(report.retained.question.period.from_day),
            marks=marks,
        )
        + f": {defined['says']} {defined['dropped_out']} {defined['censored']}",
        why_hidden(asked.least),
        _(
            "Takehome %(version)s. The manifest beside this page has the hash of each table and of the page; the same"
            " question gives the same bytes.",
            version=__version__,
        ),
    ]
    size = 7.0
    while size > 4.5 and _height(sheet, paragraphs, size) > _FOOT + 4 - y:
        size -= 0.25
    for paragraph in paragraphs:
        for line in sheet.lines(paragraph, _WIDTH, size=size):
            sheet.text(_MARGIN, y, line, size=size, width=_WIDTH)
            y += leading(size)
        y += 0.8


def _meaning(found: Answer) -> str:
    """A measure's definition in one paragraph, with what it leaves out."""
    of = found.asked.measure
    left_out = "".join(f" {_('Left out')}: {_(says)}: {count}." for says, count in found.told())
    return (
        f"{_(of.title)} ({of.key}, {of.version}): {_(of.says)} {_('Numerator')}: {_(of.numerator)}."
        f" {_('Denominator')}: {_(of.denominator)}. {_('Source')}: {of.source}.{left_out}"
    )


def _height(sheet: Sheet, paragraphs: Sequence[str], size: float) -> float:
    return sum(len(sheet.lines(each, _WIDTH, size=size)) * leading(size) + 0.8 for each in paragraphs)
