"""What a site sets for its labels: law, languages, fields, dilution; no label leaves without what a law asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role, the_program
from dispensary.supplies.models import Bottle
from dispensary.supplies.paper import Dilution, LabelSize, Paper, Printer, change_paper, paper_of
from dispensary.supplies.printing.labels import bottle_labels
from dispensary.supplies.printing.law import Field, laws
from dispensary.supplies.serials import bottle_code
from dispensary.units import millilitres
from tests.builders import Clinic, clinic
from tests.paper import PAINTERS, Painter, codes_in, pages_of, words_of

ALL = frozenset(Field) - {Field.NAME}
PLAIN = Paper(languages=("en",))


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    place = clinic(database, now)
    with database.writing() as session:
        session.execute(text("UPDATE site SET address = '12 Jalan Ipoh', phone = '+60 3-4041 2233'"))
    return place


@pytest.fixture
def supply(place: Clinic) -> UUID:
    client = place.client(mg="62.5")
    place.decide(client, per_supply=2)
    return place.give(client, take_home_days=place.ahead(1)).supply_id


def the_site(place: Clinic) -> Site:
    with place.database.reading() as session:
        return session.scalars(select(Site)).one()


def label(place: Clinic, supply: UUID, **how: Any) -> bytes:
    with place.database.reading() as session:
        return bottle_labels(session, site=the_site(place), supply_id=supply, paper=replace(PLAIN, **how))


def sets(place: Clinic, **how: Any) -> None:
    with place.database.writing() as session:
        change_paper(
            session, actor=the_program(place.site_id), site=the_site(place), paper=replace(PLAIN, **how), at=place.now
        )


class TestWhatTheLawAsksFor:
    @pytest.mark.parametrize(
        ("law", "words"),
        [
            (
                "US",
                ["Caution: Federal law prohibits the transfer of this drug", "Prescriber Dr. Lim Wei", "+60 3-4041"],
            ),
            ("UK", ["Keep out of the sight and reach of children.", "12 Jalan Ipoh"]),
            ("MY", ["Ubat Terkawal / Controlled Medicine", "12 Jalan Ipoh"]),
        ],
    )
    def test_stands_on_the_label_even_when_nothing_else_was_chosen(
        self, place: Clinic, supply: UUID, law: str, words: list[str]
    ) -> None:
        said = words_of(label(place, supply, law=laws()[law], fields=frozenset(), size=LabelSize.LARGE))
        for each in [*words, "Ahmad Test", "Harapan", "Packed 24 Nov 2026 07:00, AY", "62.5 mg = 12.5 mL"]:
            assert each in said, each

    @pytest.mark.parametrize("law", ["US", "UK", "MY"])
    def test_cannot_be_switched_off_and_the_refusal_says_which_law(self, place: Clinic, law: str) -> None:
        with pytest.raises(BadInput) as refused:
            sets(place, law=laws()[law], fields=frozenset(), named=False)
        missing = {refusal.evidence["field"] for refusal in refused.value.refusals}
        assert missing == laws()[law].fields
        assert all(laws()[law].label_source in refusal.sentence for refusal in refused.value.refusals)

    def test_a_site_without_a_law_prints_what_it_likes(self, place: Clinic, supply: UUID) -> None:
        said = words_of(label(place, supply, fields=frozenset()))
        for gone in ("Jalan Ipoh", "Batch", "Packed", "Checked", "Bottle 1 of 1", "Return the empty", "Ahmad"):
            assert gone not in said, gone
        for kept in ("Keep locked away from children.", "May be fatal to others.", "Drink the whole bottle", "Take on"):
            assert kept in said, kept


class TestLanguages:
    def test_two_languages_stand_on_a_large_label(self, place: Clinic, supply: UUID) -> None:
        said = words_of(label(place, supply, languages=("ms", "en"), size=LabelSize.LARGE))
        assert "Rabu / Wednesday" in said
        assert "Minum seluruh botol pada hari ini." in said
        assert "Drink the whole bottle on this day." in said
        assert said.count("62.5 mg = 12.5 mL") == 1

    def test_the_sites_own_directions_stand_in_their_language(self, place: Clinic, supply: UUID) -> None:
        how = {"directions": {"en": "Keep in the locked box.", "ms": "Simpan dalam peti."}}
        assert "Keep in the locked box." in words_of(label(place, supply, **how))
        assert "Simpan dalam peti." not in words_of(label(place, supply, **how))

    @pytest.mark.parametrize(
        ("how", "field"),
        [
            ({"languages": ("en", "en"), "size": LabelSize.LARGE}, "second"),
            ({"languages": ()}, "second"),
            ({"languages": ("xx",)}, "first"),
            ({"languages": ("en", "ms")}, "size"),
            ({"directions": {"en": "x" * 121}}, "directions-en"),
        ],
        ids=["twice", "none", "unknown", "too small", "too long"],
    )
    def test_what_no_label_can_say_is_refused(self, place: Clinic, how: dict[str, Any], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            sets(place, **how)
        assert field in {refusal.field for refusal in refused.value.refusals}


class TestDilution:
    MADE_UP = Dilution(millilitres("100"), "purified water", "the clinic's protocol 4.2")

    def test_the_label_says_both_volumes(self, place: Clinic, supply: UUID) -> None:
        said = words_of(label(place, supply, dilution=self.MADE_UP))
        assert "62.5 mg = 12.5 mL" in said
        assert "62.5 mg (12.5 mL) made up to 100 mL with purified water." in said

    def test_nothing_is_diluted_where_no_rule_says_so(self, place: Clinic, supply: UUID) -> None:
        assert "made up" not in words_of(label(place, supply))

    def test_what_has_the_volume_already_is_not_made_up_to_it(self, place: Clinic, supply: UUID) -> None:
        small = replace(self.MADE_UP, ml=millilitres("12.5"))
        assert "made up" not in words_of(label(place, supply, dilution=small))

    @pytest.mark.parametrize("missing", ["made_up_with", "source"])
    def test_a_volume_without_its_source_is_refused_also_by_postgresql(self, place: Clinic, missing: str) -> None:
        with pytest.raises(BadInput):
            sets(place, dilution=replace(self.MADE_UP, **{missing: " "}))
        sets(place, dilution=self.MADE_UP)
        column = {"made_up_with": "dilution_with", "source": "dilution_source"}[missing]
        with pytest.raises(IntegrityError, match="dilution_has_source"), place.database.writing() as session:
            session.execute(text(f"UPDATE paper_setting SET {column} = ''"))


class TestSetting:
    def test_what_is_set_is_read_again_and_the_change_is_in_the_trail(self, place: Clinic) -> None:
        how = {
            "law": laws()["UK"],
            "named": True,
            "second_identifier": True,
            "languages": ("ms", "en"),
            "fields": ALL,
            "directions": {"en": "Shake."},
            "size": LabelSize.LARGE,
            "printer": Printer.ZPL300,
            "dilution": TestDilution.MADE_UP,
        }
        sets(place, **how)
        with place.database.reading() as session:
            assert paper_of(session, the_site(place)) == replace(PLAIN, **how)
            acts = session.scalars(select(AuditEntry.act)).all()
        assert acts.count("changed paper") == 1
        sets(place, **how)
        with place.database.reading() as session:
            assert session.scalars(select(AuditEntry.act)).all().count("changed paper") == 1

    def test_a_site_that_set_nothing_prints_initials_in_its_own_language(self, place: Clinic) -> None:
        with place.database.reading() as session:
            assert paper_of(session, the_site(place)) == PLAIN

    def test_nobody_but_the_administrator_sets_it(self, place: Clinic) -> None:
        with pytest.raises(NotAllowed), place.database.writing() as session:
            change_paper(session, actor=place.pharmacist, site=the_site(place), paper=PLAIN, at=place.now)
        assert Role.ADMINISTRATOR not in place.pharmacist.roles


def test_the_date_of_birth_is_the_second_identifier(place: Clinic, supply: UUID) -> None:
    assert "born 3 Apr 1985" in words_of(label(place, supply, second_identifier=True))
    assert "1985" not in words_of(label(place, supply))


@pytest.mark.parametrize("painter", PAINTERS)
@pytest.mark.parametrize("size", list(LabelSize))
def test_the_fullest_label_keeps_its_code_free(place: Clinic, supply: UUID, size: LabelSize, painter: Painter) -> None:
    """All that can stand on a label at once: it comes out smaller, and the code is read all the same."""
    how = {
        "law": laws()["US"],
        "named": True,
        "second_identifier": True,
        "languages": ("en", "ms") if size is LabelSize.LARGE else ("en",),  # a small one has no room for two
        "fields": ALL,
        "directions": {"en": "x " * 60, "ms": "y " * 60},
        "size": size,
        "dilution": TestDilution.MADE_UP,
    }
    with place.database.reading() as session:
        serial = session.scalars(select(Bottle.serial)).one()
    for printer in (Printer.SHEET, Printer.ROLL):
        pdf = label(place, supply, printer=printer, **how)
        assert len(pages_of(pdf)) == 1
        (picture,) = painter(pdf)
        assert codes_in(picture) == [bottle_code(serial)]
        assert "62.5 mg = 12.5 mL" in words_of(pdf)
        assert "any person other than the person for whom it was prescribed." in words_of(pdf)
