"""The programme's table: each published figure with its source, and beside it what the records come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.evaluation.queries import Period
from dispensary.published.figures import Question, ours
from dispensary.published.shapes import PERCENT, Publication, Published
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, place
from dispensary.units import plain
from dispensary.words import _


@dataclass(frozen=True)
class Line:
    """A figure and its answer: none where it is not from records, or about too few people to be told."""

    figure: Published
    ours: Decimal | None
    of: Publication

    @property
    def equal(self) -> bool | None:
        """Whether ours, rounded as the source has it, is the published one; nothing where none is told."""
        if self.ours is None:
            return None
        rounded = round_to(self.ours, self.figure.decimals)
        return rounded >= self.figure.value if self.figure.at_least else rounded == self.figure.value

    @property
    def says(self) -> str:
        """What it is, as a person reads it."""
        return self.of.spoken(self.figure.says)

    @property
    def why_not(self) -> str:
        """Why it is not from records; empty where it is."""
        return self.of.spoken(self.figure.not_from_records)

    @property
    def published(self) -> str:
        """What was published, with its unit."""
        value = f"{_written(self.figure.value)}{self._sign}"
        return _("at least %(value)s", value=value) if self.figure.at_least else value

    @property
    def mine(self) -> str:
        """Ours, rounded as the source has it, with its unit; empty where none is told."""
        return "" if self.ours is None else f"{_written(round_to(self.ours, self.figure.decimals))}{self._sign}"

    @property
    def _sign(self) -> str:
        return " %" if self.figure.unit == PERCENT else f" {self.of.spoken(self.figure.unit)}"

    def told(self) -> tuple[str, str, str, str, str]:
        """What is published, its value, ours, whether they are equal, and the source, as a person reads them."""
        source = self.figure.source
        if self.ours is None:
            return self.says, self.published, "not from records", self.why_not, source
        return self.says, self.published, self.mine, "equal" if self.equal else "NOT EQUAL", source


def round_to(value: Decimal, decimals: int) -> Decimal:
    """Half up, as people round."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def programme_table(session: ReadSession, of: Publication, *, now: datetime, least: int = 1) -> list[Line]:
    """Every figure in the order of the file; of fewer people than `least` none is told.

    Raises NotThere for a programme that is not here, and BadInput.
    """
    return [Line(each, _ours(session, of, each, now, least), of) for each in of.figures]


def _ours(session: ReadSession, of: Publication, figure: Published, now: datetime, least: int) -> Decimal | None:
    if figure.not_from_records:
        return None
    places = _places(session, figure.sites or of.sites)
    first = figure.first if figure.first is not None else of.period
    today = places[0].dose_day(now)
    period = Period(today - timedelta(days=first), today - timedelta(days=figure.last - 1))
    return ours(session, Question(figure, tuple(places), period, now, least))


def _places(session: ReadSession, codes: Sequence[str]) -> list[Place]:
    ids = dict(session.execute(select(Site.code, Site.id).where(Site.code.in_(codes))).all())
    if missing := [code for code in codes if code not in ids]:
        raise NotThere(
            Refusal(
                "not-built", f"There is no site {missing[0]} here.", "Build the programme by `dispensary demo` first."
            )
        )
    return [place(session, ids[code]) for code in codes]


def printed(of: Publication, lines: Sequence[Line]) -> list[str]:
    """The table as it is printed: one figure a line, its source below where that is another one than above."""
    told = [line.told() for line in lines]
    wide = [max(len(row[column]) for row in told) for column in range(3)] if told else [0, 0, 0]
    said = [of.title, of.says, *([f"Take-home: {of.take_home}"] if of.take_home else []), ""]
    source = ""
    for line, (says, value, mine, equal, cited) in zip(lines, told, strict=True):
        if cited != source:
            said += [f"Source: {cited}"]
            source = cited
        mark = f"  {equal}" if line.ours is not None else f": {equal}"
        said.append(f"  {says:<{wide[0]}}  {value:>{wide[1]}}  {mine:>{wide[2]}}{mark}")
    answered = [line for line in lines if line.ours is not None]
    held = sum(bool(line.equal) for line in answered)
    left = len(lines) - len(answered)
    said += ["", f"{held} of {len(answered)} figures equal{f'; {left} not from records' if left else ''}."]
    return said


def _written(value: Decimal) -> str:
    return f"{value:,}" if value == value.to_integral_value() and value >= 1000 else plain(value)
