"""An amount in words, which no slipped decimal point can change. Pure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dispensary.units import plain
from dispensary.words import language

_ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_ENGLISH_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_MALAY = ("kosong", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "lapan", "sembilan")


def _english(n: int) -> str:
    if n < 20:
        return _ENGLISH[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return _ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[ones]}" if ones else "")
    if n < 1000:
        hundreds, rest = divmod(n, 100)
        return f"{_ENGLISH[hundreds]} hundred" + (f" and {_english(rest)}" if rest else "")
    thousands, rest = divmod(n, 1000)
    return f"{_english(thousands)} thousand" + (f" and {_english(rest)}" if rest else "")


def _malay(n: int) -> str:
    if n < 10:
        return _MALAY[n]
    if n < 20:
        return {10: "sepuluh", 11: "sebelas"}.get(n) or f"{_MALAY[n - 10]} belas"
    for size, name, one in ((1000, "ribu", "seribu"), (100, "ratus", "seratus"), (10, "puluh", "")):
        if n >= size:
            many, rest = divmod(n, size)
            head = one if many == 1 and one else f"{_malay(many)} {name}"
            return head + (f" {_malay(rest)}" if rest else "")
    raise AssertionError(n)


_SPOKEN: dict[str, tuple[Callable[[int], str], tuple[str, ...], str, str, str]] = {
    "en": (_english, _ENGLISH, "point", "milligram", "milligrams"),
    "ms": (_malay, _MALAY, "perpuluhan", "miligram", "miligram"),
}


def milligrams_in_words(mg: Decimal) -> str:
    """A dose of 0 to 9999.99 mg as it is said: sixty-two point five milligrams.

    In the language that is spoken, when it is English or Malay; otherwise in English, which is never ambiguous.
    Decimals are said digit by digit, so that 12.05 and 12.5 sound different.
    """
    whole_in_words, digits, point, one, many = _SPOKEN.get(language(), _SPOKEN["en"])
    whole, _, decimals = plain(mg).partition(".")
    said = whole_in_words(int(whole))
    if decimals:
        said += f" {point} " + " ".join(digits[int(digit)] for digit in decimals)
    return f"{said} {one if mg == 1 else many}"
