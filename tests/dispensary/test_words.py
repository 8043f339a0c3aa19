"""Words with two meanings, days in the order of each language, forms of a number, in every language of the screens."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from babel.dates import get_day_names
from babel.messages.extract import extract_from_file

from dispensary.words import LOCALES, Shows, catalogues, day_in_words, on_screens, pgettext, spoken
from tests.dispensary.test_pages_in_malay import FILES, catalogue_of, fields, said

ROOM = LOCALES.parent
LANGUAGES = [language for language in on_screens() if language != "en"]
ONE_FORM = {"id", "km", "lo", "th", "vi", "zh_Hans"}
DAYS_OF_THE_WEEK = {name for width in ("wide", "abbreviated") for name in get_day_names(width, locale="en").values()}
"""Vietnamese counts them."""
ALL_OF_A_DAY: tuple[Shows, ...] = ("yMMMEd", "MMMEd", "yMMMd", "MMMd", "MMM")


def with_contexts() -> set[tuple[str, str]]:
    """Each message of the program that says what it is about."""
    found = set()
    for path in [*ROOM.rglob("*.html"), *ROOM.rglob("*.py")]:
        how = "jinja2" if path.suffix == ".html" else "python"
        for _, message, _, about in extract_from_file(how, path, options={"newstyle_gettext": "true"}):
            if about:
                assert isinstance(message, str), "pgettext has no forms of a number"
                found.add((about, message))
    return found


def test_a_word_of_two_meanings_has_both_in_every_language() -> None:
    wanted = with_contexts()
    assert ("deadline", "By") in wanted
    for file in FILES:
        assert sorted(wanted - set(said(file))) == [], file.parent.parent.name


def test_no_translation_has_a_meaning_that_the_program_does_not_have() -> None:
    wanted = with_contexts()
    for file in FILES:
        assert sorted(key for key in said(file) if key[0] and key not in wanted) == [], file.parent.parent.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_two_meanings_are_two_words(language: str) -> None:
    translated = said(next(file for file in FILES if file.parent.parent.name == language))
    for about, word in (("deadline", "By"), ("count", "Number"), ("site", "From"), ("site", "To")):
        assert translated[about, word] != translated["", word], (about, word)
    assert translated["slots", "Taken"] != translated["dose", "Taken"]


def test_a_draft_does_not_say_both_meanings_with_a_stroke() -> None:
    for file in FILES:
        for (_, message), string in said(file).items():
            words = string if isinstance(string, str) else " ".join(string)
            if re.fullmatch(r"[A-Za-z]+", message) and message.lower() != "yes":
                assert "/" not in words, (file.parent.parent.name, message, words)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_a_number_has_the_forms_of_its_language(file: Path) -> None:
    language = file.parent.parent.name
    catalogue = catalogue_of(file)
    assert catalogue.num_plurals == (1 if language in ONE_FORM else 2)
    for message in catalogue:
        if isinstance(message.id, tuple):
            assert isinstance(message.string, tuple)
            assert len(message.string) == catalogue.num_plurals, message.id
            assert all(message.string), message.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_nothing_is_said_twice(file: Path) -> None:
    keys = re.findall(r'^(?:msgctxt "(.*)"\n)?msgid "(.+)"$', file.read_text(), re.MULTILINE)
    assert [key for key, times in Counter(keys).items() if times > 1] == []


def marks(text: str) -> list[str]:
    """Markup, units and figures, which a translation neither adds to nor leaves out."""
    without = re.sub(r"%\(\w+\)s", "", text).replace("%%", "")
    return sorted(re.findall(r"<[^>]*>|&\w+;|\bm[gL]\b|\d+(?:[.,]\d+)?", without))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_a_dose_and_a_figure_stand_as_they_stood(file: Path) -> None:
    for message in catalogue_of(file):
        if not message.id or message.id in DAYS_OF_THE_WEEK:
            continue
        one, many = (message.id, message.id) if isinstance(message.id, str) else message.id
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        for form in forms:
            assert fields(form) in (fields(one), fields(many)), message.id
            assert [mark.replace(",", ".") for mark in marks(form)] in (marks(one), marks(many)), (message.id, form)


def test_a_day_is_written_in_the_order_of_its_language() -> None:
    days = {}
    for language in on_screens():
        with spoken(language, on_screen=True):
            days[language] = day_in_words(date(2026, 11, 30)), day_in_words(date(2026, 11, 30), "yMMMd")
    assert days["en"] == ("Mon 30 Nov 2026", "30 Nov 2026")
    assert days["zh_Hans"] == ("2026年11月30日 周一", "2026年11月30日")
    assert days["vi"] == ("Th 2, 30 thg 11, 2026", "30 thg 11, 2026")
    assert days["ms"] == ("Isn, 30 Nov 2026", "30 Nov 2026")
    assert days["fil"] == ("Lun, Nob 30, 2026", "Nob 30, 2026")
    assert days["th"] == ("จ. 30 พ.ย. 2026", "30 พ.ย. 2026"), "the year that every paper has, not that of the Buddha"


def test_a_month_is_of_the_language_that_is_read_whichever_was_read_before() -> None:
    written = {}
    for language in [*on_screens(), *reversed(on_screens())]:
        with spoken(language, on_screen=True):
            written.setdefault(language, set()).add(day_in_words(date(2026, 11, 30), "MMM"))
    assert written["ms"] == {"Nov"}
    assert written["zh_Hans"] == {"11月"}
    assert all(len(each) == 1 for each in written.values()), written


@pytest.mark.parametrize("language", LANGUAGES)
def test_digits_are_0_to_9_in_every_language(language: str) -> None:
    with spoken(language, on_screen=True):
        for after in range(0, 400, 7):
            for shows in ALL_OF_A_DAY:
                day = day_in_words(date(2026, 1, 1) + timedelta(days=after), shows)
                assert [sign for sign in day if sign.isdecimal() and sign not in "0123456789"] == [], day
    for message, string in said(next(file for file in FILES if file.parent.parent.name == language)).items():
        text = string if isinstance(string, str) else " ".join(string)
        assert [sign for sign in text if sign.isdecimal() and sign not in "0123456789"] == [], message


def test_a_word_for_screens_alone_is_not_printed_with_its_meaning_either() -> None:
    for language in set(on_screens()) - set(catalogues()):
        with spoken(language, on_screen=True):
            assert pgettext("recipient", "To") != "To"
            with spoken(language):
                assert pgettext("recipient", "To") == "To"
