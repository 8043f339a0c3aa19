"""Help on paper: one page in each language with its letters, and the page from which it is printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import pytest
from pypdf import PageObject
from sqlalchemy import select

import scheduling.service
from dispensary.database import Database
from dispensary.phone.help_sheet import help_sheet
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.staff.text_languages import withdraw_language
from dispensary.supplies.printing.fonts import NoLetters
from dispensary.supplies.printing.help_sheet import HelpSheet, help_pdf
from notifications import help_sheet as words
from notifications.discretion import reveals
from notifications.help_sheet import examples, say
from notifications.texts import CATALOGUES, DRAFTS
from scheduling.rules import Hours
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import Line, line
from tests.dispensary.visiting import text_of
from tests.paper import pages_of

NUMBER = "012-345 6789"
EACH_DAY = [(f"{n}", "07:00–11:00, 14:00–16:00") for n in range(7)]
every_language = pytest.mark.parametrize("language", CATALOGUES)


def sheet_in(language: str, *, bottles: bool = False, place: str = "Harapan") -> HelpSheet:
    """The sheet with as many lines of hours as there can be."""
    rows = examples(language, weekday=4, at=time(7, 30))
    return HelpSheet(language, NUMBER, place, rows, EACH_DAY, bottles, date(2026, 11, 29))


def letters(text: str) -> str:
    """The signs of a text without its spaces, which readers of PDF guess where letters are joined."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFC", text))


def read(pdf: bytes, *options: str) -> str:
    program = shutil.which("pdftotext")
    assert program, "pdftotext is not installed (Debian: poppler-utils)"
    return subprocess.run([program, *options, "-", "-"], input=pdf, check=True, capture_output=True).stdout.decode()


def fonts(page: PageObject) -> Iterator[bool]:
    """Of each font of the page whether it is embedded."""
    for font in page["/Resources"]["/Font"].values():
        described = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        yield "/FontFile2" in described or "/FontFile3" in described


@every_language
def test_it_is_one_page_with_its_own_letters_and_every_sentence_of_it(language: str) -> None:
    pdf = help_pdf(sheet_in(language))
    (page,) = pages_of(pdf)
    assert all(fonts(page))
    text = letters(read(pdf, "-raw"))
    assert "?" not in text.replace(letters(say(words.NEW_NUMBER, language)), "")
    for sentence in (words.TITLE, words.SEND_TO, words.ALWAYS, words.ANY_WAY, words.WHEN_YOU_COME, words.HOURS):
        assert letters(say(sentence, language)) in text, sentence
    for row in examples(language, weekday=4, at=time(7, 30)):
        assert letters(row.does) in text, row
    assert letters(NUMBER) in text
    assert letters(say(words.BOTTLES_AT_HOME, language)) not in text
    assert not reveals(text)


@every_language
def test_the_open_one_has_room_for_its_two_lines_with_the_longest_hours(language: str) -> None:
    pdf = help_pdf(sheet_in(language, bottles=True))
    assert len(pages_of(pdf)) == 1
    ends = sorted(float(y) for y in re.findall(r'<word [^>]*yMax="([\d.]+)"', read(pdf, "-bbox")))
    assert ends[-1] < 842 - 14, "everything is above the edge that printers leave"
    text = letters(read(pdf, "-raw"))
    assert letters(say(words.BOTTLES_AT_HOME, language)) in text
    assert "..." not in text


def test_the_same_sheet_is_the_same_bytes() -> None:
    assert help_pdf(sheet_in("km")) == help_pdf(sheet_in("km"))


def test_where_there_is_no_font_it_says_so_and_prints_no_boxes(tmp_path: Path) -> None:
    for language in ("ta", "km", "zh_Hans", "th"):
        with pytest.raises(NoLetters):
            help_pdf(sheet_in(language), folders=[tmp_path])
    assert b"%PDF" in help_pdf(sheet_in("en"), folders=[tmp_path])


def test_without_a_number_there_is_a_line_to_write_it_on() -> None:
    sheet = sheet_in("en")
    blank = HelpSheet("en", "", "", sheet.examples, (), False, sheet.day)
    text = read(help_pdf(blank))
    assert NUMBER not in text
    assert "Opening hours" not in text


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


def told(phone_line: Line, language: str = "en", *, bottles: bool = False) -> HelpSheet:
    with phone_line.database.reading() as session:
        return help_sheet(
            session, site=phone_line.site, language=language, today=phone_line.clinic.today, bottles=bottles
        )


