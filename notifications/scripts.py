"""How a text is made ready to be read: one way to write each sign, plain digits, and where one word ends."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator


def as_read(text: str) -> str:
    """The text in small letters, with one way to write each sign, every script's digits as 0 to 9, nothing invisible.

    Thai, Lao, Khmer and Burmese keyboards put signs without width between words; they say nothing.
    """
    if text.isascii():
        return text.casefold()
    shown = (_sign(c) for c in unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFKC", "".join(shown)).replace("’", "'")


def _sign(sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind == "Cf":
        return ""
    return str(unicodedata.decimal(sign)) if kind == "Nd" else sign


def bare(word: str) -> str:
    """The word without its accents, as people type it who have no keyboard for them: đổi lịch, doi lich."""
    apart = unicodedata.normalize("NFD", word)
    return "".join(c for c in apart if not unicodedata.combining(c)).replace("đ", "d")


def spaced(word: str) -> bool:
    """Whether the word is of a script that puts spaces between words, and writes one letter after the other."""
    return all((c < "\u0e00" and not "\u0b80" <= c <= "\u0bff") or c in " '-." for c in bare(word)) and "👍" not in word


def words_of(text: str) -> Iterator[str]:
    """The words and the numbers of a text in their order; an apostrophe and a hyphen stand within a word."""
    word = ""
    for before, sign, after in zip(" " + text, text, text[1:] + " ", strict=False):
        kind = unicodedata.category(sign)
        letter = kind[0] in "LM"
        within = sign in "'-" and before.isalpha() and after.isalpha()
        if word and (word[-1].isdecimal() != (kind == "Nd") or not (letter or within or kind == "Nd")):
            yield word
            word = ""
        if letter or within or kind == "Nd":
            word += sign
    if word:
        yield word
