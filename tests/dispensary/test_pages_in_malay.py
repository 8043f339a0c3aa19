"""Pages in the site's language: what reception, the kiosk and the screen say is said in Malay too, to the last word;
in the languages of other programmes what is looked at most."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from dispensary.care.instruments import Asks, Wording, instruments, questions
from dispensary.care.pathways import shipped
from dispensary.care.plans import plans
from dispensary.database import Database
from dispensary.desks import reception
from dispensary.looks import told_rules
from dispensary.phone import tasks
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.words import LOCALES, catalogues, gettext, on_screens, spoken
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

TEMPLATES = Path(reception.__file__).parent / "templates"
PAGES = [
    *(TEMPLATES / name for name in ("base.html", "parts.html", "wishes.html", "looking.html")),
    *(
        path
        for room in ("reception", "kiosk", "screen", "peers", "survey", "care", "counter", "office", "evaluation")
        for path in sorted((TEMPLATES / room).glob("*.html"))
    ),
]


Message = tuple[str, str]
"""What a message is about, where it has two meanings, and the message."""


def catalogue_of(file: Path) -> Catalog:
    with file.open("rb") as opened:
        return read_po(opened, locale=file.parent.parent.name)


def said(file: Path = LOCALES / "ms" / "LC_MESSAGES" / "dispensary.po") -> dict[Message, str | tuple[str, ...]]:
    """What is translated to the last of its forms."""
    return {
        (m.context or "", m.id if isinstance(m.id, str) else m.id[0]): m.string
        for m in catalogue_of(file)
        if m.id and m.string and all(m.string)
    }


def messages(path: Path) -> set[Message]:
    found = extract_from_file("jinja2", path, options={"newstyle_gettext": "true"})
    return {(about or "", said if isinstance(said, str) else said[0]) for _, said, _, about in found}


def fields(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\(\w+\)s|%)", text))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_word_of_the_page_is_left_in_english(path: Path) -> None:
    assert sorted(messages(path) - set(said())) == []


def test_what_is_asked_and_offered_in_this_program_s_own_words_is_said_too() -> None:
    """Of an instrument that is shown in its own words a translation has an owner: those stay as they were published."""
    translated = said()
    topics = [each for each in instruments().values() if each.words is Wording.TOPICS]
    assert {each.key for each in instruments().values()} - {each.key for each in topics} == {"phq9", "gad7"}
    words = {word for each in instruments().values() for word in (each.about, each.period)}
    for each in topics:
        weekly = each.asks is Asks.WEEKS  # a line of TOP has its name above four numbers
        for question in questions(each):
            words |= {question.group if weekly and question.group else question.label, question.group} - {""}
            words |= {word for _value, word in question.choices if not word.isdigit()}
    words |= {each.says for each in shipped().offers.values()} | {each.name for each in plans().values()}
    assert len(words) > 100
    assert sorted(word for word in words if ("", word) not in translated) == []


def test_what_is_left_to_do_is_said_too() -> None:
    translated = said()
    source = Path(tasks.__file__).read_text()
    sentences = re.findall(r'^    [A-Z_]+: "(.+)",$', source, re.MULTILINE)
    assert len(sentences) > 5
    assert [sentence for sentence in sentences if ("", sentence) not in translated] == []


def test_whoever_asks_who_looked_reads_it_to_the_last_word() -> None:
    translated = said()
    told = [*told_rules.SENTENCES.values(), *told_rules.REASONS.values(), *told_rules.WORK.values()]
    told += [told_rules.BY_TEXT, told_rules.NOT_KNOWN, told_rules.SOMEBODY, told_rules.THE_PROGRAM, told_rules.YOU]
    assert [sentence for sentence in told if ("", sentence) not in translated] == []


FILES = sorted(LOCALES.glob("*/LC_MESSAGES/*.po"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.parent.name)
def test_a_translation_is_filled_with_what_its_source_is_filled_with(file: Path) -> None:
    for message in catalogue_of(file):
        if not message.id:
            continue
        one, many = (message.id, message.id) if isinstance(message.id, str) else message.id
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        assert fields(forms[-1]) == fields(many), message.id
        assert all(fields(form) == fields(one) for form in forms[:-1]), message.id


SCREENS = [language for language in on_screens() if language not in catalogues()]


@pytest.mark.parametrize("language", SCREENS)
def test_what_a_programme_s_staff_look_at_most_is_said_in_its_language(language: str) -> None:
    translated = set(said(LOCALES / language / "LC_MESSAGES" / "screens.po"))
    rooms = [TEMPLATES / "base.html", *(path for room in ("kiosk", "screen") for path in (TEMPLATES / room).iterdir())]
    rooms += [*sorted((TEMPLATES / "care").glob("*.html")), TEMPLATES / "counter" / "client.html"]
    assert [message for path in rooms for message in sorted(messages(path) - translated)] == []


def test_whoever_plans_a_programme_reads_which_languages_there_are() -> None:
    told = (Path(__file__).parents[2] / "docs" / "new-programme.md").read_text()
    assert [language for language in on_screens() if language != "en" and f"(`{language}`" not in told] == []


def test_words_for_screens_alone_are_not_printed() -> None:
    assert SCREENS, "languages that have words for screens, and none for paper"
    for language in SCREENS:
        with spoken(language, on_screen=True):
            on_screen = gettext("Sign out")
            with spoken(language):
                assert gettext("Sign out") == "Sign out", "a label, a register: in English until paper has its words"
        assert on_screen not in ("", "Sign out")


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
