"""What each lot gave, on paper: the log and the registers of a dose from several lots; a lot from two suppliers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.stock.models import RegisterBook
from dispensary.stock.receiving import Came
from dispensary.supplies.printing.daylog import day_log, extra_kinds
from dispensary.supplies.printing.law import layouts
from dispensary.supplies.printing.reading import EXTRA, dispensed_on
from dispensary.supplies.printing.register_print import register_pdf
from dispensary.supplies.returns import take_back
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import arrived, counted, received, sent, sets, wrong
from tests.dispensary.test_outage_entry import enter, paper
from tests.dispensary.unusual_place import allowed, replaced, todays_dose, vomited
from tests.paper import words_of

AT = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def log_of(place: Clinic) -> str:
    with place.database.reading() as session:
        return words_of(day_log(session, site=session.get_one(Site, place.site_id), day=place.today, printed_at=AT))


def register_of(place: Clinic, strength: str, layout: str) -> str:
    with place.database.reading() as session:
        book = session.scalars(
            select(RegisterBook).where(
                RegisterBook.site_id == place.site_id, RegisterBook.product.endswith(f" {strength} mg/mL")
            )
        ).one()
        return words_of(
            register_pdf(
                session,
                book_id=book.id,
                first=place.today,
                last=place.today,
                site=session.get_one(Site, place.site_id),
                printed_at=AT,
                layout=layouts()[layout],
            )
        )


def number(place: Clinic, client_id: ClientId) -> str:
    with place.database.reading() as session:
        return session.get_one(Client, client_id).number


def log_less_register(place: Clinic) -> dict[str, Decimal]:
    """Where today's log and the register's lines say another amount of a product, and by how much."""
    with place.database.reading() as session:
        gap: dict[str, Decimal] = {}
        for line in dispensed_on(session, site_id=place.site_id, day=place.today):
            if line.voided_at is None:
                product = line.product[:1].lower() + line.product[1:]
                gap[product] = gap.get(product, Decimal(0)) + line.consumed_ml + line.home_ml
        rows = session.execute(
            text("""SELECT b.product, -sum(l.ml) AS ml FROM register_line l JOIN register_book b ON b.id = l.book_id
                    WHERE b.site_id = :site AND l.kind IN ('supplied', 'corrected') AND l.dose_day = :day
                    GROUP BY 1"""),
            {"site": place.site_id, "day": place.today},
        )
        for product, ml in rows:
            gap[product] = gap.get(product, Decimal(0)) - ml
    return {product: ml for product, ml in gap.items() if ml}


@pytest.fixture
def mixed(place: Clinic) -> ClientId:
    """Somebody whose 80 mg were poured from 4 mL of 10 mg/mL and 8 mL of 5 mg/mL."""
    counted(place, "12", reason="the jug was spilt before two people")
    received(place, "A-STRONG", "4", mg_ml="10", days=10)
    sets(place, mix_strengths=True)
    client = place.client(mg="80")
    place.give(client)
    assert wrong(place) == []
    return client


def test_the_log_names_each_lot_of_a_dose_with_its_product_and_its_part(place: Clinic, mixed: ClientId) -> None:
    said = log_of(place)
    client = number(place, mixed)
    assert f"{client} Methadone oral solution 10 mg/mL, batch A-STRONG 40 4 AY" in said
    assert f"{client} Methadone oral solution 5 mg/mL, batch LOT-HRP 40 8 AY" in said
    assert "Total Methadone oral solution 10 mg/mL 40 4 0 0" in said
    assert "Total Methadone oral solution 5 mg/mL 40 8 0 0" in said
    assert log_less_register(place) == {}


@pytest.mark.parametrize(("strength", "amount"), [("10", "40 mg (4 mL)"), ("5", "40 mg (8 mL)")])
def test_each_register_has_the_part_of_its_own_strength(
    place: Clinic, mixed: ClientId, strength: str, amount: str
) -> None:
    said = register_of(place, strength, "us-dispensing-log")
    assert f"methadone {strength} mg/mL oral solution {number(place, mixed)} {amount} AY" in said
    assert f"methadone oral solution {strength} mg/mL: {amount}" in register_of(place, strength, "my-prescription-book")


def test_two_lots_of_one_strength_have_a_line_each_and_one_total(place: Clinic) -> None:
    received(place, "A-REST", "4", days=10)
    client = place.client(mg="80")
    place.decide(client, per_supply=1)
    place.give(client, take_home_days=place.ahead(1))
    said = log_of(place)
    named = f"{number(place, client)} Methadone oral solution 5 mg/mL"
    assert f"{named}, batch A-REST 20 4 AY" in said
    assert f"{named}, batch LOT-HRP 60 12 AY" in said
    assert f"{named} 80 16 1 bottle for 25 Nov AY" in said
    assert "Total Methadone oral solution 5 mg/mL 80 16 80 16 1 bottle" in said
    assert log_less_register(place) == {}


def test_what_was_given_again_stands_in_the_log_as_what_it_is(place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    place.now += timedelta(minutes=10)
    replaced(place, allowed(place, vomited(place, client, 10, dose_id=todays_dose(place, client)), "40"))
    said = log_of(place)
    assert f"{number(place, client)} Methadone oral solution 5 mg/mL 40 8 given again for a vomited dose AY" in said
    assert "Total Methadone oral solution 5 mg/mL 120 24 0 0 0 bottles" in said
    assert log_less_register(place) == {}


def test_every_second_dose_has_a_word() -> None:
    assert set(extra_kinds()) == set(EXTRA)


def test_a_bottle_that_came_back_full_had_left_all_the_same(place: Clinic) -> None:
    """It uncovers its day, and the log of the day on which it was handed over still adds up."""
    client = place.client(mg="80")
    place.decide(client, per_supply=2)
    place.give(client, take_home_days=place.ahead(1, 2))
    before = log_of(place)
    with place.database.writing() as session:
        bottle_id = session.execute(text("SELECT id FROM bottle ORDER BY dose_day DESC LIMIT 1")).scalar_one()
        take_back(
            session,
            actor=place.pharmacist,
            client_id=client,
            bottles=[(bottle_id, True)],
            reason="travels",
            today=place.today,
            at=place.now,
        )
    with place.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM dose WHERE voided_at IS NOT NULL")).scalar_one() == 1
    assert log_of(place) == before
    assert log_less_register(place) == {}


def test_volume_that_is_rounded_gives_back_the_dose_that_it_holds(place: Clinic) -> None:
    """80 mg of 3.333 mg/mL are 24.002 mL: the register does not say 79.998666 mg."""
    counted(place, "0", reason="poured away by mistake, two saw it")
    received(place, "ODD", "100", mg_ml="3.333")
    place.give(place.client(mg="80"))
    assert "80 mg (24.002 mL)" in register_of(place, "3.333", "us-dispensing-log")


@pytest.mark.parametrize("layout", ["uk-register", "nsw-register", "my-register"])
def test_a_lot_that_came_twice_says_of_each_receipt_from_whom_it_came(
    place: Clinic, database: Database, now: datetime, layout: str
) -> None:
    other = clinic(database, now, code="OTH")
    received(place, "TWICE", "100", came=Came("Pharmaniaga", "7 Lorong Keluli", "DO-1"))
    received(place, "TWICE", "200", came=Came("Duopharma", "9 Jalan Besar", "DO-2"))
    back = received(other, "TWICE", "50")
    arrived(place, sent(other, place, "50", lot_id=back), "50")
    said = register_of(place, "5", layout)
    first = said.index("Pharmaniaga, 7 Lorong Keluli; batch TWICE")
    second = said.index("Duopharma, 9 Jalan Besar; batch TWICE")
    assert first < second < said.index("; batch TWICE", second + 40)
    assert said.count("Pharmaniaga, 7 Lorong") == said.count("Duopharma, 9 Jalan") == 1


def test_what_was_entered_from_paper_afterwards_says_so_in_the_log(place: Clinic) -> None:
    client = place.client(mg="80")
    enter(place, paper(place, client))
    said = log_of(place)
    named = f"{number(place, client)} Methadone oral solution 5 mg/mL 80 16"
    assert f"{named} given on paper, entered afterwards AY" in said
