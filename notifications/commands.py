"""What a text asks for: a verb, a day, a time or a choice, in any order and in three languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta

from notifications.rules import OPT_OUT
from notifications.words import (
    CHINESE,
    HALVES,
    MONTHS,
    Aside,
    Half,
    Language,
    Meaning,
    Offset,
    Verb,
    Weekday,
    meaning_of,
)

__all__ = ["Command", "Verb", "parse"]

LONGEST = 320
"""What stands after so many characters is not read: no command is that long."""


@dataclass(frozen=True)
class Command:
    """What was understood. Nothing at all was when every field but `guessed` and `unread` is empty."""

    verb: Verb | None = None
    day: date | None = None
    time: time | None = None
    either_half: bool = False
    """The hour was written without morning or afternoon, such as 2: the other half of the day may be meant."""
    choice: int | None = None
    """1 to 9. With BOOK or MOVE a lone digit is both: a choice when something was offered, else the hour in `time`."""
    language: str | None = None
    guessed: bool = False
    """A word was corrected or left out, or there were two readings: confirm before anything is given up."""
    unread: tuple[str, ...] = ()
    """The words that meant nothing."""

    @property
    def understood(self) -> bool:
        return any(found is not None for found in (self.verb, self.day, self.time, self.language))


_DIGITS = {**{c: n for n, c in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2, "兩": 2}
_NUMERAL = "[零〇一二两兩三四五六七八九十]"
_HALF = "|".join(re.escape(word) for word in sorted(HALVES, key=len, reverse=True))
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_NUMBER = rf"(?:\d{{1,2}}|{_NUMERAL}{{1,3}})"
_BEFORE = r"(?<![\d.:/])"
_LATIN_HALF = rf"(?:\s*(?P<half>{_HALF})(?![a-z]))"

_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})[日号號]?(?!\d)")
_MONTH_DAY = re.compile(rf"(?P<month>{_NUMBER})月(?P<day>{_NUMBER})[日号號]?")
_SLASHED = re.compile(rf"{_BEFORE}(?P<day>\d{{1,2}})[/-](?P<month>\d{{1,2}})(?:[/-](?P<year>\d{{4}}|\d\d))?(?![\d/])")
_DAY_MONTH = re.compile(
    rf"{_BEFORE}(?P<day>\d{{1,2}})(?:st|nd|rd|th|hb)?\s*(?:of\s+)?(?P<month>{_MONTH})(?![a-z])(?:\s+(?P<year>\d{{4}})(?!\d))?"
)
_MONTH_THEN_DAY = re.compile(rf"(?<![a-z])(?P<month>{_MONTH})\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th|hb)?(?![\d:.a-z])")
_DAY_OF_MONTH = re.compile(rf"{_BEFORE}(?P<day>\d{{1,2}})(?:(?:st|nd|rd|th|hb|\s*haribulan)(?![a-z])|[日号號])")
_WEEKDAY = re.compile(r"(?P<next>下个?個?)?(?:这|這)?(?:周|週|星期|礼拜|禮拜)(?P<number>[一二三四五六日天])")
_CHINESE_TIME = re.compile(
    rf"(?P<half>{_HALF})?\s*(?P<hour>{_NUMBER})[点點时時](?:(?P<part>半|[一1]刻|[三3]刻)|(?P<minute>{_NUMBER})分?)?"
)
_CLOCK = re.compile(
    rf"(?:(?P<before>上午|早上|中午|下午|晚上)\s*)?{_BEFORE}(?P<hour>\d{{1,2}})(?P<sign>[:.h])(?P<minute>\d\d)(?!\d){_LATIN_HALF}?"
)
_HOUR = re.compile(
    rf"(?:(?P<before>上午|早上|中午|下午|晚上)\s*)?{_BEFORE}(?P<hour>\d{{1,2}})(?:{_LATIN_HALF}|\s*o'?clock(?![a-z]))"
)
_AT_HOUR = re.compile(r"(?:(?<![a-z])(?:jam|pukul|pkl|at)\s*|@\s*)(?P<hour>\d{1,2})(?![\d:.])")
_BLOCK = re.compile(rf"{_BEFORE}(?P<hour>\d{{1,2}})(?P<minute>\d\d)(?![\d:./])(?:\s*h(?:rs?)?(?![a-z]))?{_LATIN_HALF}?")
_OPT_OUT = re.compile("|".join(rf"(?<![a-z]){word}(?![a-z])" if word.isascii() else word for word in sorted(OPT_OUT)))
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")


def parse(text: str, today: date) -> Command:
    """Reads a text, with days relative to `today`, the place's local date.

    A weekday is its next date, today included; a date without a year is its next one. Nothing is understood of a
    sentence that holds a word by which numbers opt out: “cancel friday” must not book Friday. It never raises.
    """
    written = unicodedata.normalize("NFKC", text)[:LONGEST].casefold().replace("’", "'")
    ending = _OPT_OUT.search(written)
    if ending is not None:
        return Command(guessed=True, unread=(ending.group(),))
    reader = _Reader(written, today)
    reader.read()
    return reader.command()


class _Reader:
    """One text being read: what is understood is taken out of it, and the rest is read on."""

    def __init__(self, text: str, today: date) -> None:
        self.rest = text
        self.today = today
        self.meanings: list[Meaning] = []
        self.days: list[date] = []
        self.times: list[tuple[time, bool]] = []
        self.numbers: list[str] = []
        self.unread: list[str] = []
        self.guessed = False

    def read(self) -> None:
        if re.fullmatch(rf"\s*{_NUMERAL}\s*", self.rest):
            self.rest = str(_value(self.rest.strip()))
        self.rest = self.rest.replace("day after tomorrow", " lusa ").replace("tengah hari", " tengahari ")
        for pattern, take in (
            (_WEEKDAY, self._chinese_weekday),
            (_ISO, self._date),
            (_MONTH_DAY, self._date),
            (_SLASHED, self._date),
            (_CHINESE_TIME, self._time),
            (_CLOCK, self._clock),
            (_HOUR, self._time),
            (_AT_HOUR, self._time),
            (_DAY_MONTH, self._date),
            (_MONTH_THEN_DAY, self._date),
            (_DAY_OF_MONTH, self._date),
        ):
            self._sweep(pattern, take)
        self._sweep(_BLOCK, self._time)
        for word, meaning in CHINESE.items():
            if word in self.rest:
                self.rest = self.rest.replace(word, " ")
                self.meanings.append(meaning)
        self._words()

    def _sweep(self, pattern: re.Pattern[str], take: Callable[[re.Match[str]], None]) -> None:
        def taken(match: re.Match[str]) -> str:
            take(match)
            return " "

        self.rest = pattern.sub(taken, self.rest)

    def _date(self, match: re.Match[str]) -> None:
        found = match.groupdict()
        year = int(found["year"]) if found.get("year") else None
        month = found.get("month")
        day = _next_date(
            self.today,
            _value(found["day"]),
            MONTHS.get(month) or _value(month) if month else None,
            year + 2000 if year is not None and year < 100 else year,
        )
        if day is None:
            self._misread(match)
        else:
            self.days.append(day)

    def _chinese_weekday(self, match: re.Match[str]) -> None:
        number = 6 if match["number"] in "日天" else _value(match["number"]) - 1
        self._weekday(number, coming_week=match["next"] is not None)

    def _weekday(self, number: int, *, coming_week: bool) -> None:
        ahead = 7 - self.today.weekday() + number if coming_week else (number - self.today.weekday()) % 7
        self._offset(ahead)

    def _offset(self, days: int) -> None:
        try:
            self.days.append(self.today + timedelta(days=days))
        except OverflowError:
            self.guessed = True

    def _clock(self, match: re.Match[str]) -> None:
        if match["sign"] == "." and int(match["hour"]) > 23 and not match["half"]:
            day = _next_date(self.today, int(match["hour"]), int(match["minute"]), None)
            if day is not None:
                self.days.append(day)
                return
        self._time(match)

    def _time(self, match: re.Match[str]) -> None:
        found = match.groupdict()
        half = HALVES.get(found.get("half") or found.get("before") or "")
        part = {"半": 30, "一": 15, "1": 15, "三": 45, "3": 45}.get((found.get("part") or "")[:1])
        minute = part if part is not None else _value(found.get("minute") or "0")
        hour = _value(found["hour"])
        if minute > 59 or hour > 23:
            self._misread(match)
            return
        open_half = half is None and 1 <= hour <= 11 and not found["hour"].startswith("0")
        self.times.append((time(_in_half(hour, half), minute), open_half))

    def _misread(self, match: re.Match[str]) -> None:
        self.unread.append(match.group().strip())

    def _words(self) -> None:
        coming_week = False
        weekdays: list[int] = []
        for token in _TOKEN.findall(self.rest):
            if token.isdecimal():
                self.numbers.append(token)
                continue
            found = meaning_of(token)
            if found is None:
                self.unread.append(token)
                continue
            meaning, guess = found
            self.guessed |= guess
            match meaning:
                case Offset(days):
                    self._offset(days)
                case Weekday(number):
                    weekdays.append(number)
                case Aside.NEXT:
                    coming_week = True
                case _:
                    self.meanings.append(meaning)
        for number in weekdays:
            self._weekday(number, coming_week=coming_week)
        for meaning in self.meanings:
            if isinstance(meaning, Offset):
                self._offset(meaning.days)

    def command(self) -> Command:
        verb = self._verb()
        day, moment, either_half = self._day(verb), *self._moment(verb)
        language = next((m.tag for m in self.meanings if isinstance(m, Language)), None)
        choice: int | None = None
        if self.numbers and moment is None:
            number = self.numbers.pop(0)
            value = int(number) if len(number) <= 2 else 99
            hour_wanted = day is not None or verb in (Verb.BOOK, Verb.MOVE)
            if hour_wanted and value <= 23:
                moment, either_half = time(value), 1 <= value <= 11 and number[0] != "0"
            if day is None and 1 <= value <= 9:
                choice = value
                verb = verb or Verb.CHOOSE
            if moment is None and choice is None:
                self.unread.append(number)
        self.unread += self.numbers
        if verb is None and language is not None and day is None and moment is None:
            verb = Verb.LANG
        return Command(
            verb=verb,
            day=day,
            time=moment,
            either_half=either_half,
            choice=choice,
            language=language if verb is Verb.LANG else None,
            guessed=self.guessed or bool(self.unread),
            unread=tuple(self.unread),
        )

    def _verb(self) -> Verb | None:
        """The one verb that is meant. BOOK beside another is the noun (取消预约), OK beside another is an opening."""
        if Aside.NOT in self.meanings:
            self.guessed = True
            return None
        verbs = list(dict.fromkeys(m for m in self.meanings if isinstance(m, Verb)))
        for weaker in (Verb.OK, Verb.BOOK):
            if len(verbs) > 1 and weaker in verbs:
                verbs.remove(weaker)
        self.guessed |= len(verbs) > 1
        return verbs[0] if verbs else None

    def _day(self, verb: Verb | None) -> date | None:
        days = list(dict.fromkeys(self.days))
        self.guessed |= len(days) > 1
        return (days[-1] if verb is Verb.MOVE else days[0]) if days else None

    def _moment(self, verb: Verb | None) -> tuple[time | None, bool]:
        times = list(dict.fromkeys(self.times))
        self.guessed |= len(times) > 1
        return (times[-1] if verb is Verb.MOVE else times[0]) if times else (None, False)


def _value(numeral: str) -> int:
    """The number in digits or in Chinese numerals up to 99."""
    if not numeral or (numeral[0] not in "十" and numeral[0] not in _DIGITS):
        return int(numeral)
    tens, ten, ones = numeral.partition("十")
    if not ten:
        return int("".join(str(_DIGITS[c]) for c in numeral))
    high = int("".join(str(_DIGITS[c]) for c in tens) or "1")
    low = int("".join(str(_DIGITS.get(c, 0)) for c in ones) or "0")
    return high * 10 + low


def _in_half(hour: int, half: Half | None) -> int:
    if half is Half.AM:
        return 0 if hour == 12 else hour
    if half is Half.PM:
        return hour + 12 if hour < 12 else hour
    if half is Half.NOON:
        return hour + 12 if hour < 10 else hour
    return hour


def _next_date(today: date, day: int, month: int | None, year: int | None) -> date | None:
    """The next such date, today included; nothing when there is none within four years, or the year says otherwise."""
    if year is not None and month is not None:
        return _date_or_none(year, month, day)
    for ahead in range(49):
        month_index = today.year * 12 + today.month - 1 + ahead
        candidate = _date_or_none(month_index // 12, month_index % 12 + 1, day)
        if candidate is not None and candidate >= today and month in (None, candidate.month):
            return candidate
    return None


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        return None
