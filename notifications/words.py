"""The words that people write to us, in each language, and what each of them means.

The words themselves are data, one file for each language in `lexicon/`. A word that means different things in two
languages means what it does in the language of whoever writes, then what it does in English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from rapidfuzz.distance import OSA

from notifications.rules import OPT_OUT
from notifications.scripts import as_read, bare, spaced

LEXICON = Path(__file__).parent / "lexicon"
ORDER = ("en", "ms", "zh_Hans", "id", "fil", "vi", "ta", "th", "lo", "my", "km")
"""In which a word is looked for that the language of whoever writes does not have."""
CODES: Mapping[str, str] = {
    **{tag.casefold(): tag for tag in ORDER if tag not in ("my", "zh_Hans")},
    "eng": "en",
    "bm": "ms",
    "zh": "zh_Hans",
    "cn": "zh_Hans",
    "vn": "vi",
    "mya": "my",
    "kh": "km",
    "tl": "fil",
}
"""How a language may be named after LANG. `my` is no code: it is a word of English."""


class Verb(StrEnum):
    BOOK = "book"
    MOVE = "move"
    DROP = "drop"
    WHEN = "when"
    """Which bookings do I have?"""
    SLOTS = "slots"
    """Which times are free?"""
    WAIT = "wait"
    """How long is the wait now?"""
    OK = "ok"
    MENU = "menu"
    LANG = "lang"
    TAKE = "take"
    """Yes to the place that was offered."""
    LIST = "list"
    """Put me on the waiting list."""
    PIN = "pin"
    NUMBER = "number"
    """Write to me at another number."""
    CHOOSE = "choose"
    """A digit alone: one of what was last offered."""


class Half(StrEnum):
    AM = "am"
    NOON = "noon"
    PM = "pm"


class Aside(StrEnum):
    NEXT = "next"
    """The weekday of the coming week, not of this one."""
    NOT = "not"
    EVERY = "every"
    """Each week, on the weekdays that are named, or on all."""
    WEEKDAYS = "weekdays"
    """Monday to Friday."""
    ALL = "all"
    FILLER = "filler"


@dataclass(frozen=True)
class Offset:
    days: int


@dataclass(frozen=True)
class Weekday:
    number: int
    """0 is Monday."""


@dataclass(frozen=True)
class Language:
    tag: str


Meaning = Verb | Half | Aside | Offset | Weekday | Language


@dataclass(frozen=True)
class Lexicon:
    """The words of one language, as they are read."""

    meanings: Mapping[str, Meaning]
    unsure: frozenset[str]
    """Words that may mean to end the texts: never done without asking."""
    asking: frozenset[str]
    """Words that deny, but at the end of a text make it a question."""
    months: Mapping[str, int]
    halves: Mapping[str, Half]
    before_hour: tuple[str, ...]
    after_hour: tuple[str, ...]
    half_past: tuple[str, ...]
    numbers: Mapping[str, str]
    """Hours in words, and what stands for each in digits."""
    before_date: tuple[str, ...]
    after_date: tuple[str, ...]


def _words(text: str) -> Iterator[str]:
    return (as_read(word).replace("_", " ") for word in text.split())


def _meanings(data: Mapping[str, Any]) -> Iterator[tuple[str, Meaning]]:
    for section, of in (("verbs", Verb), ("unsure", Verb), ("halves", Half), ("asides", Aside)):
        for name, text in data.get(section, {}).items():
            if name != "asking":
                yield from ((word, of(name)) for word in _words(text))
    for section, kind in (("days", Offset), ("weekdays", Weekday)):
        for number, text in data.get(section, {}).items():
            yield from ((word, kind(int(number))) for word in _words(text))
    for tag, text in data.get("languages", {}).items():
        yield from ((word, Language(tag)) for word in _words(text))


def _lexicon(tag: str) -> Lexicon:
    data = tomllib.loads((LEXICON / f"{tag}.toml").read_text("utf-8"))
    hours, dates = data.get("hours", {}), data.get("dates", {})
    meanings: dict[str, Meaning] = {}
    for word, meaning in _meanings(data):
        meanings.setdefault(word, meaning)
    unsure = {word for text in data.get("unsure", {}).values() for word in _words(text)}
    halves = {word: Half(name) for name, text in data.get("halves", {}).items() for word in _words(text)}
    numbers = {word: str(n) for n, word in enumerate(_words(hours.get("numbers", "")), 1)}
    numbers |= {word: f"{n}:30" for n, word in enumerate(_words(hours.get("half_numbers", "")), 1)}
    asking = set(_words(data.get("asides", {}).get("asking", "")))
    marks = {name: tuple(_words(hours.get(name, ""))) for name in ("before", "after", "half")}
    if data.get("bare"):
        for word, meaning in list(meanings.items()):
            if not isinstance(meaning, Half) or " " in word:
                meanings.setdefault(bare(word), meaning)
        unsure |= {bare(word) for word in unsure}
        asking |= {bare(word) for word in asking}
        halves |= {bare(word): half for word, half in halves.items()}
        numbers |= {bare(word): number for word, number in numbers.items()}
        marks = {name: tuple(dict.fromkeys((*found, *map(bare, found)))) for name, found in marks.items()}
    return Lexicon(
        meanings=meanings,
        unsure=frozenset(unsure),
        asking=frozenset(asking),
        months={word: int(number) for number, text in data.get("months", {}).items() for word in _words(text)},
        halves=halves,
        before_hour=marks["before"],
        after_hour=marks["after"],
        half_past=marks["half"],
        numbers=numbers,
        before_date=tuple(_words(dates.get("before", ""))),
        after_date=tuple(_words(dates.get("after", ""))),
    )


LEXICONS: Mapping[str, Lexicon] = {tag: _lexicon(tag) for tag in ORDER}
UNSPACED: Mapping[str, Meaning] = dict(
    sorted(
        (
            (word, meaning)
            for lexicon in LEXICONS.values()
            for word, meaning in lexicon.meanings.items()
            if not spaced(word)
        ),
        key=lambda pair: -len(pair[0]),
    )
)
"""The words that stand within a text without spaces, the longest first: 大后天 is no 后天."""
LONGEST_PHRASE = max(word.count(" ") + 1 for lexicon in LEXICONS.values() for word in lexicon.meanings)


def tags_for(language: str) -> tuple[str, ...]:
    """The languages in the order in which a word of somebody who writes in this one is looked for."""
    own = (language,) if language in LEXICONS else ()
    return tuple(dict.fromkeys((*own, *ORDER)))


@lru_cache(maxsize=8192)
def exactly(word: str, language: str = "") -> tuple[Meaning, bool] | None:
    """What a word or phrase means as it is written, and whether that is a guess.

    It is one where two other languages disagree on it, or where it may be a word of the writer's that was mistyped.
    """
    own = tags_for(language)
    sure = own[: 2 if language in LEXICONS and language != "en" else 1]
    for tag in sure:
        if word in LEXICONS[tag].meanings:
            return LEXICONS[tag].meanings[word], word in LEXICONS[tag].unsure
    found = [LEXICONS[tag].meanings[word] for tag in own if word in LEXICONS[tag].meanings]
    if not found:
        return None
    unsure = any(word in lexicon.unsure for lexicon in LEXICONS.values())
    return found[0], unsure or len(set(found)) > 1 or any(_near(word, tag) - {found[0]} for tag in sure)


def _near(word: str, tag: str) -> set[Meaning]:
    """What the words of a language mean that are one letter away from this one."""
    if not spaced(word) or " " in word:
        return set()
    return {meaning for other, meaning in _correctable(tag).items() if OSA.distance(word, other, score_cutoff=1) <= 1}


@lru_cache(maxsize=4096)
def meaning_of(word: str, language: str = "") -> tuple[Meaning, bool] | None:
    """What a word means, and whether that is a guess; nothing when it means nothing, or could mean two things.

    One letter too many, missing, wrong or swapped is understood in words of four letters or more: of the language of
    whoever writes, else of English, else of the others. A word by which a number opts out is never taken for ours.
    """
    found = exactly(word, language)
    if found is not None:
        return found
    if len(word) < 3 or word in OPT_OUT or not spaced(word):
        return None
    order = tags_for(language)
    own = order.index("en") + 1
    for tags in (*((tag,) for tag in order[:own]), order[own:]):
        near = set[Meaning]().union(*(_near(word, tag) for tag in tags))
        if near:
            return (near.pop(), True) if len(near) == 1 else None
    return None


@lru_cache
def _correctable(tag: str) -> Mapping[str, Meaning]:
    return {
        word: meaning
        for word, meaning in LEXICONS[tag].meanings.items()
        if len(word) >= 4 and spaced(word) and meaning is not Aside.FILLER and not isinstance(meaning, Language)
    }
