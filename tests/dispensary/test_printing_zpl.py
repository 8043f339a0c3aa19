"""What a label printer is sent: whole labels, codes that are read, and no text that could command anything."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select, text

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.supplies.models import Bottle
from dispensary.supplies.paper import LabelSize, Paper, Printer
from dispensary.supplies.printing.labels import bottle_labels
from dispensary.supplies.printing.law import laws
from dispensary.supplies.printing.qr import modules
from dispensary.supplies.printing.zpl import field_data, zpl
from dispensary.supplies.serials import bottle_code
from tests.builders import Clinic, clinic
from tests.paper import codes_in

AT = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)
TAMIL = "ஹராபான் மருத்துவமனை"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def supply(place: Clinic) -> UUID:
    client = place.client(mg="80", parts=("50", "30"))
    place.decide(client, per_supply=2)
    return place.give(client, take_home_days=place.ahead(1)).supply_id


def sent(place: Clinic, supply: UUID, printer: Printer = Printer.ZPL203, **how: Any) -> str:
    paper = replace(Paper(languages=("en",), printer=printer), **how)
    with place.database.reading() as session:
        site = session.scalars(select(Site)).one()
        return bottle_labels(session, site=site, supply_id=supply, paper=paper).decode("ascii")


def labels_in(commands: str) -> list[str]:
    assert commands.startswith("^XA\n^CI28\n")
    return re.findall(r"\^XA\n.*?\^XZ\n", commands, re.DOTALL)


def fields_in(commands: str) -> list[str]:
    """The texts as the printer understands them."""
    return [understood(data) for data in re.findall(r"\^FH\^FD(.*?)\^FS", commands)]


def understood(data: str) -> str:
    raw = re.sub(rb"_([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), data.encode("ascii"))
    return raw.decode()


@pytest.mark.parametrize(("printer", "wide", "high"), [(Printer.ZPL203, 559, 400), (Printer.ZPL300, 827, 591)])
def test_each_bottle_has_a_label_of_the_printers_dots(
    place: Clinic, supply: UUID, printer: Printer, wide: int, high: int
) -> None:
    labels = labels_in(sent(place, supply, printer))
    assert len(labels) == 2
    for label in labels:
        assert f"^PW{wide}\n^LL{high}\n" in label
        for x, y in re.findall(r"\^FO(\d+),(\d+)", label):
            assert 0 <= int(x) < wide
            assert 0 <= int(y) < high


def test_a_label_says_what_the_paper_says(place: Clinic, supply: UUID) -> None:
    morning, evening = (" ".join(fields_in(label)) for label in labels_in(sent(place, supply)))
    for words in ("Harapan", "Take on", "Wednesday", "25 November 2026", "50 mg = 10 mL", "Morning: 1 of 2", "A. T."):
        assert words in morning, words
    assert "Keep locked away from children. May be fatal to others." in morning
    assert "Batch LOT-HRP" in morning
    assert "Evening: 2 of 2" in evening
    assert "^FR^FH^FDEvening" in sent(place, supply)


def test_the_code_is_the_bottles_own_and_its_digits_stand_beside_it(place: Clinic, supply: UUID) -> None:
    with place.database.reading() as session:
        serials = session.scalars(select(Bottle.serial).order_by(Bottle.portion)).all()
    for label, serial in zip(labels_in(sent(place, supply)), serials, strict=True):
        (content,) = re.findall(r"\^BQN,2,\d+\^FH\^FDQA,(.*?)\^FS", label)
        assert content == bottle_code(serial)
        assert bottle_code(serial)[2:6] in " ".join(fields_in(label))


@pytest.mark.parametrize("printer", [Printer.ZPL203, Printer.ZPL300])
@pytest.mark.parametrize("size", list(LabelSize))
def test_the_code_as_the_printer_draws_it_is_read_and_runs_into_no_text(
    place: Clinic, supply: UUID, printer: Printer, size: LabelSize
) -> None:
    label = labels_in(sent(place, supply, printer, size=size, law=laws()["UK"]))[0]
    ((x, y, step, content),) = re.findall(r"\^FO(\d+),(\d+)\^BQN,2,(\d+)\^FH\^FDQA,(.*?)\^FS", label)
    side = (len(modules(content)) - 8) * int(step)
    dots = {Printer.ZPL203: 203, Printer.ZPL300: 300}[printer]
    assert int(step) * 25.4 / dots >= 0.45  # mm: what a camera reads from a curved bottle
    assert codes_in(drawn(content, int(step))) == [content]
    for left, top in re.findall(r"\^FO(\d+),(\d+)\^A0N", label):
        inside = int(x) <= int(left) < int(x) + side and int(y) <= int(top) < int(y) + side
        assert not inside


def drawn(content: str, step: int) -> Image.Image:
    rows = modules(content)
    picture = Image.new("L", (len(rows) * step, len(rows) * step), 255)
    for row, line in enumerate(rows):
        for column, dark in enumerate(line):
            if dark:
                picture.paste(0, (column * step, row * step, (column + 1) * step, (row + 1) * step))
    return picture


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_is_a_command_and_every_text_arrives_as_it_is(words: str) -> None:
    encoded = words.encode("utf-8", "replace").decode()
    data = field_data(encoded)
    assert not set(data) & set("^~")
    assert data.isascii()
    assert understood(data) == encoded


@pytest.mark.parametrize("name", ["^XZ^XA^FDgone^FS", "~JA", "a_5Eb", "Klinik Harapan & Co^PQ99"])
def test_a_name_full_of_commands_is_printed_as_a_name(place: Clinic, supply: UUID, name: str) -> None:
    with place.database.writing() as session:
        session.execute(text("UPDATE site SET name = :name"), {"name": name})
    commands = sent(place, supply)
    assert len(labels_in(commands)) == 2
    assert commands.count("^XZ") == 2
    assert "~" not in commands
    assert "^PQ" not in commands
    assert any(name in field for field in fields_in(commands))


def test_a_script_that_the_printer_lacks_is_sent_as_a_picture(place: Clinic, supply: UUID) -> None:
    with place.database.writing() as session:
        session.execute(text("UPDATE site SET name = :name"), {"name": TAMIL})
    commands = sent(place, supply)
    pictures = [picture_of(*found) for found in re.findall(r"\^GFA,(\d+),(\d+),(\d+),([0-9A-F]+)\^FS", commands)]
    assert len(pictures) == 2, "this machine has no letters for Tamil (Debian: fonts-noto-core)"
    for picture in pictures:
        dark = sum(picture.convert("L").histogram()[255:])
        assert 0.05 < dark / (picture.width * picture.height) < 0.6
    assert "?" not in "".join(fields_in(commands))


def picture_of(total: str, same: str, row: str, data: str) -> Image.Image:
    assert total == same
    assert len(data) == 2 * int(total)
    return Image.frombytes("1", (int(row) * 8, int(total) // int(row)), bytes.fromhex(data))


def test_without_letters_for_a_script_a_readable_label_comes_out(place: Clinic, supply: UUID, tmp_path: Path) -> None:
    def draw(sheet: Any) -> None:
        sheet.page()
        sheet.text(1, 1, TAMIL, size=8)

    commands = zpl(draw, (70, 50), dots=203, made_at=AT, language="en", folders=[tmp_path]).decode("ascii")
    assert "^GFA" not in commands
    assert set(fields_in(commands)[0]) <= {"?", " "}


def test_the_same_bottles_give_the_same_bytes(place: Clinic, supply: UUID) -> None:
    assert sent(place, supply) == sent(place, supply)
