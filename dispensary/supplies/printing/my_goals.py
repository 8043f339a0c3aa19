"""A client's own goals on a sheet to take along: their words and steps, boxes to tick, and lines to write on.

It is paper and no page behind a link: what somebody wants to reach may say what they are here for, and a phone is lent,
shared and searched. Nothing on it names a person or a kind of place, and a goal whose own words do is left off unless
the client wants it there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from uuid import UUID

from dispensary.clients.goal_steps import Step
from dispensary.clients.goals import Goal, goals_of
from dispensary.database import ReadSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.text_languages import text_languages
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import plain_day
from dispensary.units import ClientId
from dispensary.words import SOURCE
from notifications import help_sheet as words
from notifications.help_sheet import say
from notifications.queries import contact_details

_EDGE = 22.0
_WIDTH = A4[0] - 2 * _EDGE
_GOAL, _TEXT = 15.0, 13.0
_BOX = 4.4
_LINE = 9.0
"""Between two lines to write on."""


@dataclass(frozen=True)
class GoalSheet:
    """What stands on it."""

    language: str
    goals: Sequence[Goal]
    day: date


def goal_sheet(
    session: ReadSession, *, site: Place, client_id: ClientId, also: Collection[UUID], today: date
) -> GoalSheet:
    """The open goals of a client, in the language of their texts where this site writes it, else in English.

    One that gives away what it is about is on it when it is among `also`. Raises Refused where none is left.
    """
    goals = [
        goal
        for goal in goals_of(session, client_id=client_id)
        if goal.state == "open" and (goal.id in also or not goal.gives_away)
    ]
    if not goals:
        raise Refused(
            Refusal(
                "no-goals",
                "There is no goal to print.",
                "Write one down first, or choose what they want on paper although it says what it is about.",
            )
        )
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    wanted = contact.language if contact else SOURCE
    written = {spoken.tag for spoken in text_languages(session, site_id=site.id) if spoken.on}
    return GoalSheet(wanted if wanted in written else SOURCE, goals, today)


def my_goals_pdf(told: GoalSheet, *, folders: Sequence[Path] | None = None) -> bytes:
    """The sheet, A4; the same bytes for the same sheet and fonts. Raises NoLetters, and never prints empty boxes."""
    return printed(
        lambda sheet: _draw(sheet, told),
        A4,
        made_at=datetime.combine(told.day, time(), UTC),
        title=say(words.MY_GOALS, told.language),
        language=told.language,
        folders=folders,
        whole=True,
    )


def _draw(sheet: Sheet, told: GoalSheet) -> None:
    sheet.page()
    title = say(words.MY_GOALS, told.language)
    sheet.y = sheet.block(_EDGE, _EDGE, title, _WIDTH, size=24, least=16, most_lines=1, bold=True) + 2
    for sentence in words.GOALS_HOW:
        _text(sheet, say(sentence, told.language), _EDGE, size=11)
    for goal in told.goals:
        sheet.y += 5
        _room(sheet, 2 * leading(_GOAL) + 2 * _LINE)
        _text(sheet, goal.words, _EDGE, size=_GOAL, bold=True)
        sheet.y += 1
        for step in goal.steps:
            _step(sheet, step)
        for _line in range(2):
            _room(sheet, _LINE)
            sheet.y += _LINE
            sheet.rule(_EDGE, sheet.y, _WIDTH, grey=150)
    sheet.text(_EDGE, A4[1] - _EDGE, plain_day(told.day), size=10, width=_WIDTH, side="right")


def _step(sheet: Sheet, step: Step) -> None:
    """A box, ticked with the day where the step is done, and its words."""
    _room(sheet, leading(_TEXT) + 2)
    sheet.box(_EDGE + 1, sheet.y + 0.4, _BOX, _BOX)
    if step.done_on is not None:
        x, y = _EDGE + 1, sheet.y + 0.4
        sheet.stroke([(x + 0.8, y + 2.3), (x + 1.8, y + 3.5), (x + 3.7, y + 0.9)], "#000000", thick=0.5)
    _text(sheet, step.words, _EDGE + 9, size=_TEXT)
    if step.done_on is not None:
        _text(sheet, plain_day(step.done_on), _EDGE + 9, size=10)
    sheet.y += 1.6


def _text(sheet: Sheet, text: str, x: float, *, size: float, bold: bool = False) -> None:
    for line in sheet.lines(text, _WIDTH - (x - _EDGE), size=size, bold=bold):
        _room(sheet, leading(size))
        sheet.text(x, sheet.y, line, size=size, bold=bold)
        sheet.y += leading(size) + 0.4


def _room(sheet: Sheet, height: float) -> None:
    if sheet.y + height > A4[1] - _EDGE - leading(_TEXT):
        sheet.page()
        sheet.y = _EDGE
