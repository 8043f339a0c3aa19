"""The words of pages and refusals in the language of whoever reads them.

English is the source. A translation is a file `locale/LANGUAGE/LC_MESSAGES/dispensary.po`, read as it is: nothing has
to be compiled. `babel.cfg` says where the messages are found. A language whose file is `screens.po` is read on screens
alone: what is printed, labels above all, stays in English until it has all the words of paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, get_day_names
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE = "en"
LOCALES = Path(__file__).parent / "locale"
_language: ContextVar[str] = ContextVar("language", default=SOURCE)
_on_screen: ContextVar[bool] = ContextVar("on_screen", default=False)


@cache
def _translations(language: str, on_screen: bool) -> NullTranslations:
    folder = LOCALES / language / "LC_MESSAGES"
    path = folder / "dispensary.po"
    if not path.is_file() and on_screen:
        path = folder / "screens.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def catalogues() -> tuple[str, ...]:
    """The languages that words can be read in, printed too: English, and each that has a file of translations."""
    return (SOURCE, *sorted(path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/dispensary.po")))


def on_screens() -> tuple[str, ...]:
    """The languages that screens can be read in: those of paper, and each that has words for screens alone."""
    return (*catalogues(), *sorted(path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/screens.po")))


@cache
def _exists(wanted: str) -> bool:
    try:
        Locale.parse(wanted)
    except (UnknownLocaleError, ValueError):
        return False
    return True


def language() -> str:
    """The language that is read now."""
    return _language.get()


def weekday_names(width: Literal["wide", "abbreviated"] = "abbreviated") -> list[str]:
    """What the days of the week are called, Monday first."""
    names = get_day_names(width, locale=language())
    return [names[day] for day in range(7)]


Shows = Literal["yMMMEd", "MMMEd", "yMMMd", "MMMd", "yMMM", "MMM"]
"""What a day shows, as CLDR names it: the year, the month in words, the day of the month, the day of the week."""
_IN_ENGLISH: dict[Shows, str] = {
    "yMMMEd": "EEE d MMM y",
    "MMMEd": "EEE d MMM",
    "yMMMd": "d MMM y",
    "MMMd": "d MMM",
    "yMMM": "MMM y",
    "MMM": "MMM",
}


@cache
def _order_of_a_day(language: str, shows: Shows) -> str:
    """English has the day before the month, as in every country that we serve; each other language what CLDR says."""
    if language == SOURCE or shows == "MMM":
        return _IN_ENGLISH[shows]
    # Chinese has no space before the day of the week, and would break a narrow line within its name.
    return str(Locale.parse(language).datetime_skeletons[shows].pattern).replace("日E", "日 E")


def day_in_words(day: date, shows: Shows = "yMMMEd") -> str:
    """A day as screens write it, in the order of the language that is read now, its digits 0 to 9 in every language.

    Never ambiguous, since the month is a word or has its sign behind it: Tue 24 Nov 2026, 2026年11月24日 周二.
    """
    return format_date(day, _order_of_a_day(language(), shows), locale=language())


@contextmanager
def spoken(wanted: str, *, on_screen: bool = False) -> Iterator[None]:
    """Speaks a language within the block: the site's. One that the program does not know is spoken as English.

    Words that are for screens alone are spoken `on_screen` only.
    """
    token = _language.set(wanted if _exists(wanted) else SOURCE)
    seen = _on_screen.set(on_screen)
    try:
        yield
    finally:
        _on_screen.reset(seen)
        _language.reset(token)


def gettext(message: str) -> str:
    """The message in the language that is read now, or as it is."""
    return _translations(_language.get(), _on_screen.get()).ugettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """The message for a count in the language that is read now."""
    return _translations(_language.get(), _on_screen.get()).ungettext(one, many, count)


def pgettext(context: str, message: str) -> str:
    """The message where it means what the context says: a word of English may need two of another language."""
    return _translations(_language.get(), _on_screen.get()).upgettext(context, message)


def _(message: str, **values: object) -> str:
    """The message in the language that is read now, with its `%(name)s` filled in."""
    text = gettext(message)
    return text % values if values else text
