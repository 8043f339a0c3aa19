"""Lines of paper that are about guests of another site, and lines that were typed wrongly and are taken back."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.supplies.exceptions import vomited
from dispensary.supplies.voiding import void_supply
from dispensary.units import DoseDay, milligrams
from tests.builders import Clinic, clinic
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_outage_entry import LATER, damage, enter, extra, keep, paper
from tests.dispensary.visiting import has_pin

PIN = "271839"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    made = clinic(database, now)
    has_pin(database, made.doctor, PIN, now)
    return made


def void(place: Clinic, *, second: bool = True) -> None:
    """Voids the newest supply, the doctor standing by."""
    supply_id = one(place, "SELECT id FROM supply ORDER BY origin DESC LIMIT 1")
    place.database.write(
        lambda session: void_supply(
            session,
            actor=place.pharmacist,
            supply_id=supply_id,
            reason="another client",
            second_id=place.doctor.account_id if second else None,
            pin=PIN if second else "",
            key="void-key-1",
            today=place.today,
            at=place.now + LATER,
        )
    )


class TestGuests:
    @pytest.fixture
    def sites(self, database: Database, now: datetime) -> TwoSites:
        return two_sites(database, now)

    def test_a_guests_dose_on_paper_covers_the_day_as_at_the_counter(self, sites: TwoSites) -> None:
        client = sites.home.client(mg="80")
        sites.arrange(client)
        enter(sites.guest, paper(sites.guest, client))
        assert one(sites.home, "SELECT mg FROM dose JOIN supply s ON s.id = supply_id WHERE s.origin = 'outage'") == 80
        assert sites.damage() == []

    def test_bottles_that_home_did_not_allow_are_kept_as_given_in_error_and_home_is_told(self, sites: TwoSites) -> None:
        client = sites.home.client(mg="80")
        sites.arrange(client)
        tomorrow = DoseDay(sites.guest.today + timedelta(days=1))
        shown = keep(sites.guest, paper(sites.guest, client, bottle_days=(tomorrow,)))
        assert "guest-observed-only" in shown
        assert extra(sites.guest) == 80
        assert one(sites.home, "SELECT s.code FROM alert JOIN site s ON s.id = site_id") == "HRP"

    def test_what_home_gave_to_its_client_who_was_a_guest_elsewhere_is_kept_as_given_in_error(
        self, sites: TwoSites
    ) -> None:
        client = sites.home.client(mg="80")
        sites.arrange(client)
        assert "guest-elsewhere" in keep(sites.home, paper(sites.home, client))
        assert extra(sites.home) == 80
        assert sites.damage() == []

    def test_a_stranger_without_a_stay_is_nobody_here(self, sites: TwoSites) -> None:
        client = sites.home.client(mg="80")
        with pytest.raises(NotThere) as refused:
            enter(sites.guest, paper(sites.guest, client))
        assert codes(refused) == ["no-client"]

    def test_postgresql_lets_home_write_down_no_dose_of_a_day_that_another_site_gives(self, sites: TwoSites) -> None:
        client = sites.home.client(mg="80")
        sites.arrange(client)
        keep(sites.home, paper(sites.home, client))
        with pytest.raises(IntegrityError, match="dose_at_its_site"), sites.home.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO dose (id, supply_id, site_id, client_id, dose_day, portion, portions, kind, mg, ml,"
                    " order_id, lot_id) SELECT gen_random_uuid(), s.id, s.site_id, s.client_id, s.dose_day, 1, 1,"
                    " 'observed', 80, 8, o.id, l.id FROM supply s JOIN dose_order o ON o.client_id = s.client_id"
                    " JOIN lot l ON l.site_id = s.site_id WHERE s.client_id = :client LIMIT 1"
                ),
                {"client": client},
            )


class TestALineThatWasTypedWronglyIsVoided:
    def test_what_it_said_was_given_in_error_falls_with_it_and_a_prescriber_looks_all_the_same(
        self, place: Clinic
    ) -> None:
        client = place.client(mg="80")
        place.give(client)
        keep(place, paper(place, client))
        before = one(place, "SELECT sum(ml) FROM register_line")
        with pytest.raises(BadInput) as alone:
            void(place, second=False)
        assert "second" in codes(alone)[0]
        void(place)
        assert one(place, "SELECT count(*) FROM extra_dose WHERE voided_at IS NULL") == 0
        assert one(place, "SELECT sum(ml) FROM register_line") - before == 16
        place.now += timedelta(days=1)
        place.today = DoseDay(place.today + timedelta(days=1))
        with pytest.raises(Refused) as blocked:
            place.give(client)
        assert codes(blocked) == ["review-first"]
        assert "entered in error and is void: another client" in one(
            place, "SELECT sentence FROM alert WHERE cause LIKE 'voided line:%'"
        )
        assert damage(place) == []

    def test_less_than_ordered_needs_no_review_and_is_closed_with_it(self, place: Clinic) -> None:
        client = place.client(mg="80")
        keep(place, paper(place, client, mg=milligrams("60")))
        void(place)
        assert one(place, "SELECT outcome FROM dose_exception") == "entered in error: another client"
        place.now += LATER
        place.give(client)
        assert damage(place) == []

    def test_what_the_counter_saw_of_its_dose_stays(self, place: Clinic) -> None:
        client = place.client(mg="80")
        keep(place, paper(place, client, mg=milligrams("60")))
        dose = one(place, "SELECT id FROM dose")
        with place.database.writing() as session:
            vomited(
                session, actor=place.pharmacist, client_id=client, dose_id=dose, minutes=Decimal(10), witnessed=True,
                pregnant=False, withdrawal=False, key="vomit-key-1", today=place.today, at=place.now,
            )  # fmt: skip
        with pytest.raises(Refused) as refused:
            void(place)
        assert codes(refused) == ["void-reported"]
