"""How dates and times of day are written in each language, as patterns over a text that is ready to be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from notifications.scripts import spaced
from notifications.words import LEXICONS, Half, Lexicon, Weekday, tags_for

CHINESE_DIGITS = {**{c: n for n, c in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2, "兩": 2}
NUMERAL = "[零〇一二两兩三四五六七八九十]"
_NUMBER = rf"(?:\d{{1,2}}|{NUMERAL}{{1,3}})"
_START = r"(?<![\d.:/])"
_NO_LETTER = r"(?![^\W\d_])"
_OR_LETTER = r"|[^\W\d_]"
_NO_LATIN_BEFORE = r"(?<![a-z\u00c0-\u024f\u1e00-\u1eff])"
_NONE = "(?!)"

ISO = re.compile(r"(?<!\d)(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})[日号號]?(?!\d)")
MONTH_DAY = re.compile(rf"(?P<month>{_NUMBER})月(?P<day>{_NUMBER})[日号號]?")
SLASHED = re.compile(rf"{_START}(?P<day>\d{{1,2}})[/-](?P<month>\d{{1,2}})(?:[/-](?P<year>\d{{4}}|\d\d))?(?![\d/])")
CHINESE_WEEKDAY = re.compile(r"(?P<next>下个?個?)?(?:这|這)?(?:周|週|星期|礼拜|禮拜)(?P<number>[一二三四五六日天])")
CHINESE_TIME = re.compile(
    rf"(?P<before>上午|早上|早|中午|下午|傍晚|晚上|晚|凌晨|清晨)?\s*(?P<hour>{_NUMBER})[点點时時]"
    rf"(?:(?P<part>半|[一1]刻|[三3]刻)|(?P<minute>{_NUMBER})分?)?"
)
DAY_OF_CHINESE_MONTH = re.compile(rf"{_START}(?P<day>\d{{1,2}})[日号號]")
VIETNAMESE_MONTH = re.compile(
    rf"(?:ng[àa]y\s*)?{_START}(?P<day>\d{{1,2}})\s*(?:th[áa]ng|thg)\s*(?P<month>\d{{1,2}})(?!\d)"
)
VIETNAMESE_NOON = re.compile(r"1[23]\s*(?:h|giờ|gio)\s*(?:trưa|trua)")
THAI_EVENING = re.compile(r"(?P<hour>\d{1,2})\s*ทุ่ม(?P<part>ครึ่ง)?")
THAI_ONE = re.compile(r"บ่ายโมง(?P<part>ครึ่ง)?")
HALF_TO = re.compile(r"(?<![^\W\d_])setengah\s*(?P<hour>\d{1,2})(?!\d)")
"""Malay and Indonesian: half on the way to eight is half past seven."""
HALF_PAST = re.compile(r"(?<![^\W\d_])half past\s*(?P<hour>\d{1,2})(?!\d)")


@dataclass(frozen=True)
class Patterns:
    """What depends on the language of whoever writes."""

    numbers: re.Pattern[str]
    number_of: Mapping[str, str]
    weekday_number: re.Pattern[str]
    """Vietnamese counts the days of the week from 2, Monday, to 7."""
    clock: re.Pattern[str]
    marked: re.Pattern[str]
    halved: re.Pattern[str]
    after_mark: re.Pattern[str]
    block: re.Pattern[str]
    day_month: re.Pattern[str]
    month_day: re.Pattern[str]
    day_of_month: re.Pattern[str]
    halves: Mapping[str, Half]
    months: Mapping[str, int]


@lru_cache
def patterns(language: str) -> Patterns:
    """The patterns for somebody who writes in this language; what it calls a weekday is no month of another."""
    order = [LEXICONS[tag] for tag in tags_for(language)]
    own = order[0].meanings
    months = {
        word: number
        for lexicon in reversed(order)
        for word, number in lexicon.months.items()
        if not isinstance(own.get(word), Weekday)
    }
    halves = {word: half for lexicon in reversed(order) for word, half in lexicon.halves.items()}
    number_of = {word: digits for lexicon in reversed(order) for word, digits in lexicon.numbers.items()}
    after, before = _all(order, lambda each: each.after_hour), _all(order, lambda each: each.before_hour)
    mark, half = _any(after), _any(halves)
    first = rf"(?:{_NO_LATIN_BEFORE}(?P<before>{half})[\s,]*)?(?:(?:{_any((*before, 'ika'), ending=False)})[\s-]*)?"
    last = rf"(?:\s*(?:ng\s+|lúc\s+)?(?P<half>{half}))?"
    part = rf"(?:\s*(?P<part>{_any(_all(order, lambda each: each.half_past))}))?"
    more = part.replace("<part>", "<more>")
    words = _any(number_of)
    month = _any(months)
    days_before = _any(_all(order, lambda each: each.before_date), ending=False)
    days_after = _any(_all(order, lambda each: each.after_date))
    ending = rf"(?:\s*(?:{days_after}))"
    vietnamese = r"thứ|thu|th|t" if language == "vi" else r"thứ|t(?=[2-7](?!\d))"
    return Patterns(
        numbers=re.compile(
            rf"(?:(?<=^)|(?<=[\s-])|(?<=[^\x00-\u0dff]))(?P<first>{words})(?=\s*(?:{mark}|{half}))"
            rf"|(?:(?<![^\W\d_])(?:{_any(before, ending=False)})[\s-]*)(?P<second>{words})"
        ),
        number_of=number_of,
        weekday_number=re.compile(rf"(?<![^\W_])(?:{vietnamese})\s*(?P<number>[2-7])(?![\d:.])(?!\s*(?:h|g|giờ|gio))"),
        clock=re.compile(
            rf"{first}{_START}(?P<hour>\d{{1,2}})(?:(?P<sign>[:.h])|\s*(?:giờ|gio|g|นาฬิกา|โมง|ໂມງ|နာရီ)\s*)(?P<minute>\d\d)(?!\d)"
            rf"(?:\s*(?:{mark}))?{last}"
        ),
        marked=re.compile(rf"{first}{_START}(?P<hour>\d{{1,2}}){part}\s*(?:{mark}){more}{last}"),
        halved=re.compile(
            rf"{first}{_START}(?P<hour>\d{{1,2}})(?:\s*(?:ng\s+)?(?P<half>{half})){part}"
            rf"|(?P<early>{_any(w for w in halves if not spaced(w))})\s*{_START}(?P<then>\d{{1,2}})(?![\d:./])"
        ),
        after_mark=re.compile(
            rf"(?:(?:{_any((*before, '@'), ending=False)})[\s-]*)(?P<hour>\d{{1,2}})(?![\d:./])"
            rf"(?!\s*(?:{days_after}|ng\s+(?:{month}))){part}"
        ),
        block=re.compile(
            rf"{_START}(?P<hour>\d{{1,2}})(?P<minute>\d\d)(?![\d:./])(?:\s*h(?:rs?)?{_NO_LETTER})?"
            rf"(?:\s*(?P<half>{half}))?"
        ),
        day_month=re.compile(
            rf"(?:(?:{days_before})[\s-]*)?{_START}(?P<day>\d{{1,2}}){ending}?\s*(?:of\s+|ng\s+)?(?P<month>{month})"
            rf"(?:\s+(?P<year>\d{{4}})(?!\d))?"
        ),
        month_day=re.compile(
            rf"{_NO_LATIN_BEFORE}(?P<month>{month})\s*(?P<day>\d{{1,2}})(?:{ending}(?!\d)|(?![\d:.]{_OR_LETTER}))"
        ),
        day_of_month=re.compile(
            rf"{_START}(?P<day>\d{{1,2}}){ending}|(?:{days_before})[\s-]*(?P<date>\d{{1,2}})(?![\d:./])"
        ),
        halves=halves,
        months=months,
    )


def _all(order: Iterable[Lexicon], of: Callable[[Lexicon], Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for lexicon in order for word in of(lexicon)))


def _any(words: Iterable[str], *, ending: bool = True) -> str:
    """Any of these words, the longest first; one of a script with spaces stands alone, as words there do."""
    found = sorted(set(words), key=lambda word: (-len(word), word))
    return "|".join(_alone(word, ending) for word in found) or _NONE


def _alone(word: str, ending: bool) -> str:
    plain = re.escape(word)
    if not spaced(word):
        return plain
    start = "" if ending else _NO_LATIN_BEFORE
    return start + plain + (_NO_LETTER if word[-1].isalpha() and ending else "")
