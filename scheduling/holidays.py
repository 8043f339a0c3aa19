"""The public holidays of a country, or of one part of it, as dated names.

They come from the calendars of the library `holidays`. A day that follows the moon, or that a government declares late,
is the library's forecast until then; where its calendar says so, the name ends with a word for "estimated".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from holidays import country_holidays
from holidays.holiday_base import HolidayBase

from scheduling.rules import Declined

_FIRST_YEAR, _LAST_YEAR = 1900, 2199


class NoCalendar(Declined):
    """No public holidays are known for the country (`no-calendar`), or it has no such part (`no-subdivision`)."""


@dataclass(frozen=True)
class PublicHoliday:
    """A day and what it is called; several holidays on one day are one name."""

    day: date
    name: str


@dataclass(frozen=True)
class Subdivision:
    """A state, province or territory with holidays of its own, by its ISO 3166-2 code without the country's."""

    code: str
    name: str


def public_holidays(
    country: str, subdivision: str = "", *, first: date, last: date, language: str = "en"
) -> list[PublicHoliday]:
    """The public holidays from the first day to the last inclusive, earliest first, days in lieu among them.

    The country is an ISO 3166-1 code of two letters. The subdivision is written as `14`, `MY-14`, `KUL`, `MY-KUL` or by
    its name; without one, only what the whole country keeps. Names are in the language where the calendar has it, else
    in the country's own. Days before 1900 or after 2199 have none. Raises NoCalendar.
    """
    code = subdivision_of(country, subdivision).code if subdivision else None
    known = _calendar(country)
    spoken = _language(known, language)
    # A year on either side, since a day in lieu may fall into another year than its holiday.
    years = range(max(first.year - 1, _FIRST_YEAR), min(last.year + 1, _LAST_YEAR) + 1)
    found = country_holidays(country.upper(), subdiv=code, years=years, language=spoken, expand=False) if years else {}
    return [PublicHoliday(day, name) for day, name in sorted(found.items()) if first <= day <= last]


def subdivisions(country: str) -> list[Subdivision]:
    """The parts of a country with holidays of their own, by name; none where all keep the same. Raises NoCalendar."""
    known = _calendar(country)
    names: dict[str, str] = {}
    for name, code in known.subdivisions_aliases.items():
        names.setdefault(code, name)
    parts = [Subdivision(code, names.get(code, code)) for code in known.subdivisions]
    return sorted(parts, key=lambda part: (part.name, part.code))


def subdivision_of(country: str, written: str) -> Subdivision:
    """The part of the country that is meant. Raises NoCalendar, which names some parts there are."""
    known = _calendar(country)
    wanted = written.strip().casefold().removeprefix(f"{country.casefold()}-")
    aliases = {name.casefold(): code for name, code in known.subdivisions_aliases.items()}
    code = aliases.get(wanted, wanted).casefold()
    parts = subdivisions(country)
    for part in parts:
        if part.code.casefold() == code:
            return part
    some = ", ".join(f"{part.code} ({part.name})" for part in parts[:3]) or "none"
    raise NoCalendar("no-subdivision", f"“{written[:40]}” is no part of {country.upper()}. Parts: {some}.")


def _calendar(country: str) -> HolidayBase:
    try:
        return country_holidays(country.upper())
    except NotImplementedError:
        raise NoCalendar("no-calendar", f"No public holidays are known for “{country[:40]}”.") from None


def _language(known: HolidayBase, wanted: str) -> str | None:
    """The calendar's language nearest to the wanted one; of several the country's own, as en_GB before en_US."""
    base = wanted.replace("-", "_").split("_")[0]
    own = known.default_language
    spoken = [language for language in known.supported_languages if language.split("_")[0] == base]
    return own if own in spoken or not spoken else spoken[0]
