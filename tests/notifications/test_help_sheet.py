"""The words of the help on paper: complete in each language, understood as printed, and telling nobody anything."""

from __future__ import annotations

from datetime import date, time
from itertools import product

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from notifications.commands import Verb, parse
from notifications.discretion import reveals
from notifications.help_sheet import BOTTLES, CODES, SENTENCES, examples, languages, say
from notifications.rules import Wish, wish
from notifications.texts import CATALOGUES, LOCALE, Status
from tests.notifications.test_texts import BANNED, SCRIPTS

TODAY = date(2026, 11, 26)
TRANSLATED = [language for language in CATALOGUES if language != "en"]
VERBS = (
    *(Verb.BOOK, Verb.MOVE, Verb.DROP, Verb.WHEN, Verb.SLOTS, Verb.CHOOSE, Verb.OK, Verb.BOOK, Verb.DROP),
    *(Verb.LIST, Verb.TAKE, Verb.WAIT, Verb.MENU, Verb.LANG),
)
"""What the rows of the sheet are about, in their order; STOP and START are the gateways' own."""
every_language = pytest.mark.parametrize("language", CATALOGUES)


@every_language
def test_what_stands_on_the_sheet_is_understood_as_it_is_printed(language: str) -> None:
    for weekday, at in product(range(7), (time(7, 30), time(9), time(14, 15))):
        rows = examples(language, weekday=weekday, at=at)
        read = [parse(row.write, TODAY, language) for row in rows[:-2]]
        assert tuple(command.verb for command in read) == VERBS
        assert [row.write for row, command in zip(rows, read, strict=False) if command.guessed] == []
        book, move, drop, _, slots, _, _, regular, end, waits = read[:10]
        assert {command.day.weekday() for command in (book, move, drop, slots, waits) if command.day} == {weekday}
        assert (book.time, regular.time, regular.every) == (at, at, (weekday,))
        assert move.time not in (None, at)
        assert end.all
        assert read[-1].language not in (None, language)


@every_language
def test_the_last_rows_end_texts_and_begin_them_again(language: str) -> None:
    assert [wish(row.write) for row in examples(language, weekday=4, at=time(8))[-2:]] == [Wish.OUT, Wish.IN]


@every_language
def test_every_language_that_it_names_is_changed_to(language: str) -> None:
    said = languages(language)
    named = [
        parse(f"{said.split(':')[0]} {code}", TODAY, language).language for code in said.split(": ")[1].split(", ")
    ]
    assert (len(named), set(named)) == (len(CODES), set(CATALOGUES))


@every_language
def test_nothing_but_the_lines_on_bottles_tells_what_it_is_about(language: str) -> None:
    rows = [f"{row.write} {row.does}" for row in examples(language, weekday=4, at=time(8))]
    open_ones = {say(sentence, language) for sentence in BOTTLES}
    for text in (*rows, *({say(sentence, language) for sentence in SENTENCES} - open_ones)):
        if "BOTTLES" not in text and text != say("Bottles at home", language):
            assert not reveals(text), text
            assert not BANNED.search(text), text


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_sentence_in_its_script_and_no_other(language: str) -> None:
    folder = LOCALE / language / "LC_MESSAGES"
    with (folder / "help.po").open("rb") as file:
        written = {m.id: m.string for m in read_po(file, locale=language) if m.id}
    with (folder / "help.mo").open("rb") as file:
        compiled = {m.id: m.string for m in read_mo(file) if m.id}
    assert written == compiled
    assert set(written) == set(SENTENCES)
    assert [sentence for sentence, said in written.items() if said == sentence or not said] == []
    if language in SCRIPTS and language != "vi":
        low, high = SCRIPTS[language]
        assert [said for said in written.values() if not any(low <= sign <= high for sign in said)] == []
    header = (folder / "help.po").read_text()
    assert ("X-Status: draft" in header) == (CATALOGUES[language] is Status.DRAFT)
