"""An order on paper: who, how much in figures and words, where, from when to when, and who answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Client
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol, the_episode
from dispensary.database import Database
from dispensary.prescribing.models import DoseOrder
from dispensary.prescribing.service import order_dose
from dispensary.refusals import NotThere
from dispensary.staff.models import Site
from dispensary.supplies.printing.amounts import milligrams_in_words
from dispensary.supplies.printing.prescription import prescription_pdf
from dispensary.units import ClientId, milligrams
from dispensary.words import spoken
from tests.builders import Clinic, clinic
from tests.paper import PAINTERS, Painter, codes_in, pages_of, words_of

LONG_NAME = "Muhammad Nur Hakim Syahrul Nizam bin Tengku Abdul Rahman Al-Haj ibni Almarhum " * 2


@dataclass
class Desk:
    """A clinic where orders are printed."""

    place: Clinic

    def order(self, client_id: ClientId) -> DoseOrder:
        with self.place.database.reading() as session:
            chosen = select(DoseOrder).where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
            return session.scalars(chosen.order_by(DoseOrder.ordered_at.desc(), DoseOrder.id.desc())).first()  # type: ignore[return-value]

    def print_it(self, client_id: ClientId, order_id: UUID | None = None, *, site: Site | None = None) -> bytes:
        with self.place.database.reading() as session:
            return prescription_pdf(
                session,
                site=site or session.get_one(Site, self.place.site_id),
                client_id=client_id,
                order_id=order_id or self.order(client_id).id,
                today=self.place.today,
                printed_at=self.place.now,
                printed_by="Dr. Lim Wei",
            )

    def enrolled(self, name: str, *, mark: str = "", mg: str = "80", until: date | None = None) -> ClientId:
        with self.place.database.writing() as session:
            client = enrol(
                session,
                actor=self.place.doctor,
                number="H-4711",
                identity=Identity(name=name, born=date(1985, 4, 3), second_identifier=mark),
                began_on=self.place.today,
                today=self.place.today,
                at=self.place.now,
            )
            if mg:
                order_dose(
                    session,
                    actor=self.place.doctor,
                    client_id=ClientId(client.id),
                    mg=milligrams(mg),
                    from_day=self.place.today,
                    until_day=until,
                    reason="first order",
                    today=self.place.today,
                    at=self.place.now,
                )
        return ClientId(client.id)


@pytest.fixture
def desk(database: Database, now: object) -> Desk:
    return Desk(clinic(database, now))  # type: ignore[arg-type]


def test_it_says_who_how_much_and_from_when_to_when(desk: Desk) -> None:
    until = desk.place.today + timedelta(days=30)
    client_id = desk.enrolled("Ahmad bin Yusof", mark="scar on the left hand", mg="62.5", until=until)

    said = words_of(desk.print_it(client_id))

    for words in (
        "Harapan (HRP)",
        "Ahmad bin Yusof",
        "Client number H-4711, born 3 April 1985, known by: scar on the left hand",
        "62.5 mg",
        "sixty-two point five milligrams a day",
        "The whole dose at once.",
        "First day Tuesday 24 November 2026",
        "Last day Wednesday 23 December 2026",
        "Prescriber Dr. Lim Wei",
        "Ordered on the record 24 Nov 2026 07:00",
        "Signature",
        "Printed 24 Nov 2026 07:00 by Dr. Lim Wei",
    ):
        assert words in said, words
    assert "over" not in said


def test_an_order_without_a_last_day_says_until_when_it_holds(desk: Desk) -> None:
    said = words_of(desk.print_it(desk.enrolled("Ahmad bin Yusof")))

    assert "Last day until the prescriber changes it" in said


def test_each_portion_stands_there_with_its_time_and_its_place(desk: Desk) -> None:
    client_id = desk.enrolled("Ahmad bin Yusof", mg="")
    with desk.place.database.writing() as session:
        session.add(
            DoseOrder(
                episode_id=the_episode(session, client_id, desk.place.today).id,
                client_id=client_id,
                site_id=desk.place.site_id,
                days=Range(desk.place.today, None, bounds="[)"),
                mg=milligrams("100"),
                portions=[Decimal(60), Decimal(40)],
                places=["supervised", "take_home"],
                reason="peaks too high",
                ordered_by=desk.place.doctor.account_id,
                ordered_at=desk.place.now,
            )
        )

    said = words_of(desk.print_it(client_id))

    assert "one hundred milligrams a day" in said
    assert "Morning 60 mg (sixty milligrams) At the counter" in said
    assert "Evening 40 mg (forty milligrams) Carried home" in said
    assert "The whole dose" not in said


@pytest.mark.parametrize("painter", PAINTERS)
def test_the_code_is_the_order_s_own_and_says_nothing_of_the_client(desk: Desk, painter: Painter) -> None:
    client_id = desk.enrolled("Ahmad bin Yusof")

    (page,) = painter(desk.print_it(client_id))

    assert codes_in(page) == [str(desk.order(client_id).id).upper()]


@pytest.mark.parametrize("name", [LONG_NAME[:120], "W" * 120, "陈" * 60, "A"])
def test_a_long_name_breaks_neither_the_page_nor_what_follows_it(desk: Desk, name: str) -> None:
    client_id = desk.enrolled(name.strip(), mark="z" * 200, mg="999.99")

    pdf = desk.print_it(client_id)

    assert len(pages_of(pdf)) == 1
    said = words_of(pdf)
    assert "999.99 mg" in said
    assert "nine hundred and ninety-nine point nine nine milligrams" in said
    assert "Signature" in said


def test_a_page_printed_again_at_the_same_moment_is_the_same_to_the_byte(desk: Desk) -> None:
    client_id = desk.enrolled("Ahmad bin Yusof")

    assert desk.print_it(client_id) == desk.print_it(client_id)


def test_an_order_that_is_over_says_so(desk: Desk) -> None:
    client_id = desk.enrolled("Ahmad bin Yusof", until=desk.place.today + timedelta(days=2))
    desk.place.move_on(2)

    assert "This order is over. Its last day was 25 November 2026." in words_of(desk.print_it(client_id))


class TestWhatIsNotPrinted:
    def test_an_order_of_another_client(self, desk: Desk) -> None:
        one, other = desk.place.client(), desk.place.client()

        with pytest.raises(NotThere):
            desk.print_it(one, desk.order(other).id)

    def test_an_order_of_another_site(self, desk: Desk, now: object) -> None:
        client_id = desk.place.client()
        there = clinic(desk.place.database, now, code="SAT")  # type: ignore[arg-type]
        with desk.place.database.reading() as session:
            site = session.get_one(Site, there.site_id)

        with pytest.raises(NotThere):
            desk.print_it(client_id, site=site)

    def test_an_order_that_was_set_aside(self, desk: Desk) -> None:
        client_id = desk.place.client()
        order_id = desk.order(client_id).id
        with desk.place.database.writing() as session:
            session.execute(update(DoseOrder).values(voided_at=desk.place.now))

        with pytest.raises(NotThere):
            desk.print_it(client_id, order_id)

    def test_nothing_is_there_for_a_client_whom_nobody_knows(self, desk: Desk) -> None:
        order = desk.order(desk.place.client())

        with pytest.raises(NotThere):
            desk.print_it(ClientId(UUID(int=0)), order.id)
        with desk.place.database.reading() as session:
            assert session.scalars(select(Client)).all()


class TestAnAmountInWords:
    @pytest.mark.parametrize(
        ("mg", "english", "malay"),
        [
            ("1", "one milligram", "satu miligram"),
            ("12.5", "twelve point five milligrams", "dua belas perpuluhan lima miligram"),
            ("12.05", "twelve point zero five milligrams", "dua belas perpuluhan kosong lima miligram"),
            ("11", "eleven milligrams", "sebelas miligram"),
            ("40.00", "forty milligrams", "empat puluh miligram"),
            ("62.5", "sixty-two point five milligrams", "enam puluh dua perpuluhan lima miligram"),
            ("100", "one hundred milligrams", "seratus miligram"),
            ("115", "one hundred and fifteen milligrams", "seratus lima belas miligram"),
            ("250", "two hundred and fifty milligrams", "dua ratus lima puluh miligram"),
            ("1000", "one thousand milligrams", "seribu miligram"),
        ],
    )
    def test_it_is_said_as_people_say_it(self, mg: str, english: str, malay: str) -> None:
        assert milligrams_in_words(Decimal(mg)) == english
        with spoken("ms"):
            assert milligrams_in_words(Decimal(mg)) == malay

    @given(
        st.decimals(min_value=0, max_value=9999, places=2),
        st.decimals(min_value=0, max_value=9999, places=2),
        st.sampled_from(["en", "ms"]),
    )
    def test_two_amounts_never_sound_the_same(self, one: Decimal, other: Decimal, language: str) -> None:
        with spoken(language):
            assert (milligrams_in_words(one) == milligrams_in_words(other)) == (one == other)
