"""Registers in the columns of each country's law, read back from the PDFs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.prescribing.models import DoseOrder
from dispensary.staff.models import Site
from dispensary.stock.models import RegisterBook, RegisterLine
from dispensary.stock.receiving import Came, receive_lot
from dispensary.stock.service import write_line
from dispensary.supplies.models import Bottle
from dispensary.supplies.printing.law import Shown, laws, layouts, parse_law
from dispensary.supplies.printing.register_by_law import _CELLS, substance_and_form
from dispensary.supplies.printing.register_print import register_pdf
from dispensary.supplies.serials import spoken_serial
from dispensary.units import ClientId, millilitres, strength
from tests.builders import Clinic, clinic
from tests.dispensary.test_agents import collects, consent
from tests.dispensary.test_pickups import prepared
from tests.paper import pages_of, words_of

AT = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def printed(place: Clinic, layout: str) -> bytes:
    with place.database.reading() as session:
        return register_pdf(
            session,
            book_id=session.scalars(select(RegisterBook.id)).one(),
            first=place.today,
            last=place.today,
            site=session.scalars(select(Site)).one(),
            printed_at=AT,
            layout=layouts()[layout],
        )


def number(place: Clinic, client_id: ClientId) -> str:
    with place.database.reading() as session:
        return session.get_one(Client, client_id).number


def name(place: Clinic, client_id: ClientId) -> str:
    with place.database.reading() as session:
        client = session.get_one(Client, client_id)
        return session.vault.open("client.name", client.id, client.name_sealed)


@pytest.fixture
def carried(place: Clinic) -> ClientId:
    """Somebody who drank 62.5 mg and carried two bottles home."""
    client_id = place.client(mg="62.5")
    place.decide(client_id, per_supply=2)
    place.give(client_id, take_home_days=place.ahead(1, 2))
    return client_id


def correct(place: Clinic, reason: str) -> None:
    with place.database.writing() as session:
        line = session.scalars(select(RegisterLine).where(RegisterLine.kind == "supplied")).one()
        write_line(
            session,
            actor=place.pharmacist,
            lot_id=line.lot_id,
            book_id=line.book_id,
            kind="corrected",
            ml=-line.ml,
            day=place.today,
            at=place.now + timedelta(hours=1),
            corrects_id=line.id,
            reason=reason,
        )


def test_the_eight_fields_of_21_cfr_1304_24_stand_in_columns_of_their_own(place: Clinic, carried: ClientId) -> None:
    said = words_of(printed(place, "us-dispensing-log"))
    for heading in (
        "Name of substance",
        "Strength",
        "Dosage form",
        "Date dispensed",
        "Client identification",
        "Amount consumed",
        "Amount and dosage form taken home",
        "Dispenser's initials",
    ):
        assert heading in said, heading
    line = (
        f"2 24 Nov 2026 methadone 5 mg/mL oral solution {number(place, carried)} 62.5 mg (12.5 mL) "
        "125 mg (25 mL), oral solution, 2 bottles AY 37.5 4962.5"
    )
    assert line in said
    assert "21 CFR 1304.24(a)" in said
    assert name(place, carried) not in said


def test_the_columns_of_the_united_kingdoms_register_are_there_and_clients_stand_by_name(
    place: Clinic, carried: ClientId
) -> None:
    said = words_of(printed(place, "uk-register"))
    for heading in (
        "Date",
        "Obtained from: name, address",
        "Quantity obtained, mL",
        "Supplied to: name, address",
        "Authority: prescriber or licence holder",
        "Quantity supplied, mL",
        "Person collecting: client, representative or health care professional",
        "ID requested, yes or no",
        "ID provided, yes or no",
        "Balance, mL",
    ):
        assert heading in said, heading
    assert "Controlled drugs register: methadone oral solution 5 mg/mL" in said
    assert f"2 24 Nov 2026 {number(place, carried)} {name(place, carried)} Dr. Lim Wei 37.5 client no no 4962.5" in said
    assert "1 24 Nov 2026 batch LOT-HRP 5000 5000" in said


def test_a_representative_stands_in_the_register_by_name_with_the_document_that_was_shown(place: Clinic) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=2)
    pickup, consent_id = prepared(place, client, 1), consent(place, client)
    assert collects(place, client, pickup, consent_id) == "collected"

    assert "12 representative Siti binti Rosli yes yes 4988" in words_of(printed(place, "uk-register"))
    assert "Siti" not in words_of(printed(place, "us-dispensing-log"))


def test_a_delivery_says_from_whom_with_address_and_paper(place: Clinic) -> None:
    with place.database.writing() as session:
        receive_lot(
            session,
            actor=place.pharmacist,
            batch="B77",
            strength=strength("5"),
            expires_on=place.today + timedelta(days=300),
            ml=millilitres("1000"),
            day=place.today,
            at=place.now,
            came=Came("Pharmaniaga", "7 Lorong Keluli", "DN-4711"),
        )

    assert "Pharmaniaga, 7 Lorong Keluli; batch B77 1000 6000" in words_of(printed(place, "uk-register"))
    assert "Pharmaniaga, 7 Lorong Keluli; batch B77 DN-4711 1000 6000" in words_of(printed(place, "nsw-register"))


def test_the_columns_of_new_south_wales_are_there_on_numbered_pages(place: Clinic, carried: ClientId) -> None:
    pdf = printed(place, "nsw-register")
    said = words_of(pdf)
    for heading in (
        "Reference no.",
        "Date",
        "Person from whom received or to whom supplied",
        "Prescriber",
        "Prescription or document no.",
        "Quantity in, mL",
        "Quantity out, mL",
        "Balance, mL",
        "Signature",
    ):
        assert heading in said, heading
    assert "Drug register: methadone oral solution 5 mg/mL" in said
    with place.database.reading() as session:
        order = str(session.scalars(select(DoseOrder.id)).one())
    assert f"{number(place, carried)} {name(place, carried)} Dr. Lim Wei {order[-8:].upper()} 37.5" in said
    assert "Page 1 of 1" in said
    assert "Lines 1 to 2" in said


def test_malaysia_has_its_columns_and_is_told_that_its_book_is_bound(place: Clinic, carried: ClientId) -> None:
    register = words_of(printed(place, "my-register"))
    for heading in ("Tarikh / Date", "No. siri / Serial no.", "Masuk / In, mL", "Keluar / Out, mL"):
        assert heading in register, heading
    assert "bound book, not loose leaves" in register
    book = words_of(printed(place, "my-prescription-book"))
    with place.database.reading() as session:
        serials = list(session.scalars(select(Bottle.serial).order_by(Bottle.dose_day)))
    assert all(spoken_serial(serial) in book for serial in serials)
    assert "methadone oral solution 5 mg/mL: 187.5 mg (37.5 mL)" in book
    assert name(place, carried) in book
    assert "received" not in book


@pytest.mark.parametrize("layout", ["us-dispensing-log", "uk-register", "nsw-register", "my-register"])
def test_a_correction_is_a_dated_note_below_the_line_which_stays(place: Clinic, carried: ClientId, layout: str) -> None:
    correct(place, "given to nobody: refused")
    said = words_of(printed(place, layout))
    assert "24 Nov 2026 AY: corrected by line 3. given to nobody: refused" in said
    assert "24 Nov 2026 AY: corrects line 2. given to nobody: refused" in said
    assert number(place, carried) in said
    assert "At the end" in said
    assert said.count("5000") >= 2


def test_every_page_says_which_lines_stand_on_it_and_the_same_range_has_the_same_pages(place: Clinic) -> None:
    with place.database.writing() as session:
        book_id = session.scalars(select(RegisterBook.id)).one()
        for n in range(150):
            write_line(
                session,
                actor=place.pharmacist,
                lot_id=place.lot_id,
                book_id=book_id,
                kind="note",
                ml=Decimal(0),
                day=place.today,
                at=place.now,
                reason=f"seal {n} looked at",
            )
    pdf = printed(place, "nsw-register")
    assert pdf == printed(place, "nsw-register")
    pages = [" ".join(page.extract_text().split()) for page in pages_of(pdf)]
    assert len(pages) > 3
    last = 0
    for n, page in enumerate(pages, start=1):
        assert f"Page {n} of {len(pages)}" in page
        _, _, foot = page.rpartition("Lines ")
        first, _, rest = foot.partition(" to ")
        assert int(first) in (last, last + 1)
        last = int(rest.split()[0])
    assert last == 151


def test_every_column_can_be_filled() -> None:
    assert set(_CELLS) == set(Shown)


@pytest.mark.parametrize(
    ("product", "parts"),
    [
        ("methadone oral solution 5 mg/mL", ("methadone", "oral solution")),
        ("methadone hydrochloride tablets 5 mg", ("methadone hydrochloride", "tablets")),
        ("methadone 2.5 mg/mL", ("methadone", "")),
    ],
    ids=["solution", "tablets", "no form"],
)
def test_a_product_is_taken_apart_into_substance_and_form(product: str, parts: tuple[str, str]) -> None:
    assert substance_and_form(product) == parts


def test_every_law_says_where_it_is_from() -> None:
    assert list(laws()) == ["none", "MY", "NSW", "UK", "US"]
    for law in laws().values():
        assert law.label_source
        assert all(layout.source for layout in law.registers)
    assert {law.law for law in laws().values() if any(layout.bound_book for layout in law.registers)} == {"MY"}


def test_a_law_with_columns_that_do_not_fit_the_page_is_refused() -> None:
    with pytest.raises(BadDocument, match="not 273 mm wide together"):
        parse_law(
            'law = "X"\ntitle = "X"\n[label]\nsource = "s"\nconfidence = "low"\n[inventory]\ntitle = "t"\n'
            'source = "s"\nconfidence = "low"\nnote = "n"\n[[register]]\nkey = "x"\n'
            'title = "x"\nsource = "s"\nconfidence = "low"\n'
            'names = false\ncolumns = [{ key = "line", heading = "Line", width = 20 }]\n'
        )
