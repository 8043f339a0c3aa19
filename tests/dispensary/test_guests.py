"""Guest doses: verified with home, home locked for those days, over by themselves; each day frozen once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.guest_models import GuestSetting
from dispensary.clients.guests import find_at_counter
from dispensary.database import Database
from dispensary.evaluation.queries import Period, dose_days
from dispensary.prescribing.service import hold_doses, order_dose, stop_order
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.stock.queries import books
from dispensary.supplies.day_list import day_list
from dispensary.supplies.exceptions import answer as call_about
from dispensary.supplies.exceptions import vomited, withhold
from dispensary.supplies.guests import answer, arrange, ask
from dispensary.supplies.printing.reading import dispensed_on
from dispensary.supplies.printing.register_rows import book_between
from dispensary.supplies.queries import at_the_window
from dispensary.supplies.returns import take_back
from dispensary.supplies.voiding import void_supply
from dispensary.takehome.service import assess_client
from dispensary.units import AccountId, ClientId, DoseDay, milligrams
from tests.builders import Clinic
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.test_closing import close
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared
from tests.dispensary.test_verification import damage


@pytest.fixture
def sites(database: Database, now: datetime) -> TwoSites:
    return two_sites(database, now)


@pytest.fixture
def client(sites: TwoSites) -> ClientId:
    return sites.home.client(mg="80")


def refused_at(place: Clinic, client: ClientId, **wanted: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        place.give(client, **wanted)
    return codes(refused)


def window(place: Clinic, client: ClientId) -> Any:
    with place.database.reading() as session:
        return at_the_window(session, site_id=place.site_id, client_id=client, today=place.today, guests=True)


class TestAskingAndAnswering:
    def test_home_arranges_a_stay_and_the_guest_counter_gives_the_dose(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        assert window(sites.guest, client).due_mg == Decimal(80)
        sites.guest.give(client)
        assert one(sites.guest, "SELECT code FROM register_line l JOIN register_book b ON b.id = l.book_id "
                   "JOIN site s ON s.id = b.site_id WHERE l.kind = 'supplied'") == "KLG"  # fmt: skip
        assert one(sites.home, "SELECT balance FROM lot WHERE batch = 'LOT-HRP'") == Decimal("5000.000")
        assert sites.damage() == []

    def test_a_request_of_the_guest_site_gives_nothing_until_home_has_answered(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        stay = sites.ask(client)
        with pytest.raises(NotThere):
            sites.guest.give(client)
        with pytest.raises(NotThere):
            window(sites.guest, client)
        assert "KLG asks" in one(sites.home, "SELECT sentence FROM alert WHERE resolved_at IS NULL")
        sites.accept(stay)
        assert one(sites.home, "SELECT count(*) FROM alert WHERE resolved_at IS NULL") == 0
        sites.guest.give(client)
        assert sites.damage() == []

    def test_home_refuses_with_a_reason(self, sites: TwoSites, client: ClientId) -> None:
        stay = sites.ask(client)
        with sites.database.writing() as session, pytest.raises(BadInput) as refused:
            answer(session, actor=sites.home.doctor, stay_id=stay, accepted=False, at=sites.home.now)
        assert codes(refused) == ["refusal"]
        with sites.database.writing() as session:
            answer(session, actor=sites.home.doctor, stay_id=stay, accepted=False, refusal="on hold", at=sites.home.now)
        with pytest.raises(NotThere):
            sites.guest.give(client)
        with pytest.raises(Refused) as late:
            sites.accept(stay)
        assert codes(late) == ["stay-answered"]
        sites.accept(sites.ask(client))  # other days may be asked for, and the same ones again

    def test_only_home_answers(self, sites: TwoSites, client: ClientId) -> None:
        stay = sites.ask(client)
        for actor in (sites.guest.pharmacist, sites.guest.doctor):
            with sites.database.writing() as session, pytest.raises(NotAllowed):
                answer(session, actor=actor, stay_id=stay, accepted=True, confirmed=True, at=sites.home.now)
        statement = "UPDATE guest_stay SET verified_by = :who, verified_at = now(), confirmed = '{}'"
        with pytest.raises(IntegrityError, match="home answers"), sites.database.writing() as session:
            session.execute(text(statement), {"who": sites.guest.doctor.account_id})

    def test_home_confirms_what_the_other_counter_goes_by(self, sites: TwoSites, client: ClientId) -> None:
        stay = sites.ask(client)
        with sites.database.writing() as session, pytest.raises(BadInput) as refused:
            answer(session, actor=sites.home.pharmacist, stay_id=stay, accepted=True, at=sites.home.now)
        assert codes(refused) == ["not-confirmed"]
        confirmed = sites.accept(stay).confirmed
        assert confirmed is not None
        assert confirmed["order_mg"] == "80"

    def test_everything_that_is_wrong_is_said_at_once(self, sites: TwoSites, client: ClientId) -> None:
        with sites.database.writing() as session:
            session.add(GuestSetting(site_id=sites.home.site_id, longest_days=3, set_by=sites.home.doctor.account_id,
                                     set_at=sites.home.now))  # fmt: skip
        with sites.database.writing() as session, pytest.raises(BadInput) as refused:
            arrange(
                session, actor=sites.home.doctor, client_id=client, guest_code="KLG",
                asked=sites.asked(-1, 5, reason=" "), confirmed=True, key="stay-key-x", at=sites.home.now,
            )  # fmt: skip
        assert codes(refused) == ["stay-begins-before", "stay-too-long", "reason"]

    def test_the_same_request_twice_is_one_stay(self, sites: TwoSites, client: ClientId) -> None:
        def once() -> object:
            with sites.database.writing() as session:
                return ask(
                    session, actor=sites.guest.pharmacist, number=sites.number(client), home_code="HRP",
                    asked=sites.asked(), key="stay-key-1", at=sites.guest.now,
                ).id  # fmt: skip

        assert once() == once()

    def test_two_stays_never_overlap(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client, 0, 3)
        with pytest.raises(Refused) as refused:
            sites.arrange(client, 3, 5)
        assert codes(refused) == ["stay-overlaps"]
        sites.arrange(client, 4, 5)

    def test_no_order_no_stay(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.give(client)
        with sites.database.writing() as session:
            stop_order(
                session,
                actor=sites.home.doctor,
                client_id=client,
                from_day=sites.home.ahead(1)[0],
                reason="leaves",
                today=sites.home.today,
                at=sites.home.now,
            )
        with pytest.raises(BadInput) as refused:
            sites.arrange(client, 1, 2)
        assert codes(refused) == ["no-order"]


class TestWhileTheyAreGuests:
    def test_home_gives_nothing_and_says_where_they_are(self, sites: TwoSites, client: ClientId) -> None:
        stay = sites.arrange(client)
        assert refused_at(sites.home, client) == ["guest-elsewhere"]
        assert [row.state for row in self._list(sites.home)] == ["away"]
        sites.end(stay)
        sites.home.give(client)
        with pytest.raises(NotThere):
            sites.guest.give(client)
        assert sites.damage() == []

    def test_the_stay_ends_by_itself(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client, 0, 1)
        sites.guest.give(client)
        sites.move_on()
        sites.guest.give(client)
        sites.move_on()
        with pytest.raises(NotThere):
            sites.guest.give(client)
        sites.home.give(client)
        assert sites.damage() == []

    def test_before_it_begins_home_gives_the_dose_and_no_bottle_for_its_days(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        sites.home.decide(client, per_supply=6)
        sites.arrange(client, 2, 3)
        with pytest.raises(NotThere):
            sites.guest.give(client)
        assert refused_at(sites.home, client, take_home_days=sites.home.ahead(1, 2)) == ["guest-elsewhere"]
        sites.home.give(client, take_home_days=sites.home.ahead(1))
        assert window(sites.home, client).proposed == ()
        assert sites.damage() == []

    def test_bottles_are_given_where_home_allowed_them_and_for_the_days_of_the_stay(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        sites.home.decide(client, per_supply=6)
        sites.arrange(client, 0, 2, bottles=True)
        assert window(sites.guest, client).proposed == sites.guest.ahead(1, 2)
        assert "guest-over" in refused_at(sites.guest, client, take_home_days=sites.guest.ahead(1, 2, 3))
        sites.guest.give(client, take_home_days=sites.guest.ahead(1, 2))
        assert sites.damage() == []

    def test_bottles_go_by_the_decision_of_home(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.decide(client, per_supply=1)
        sites.arrange(client, 0, 2, bottles=True)
        assert "take-home-per-supply" in refused_at(sites.guest, client, take_home_days=sites.guest.ahead(1, 2))

    def test_observed_only_is_observed_only(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.decide(client, per_supply=6)
        sites.arrange(client)
        assert window(sites.guest, client).proposed == ()
        assert refused_at(sites.guest, client, take_home_days=sites.guest.ahead(1)) == ["guest-observed-only"]

    def test_a_hold_at_home_counts_at_once(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        with sites.database.writing() as session:
            hold_doses(
                session, actor=sites.home.doctor, client_id=client, from_day=sites.home.today, until_day=None,
                reason="drowsy", at=sites.home.now,
            )  # fmt: skip
        assert refused_at(sites.guest, client) == ["held"]

    def test_the_guest_site_orders_decides_and_prepares_nothing(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.decide(client, per_supply=6)
        sites.arrange(client, bottles=True)
        guest = sites.guest
        with sites.database.writing() as session, pytest.raises(NotThere):
            order_dose(
                session, actor=guest.doctor, client_id=client, mg=milligrams("70"), from_day=guest.today,
                reason="less", today=guest.today, at=guest.now,
            )  # fmt: skip
        with sites.database.writing() as session, pytest.raises(NotThere):
            assess_client(session, actor=guest.doctor, client_id=client, on=guest.today, at=guest.now)
        with pytest.raises(NotThere):
            prepared(guest, client, 1, collect=0)

    def test_a_guest_is_found_by_number_and_home_and_by_name_among_todays_guests(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        other = sites.home.client()
        number = sites.number(client)

        def found(typed: str) -> list[ClientId]:
            with sites.database.reading() as session:
                faces = find_at_counter(session, site_id=sites.guest.site_id, today=sites.guest.today, text=typed)
                return [face.client_id for face in faces]

        assert found(f"{number}@HRP") == []
        sites.arrange(client)
        assert found(f"{number.lower()}@hrp") == [client]
        assert found(f"{number}@KLG") == []
        assert found("Ahmad") == [client]
        assert found(f"{sites.number(other)}@HRP") == []

    def test_they_stand_on_the_list_of_the_day_with_their_home(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        (row,) = self._list(sites.guest)
        assert (row.shown_number, row.state) == (f"{sites.number(client)}@HRP", "due")
        sites.guest.give(client)
        assert [row.state for row in self._list(sites.guest)] == ["dosed"]

    def test_the_papers_of_the_guest_site_have_their_number_with_home(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        sites.guest.give(client)
        with sites.database.reading() as session:
            (line,) = dispensed_on(session, site_id=sites.guest.site_id, day=sites.guest.today)
            (book,) = books(session, site_id=sites.guest.site_id)
            pages = book_between(session, book=book, first=sites.guest.today, last=sites.guest.today)
        assert line.number == f"{sites.number(client)}@HRP"
        assert [entry.number for entry in pages.entries if entry.kind == "supplied"] == [line.number]

    def test_every_act_stands_in_both_chains(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        sites.guest.give(client)
        chains = """SELECT string_agg(s.code, ' ' ORDER BY s.code) FROM audit_entry a JOIN site s ON s.id = a.site_id
                    WHERE a.act = 'dispensed'"""
        assert one(sites.home, chains) == "HRP KLG"
        assert one(sites.home, "SELECT a.details::jsonb ->> 'at_site' FROM audit_entry a JOIN site s ON s.id = "
                   "a.site_id WHERE a.act = 'dispensed' AND s.code = 'HRP'") == "KLG"  # fmt: skip
        assert sites.damage() == []

    def test_what_is_not_as_usual_is_told_to_home_and_answered_by_its_prescribers(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        sites.arrange(client)
        guest = sites.guest
        with sites.database.writing() as session:
            withhold(
                session, actor=guest.pharmacist, client_id=client, observation="slurred", today=guest.today,
                at=guest.now,
            )  # fmt: skip
        assert one(guest, "SELECT s.code FROM alert a JOIN site s ON s.id = a.site_id") == "HRP"
        guest.give(client)
        with sites.database.writing() as session:
            dose = session.execute(text("SELECT id FROM dose")).scalar_one()
            about = vomited(
                session, actor=guest.pharmacist, client_id=client, dose_id=dose, minutes=Decimal(5), witnessed=True,
                key="vomit-key-1", today=guest.today, at=guest.now,
            )  # fmt: skip
            with pytest.raises(BadInput):
                call_about(session, actor=guest.pharmacist, exception_id=about.id, said="again",
                           prescriber_id=AccountId(guest.doctor.account_id), at=guest.now)  # fmt: skip
            call_about(session, actor=guest.pharmacist, exception_id=about.id, said="nothing more today",
                       prescriber_id=AccountId(sites.home.doctor.account_id), at=guest.now)  # fmt: skip
        assert sites.damage() == []

    def test_a_pickup_that_stands_prepared_at_home_is_not_handed_over_there(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        sites.home.decide(client, per_supply=6)
        pickup = prepared(sites.home, client, 1, collect=0)
        sites.arrange(client, bottles=True)
        with pytest.raises(NotThere):
            sites.guest.give(client, observed=False, pickup_id=pickup.pickup_id)
        assert window(sites.guest, client).waiting == []
        assert refused_at(sites.home, client, observed=False, pickup_id=pickup.pickup_id)[0] == "guest-elsewhere"

    def test_a_supply_of_a_guest_is_voided_where_it_was_entered_also_when_the_stay_is_over(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        stay = sites.arrange(client)
        supply = sites.guest.give(client).supply_id
        sites.end(stay)
        with sites.database.writing() as session:
            void_supply(
                session, actor=sites.guest.pharmacist, supply_id=supply, reason="another was meant", second_id=None,
                pin="", key="void-key-1", today=sites.guest.today, at=sites.guest.now,
            )  # fmt: skip
        assert one(sites.guest, "SELECT balance FROM lot WHERE batch = 'LOT-KLG'") == Decimal("5000.000")
        sites.home.give(client)
        assert sites.damage() == []

    def test_bottles_of_the_guest_site_come_back_at_home(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.decide(client, per_supply=6)
        stay = sites.arrange(client, bottles=True)
        sites.guest.give(client, take_home_days=sites.guest.ahead(1))
        sites.end(stay)
        with sites.database.writing() as session:
            bottle = session.execute(text("SELECT id FROM bottle")).scalar_one()
            take_back(
                session, actor=sites.home.pharmacist, client_id=client, bottles=[(bottle, True)], reason="home early",
                today=sites.home.today, at=sites.home.now,
            )  # fmt: skip
        sites.home.move_on()
        sites.home.give(client)
        assert sites.damage() == []

    def _list(self, place: Clinic) -> Any:
        with place.database.reading() as session:
            return day_list(session, site_id=place.site_id, day=place.today)


def frozen(sites: TwoSites) -> list[tuple[str, str, str]]:
    with sites.database.reading() as session:
        rows = session.execute(
            text("""SELECT o.dose_day::text, o.outcome, s.code FROM day_outcome o
            JOIN site s ON s.id = o.site_id ORDER BY o.dose_day, o.outcome""")
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


class TestTheCloseOfTheDay:
    @pytest.mark.parametrize("counted", [True, False], ids=["counter", "night"])
    def test_of_home_leaves_the_day_to_the_guest_site(self, sites: TwoSites, client: ClientId, counted: bool) -> None:
        sites.arrange(client)
        close(sites.home, counted=counted)
        assert frozen(sites) == []
        assert sites.damage() == []
        sites.guest.give(client)
        assert close(sites.guest, counted=counted).observed == 1
        assert frozen(sites) == [("2026-11-24", "observed", "HRP")]
        assert sites.damage() == []

    def test_of_the_guest_site_first_freezes_it_once(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)
        assert close(sites.guest).missed == 1
        assert close(sites.home).missed == 0
        assert frozen(sites) == [("2026-11-24", "missed", "HRP")]
        assert sites.damage() == []

    def test_a_stay_that_ends_on_a_day_which_home_has_closed_is_frozen_then(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        stay = sites.arrange(client)
        sites.guest.give(client)
        close(sites.home)
        sites.end(stay, by=sites.guest)
        assert frozen(sites) == [("2026-11-24", "observed", "HRP")]
        close(sites.guest)
        assert frozen(sites) == [("2026-11-24", "observed", "HRP")]
        assert sites.damage() == []

    def test_a_stay_that_is_asked_for_after_home_has_closed_begins_the_day_after(
        self, sites: TwoSites, client: ClientId
    ) -> None:
        stay = sites.ask(client)
        close(sites.home)
        assert sites.accept(stay).from_day == sites.home.ahead(1)[0]
        with pytest.raises(NotThere):
            sites.guest.give(client)
        close(sites.guest)
        assert frozen(sites) == [("2026-11-24", "missed", "HRP")]
        assert sites.damage() == []
        statement = text("""UPDATE guest_stay SET from_day = from_day - 1""")
        with pytest.raises(IntegrityError), sites.database.writing() as session:
            session.execute(statement)

    def test_counts_for_the_client_as_any_day(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client, 0, 0)
        sites.guest.give(client)
        close(sites.home)
        close(sites.guest)
        sites.move_on()
        period = Period(sites.home.today - timedelta(days=1), sites.home.today)
        with sites.database.reading() as session:
            (day,) = dose_days(session, windows={client: period}, period=period, as_of=sites.home.now)
        assert (day.outcome, day.covered) == ("observed", True)


class TestAcrossZones:
    """Home is eight hours ahead of the guest site: its day ends while the client may still come there."""

    @pytest.fixture
    def sites(self, database: Database, now: datetime) -> TwoSites:
        sites = two_sites(database, now, guest_zone="Europe/London")
        sites.guest.now = sites.home.now = now + timedelta(hours=4)  # 11:00 there, 03:00 in London, of the 24th
        sites.guest.today = DoseDay(sites.home.today)
        return sites

    def test_the_guests_evening_is_still_their_day(self, sites: TwoSites) -> None:
        client = sites.home.client()
        sites.arrange(client, 0, 1)
        day = sites.home.today
        sites.home.now += timedelta(hours=14)  # 01:00 of the 25th at home, 17:00 of the 24th in London
        sites.guest.now = sites.home.now
        close(sites.home, counted=False)
        sites.home.today = DoseDay(day + timedelta(days=1))
        sites.guest.give(client)
        close(sites.guest)
        assert frozen(sites) == [(day.isoformat(), "observed", "HRP")]
        assert sites.damage() == []

    def test_ending_it_there_in_the_evening_freezes_the_day_that_home_has_closed(self, sites: TwoSites) -> None:
        client = sites.home.client()
        stay = sites.arrange(client, 0, 3)
        sites.home.now += timedelta(hours=14)
        sites.guest.now = sites.home.now
        close(sites.home, counted=False)
        assert sites.end(stay, by=sites.guest) == sites.guest.today
        assert [row[1] for row in frozen(sites)] == ["missed"]
        assert sites.damage() == []


class TestPostgreSQL:
    def test_refuses_a_dose_at_home_for_a_day_of_the_stay(self, sites: TwoSites, client: ClientId) -> None:
        sites.home.give(client)
        sites.arrange(client, 1, 2)
        again = """INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(),
                   'dose_day', t.dose_day + 1{more}))).* FROM {table} t"""
        for table, more in (("supply", ", 'key', 'other-key'"), ("dose", "")):
            with pytest.raises(IntegrityError, match="another site"), sites.database.writing() as session:
                session.execute(text(again.format(table=table, more=more)))

    def test_keeps_a_stay_as_it_was_asked_answered_and_ended(self, sites: TwoSites, client: ClientId) -> None:
        stay = sites.arrange(client)
        sites.end(stay)
        for change in (
            "until_day = until_day + 1", "from_day = from_day - 1", "bottles = true", "verified_at = now()",
            "ended_on = until_day", "reason = 'x'", "guest_site_id = home_site_id",
        ):  # fmt: skip
            with pytest.raises(IntegrityError), sites.database.writing() as session:
                session.execute(text(f"UPDATE guest_stay SET {change}"))
        for statement in ("DELETE FROM guest_stay", "TRUNCATE guest_stay"):
            with pytest.raises(IntegrityError), sites.database.writing() as session:
                session.execute(text(statement))


class TestAtOnce:
    def test_both_counters_give_the_dose_and_one_does(self, sites: TwoSites, client: ClientId) -> None:
        sites.arrange(client)

        def attack(n: int) -> str:
            try:
                (sites.home if n % 2 else sites.guest).give(client)
            except Refused as refused:
                return refused.first.code
            return "dosed"

        with ThreadPoolExecutor(8) as many:
            answers = list(many.map(attack, range(8)))
        assert answers.count("dosed") == 1
        assert answers[1::2] == ["guest-elsewhere"] * 4
        assert sites.damage() == []

    def test_verifying_while_both_counters_dose(self, sites: TwoSites) -> None:
        clients = [sites.home.client() for _ in range(6)]

        def attack(n: int) -> str:
            client = clients[n // 3]
            try:
                if n % 3 == 0:
                    sites.arrange(client)
                    return "verified"
                (sites.home if n % 3 == 1 else sites.guest).give(client)
            except Refused as refused:
                return refused.first.code
            return "dosed"

        with ThreadPoolExecutor(6) as many:
            answers = list(many.map(attack, range(18)))
        assert answers.count("verified") == 6
        for n in range(6):
            assert answers[3 * n + 1 : 3 * n + 3].count("dosed") <= 1
        assert sites.damage() == []

    def test_ending_and_closing_while_dosing_leaves_one_outcome_a_day(self, sites: TwoSites) -> None:
        clients = [sites.home.client() for _ in range(6)]
        stays = [sites.arrange(client) for client in clients]

        def attack(n: int) -> str:
            try:
                if n % 4 == 0:
                    sites.end(stays[n // 4], by=sites.home if n % 8 else sites.guest)
                elif n == 1 or n == 21:
                    close(sites.home if n == 1 else sites.guest, counted=False)
                else:
                    (sites.home if n % 4 == 1 else sites.guest).give(clients[n // 4])
            except Refused as refused:
                return refused.first.code
            return "done"

        with ThreadPoolExecutor(6) as many:
            list(many.map(attack, range(24)))
        assert len(frozen(sites)) == 6
        assert sites.damage() == []

    def test_a_stay_is_answered_while_the_days_are_closed(self, sites: TwoSites) -> None:
        clients = [sites.home.client() for _ in range(4)]
        stays = [sites.ask(client) for client in clients]

        def attack(n: int) -> None:
            if n == 1:
                close(sites.guest, counted=False)
            elif n == 3:
                close(sites.home, counted=False)
            else:
                sites.accept(stays[n // 2])

        with ThreadPoolExecutor(4) as many:
            list(many.map(attack, [0, 1, 2, 3, 4, 6]))
        assert len(frozen(sites)) == 4
        assert sites.damage() == []


DAMAGES = [
    ("UPDATE supply SET site_id = (SELECT id FROM site WHERE code = 'HRP'); UPDATE dose SET site_id = "
     "(SELECT id FROM site WHERE code = 'HRP')", "and another site gave the doses of that day"),
    ("UPDATE guest_stay SET verified_at = verified_at + interval '2 hours'", "gave 2026-11-24 at KLG"),
    ("UPDATE guest_stay SET bottles = false", "given to a guest whom home allowed none"),
    ("ALTER TABLE guest_stay DROP CONSTRAINT guest_stay_no_overlap; INSERT INTO guest_stay (id, client_id, "
     "home_site_id, guest_site_id, from_day, until_day, bottles, reason, asked_at_site_id, asked_by, asked_at, "
     "refusal, end_reason) SELECT gen_random_uuid(), client_id, home_site_id, guest_site_id, from_day, until_day, "
     "bottles, reason, asked_at_site_id, asked_by, asked_at, refusal, end_reason FROM guest_stay", "overlap"),
    ("UPDATE guest_stay SET home_site_id = guest_site_id, guest_site_id = home_site_id", "names a home"),
    ("DELETE FROM day_outcome", "of its guest .* has no outcome"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "said"), DAMAGES, ids=[str(n) for n in range(len(DAMAGES))])
def test_the_verification_names_each_row_that_breaks_it(sites: TwoSites, client: ClientId, sql: str, said: str) -> None:
    sites.home.decide(client, per_supply=6)
    sites.arrange(client, bottles=True)
    sites.guest.now += timedelta(hours=1)
    sites.guest.give(client, take_home_days=sites.guest.ahead(1))
    close(sites.guest)
    assert sites.damage() == []
    damage(sites.home, sql)
    assert [found for found in sites.damage() if re.search(said, found)] != []
