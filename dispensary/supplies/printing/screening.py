"""A screening instrument on paper: empty, to be filled in by hand, or as it was answered.

It shows the words that the program may show; where they are topics alone the clinic's own form stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby

from dispensary.care.instruments import Instrument, Question, Wording, questions
from dispensary.care.screenings import Opened
from dispensary.clients.queries import Face
from dispensary.staff.models import Site
from dispensary.supplies.printing.disclosure import sender, who
from dispensary.supplies.printing.letter import Letter, letter_pdf
from dispensary.supplies.printing.wording import moment, plain_day
from dispensary.supplies.told import Part
from dispensary.words import _, gettext


def empty_pdf(*, site: Site, instrument: Instrument, printed_at: datetime) -> bytes:
    """The form with nothing filled in. It is about nobody."""

    def letter() -> Letter:
        return Letter(
            title=f"{instrument.name}: {gettext(instrument.about)}",
            sender=sender(site),
            about=(
                (_("Number on the card"), ""),
                (_("Day"), ""),
                (_("Asked by"), ""),
                (_("About"), gettext(instrument.period)),
            ),
            parts=tuple(_parts(instrument, _choices)),
            notice="" if instrument.words is Wording.FULL else _topics(),
            foot=instrument.rights,
        )

    return letter_pdf(letter, made_at=printed_at, language=site.language)


def filled_pdf(*, site: Site, face: Face, opened: Opened, printed_at: datetime) -> bytes:
    """A screening as it was answered, with what it came to."""
    taken = opened.taken

    def letter() -> Letter:
        about = [
            (_("Client"), who(face)),
            (_("Day"), plain_day(taken.taken_on)),
            (_("Asked by"), taken.by),
            (_("About"), gettext(taken.instrument.period)),
        ]
        if taken.voided:
            about.append((_("Taken back"), opened.why_voided))
        findings = tuple(" ".join(filter(None, (each.sentence, each.advice))) for each in opened.scored.findings)
        return Letter(
            title=f"{taken.instrument.name}: {gettext(taken.instrument.about)}",
            sender=sender(site),
            about=tuple(about),
            parts=(
                Part(_("What it came to"), findings),
                *_parts(taken.instrument, lambda asked: _answer(asked, opened)),
            ),
            foot=_("Printed %(at)s. %(rights)s", at=moment(printed_at, site.zone), rights=taken.instrument.rights),
        )

    return letter_pdf(letter, made_at=printed_at, language=site.language)


def _topics() -> str:
    return _("These are topics, not the questions themselves. Ask by the form that your clinic holds, in its language.")


def _parts(instrument: Instrument, written: Callable[[Question], str]) -> Iterator[Part]:
    number = 0
    for group, asked in groupby(questions(instrument), key=lambda each: each.group):
        lines = []
        for each in asked:
            number += 1
            told = written(each)
            if told:
                lines.append(f"{number}. {gettext(each.label)}: {told}")
        if lines:
            yield Part(gettext(group or instrument.lead or "Answers"), tuple(lines))


def _choices(asked: Question) -> str:
    return "  /  ".join(gettext(word) for _value, word in asked.choices) if asked.choices else "______"


def _answer(asked: Question, opened: Opened) -> str:
    answer = opened.answers.get(asked.name, "")
    return gettext(dict(asked.choices)[answer]) if answer in dict(asked.choices) else answer
