"""The office sets what is printed; the counter prints registers, inventories, pack lists, labels; the log says so."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from dispensary.clients import queries as clients
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role
from dispensary.stock.counting import count_lot
from dispensary.stock.models import RegisterBook
from dispensary.supplies.models import Supply
from dispensary.supplies.paper import paper_of
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.printing.labels import initials_of
from dispensary.supplies.printing.law import Field
from dispensary.units import ClientId, millilitres
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of
from tests.paper import words_of

SET = {
    "law": "UK",
    "named": "yes",
    "first": "en",
    "second": "",
    "fields": ["address", "packed", "batch"],
    "size": "large",
    "printer": "sheet",
    "directions-en": "Keep it in the locked box.",
    "dilution_ml": "",
}


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2))
    return client


def book(here: Desks) -> UUID:
    with here.database.reading() as session:
        return session.scalars(select(RegisterBook.id)).one()


def last_entry(here: Desks) -> AuditEntry:
    with here.database.reading() as session:
        return session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1)).one()


class TestTheOffice:
    def test_what_is_set_is_kept(self, here: Desks) -> None:
        answer = here.administrator.post("/office/paper", SET)

        assert answer.headers["location"] == "/office/paper?done=changed"
        with here.database.reading() as session:
            paper = paper_of(session, session.get_one(Site, here.place.site_id))
        assert paper.law.law == "UK"
        assert paper.fields == {Field.ADDRESS, Field.PACKED, Field.BATCH}
        assert paper.directions == {"en": "Keep it in the locked box."}
        shown = here.administrator.get("/office/paper")
        assert "Keep it in the locked box." in shown.text
        assert last_entry(here).act == "changed paper"

    def test_what_the_law_asks_for_stays_on_and_what_was_typed_stays_in_the_form(self, here: Desks) -> None:
        answer = here.administrator.post("/office/paper", {**SET, "named": "", "fields": ["batch"]})

        assert answer.status_code == 422
        said = text_of(answer)
        assert "asks for the client's name on each label: Human Medicines Regulations 2012, schedule 26" in said
        assert "asks for the address on each label" in said
        assert "Keep it in the locked box." in answer.text

    def test_a_volume_needs_its_source(self, here: Desks) -> None:
        answer = here.administrator.post("/office/paper", {**SET, "dilution_ml": "100", "dilution_with": "water"})

        assert answer.status_code == 422
        assert "where the rule is written" in text_of(answer)

    @pytest.mark.parametrize("wrong", [{"law": "XX"}, {"size": ""}, {"printer": "fax"}, {"dilution_ml": "much"}])
    def test_what_is_no_choice_is_refused(self, here: Desks, wrong: dict[str, str]) -> None:
        assert here.administrator.post("/office/paper", {**SET, **wrong}).status_code == 422

    def test_the_page_says_that_malaysias_register_is_a_bound_book(self, here: Desks) -> None:
        assert "is a bound book, not loose leaves" in text_of(here.administrator.get("/office/paper"))

    def test_it_is_the_administrators_page(self, here: Desks, counter: Visitor) -> None:
        assert counter.get("/office/paper").status_code == 403


class TestTheRegister:
    def printed(self, here: Desks, counter: Visitor, layout: str = "") -> str:
        address = f"/counter/registers/{book(here)}/register.pdf?first={here.today}&last={here.today}"
        answer = counter.get(f"{address}&layout={layout}")
        assert answer.status_code == 200
        return words_of(answer.content)

    def test_it_is_printed_by_number_and_initials_where_no_law_asks_for_names(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        said = self.printed(here, counter)

        assert "Ahmad" not in said
        assert last_entry(here).act == "printed register"

    def test_an_inspector_chooses_a_layout_and_names_are_written_down(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        page = text_of(counter.get(f"/counter/registers/{book(here)}"))
        assert "United Kingdom: Controlled drugs register" in page

        said = self.printed(here, counter, "uk-register")

        assert "Ahmad Test" in said
        entry = last_entry(here)
        assert entry.act == "printed register with names"
        assert json.loads(entry.details) == {
            "layout": "uk-register",
            "first": str(here.today),
            "last": str(here.today),
        }

    def test_a_site_prints_in_its_own_layout(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.administrator.post("/office/paper", SET)

        assert "Controlled drugs register" in self.printed(here, counter)
        assert "Clients stand in this layout by name" in text_of(counter.get(f"/counter/registers/{book(here)}"))

    def test_malaysia_is_told_beside_the_print_that_its_book_is_bound(self, here: Desks, counter: Visitor) -> None:
        here.administrator.post("/office/paper", {**SET, "law": "MY"})

        said = text_of(counter.get(f"/counter/registers/{book(here)}"))

        assert "The law asks for a bound book." in said
        assert "Print: Prescription book" in said

    def test_a_layout_that_nobody_has_is_refused(self, here: Desks, counter: Visitor) -> None:
        address = f"/counter/registers/{book(here)}/register.pdf?first={here.today}&last={here.today}&layout=x"
        assert counter.get(address).status_code == 422


def test_the_inventory_has_the_last_entry_each_lot_its_count_and_room_to_sign(
    here: Desks, counter: Visitor, client: ClientId
) -> None:
    here.administrator.post("/office/paper", {**SET, "law": "NSW", "named": ""})
    open_still = words_of(counter.get(f"/counter/days/{here.today}/inventory.pdf").content)
    assert "to be measured" in open_still
    with here.database.writing() as session:
        count_lot(
            session,
            actor=here.place.pharmacist,
            lot_id=here.place.lot_id,
            measured=millilitres("4950"),
            reason="left in the cylinder",
            day=here.today,
            at=here.place.now + timedelta(hours=9),
        )

    said = words_of(counter.get(f"/counter/days/{here.today}/inventory.pdf").content)

    assert "Stock inventory, March and September on Tuesday 24 November 2026" in said
    assert "Poisons and Therapeutic Goods Regulation 2008 (NSW), clauses 118 and 119" in said
    assert "Last entry: line 3, 24 Nov 2026 16:00, balance 4950 mL." in said
    assert "LOT-HRP 2027-12-29 4952 4950 -2 24 Nov 2026 16:00 AY" in said
    assert said.count("Signature") == 2


class TestThePackList:
    def test_it_has_what_each_client_collects_and_what_leaves_each_lot(self, here: Desks, counter: Visitor) -> None:
        place = here.place
        whole, split = place.client(mg="62.5"), place.client(mg="80", parts=("50", "30"))
        for one, days in ((whole, (1, 2)), (split, (1,))):
            place.decide(one, per_supply=4)
            with place.database.writing() as session:
                prepare_pickup(
                    session,
                    actor=place.pharmacist,
                    client_id=one,
                    collect_on=place.today,
                    take_home_days=place.ahead(*days),
                    valid=(place.now, place.now + timedelta(hours=10)),
                    today=place.today,
                    at=place.now,
                )
        with here.database.reading() as session:
            numbers = {each.id: each.number for each in session.scalars(select(Client))}
            name = clients.face_at(session, site_id=place.site_id, client_id=whole).name
        initials = initials_of(name)

        said = words_of(counter.get(f"/counter/pickups/pack-list.pdf?on={here.today}").content)

        assert f"no time {numbers[whole]} {initials} 2 25 Nov to 26 Nov 62.5 12.5 LOT-HRP" in said
        assert "1 25 Nov, Morning 50 10 LOT-HRP [ ] [ ] 1 25 Nov, Evening 30 6 LOT-HRP" in said
        assert "LOT-HRP 4 bottles 205 41" in said
        assert "Prepared Checked by" in said
        assert "Ahmad" not in said

    def test_a_day_without_pickups_says_so(self, counter: Visitor) -> None:
        assert "Nobody collects on this day." in words_of(counter.get("/counter/pickups/pack-list.pdf").content)

    def test_a_day_that_is_none_is_refused(self, counter: Visitor) -> None:
        assert counter.get("/counter/pickups/pack-list.pdf?on=tomorrow").status_code == 422


class TestLabels:
    def test_a_supplys_labels_come_as_pdf_and_the_log_says_so(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        supply = here.place.give(here.place.client()).supply_id
        assert counter.get(f"/counter/supplies/{supply}/labels").status_code == 404
        answer = counter.get(f"/counter/supplies/{self.supply(here, client)}/labels")

        assert answer.headers["content-type"] == "application/pdf"
        assert "Bottle 2 of 2" in words_of(answer.content)
        assert here.acts_about(client)[-1] == "printed labels"

    def test_a_label_printer_is_sent_its_own_language(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.administrator.post("/office/paper", {**SET, "printer": "zpl203"})

        answer = counter.get(f"/counter/supplies/{self.supply(here, client)}/labels")

        assert answer.headers["content-disposition"] == 'attachment; filename="labels.zpl"'
        assert answer.text.count("^XA") == 2
        assert "Keep out of the sight and reach of children." in answer.text

    def supply(self, here: Desks, client: ClientId) -> UUID:
        with here.database.reading() as session:
            return session.scalars(select(Supply.id).where(Supply.client_id == client)).one()


class TestTheLabelsOfADay:
    def prepares(self, here: Desks, client_id: ClientId, *days: int) -> None:
        place = here.place
        with place.database.writing() as session:
            prepare_pickup(
                session,
                actor=place.pharmacist,
                client_id=client_id,
                collect_on=place.today,
                take_home_days=place.ahead(*days),
                valid=(place.now, place.now + timedelta(hours=10)),
                today=place.today,
                at=place.now,
            )

    def test_they_come_client_after_client_as_the_pack_list_has_them_and_each_log_says_so(
        self, here: Desks, counter: Visitor
    ) -> None:
        one, other = here.place.client(mg="62.5"), here.place.client(mg="80")
        for each, days in ((other, (1, 2)), (one, (1,))):  # prepared the other way round
            here.place.decide(each, per_supply=4)
            self.prepares(here, each, *days)

        answer = counter.get(f"/counter/pickups/labels?on={here.today}")

        assert answer.headers["content-type"] == "application/pdf"
        said = words_of(answer.content)
        marks = [said.index(mark) for mark in ("62.5 mg", "80 mg")]
        assert marks == sorted(marks)
        assert said.count("1 of 2") == said.count("2 of 2") == said.count("1 of 1") == 1
        assert [here.acts_about(each)[-1] for each in (one, other)] == ["printed labels"] * 2
        assert f"/counter/pickups/labels?on={here.today}" in counter.get("/counter/pickups").text

    def test_a_label_printer_gets_them_as_it_takes_them(self, here: Desks, counter: Visitor) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=4)
        self.prepares(here, client, 1, 2)
        here.administrator.post("/office/paper", {**SET, "printer": "zpl203"})

        answer = counter.get(f"/counter/pickups/labels?on={here.today}")

        assert answer.headers["content-disposition"] == 'attachment; filename="labels.zpl"'
        assert answer.text.count("^XA") == 2

    @pytest.mark.parametrize(("on", "status"), [("2026-11-30", 404), ("tomorrow", 422)], ids=["nothing", "no day"])
    def test_a_day_without_bottles_or_that_is_none_is_refused(self, counter: Visitor, on: str, status: int) -> None:
        assert counter.get(f"/counter/pickups/labels?on={on}").status_code == status
