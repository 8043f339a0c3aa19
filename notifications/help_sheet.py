"""The printed help for the phone line: what may be written and what it does, in each language.

The examples are made of the lexicon's own words, so that paper and parser cannot disagree. The English sentence is the
source and the key of the catalogues `locale/LANGUAGE/LC_MESSAGES/help.po`. No sentence of the sheet names a drug, an
illness or a kind of place; those of `BOTTLES`, which the open sheet alone has, do tell what it is about.
"""

from __future__ import annotations

import gettext
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from functools import lru_cache

from notifications.texts import LOCALE, SOURCE
from notifications.words import LEXICON, Verb

DOMAIN = "help"
CODES = ("EN", "MS", "ZH", "TA", "VI", "TH", "ID", "LO", "MYA", "KM", "FIL")
"""How the languages may be named after LANG."""


def N_(sentence: str) -> str:  # noqa: N802 - the name by which catalogue tools find sentences
    return sentence


TITLE = N_("How to use the phone line")
SEND_TO = N_("Send a text to")
ALWAYS = N_("You can always come without a booking while we are open.")
YOU_WRITE = N_("You write")
WHAT_HAPPENS = N_("What happens")
ANY_WAY = N_("Day and time may be your own, in any order; small letters are fine.")
WHEN_YOU_COME = N_("When you come")
ARRIVAL = (
    N_("At the entrance, scan your pass or type your code, or tell us at the desk."),
    N_("You get a number. Please wait until it is called and shown on the screen."),
)
HOURS = N_("Opening hours")
CLOSED = N_("closed")
CLOSURES = N_("We text you when we are closed on a day for which you have a booking.")
NEW_NUMBER = N_("New number, or phone lost? Please tell us at the desk.")
BOTTLES_AT_HOME = N_("Bottles at home")
BOTTLES = (
    N_("Keep every bottle locked away, where no child can see or reach it."),
    N_("If anybody else drinks from one, call an ambulance at once, even when they seem well."),
)

MY_GOALS = N_("My goals")
GOALS_HOW = (
    N_("Tick what is done. The lines are for how it goes, in your own words."),
    N_("This sheet is yours. Bring it along when you like, and we look at it together."),
)
"""On a sheet of its own, with what somebody wants to reach."""

_BOOK = N_("You book a time.")
_MOVE = N_("You change to another time.")
_DROP = N_("You give that booking up.")
_WHEN = N_("You are told when you are booked.")
_SLOTS = N_("You are told which times are free.")
_CHOOSE = N_("You choose one of the times that you were sent.")
_OK = N_("You say yes to what we asked.")
_EVERY = N_("You have the same time every week.")
_END = N_("You end your weekly times.")
_LIST = N_("You are told when a place is free on a full day.")
_TAKE = N_("You take the place that is kept for you.")
_WAIT = N_("You are told how long the wait is now.")
_MENU = N_("You get help.")
_LANG = N_("You change the language.")
_STOP = N_("You get no more texts. Your bookings stay.")
_START = N_("You get texts again.")

SENTENCES = (
    *(TITLE, SEND_TO, ALWAYS, YOU_WRITE, WHAT_HAPPENS, ANY_WAY, WHEN_YOU_COME, *ARRIVAL, HOURS, CLOSED, CLOSURES),
    *(NEW_NUMBER, BOTTLES_AT_HOME, *BOTTLES, MY_GOALS, *GOALS_HOW),
    *(_BOOK, _MOVE, _DROP, _WHEN, _SLOTS, _CHOOSE, _OK, _EVERY, _END, _LIST, _TAKE, _WAIT, _MENU, _LANG, _STOP, _START),
)
"""Everything that a catalogue must have."""

_BEST: Mapping[tuple[str, str], str] = {
    ("zh_Hans", "every"): "每",
    ("my", "every"): "အပတ်တိုင်း",
    ("vi", "all"): "hết",
    ("fil", "book"): "i-book",
}
"""Where the first word of the lexicon is not the one that a sheet should teach."""
_SHORT_DAYS_FIRST = frozenset(("ms", "id", "fil"))
"""Their lexicons have each weekday's short name first and its full one, which all know, second."""
_CHINESE_WEEKDAYS = "一二三四五六日"
"""Chinese weekdays are read by their form and stand in no lexicon."""


@dataclass(frozen=True)
class Example:
    """What may be written, and what it does."""

    write: str
    does: str


def say(sentence: str, language: str) -> str:
    """The sentence in this language."""
    return _catalogue(language).gettext(sentence)


@lru_cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.NullTranslations() if language == SOURCE else gettext.translation(DOMAIN, LOCALE, [language])


def examples(language: str, *, weekday: int, at: time) -> list[Example]:
    """The rows of the sheet, for a weekday (0 is Monday) and a time at which the place is open.

    Every one of them is understood by `commands.parse` as it stands.
    """
    day, hour, later = _weekday(language, weekday), _hour(at), _hour(_half_an_hour_after(at))

    def verb(which: Verb) -> str:
        return _word(language, "verbs", which)

    book, drop = verb(Verb.BOOK), verb(Verb.DROP)
    written = (
        ((book, day, hour), _BOOK),
        ((verb(Verb.MOVE), day, later), _MOVE),
        ((drop, day), _DROP),
        ((verb(Verb.WHEN),), _WHEN),
        ((verb(Verb.SLOTS), day), _SLOTS),
        (("2",), _CHOOSE),
        ((verb(Verb.OK),), _OK),
        ((book, _every(language, day), hour), _EVERY),
        ((drop, _word(language, "asides", "all")), _END),
        ((verb(Verb.LIST), day), _LIST),
        ((verb(Verb.TAKE),), _TAKE),
        ((verb(Verb.WAIT),), _WAIT),
        ((verb(Verb.MENU),), _MENU),
        ((verb(Verb.LANG), "EN" if language != SOURCE else "MS"), _LANG),
        (("STOP",), _STOP),
        (("START",), _START),
    )
    return [Example(" ".join(words).upper(), say(does, language)) for words, does in written]


def languages(language: str) -> str:
    """What else may be written after LANG: every language by its code."""
    return f"{_word(language, 'verbs', Verb.LANG).upper()}: {', '.join(CODES)}"


def _half_an_hour_after(at: time) -> time:
    hours, minute = divmod(at.hour * 60 + at.minute + 30, 60)
    return time(hours % 24, minute)


def _hour(at: time) -> str:
    return f"{at.hour}.{at.minute:02}"


@lru_cache
def _lexicon(language: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((LEXICON / f"{language}.toml").read_text(encoding="utf-8"))


def _word(language: str, group: str, name: str) -> str:
    """The word to teach: the best one where one is named, else the first of the lexicon. Never one that it lacks."""
    words = _lexicon(language)[group][name].split()
    best = _BEST.get((language, name), words[group == "weekdays" and language in _SHORT_DAYS_FIRST])
    return words[words.index(best)].replace("_", " ")


def _weekday(language: str, number: int) -> str:
    if language == "zh_Hans":
        return f"周{_CHINESE_WEEKDAYS[number]}"
    return _word(language, "weekdays", str(number))


def _every(language: str, day: str) -> str:
    every = _word(language, "asides", "every")
    return f"{every}{day}" if language == "zh_Hans" else f"{every} {day}"
