"""A guest's bottles, stops and calls: home's to write down, and said so; a bottle goes back into its own safe alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, broken_constraint
from dispensary.refusals import BadInput, Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from dispensary.supplies.flags import set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.full_bottles import awaiting, destroy_bottles, restock_bottles, set_rule
from dispensary.supplies.models import Recall
from dispensary.supplies.random_recalls import call_back_at_random, set_recall_rule
from dispensary.supplies.recalls import call_back
from dispensary.supplies.returns import take_back
from dispensary.supplies.scanned import scan_bottle
from dispensary.supplies.serials import bottle_code
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import desks
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, has_pin, hire, text_of


@pytest.fixture
def sites(database: Database, now: datetime) -> TwoSites:
    return two_sites(database, now)


@pytest.fixture
def client(sites: TwoSites) -> ClientId:
    client = sites.home.client(mg="60")
    sites.home.decide(client, per_supply=6)
    return client


def bottle(place: Clinic) -> UUID:
    with place.database.reading() as session:
        return UUID(str(session.execute(text("SELECT id FROM bottle ORDER BY dose_day LIMIT 1")).scalar_one()))


def calls_back(place: Clinic, client: ClientId, bring_by: date) -> Recall:
    return place.database.write(
        lambda session: call_back(
            session, actor=place.doctor, client_id=client, cause="check", from_day=place.today, bring_by=bring_by,
            at=place.now,
        )
    )  # fmt: skip


def brought(place: Clinic, client: ClientId) -> None:
    found = bottle(place)
    place.database.write(
        lambda session: take_back(
            session, actor=place.pharmacist, client_id=client, bottles=[(found, True)], reason="dose changed",
            today=place.today, at=place.now,
        )
    )  # fmt: skip


class TestAtTheGuestSite:
    @pytest.fixture
    def stays(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client, 0, 3, bottles=True)
        sites.guest.give(client, take_home_days=sites.guest.ahead(1, 2))

    def refused(self, act: Callable[[], object]) -> str:
        with pytest.raises(Refused) as refused:
            act()
        assert "Call HRP" in refused.value.first.remedy
        assert "HRP is the client's home" in refused.value.first.sentence
        return refused.value.first.code

    @pytest.mark.usefixtures("stays")
    def test_a_bottle_is_not_taken_back_and_stays_as_it_was(self, sites: TwoSites, client: ClientId) -> None:
        assert self.refused(lambda: brought(sites.guest, client)) == "guest-home-only"
        assert one(sites.guest, "SELECT count(*) FROM bottle_return") == 0
        assert one(sites.guest, "SELECT count(*) FROM dose WHERE voided_at IS NOT NULL") == 0

    @pytest.mark.usefixtures("stays")
    def test_its_label_is_known_to_be_of_a_client_of_home(self, sites: TwoSites) -> None:
        serial = str(one(sites.guest, "SELECT serial FROM bottle ORDER BY dose_day LIMIT 1"))
        with pytest.raises(Refused) as refused, sites.database.writing() as session:
            scan_bottle(session, actor=sites.guest.pharmacist, text=bottle_code(serial), at=sites.guest.now)
        assert codes(refused) == ["bottle-other-site"]
        assert "HRP" in refused.value.first.sentence

    @pytest.mark.usefixtures("stays")
    def test_no_stop_is_set_there_and_one_of_home_counts_there(self, sites: TwoSites, client: ClientId) -> None:
        def stops(place: Clinic) -> None:
            place.database.write(
                lambda session: set_flag(
                    session, actor=place.doctor, client_id=client, kind=FlagKind.STOP_DOSE, sentence="see me first",
                    from_day=place.today, last_day=None, owner_id=None, owner_role=None, today=place.today,
                    at=place.now,
                )
            )  # fmt: skip

        assert self.refused(lambda: stops(sites.guest)) == "guest-home-only"
        stops(sites.home)
        sites.move_on(3)
        with pytest.raises(Refused) as refused:
            sites.guest.give(client)
        assert "stop-dose" in codes(refused)

    @pytest.mark.usefixtures("stays")
    def test_nothing_is_called_back_there(self, sites: TwoSites, client: ClientId) -> None:
        assert self.refused(lambda: calls_back(sites.guest, client, sites.guest.today)) == "guest-home-only"

    def test_to_a_site_that_never_had_them_there_is_no_such_client(self, sites: TwoSites, client: ClientId) -> None:
        sites.ask(client)  # home has not answered
        with pytest.raises(Refused) as refused, sites.database.writing() as session:
            take_back(
                session, actor=sites.guest.pharmacist, client_id=client, bottles=[], reason="",
                today=sites.guest.today, at=sites.guest.now,
            )  # fmt: skip
        assert codes(refused) == ["no-client"]


class TestARecallByHome:
    def test_is_not_for_a_day_on_which_they_are_elsewhere(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.give(client, take_home_days=sites.home.ahead(5, 6))
        sites.arrange(client, 1, 3)
        tomorrow = sites.home.today + timedelta(days=1)
        with pytest.raises(Refused) as refused:
            calls_back(sites.home, client, tomorrow)
        assert codes(refused) == ["recall-guest-away"]
        back = sites.home.today + timedelta(days=4)
        assert str(back) in refused.value.first.remedy
        assert calls_back(sites.home, client, back).bring_by == back
        assert sites.damage() == []

    def test_open_is_answered_before_they_go(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.give(client, take_home_days=sites.home.ahead(5, 6))
        calls_back(sites.home, client, sites.home.today + timedelta(days=1))
        with pytest.raises(BadInput) as refused:
            sites.arrange(client, 1, 3)
        assert codes(refused) == ["recall-open"]
        sites.arrange(client, 2, 3)

    def test_at_random_waits_until_they_are_back(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.give(client, take_home_days=sites.home.ahead(8, 9))
        sites.arrange(client, 1, 3)
        actor = the_program(sites.home.site_id)
        sites.database.write(
            lambda session: set_recall_rule(
                session, actor=sites.home.doctor, from_bottles=1, per_year=12, within_days=1, source="the law",
                at=sites.home.now,
            )
        )  # fmt: skip
        called = []
        for _ in range(6):
            called.append(
                sites.database.write(
                    lambda session: call_back_at_random(session, actor=actor, today=sites.home.today, at=sites.home.now)
                )
            )
            sites.move_on()
        assert called[:3] == [0, 0, 0]
        assert sum(called) <= 1


class TestABottleOfAnotherSitesLot:
    @pytest.fixture
    def back(self, sites: TwoSites, client: ClientId) -> UUID:
        """Filled at KLG for a guest, and brought back full at home once the stay was over."""
        stay = sites.arrange(client, 0, 3, bottles=True)
        sites.guest.give(client, take_home_days=sites.guest.ahead(2))
        sites.move_on()
        sites.end(stay)
        brought(sites.home, client)
        sites.database.write(
            lambda session: set_rule(
                session, actor=sites.home.doctor, full_returns="restock", source="reg. 12", at=sites.home.now
            )
        )
        return bottle(sites.home)

    def test_never_goes_into_this_safe(self, sites: TwoSites, back: UUID) -> None:
        with pytest.raises(Refused) as refused, sites.database.writing() as session:
            restock_bottles(
                session, actor=sites.home.pharmacist, bottle_ids=[back], reason="seal whole", day=sites.home.today,
                at=sites.home.now,
            )  # fmt: skip
        assert codes(refused) == ["lot-of-another-site"]
        assert "Destroy" in refused.value.first.remedy
        assert one(sites.home, "SELECT count(*) FROM register_line WHERE kind = 'returned'") == 0
        with sites.database.reading() as session:
            (waits,) = awaiting(session, site_id=sites.home.site_id)
        assert waits.filled_at == "KLG"

    def test_nor_by_a_line_of_its_record(self, sites: TwoSites, back: UUID) -> None:
        line = text(
            "INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)"
            " VALUES (:bottle, 0, 'back_in_stock', now(), :who, 'seal whole')"
        )
        with sites.database.writing() as session:
            with pytest.raises(IntegrityError) as broken:
                session.execute(line, {"bottle": back, "who": sites.home.pharmacist.account_id})
            session.rollback()
        assert broken_constraint(broken.value) == "bottle_back_in_its_own_safe"

    def test_is_destroyed_where_it_lies(self, sites: TwoSites, back: UUID) -> None:
        has_pin(sites.database, sites.home.doctor, "271839", sites.home.now)
        sites.database.write(
            lambda session: destroy_bottles(
                session, actor=sites.home.pharmacist, bottle_ids=[back], how="in kitty litter", pin="271839",
                second_id=sites.home.doctor.account_id, at=sites.home.now,
            )
        )  # fmt: skip
        assert one(sites.home, "SELECT state FROM bottle") == "destroyed"
        assert one(sites.home, "SELECT balance FROM lot WHERE batch = 'LOT-HRP'") == 5000
        assert sites.damage() == []

    def test_verification_names_one_that_got_there(self, sites: TwoSites, back: UUID) -> None:
        with sites.database.writing() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("UPDATE bottle SET state = 'back_in_stock'"))
            session.execute(
                text(
                    "INSERT INTO bottle_event (bottle_id, seq, state, at, note)"
                    " SELECT bottle_id, max(seq) + 1, 'back_in_stock', now(), 'x' FROM bottle_event GROUP BY 1"
                )
            )
        assert any("filled from the safe of KLG, went into that of HRP" in f for f in sites.damage())


def test_the_screen_says_whom_to_call(database: Database, now: datetime, tmp_path: Path) -> None:
    home = desks(database, now, tmp_path)
    sites = TwoSites(database, home.place, clinic(database, now, code="KLG"))
    client = home.place.client(mg="60")
    sites.arrange(client)
    with database.reading() as session:
        site = session.get_one(Site, sites.guest.site_id)
    hire(database, site, "mei", [Role.PHARMACIST], now)
    there = Visitor(home.app)
    assert there.signs_in("mei").status_code == 303
    assert "written down at the client's home" in text_of(there.get(f"/counter/clients/{client}"))
    for path in ("bottles", "flags", "pickup", "lost"):
        answer = there.get(f"/counter/clients/{client}/{path}")
        assert answer.status_code == 404
        assert "HRP is the client's home" in text_of(answer)
        assert "Call HRP" in text_of(answer)
    assert there.get(f"/api/clients/{client}/flags").json()["code"] == "guest-home-only"
    assert findings(database, now) == []