def test_hours_and_examples_are_the_sites_own(phone_line: Line) -> None:
    sheet = told(phone_line)
    assert sheet.hours == [("Mon – Sat", "07:00–10:00"), ("Sun", "closed")]
    assert sheet.examples[0].write == "BOOK FRI 7.30"
    with phone_line.database.writing() as session:
        scheduling.service.set_hours(
            session,
            place_id=phone_line.site.id,
            hours=[Hours(1, time(15), time(18), 15, 2)],
            from_day=phone_line.clinic.today,
        )
    assert told(phone_line, "ms").hours == [("Isn", "tutup"), ("Sel", "15:00–18:00"), ("Rab – Ahd", "tutup")]
    assert told(phone_line).examples[0].write == "BOOK TUE 15.30"


def test_a_closure_of_this_week_does_not_stand_on_paper_as_a_rule(phone_line: Line) -> None:
    today = phone_line.clinic.today
    with phone_line.database.writing() as session:
        scheduling.service.close(session, place_id=phone_line.site.id, first_day=today, last_day=today, reason="Flood")
    assert told(phone_line).hours[0] == ("Mon – Sat", "07:00–10:00")


def test_a_name_that_tells_what_it_is_about_stands_on_the_open_one_alone(phone_line: Line) -> None:
    named = replace(phone_line.site, name="Klinik Harapan")
    with phone_line.database.reading() as session:
        sheets = [
            help_sheet(session, site=named, language="ms", today=phone_line.clinic.today, bottles=bottles)
            for bottles in (False, True)
        ]
    assert [sheet.place for sheet in sheets] == ["", "Klinik Harapan"]


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_whoever_talks_with_clients_prints_it_and_nobody_else(here: Desks) -> None:
    for role in Role:
        may = role is not Role.EVALUATOR
        for path in ("/reception/help", "/reception/help.pdf"):
            assert here.seat(role).get(path).status_code == (200 if may else 403)
        assert here.seat(role).post("/office/phone-line", {"number": "36000"}).status_code == (
            303 if role is Role.ADMINISTRATOR else 403
        )


def test_the_page_shows_the_sheet_and_says_when_it_is_a_draft(here: Desks) -> None:
    visitor = here.seat(Role.RECEPTION)
    english = text_of(visitor.get("/reception/help"))
    assert "You can always come without a booking" in english
    assert "A draft" not in english
    for language in DRAFTS:
        page = visitor.get(f"/reception/help?language={language}")
        assert say(words.TITLE, language) in text_of(page)
        assert "A draft" in text_of(page)
        pdf = visitor.get(f"/reception/help.pdf?language={language}")
        assert (pdf.headers["content-type"], pdf.content[:4]) == ("application/pdf", b"%PDF")


def test_a_draft_that_the_site_has_not_accepted_is_not_printed(here: Desks) -> None:
    with here.database.writing() as session:
        administrator = replace(here.place.pharmacist, roles=frozenset({Role.ADMINISTRATOR}))
        withdraw_language(session, actor=administrator, language="th", at=here.place.now)
    visitor = here.seat(Role.RECEPTION)
    for path in ("/reception/help", "/reception/help.pdf"):
        assert visitor.get(f"{path}?language=th").status_code == 404
    assert 'value="th"' not in visitor.get("/reception/help").text


def test_the_number_is_kept_as_it_is_dialled_and_each_change_is_written_down(here: Desks) -> None:
    visitor = here.administrator
    assert "No number is set" in text_of(here.seat(Role.RECEPTION).get("/reception/help"))
    for typed, shown in (("+60123456789", NUMBER), ("36000", "36000")):
        assert visitor.post("/office/phone-line", {"number": typed}).status_code == 303
        assert shown in visitor.get("/reception/help").text
    assert visitor.post("/office/phone-line", {"number": "36000"}).status_code == 303
    refused = visitor.post("/office/phone-line", {"number": "not a number"})
    assert "This is not a number that people can write to." in text_of(refused)
    assert 'value="not a number"' in refused.text
    assert visitor.post("/office/phone-line", {"number": ""}).status_code == 303
    with here.database.reading() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.act == "changed phone line").order_by(AuditEntry.seq)
        )
        changes = [json.loads(entry.details)["number"] for entry in entries]
    assert changes == [["", "+60123456789"], ["+60123456789", "36000"], ["36000", ""]]
