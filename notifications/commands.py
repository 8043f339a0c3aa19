"""What a text asks for: a verb, a day, a time or a choice, in any order and in each of the languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta

from notifications import clocks
from notifications.rules import ends_texts
from notifications.scripts import as_read, words_of
from notifications.words import (
    CODES,
    LEXICONS,
    LONGEST_PHRASE,
    UNSPACED,
    Aside,
    Half,
    Language,
    Meaning,
    Offset,
    Verb,
    Weekday,
    exactly,
    meaning_of,
)

__all__ = ["Command", "Verb", "parse"]

LONGEST = 320
"""What stands after so many characters is not read: no command is that long."""


_QUARTERS = {"一": 15, "1": 15, "三": 45, "3": 45}


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
    every: tuple[int, ...] = ()
    """Weekdays (0 is Monday) that are meant each week, in place of a day."""
    all: bool = False
    guessed: bool = False
    """A word was corrected or left out, or there were two readings: confirm before anything is given up."""
    unread: tuple[str, ...] = ()
    """The words that meant nothing."""

    @property
    def understood(self) -> bool:
        return any(found is not None for found in (self.verb, self.day, self.time, self.language))


def parse(text: str, today: date, language: str = "") -> Command:
    """Reads a text, with days relative to `today`, the place's local date, of somebody who writes in this language.

    A weekday is its next date, today included; a date without a year is its next one. A word of their language means
    what it does there, whatever it means elsewhere. Nothing is understood of a sentence that holds a word by which
    numbers opt out: “cancel friday” must not book Friday. It never raises.
    """
    written = as_read(text[:LONGEST])
    ending = ends_texts(written)
    if ending:
        return Command(guessed=True, unread=(ending,))
    reader = _Reader(written, today, language)
    reader.read()
    return reader.command()


class _Reader:
    """One text being read: what is understood is taken out of it, and the rest is read on."""

    def __init__(self, text: str, today: date, language: str) -> None:
        self.rest = text
        self.today = today
        self.language = language
        self.reads = clocks.patterns(language)
        self.meanings: list[Meaning] = []
        self.days: list[date] = []
        self.weekdays: list[int] = []
        self.times: list[tuple[time, bool]] = []
        self.numbers: list[str] = []
        self.unread: list[str] = []
        self.codes: list[str] = []
        self.guessed = False

    def read(self) -> None:
        if re.fullmatch(rf"\s*{clocks.NUMERAL}\s*", self.rest):
            self.rest = str(_value(self.rest.strip()))
        reads = self.reads
        self.rest = reads.numbers.sub(self._numeral, self.rest)
        for pattern, take in (
            (clocks.CHINESE_WEEKDAY, self._chinese_weekday),
            (reads.weekday_number, self._counted_weekday),
            (clocks.ISO, self._date),
            (clocks.MONTH_DAY, self._date),
            (clocks.VIETNAMESE_MONTH, self._date),
            (clocks.SLASHED, self._date),
            (clocks.CHINESE_TIME, self._time),
            (clocks.THAI_EVENING, self._thai_evening),
            (clocks.THAI_ONE, self._thai_one),
            (clocks.HALF_TO, self._half_to),
            (clocks.HALF_PAST, self._half_past),
            (reads.clock, self._clock),
            (reads.marked, self._time),
            (reads.halved, self._time),
            (reads.after_mark, self._time),
            (reads.day_month, self._date),
            (reads.month_day, self._date),
            (reads.day_of_month, self._date),
            (clocks.DAY_OF_CHINESE_MONTH, self._date),
            (reads.block, self._time),
        ):
            self._sweep(pattern, take)
        self._unspaced()
        self._words()

    def _numeral(self, match: re.Match[str]) -> str:
        word = match["first"] or match["second"]
        return match.group().replace(word, f" {self.reads.number_of[word]} ")

    def _unspaced(self) -> None:
        """Takes out the words of scripts that put no spaces between them, the longest first."""
        found: list[tuple[int, Meaning]] = []
        for word, meaning in UNSPACED.items():
            at = self.rest.find(word)
            if at >= 0:
                # As much space as there was word: the places of the others stay what they were.
                self.rest = self.rest.replace(word, " " * len(word))
                found.append((at, meaning))
        self._mean(meaning for _, meaning in sorted(found, key=lambda each: each[0]))

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
            _value(found.get("day") or found["date"]),
            self.reads.months.get(month) or _value(month) if month else None,
            year + 2000 if year is not None and year < 100 else year,
        )
        if day is None:
            self._misread(match)
        else:
            self.days.append(day)

    def _chinese_weekday(self, match: re.Match[str]) -> None:
        number = 6 if match["number"] in "日天" else _value(match["number"]) - 1
        self._weekday(number, coming_week=match["next"] is not None)

    def _counted_weekday(self, match: re.Match[str]) -> None:
        self._weekday(int(match["number"]) - 2, coming_week=False)

    def _thai_evening(self, match: re.Match[str]) -> None:
        self._at(match, int(match["hour"]) + 18, 30 if match["part"] else 0)

    def _thai_one(self, match: re.Match[str]) -> None:
        self._at(match, 13, 30 if match["part"] else 0)

    def _half_to(self, match: re.Match[str]) -> None:
        self._at(match, int(match["hour"]) - 1, 30, either_half=True)

    def _half_past(self, match: re.Match[str]) -> None:
        self._at(match, int(match["hour"]), 30, either_half=True)

    def _at(self, match: re.Match[str], hour: int, minute: int, *, either_half: bool = False) -> None:
        if 0 <= hour <= 23:
            self.times.append((time(hour, minute), either_half and 1 <= hour <= 11))
        else:
            self._misread(match)

    def _weekday(self, number: int, *, coming_week: bool) -> None:
        self.weekdays.append(number)
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
        half = self.reads.halves.get(found.get("half") or found.get("before") or found.get("early") or "")
        part = found.get("part") or found.get("more") or ""
        minute = _QUARTERS.get(part[:1], 30) if part else _value(found.get("minute") or "0")
        written = found.get("hour") or found["then"]
        hour = _value(written)
        if minute > 59 or hour > 23:
            self._misread(match)
            return
        open_half = half is None and 1 <= hour <= 11 and not written.startswith("0")
        self.times.append((time(_in_half(hour, half), minute), open_half))

    def _misread(self, match: re.Match[str]) -> None:
        self.unread.append(match.group().strip())

    def _words(self) -> None:
        """Reads what is left word by word; a phrase of several words comes before the words that it is made of."""
        tokens = list(words_of(self.rest))
        if len(tokens) > 1 and self.language in LEXICONS and tokens[-1] in LEXICONS[self.language].asking:
            tokens.pop()
        at = 0
        while at < len(tokens):
            for many in range(min(LONGEST_PHRASE, len(tokens) - at), 1, -1):
                found = exactly(" ".join(tokens[at : at + many]), self.language)
                if found is not None:
                    break
            else:
                many, found = 1, None
            token = tokens[at]
            at += many
            if found is None:
                if token.isdecimal():
                    self.numbers.append(token)
                    continue
                if token in CODES:
                    self.codes.append(token)
                found = meaning_of(token, self.language)
            if found is None:
                self.unread.append(token)
                continue
            self.guessed |= found[1]
            self.meanings.append(found[0])
        read, self.meanings = self.meanings, []
        self._mean(read)

    def _mean(self, meanings: Iterable[Meaning]) -> None:
        meanings = list(meanings)
        coming_week = Aside.NEXT in meanings
        for meaning in meanings:
            match meaning:
                case Offset(days):
                    self._offset(days)
                case Weekday(number):
                    self._weekday(number, coming_week=coming_week)
                case _:
                    self.meanings.append(meaning)

    def command(self) -> Command:
        verb, every = self._verb(), self._every()
        if every:
            self.days = []
        day, moment, either_half = self._day(verb), *self._moment(verb)
        language = self._named(verb)
        choice: int | None = None
        if self.numbers and moment is None:
            number = self.numbers.pop(0)
            value = int(number) if len(number) <= 2 else 99
            hour_wanted = day is not None or bool(every) or verb in (Verb.BOOK, Verb.MOVE)
            if hour_wanted and value <= 23:
                moment, either_half = time(value), 1 <= value <= 11 and number[0] != "0"
            if day is None and not every and 1 <= value <= 9:
                choice = value
                verb = Verb.CHOOSE if verb in (None, Verb.NUMBER) else verb  # “number 2” is a choice
            if moment is None and choice is None:
                self.unread.append(number)
        self.unread += self.numbers
        moment, either_half = self._halved(moment, either_half=either_half)
        if verb is None and language is not None and day is None and moment is None and not self.unread:
            verb = Verb.LANG
        return Command(
            verb=verb,
            day=day,
            time=moment,
            either_half=either_half,
            choice=choice,
            language=language if verb is Verb.LANG else None,
            every=every,
            all=Aside.ALL in self.meanings,
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

    def _named(self, verb: Verb | None) -> str | None:
        """The language that is asked for: by a code where LANG stands with it, else by its name."""
        if verb is Verb.LANG and self.codes:
            self.unread = [word for word in self.unread if word not in self.codes]
            return CODES[self.codes[-1]]
        return next((m.tag for m in self.meanings if isinstance(m, Language)), None)

    def _halved(self, moment: time | None, *, either_half: bool) -> tuple[time | None, bool]:
        """The time in the half of the day that stands elsewhere in the text; noon alone is a time of its own."""
        halves = {meaning for meaning in self.meanings if isinstance(meaning, Half)}
        if len(halves) != 1:
            return moment, either_half
        half = halves.pop()
        if moment is None:
            return (time(12), False) if half is Half.NOON else (None, either_half)
        return (time(_in_half(moment.hour, half), moment.minute), False) if either_half else (moment, False)

    def _every(self) -> tuple[int, ...]:
        """The weekdays that are meant each week: those named, Monday to Friday, or all seven."""
        if Aside.EVERY not in self.meanings:
            return ()
        if Aside.WEEKDAYS in self.meanings:
            return (0, 1, 2, 3, 4)
        return tuple(sorted(set(self.weekdays))) or (0, 1, 2, 3, 4, 5, 6)

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
    if not numeral or (numeral[0] not in "十" and numeral[0] not in clocks.CHINESE_DIGITS):
        return int(numeral)
    tens, ten, ones = numeral.partition("十")
    if not ten:
        return int("".join(str(clocks.CHINESE_DIGITS[c]) for c in numeral))
    high = int("".join(str(clocks.CHINESE_DIGITS[c]) for c in tens) or "1")
    low = int("".join(str(clocks.CHINESE_DIGITS.get(c, 0)) for c in ones) or "0")
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
