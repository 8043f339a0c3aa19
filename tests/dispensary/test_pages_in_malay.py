"""Pages in the site's language: what reception, the kiosk and the screen say is said in Malay too, to the last word."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from dispensary.database import Database
from dispensary.desks import reception
from dispensary.looks import told_rules
from dispensary.phone import tasks
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.words import LOCALES
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

TEMPLATES = Path(reception.__file__).parent / "templates"
PAGES = [
    *(TEMPLATES / name for name in ("base.html", "parts.html", "wishes.html", "looking.html")),
    *(
        path
        for room in ("reception", "kiosk", "screen", "peers", "survey", "care")
        for path in sorted((TEMPLATES / room).glob("*.html"))
    ),
]


def said() -> dict[str, str | tuple[str, ...]]:
    with (LOCALES / "ms" / "LC_MESSAGES" / "dispensary.po").open("rb") as file:
        return {m.id if isinstance(m.id, str) else m.id[0]: m.string for m in read_po(file, locale="ms") if m.id}


def messages(path: Path) -> set[str]:
    found = extract_from_file("jinja2", path, options={"newstyle_gettext": "true"})
    return {message if isinstance(message, str) else message[0] for _, message, _, _ in found}


def fields(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\(\w+\)s|%)", text))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_word_of_the_page_is_left_in_english(path: Path) -> None:
    translated = said()
    assert [message for message in sorted(messages(path)) if not all(translated.get(message, ("",)) or ("",))] == []


def test_what_is_left_to_do_is_said_too() -> None:
    translated = said()
    source = Path(tasks.__file__).read_text()
    sentences = re.findall(r'^    [A-Z_]+: "(.+)",$', source, re.MULTILINE)
    assert len(sentences) > 5
    assert [sentence for sentence in sentences if sentence not in translated] == []


def test_whoever_asks_who_looked_reads_it_to_the_last_word() -> None:
    translated = said()
    told = [*told_rules.SENTENCES.values(), *told_rules.REASONS.values(), *told_rules.WORK.values()]
    told += [told_rules.BY_TEXT, told_rules.NOT_KNOWN, told_rules.SOMEBODY, told_rules.THE_PROGRAM, told_rules.YOU]
    assert [sentence for sentence in told if not translated.get(sentence)] == []


def test_a_translation_is_filled_with_what_its_source_is_filled_with() -> None:
    with (LOCALES / "ms" / "LC_MESSAGES" / "dispensary.po").open("rb") as file:
        pairs = [
            pair
            for m in read_po(file, locale="ms")
            for pair in ([(m.id, m.string)] if isinstance(m.id, str) else zip(m.id, m.string, strict=True))
        ]
    for source, translated in pairs:
        assert not translated or fields(translated) == fields(source), source


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    place = desks(database, now, tmp_path)
    with database.writing() as session:
        session.get_one(Site, place.place.site_id).language = "ms"
    return place


def test_a_site_that_speaks_malay_has_its_reception_in_it(here: Desks) -> None:
    visitor = here.seat(Role.RECEPTION)
    page = visitor.get("/reception")
    assert 'lang="ms"' in page.text
    assert "Slot hari ini" in text_of(page)
    assert "Today's slots" not in text_of(page)
    for path in ("/reception/queue", "/reception/day", "/reception/waiting", "/reception/tasks", "/reception/help"):
        assert visitor.get(path).status_code == 200
