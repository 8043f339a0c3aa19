"""PINs of the phone line: which digits may be one, where one stands in a text, when it opens and shuts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from dispensary.refusals import Refusal
from notifications.commands import Command, Verb, parse
from notifications.numbers import BadNumber, e164
from notifications.scripts import as_read, spaced
from notifications.words import LEXICONS

OPEN_FOR: Final = timedelta(minutes=15)
"""For so long a number answers without the PIN after it has come; writing on does not lengthen it."""
MOST_WRONG: Final = 5
WRONG_WITHIN: Final = timedelta(hours=1)
SHUT_FOR: Final = timedelta(hours=1)
"""After so many wrong ones within an hour nothing is heard for an hour, the right PIN neither."""
MASK: Final = "****"
_MOST_READ = 320
_ANY_DAY = date(2026, 1, 1)  # verbs alone are read

_WORDS = sorted(
    {word for lexicon in LEXICONS.values() for word, meaning in lexicon.meanings.items() if meaning is Verb.PIN},
    key=len,
    reverse=True,
)
_AS_WORDS = "|".join(rf"(?<![^\W\d_]){re.escape(word)}" if spaced(word) else re.escape(word) for word in _WORDS)
_WORD = re.compile(rf"(?:{_AS_WORDS})(?![a-z])")
_NAMED = re.compile(rf"(?:{_AS_WORDS})[\s:=.]*(?P<pin>\d{{4,6}})(?!\d)")
_BARE = re.compile(r"(?<![0-9a-z+./:\-])(?P<pin>\d{4,6})(?![0-9a-z/:\-]|[.]\d)")
_TIME = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d")
_RUN = "01234567890123456789"
_PHONE = re.compile(r"\+?\d[\d ().\-/]*\d")


def pin_fits(pin: str, again: str, *, born: date | None, number: str) -> tuple[Refusal, ...]:
    """Why these digits are no PIN: not four to six of them, easily guessed, or typed differently the second time.

    `number` is the number on the client's card. Four digits that are a time of day are no PIN, so that “book fri 0730”
    is never taken for one.
    """
    if not re.fullmatch(r"[0-9]{4,6}", pin):
        return (Refusal("bad-phone-pin", "A PIN has four to six digits.", field="pin"),)
    runs = pin in _RUN or pin[::-1] in _RUN
    repeats = len(set(pin)) < 3 or pin[: len(pin) // 2] == pin[(len(pin) + 1) // 2 :]
    if runs or repeats or _is_time(pin) or _is_year(pin) or pin in _birthdays(born) or pin in number:
        return (not_usable(),)
    if pin != again:
        return (Refusal("pins-differ", "The two PINs are not the same.", "Type the same digits twice.", field="again"),)
    return ()


def not_usable() -> Refusal:
    """The refusal of a PIN that is easily guessed, and in the same words of one that another there has."""
    return Refusal(
        "guessable-phone-pin",
        "This PIN cannot be used: it is easily guessed, or not free at this number.",
        "Choose other digits: no run, no time of day, no year, no birthday.",
        field="pin",
    )


def _is_time(digits: str) -> bool:
    return _TIME.fullmatch(digits) is not None


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in ("19", "20")


def _birthdays(born: date | None) -> set[str]:
    if born is None:
        return set()
    day, month, year, short = f"{born:%d}", f"{born:%m}", f"{born:%Y}", f"{born:%y}"
    parts = (year, day + month, month + day, day + month + short, month + day + short, short + month + day)
    return {*parts, month + year, year + month, short + month, month + short}


@dataclass(frozen=True)
class Read:
    """A text with the PIN taken out of it."""

    rest: str
    """What is left to be understood."""
    pin: str | None
    kept: str
    """The text as it may be kept: no PIN stands in it, right or wrong."""
    phone: str = ""
    """For a text that asks for another number: that number, as it was written."""

    @property
    def empty(self) -> bool:
        """Whether it was a PIN and nothing else; “my pin is 4821” says no more."""
        said = parse(self.rest, _ANY_DAY)
        return not (said.understood or said.unread or said.every or said.choice is not None) or _bare_word(said)


def _bare_word(said: Command) -> bool:
    return said.verb is Verb.PIN and not said.unread and said.choice is None


def read(text: str, *, guarded: bool, region: str = "") -> Read:
    """Finds the PIN in a text. Digits alone count as one only at a number that has PINs (`guarded`).

    A wish for another number is read with the digits of that number in it.
    """
    written = as_read(text[:_MOST_READ])
    named = _NAMED.search(written)
    found = [named["pin"]] if named else []
    if guarded and _wants_number(written):
        typed = _PHONE.findall(_NAMED.sub(" ", written))
        phone, pin = _apart(" ".join(typed), region, found[0] if found else None)
        candidates = [*found, *([pin] if pin else [])]
        rest = _WORD.sub(" ", _NAMED.sub(" ", written))
        return Read(rest, pin, _masked(text, written, candidates), phone)
    bare = [match["pin"] for match in _BARE.finditer(written) if not _is_time(match["pin"])] if guarded else []
    pin = next(iter([*found, *bare]), None)
    rest = text
    if pin is not None:
        rest = _WORD.sub(" ", _NAMED.sub(" ", written, count=1) if named else _without(written, pin))
    return Read(rest, pin, _masked(text, written, [*found, *bare]))


def unmasked(kept: str) -> str:
    """A text as it was kept, without what stands in place of its PIN."""
    return re.sub(rf"(?:(?:{_AS_WORDS})[\s:=.]*)?{re.escape(MASK)}", " ", as_read(kept))


def _wants_number(written: str) -> bool:
    letters = re.sub(r"\d+", " ", _WORD.sub(" ", written))
    return parse(letters, _ANY_DAY).verb is Verb.NUMBER


def _apart(typed: str, region: str, pin: str | None) -> tuple[str, str | None]:
    """The phone number and the PIN in the digits of a text, where only one of the two ways to part them fits."""
    if pin is not None or _is_number(typed, region):
        return typed, pin
    groups = typed.split()
    for at in (len(groups) - 1, 0):
        rest = " ".join([*groups[:at], *groups[at + 1 :]]) if groups else ""
        if groups and re.fullmatch(r"\d{4,6}", groups[at]) and (not rest or _is_number(rest, region)):
            return rest, groups[at]
    return typed, None


def _is_number(typed: str, region: str) -> bool:
    try:
        return bool(typed) and bool(e164(typed, region))
    except BadNumber:
        return False


def _without(text: str, pin: str) -> str:
    return re.sub(rf"(?<!\d){pin}(?!\d)", " ", text)


def _masked(text: str, written: str, pins: Sequence[str]) -> str:
    if not pins:
        return text
    pieces = list(_pieces(text, set(pins)))
    shown = "".join(pieces)
    if any(pin in as_read(shown) for pin in pins):  # written in signs that become digits only when read
        shown = written
        for pin in pins:
            shown = shown.replace(pin, MASK)
    return shown


def _pieces(text: str, pins: set[str]) -> Iterator[str]:
    end = 0
    for match in re.finditer(r"\d+", text):
        if as_read(match.group()) in pins:
            yield text[end : match.start()] + MASK
            end = match.end()
    yield text[end:]


def still_wrong(wrong_at: Sequence[datetime], at: datetime) -> list[datetime]:
    """The wrong PINs that count at this moment."""
    return [when for when in wrong_at if when > at - WRONG_WITHIN]
