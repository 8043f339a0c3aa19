"""The programme's table: each published figure with its source, and beside it what the records come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.evaluation.queries import Period
from dispensary.programmes.figures import Question, ours
from dispensary.programmes.shapes import Programme, Published
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, place
from dispensary.units import plain


@dataclass(frozen=True)
class Line:
    """A figure and its answer; nothing is answered where it is not from records."""

    figure: Published
    ours: Decimal | None

    @property
    def equal(self) -> bool | None:
        """Whether ours, rounded as the source has it, is the published one; nothing where it is not from records."""
        if self.ours is None:
            return None
        rounded = round_to(self.ours, self.figure.decimals)
        return rounded >= self.figure.value if self.figure.at_least else rounded == self.figure.value

    def told(self) -> tuple[str, str, str, str, str]:
        """What is published, its value, ours, whether they are equal, and the source, as a person reads them."""
        figure = self.figure
        sign = " %" if figure.unit == "percent" else f" {figure.unit}"
        published = f"{'at least ' if figure.at_least else ''}{_written(figure.value)}{sign}"
        if self.ours is None:
            return figure.says, published, "not from records", figure.not_from_records, figure.source
        mine = f"{_written(round_to(self.ours, figure.decimals))}{sign}"
        return figure.says, published, mine, "equal" if self.equal else "NOT EQUAL", figure.source


def round_to(value: Decimal, decimals: int) -> Decimal:
    """Half up, as people round."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def programme_table(session: ReadSession, programme: Programme, *, now: datetime) -> list[Line]:
    """Every figure in the order of the file. Raises NotThere for a programme that is not built here, and BadInput."""
    return [Line(each, _ours(session, programme, each, now)) for each in programme.published]


def _ours(session: ReadSession, programme: Programme, figure: Published, now: datetime) -> Decimal | None:
    if figure.not_from_records:
        return None
    places = _places(session, figure.sites or tuple(site.code for site in programme.sites))
    first = figure.first if figure.first is not None else programme.head.period
    today = places[0].dose_day(now)
    period = Period(today - timedelta(days=first), today - timedelta(days=figure.last - 1))
    return ours(session, Question(figure, tuple(places), period, now))


def _places(session: ReadSession, codes: Sequence[str]) -> list[Place]:
    ids = dict(session.execute(select(Site.code, Site.id).where(Site.code.in_(codes))).all())
    if missing := [code for code in codes if code not in ids]:
        raise NotThere(
            Refusal(
                "not-built", f"There is no site {missing[0]} here.", "Build the programme by `dispensary demo` first."
            )
        )
    return [place(session, ids[code]) for code in codes]


def printed(programme: Programme, lines: Sequence[Line]) -> list[str]:
    """The table as it is printed: one figure a line, its source below where that is another one than above."""
    told = [line.told() for line in lines]
    wide = [max(len(row[column]) for row in told) for column in range(3)] if told else [0, 0, 0]
    said = [programme.head.title, programme.head.says, ""]
    source = ""
    for line, (says, value, mine, equal, of) in zip(lines, told, strict=True):
        if of != source:
            said += [f"Source: {of}"]
            source = of
        mark = f"  {equal}" if line.ours is not None else f": {equal}"
        said.append(f"  {says:<{wide[0]}}  {value:>{wide[1]}}  {mine:>{wide[2]}}{mark}")
    answered = [line for line in lines if line.ours is not None]
    held = sum(bool(line.equal) for line in answered)
    left = len(lines) - len(answered)
    said += ["", f"{held} of {len(answered)} figures equal{f'; {left} not from records' if left else ''}."]
    return said


def _written(value: Decimal) -> str:
    return f"{value:,}" if value == value.to_integral_value() and value >= 1000 else plain(value)
