"""What was handed over on paper while the system was away: entered afterwards as it was, each line once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.prescribing.service import hold_doses, order_dose
from dispensary.refusals import BadInput, Refused
from dispensary.staff.rules import Role
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.flags import set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.outage_entry import NotLookedAt, enter_line
from dispensary.supplies.outage_rules import PaperLine, bottle_days
from dispensary.supplies.voiding import void_supply
from dispensary.supplies.writing import Handed
from dispensary.units import ClientId, DoseDay, milligrams, millilitres, strength
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.test_closing import close
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared

LATER = timedelta(hours=1)
"""After the outage."""


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def paper(place: Clinic, client: ClientId, **said: Any) -> PaperLine:
    """A line of today's sheet, as usual unless it says otherwise."""
    line: dict[str, Any] = {
        "client_id": client,
        "day": place.today,
        "at": place.now,
        "observed": True,
        "mg": None,
        "bottle_days": (),
        "lot_id": None,
        "given_by": place.pharmacist.account_id,
        "identified_by": "photo",
        "sheet": "1",
    }
    return PaperLine(**{**line, **said})


def enter(place: Clinic, line: PaperLine, *, key: str = "paper-key-1", seen: str = "") -> Handed:
    return place.database.write(
        lambda session: enter_line(
            session,
            actor=place.pharmacist,
            line=line,
            seen=seen,
            zone="Asia/Kuala_Lumpur",
            key=key,
            today=place.today,
            at=place.now + LATER,
        )
    )


def keep(place: Clinic, line: PaperLine, *, key: str = "paper-key-1") -> list[str]:
    """Enters a line that is against rules: shown first, then kept. Gives the codes that were shown."""
    with pytest.raises(NotLookedAt) as shown:
        enter(place, line, key=key)
    enter(place, line, key=key, seen=shown.value.mark)
    assert damage(place) == []
    return codes(shown)


def damage(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now + LATER)]


def extra(place: Clinic) -> Any:
    return one(place, "SELECT coalesce(sum(mg), 0) FROM extra_dose WHERE kind = 'in_error'")


class TestAUsualLine:
    def test_covers_its_day_and_says_that_it_came_from_paper(self, place: Clinic) -> None:
        client = place.client(mg="80")
        handed = enter(place, paper(place, client))
        assert handed.answer["doses"][0]["mg"] == "80.00"
        assert one(place, "SELECT origin FROM supply") == "outage"
        assert one(place, "SELECT at FROM supply") == place.now
        assert one(place, "SELECT recorded_at FROM late_entry") == place.now + LATER
        assert one(place, "SELECT (SELECT ml FROM register_line WHERE kind = 'supplied')") == Decimal("-16.000")
        assert one(place, "SELECT reason FROM register_line WHERE kind = 'supplied'") == (
            f"entered afterwards from paper, sheet 1 for {place.today} 07:00, given by AY"
        )
        assert one(place, "SELECT at FROM register_line WHERE kind = 'supplied'") == place.now + LATER
        assert damage(place) == []
        with pytest.raises(Refused) as again:
            place.give(client)
        assert codes(again) == ["already-covered"]

    def test_with_the_same_key_is_entered_once(self, place: Clinic) -> None:
        line = paper(place, place.client())
        first = enter(place, line)
        assert enter(place, line).supply_id == first.supply_id
        assert enter(place, line).repeated
        assert one(place, "SELECT count(*) FROM late_entry") == 1

    def test_with_bottles_within_the_decision_covers_their_days(self, place: Clinic) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=2)
        enter(place, paper(place, client, bottle_days=place.ahead(1, 2)))
        assert one(place, "SELECT count(*) FROM bottle WHERE state = 'handed_over'") == 2
        assert one(place, "SELECT taken_home_ml FROM register_line WHERE kind = 'supplied'") == Decimal("24.000")
        assert damage(place) == []

    def test_takes_the_bottles_that_were_prepared(self, place: Clinic) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=2)
        prepared(place, client, 1, 2)
        enter(place, paper(place, client, bottle_days=place.ahead(1, 2)))
        assert one(place, "SELECT state FROM pickup") == "collected"
        assert one(place, "SELECT bottled FROM lot") == Decimal(0)
        assert one(place, "SELECT count(*) FROM bottle") == 2
        assert damage(place) == []

    def test_can_be_voided_like_any_other(self, place: Clinic) -> None:
        client = place.client()
        supply = enter(place, paper(place, client)).supply_id
        place.database.write(
            lambda session: void_supply(
                session, actor=place.pharmacist, supply_id=supply, reason="another line", second_id=None, pin="",
                key="void-key-1", today=place.today, at=place.now,
            )
        )  # fmt: skip
        assert one(place, "SELECT balance FROM lot") == Decimal("5000.000")
        assert damage(place) == []

    def test_that_cannot_be_is_sent_back_with_all_that_is_wrong(self, place: Clinic) -> None:
        line = paper(place, place.client(), at=place.now + 2 * LATER, given_by=None, identified_by="", observed=False)
        with pytest.raises(BadInput) as refused:
            enter(place, line)
        assert codes(refused) == ["time-ahead", "nothing-asked", "not-identified", "no-giver"]


class TestALineAgainstARule:
    def test_of_a_covered_day_is_a_dose_in_error_and_never_a_second_coverage(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        assert keep(place, paper(place, client)) == ["already-covered"]
        assert one(place, "SELECT count(*) FROM dose WHERE voided_at IS NULL") == 1
        assert extra(place) == Decimal("80.00")
        assert one(place, "SELECT severity FROM alert") == "urgent"
        place.move_on()
        with pytest.raises(Refused) as blocked:
            place.give(client)
        assert "review-first" in codes(blocked)

    def test_above_the_order_is_the_dose_and_the_rest_in_error(self, place: Clinic) -> None:
        client = place.client(mg="80")
        assert keep(place, paper(place, client, mg=milligrams("95"))) == ["above-order"]
        assert one(place, "SELECT mg FROM dose") == Decimal("80.00")
        assert extra(place) == Decimal("15.00")
        assert one(place, "SELECT -sum(ml) FROM register_line WHERE kind = 'supplied'") == Decimal("19.000")

    def test_below_the_order_is_what_was_given_and_blocks_nothing(self, place: Clinic) -> None:
        client = place.client(mg="80")
        assert keep(place, paper(place, client, mg=milligrams("50"))) == ["less-than-ordered"]
        assert one(place, "SELECT mg FROM dose") == Decimal("50.00")
        assert one(place, "SELECT blocks FROM dose_exception") is False

    def test_while_held_is_given_in_error(self, place: Clinic) -> None:
        client = place.client(mg="80")
        with place.database.writing() as session:
            hold_doses(
                session, actor=place.doctor, client_id=client, from_day=place.today, until_day=None,
                reason="QTc", at=place.now,
            )  # fmt: skip
        assert keep(place, paper(place, client)) == ["held"]
        assert one(place, "SELECT count(*) FROM dose") == 0
        assert extra(place) == Decimal("80.00")

    def test_without_an_order_needs_its_mg_and_is_given_in_error(self, place: Clinic) -> None:
        client = place.client(mg="80", began=place.today - timedelta(days=3))
        early = {"day": DoseDay(place.today - timedelta(days=1)), "at": place.now - timedelta(days=1)}
        with pytest.raises(BadInput) as refused:
            enter(place, paper(place, client, **early))
        assert codes(refused) == ["mg-unknown"]
        assert "no-order" in keep(place, paper(place, client, mg=milligrams("40"), **early))
        assert extra(place) == Decimal("40.00")

    def test_of_a_day_that_closed_as_missed_stands_with_a_correction_beside_the_frozen_day(self, place: Clinic) -> None:
        client = place.client(mg="80")
        line = paper(place, client)
        close(place, counted=False)
        place.move_on()
        assert keep(place, line) == ["day-closed"]
        assert one(place, "SELECT outcome FROM day_outcome") == "missed"
        assert one(place, "SELECT outcome FROM day_as_known") == "observed"
        assert one(place, "SELECT given_mg FROM day_as_known") == Decimal("80.00")
        assert one(place, "SELECT count(*) FROM alert") == 0
        place.give(client)
        assert damage(place) == []

    def test_beyond_the_decision_covers_the_days_all_the_same(self, place: Clinic) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=1)
        assert keep(place, paper(place, client, bottle_days=place.ahead(1, 2, 3))) == ["take-home-per-supply"]
        assert one(place, "SELECT count(*) FROM dose WHERE kind = 'take_home'") == 3
        assert one(place, "SELECT beyond_decision FROM late_entry") is True
        assert one(place, "SELECT role FROM alert") == "doctor"

    def test_without_any_decision_covers_the_days_all_the_same(self, place: Clinic) -> None:
        client = place.client(mg="60")
        assert keep(place, paper(place, client, bottle_days=place.ahead(1))) == ["no-decision"]
        place.move_on()
        with pytest.raises(Refused) as again:
            place.give(client)
        assert codes(again) == ["already-covered"]

    @pytest.mark.parametrize(("kind", "covers"), [("stop_dose", 0), ("stop_bottles", 2)])
    def test_against_a_flag_that_stood_then(self, place: Clinic, kind: str, covers: int) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=2)
        with place.database.writing() as session:
            set_flag(
                session, actor=place.doctor, client_id=client, kind=FlagKind(kind), sentence="comes with the car",
                owner_id=None, owner_role=Role.DOCTOR, from_day=place.today, last_day=None, today=place.today,
                at=place.now,
            )  # fmt: skip
        line = paper(place, client, bottle_days=place.ahead(1))
        assert keep(place, line) == [kind.replace("_", "-")]
        assert one(place, "SELECT count(*) FROM dose") == covers

    def test_from_a_lot_that_is_empty_is_taken_from_another_and_says_so(self, place: Clinic) -> None:
        client = place.client(mg="80")
        with place.database.writing() as session:
            small = receive_lot(
                session, actor=place.pharmacist, batch="SMALL", strength=strength("5"), ml=millilitres("10"),
                expires_on=place.today + timedelta(days=10), day=place.today, at=place.now,
            ).id  # fmt: skip
        assert keep(place, paper(place, client, lot_id=small)) == ["other-lot"]
        assert one(place, "SELECT balance FROM lot WHERE id = :lot", lot=place.lot_id) == Decimal("4984.000")

    def test_that_no_lot_can_give_waits_until_the_register_can(self, database: Database, now: datetime) -> None:
        place = clinic(database, now, ml="10")
        with pytest.raises(Refused) as refused:
            enter(place, paper(place, place.client(mg="80")))
        assert codes(refused) == ["no-stock"]
        assert "count the safe" in refused.value.first.remedy

    def test_beside_other_prepared_bottles_puts_them_back_and_says_so(self, place: Clinic) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=6)
        prepared(place, client, 1, 2)
        assert keep(place, paper(place, client, bottle_days=place.ahead(1))) == ["pickup-waits"]
        assert one(place, "SELECT state FROM pickup") == "cancelled"

    def test_under_an_order_that_was_written_since_says_so(self, place: Clinic) -> None:
        client = place.client(mg="60")
        place.decide(client, per_supply=6)
        tomorrow = place.ahead(1)
        with place.database.writing() as session:
            order_dose(
                session, actor=place.doctor, client_id=client, mg=milligrams("50"), parts=[], from_day=tomorrow[0],
                reason="less", today=place.today, at=place.now,
            )  # fmt: skip
        line = paper(place, client, bottle_days=tomorrow, at=place.now - timedelta(minutes=10))
        assert "order-changed" in keep(place, line)

    def test_given_before_an_error_was_known_is_the_dose_of_its_day(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        monday = paper(place, client)
        place.move_on()
        tuesday = paper(place, client)
        assert keep(place, monday) == ["already-covered"]
        enter(place, tuesday, key="paper-key-2")
        assert one(place, "SELECT count(*) FROM dose WHERE dose_day = :day", day=place.today) == 1
        assert damage(place) == []

    def test_is_shown_again_when_it_is_against_another_rule_by_now(self, place: Clinic) -> None:
        client = place.client(mg="80")
        line = paper(place, client, mg=milligrams("95"))
        with pytest.raises(NotLookedAt) as shown:
            enter(place, line)
        place.give(client)
        with pytest.raises(NotLookedAt) as again:
            enter(place, line, seen=shown.value.mark)
        assert codes(again) == ["already-covered"]


class TestTheSameSheetTwice:
    def test_is_found_and_asked_about(self, place: Clinic) -> None:
        line = paper(place, place.client(mg="80"))
        enter(place, line)
        with pytest.raises(NotLookedAt) as shown:
            enter(place, line, key="paper-key-2")
        assert codes(shown) == ["entered-before", "already-covered"]

    def test_by_two_people_at_once_is_entered_once(self, place: Clinic) -> None:
        lines = [paper(place, place.client(mg="80")) for _ in range(4)]

        def attack(n: int) -> str:
            try:
                enter(place, lines[n % 4], key=f"paper-key-{n:03d}")
            except NotLookedAt as shown:
                return shown.first.code
            return "entered"

        with ThreadPoolExecutor(8) as many:
            answers = list(many.map(attack, range(16)))
        assert sorted(answers) == ["entered"] * 4 + ["entered-before"] * 12
        assert one(place, "SELECT balance FROM lot") == Decimal(5000 - 4 * 16)
        assert damage(place) == []


class TestPostgreSQL:
    @pytest.mark.parametrize(
        ("done", "constraint"),
        [
            ("UPDATE late_entry SET conflicts = '{}', sheet = '2'", "never_changed"),
            ("DELETE FROM late_entry", "never_changed"),
            ("UPDATE supply SET origin = 'outage' WHERE origin = 'counter'", "supply_on_paper_is_marked"),
            (
                "INSERT INTO late_entry SELECT id, site_id, dispensed_by, at, '', NULL, NULL, '{}', false FROM supply"
                " WHERE origin = 'counter'",
                "late_entry_is_true",
            ),
        ],
        ids=["rewritten", "deleted", "unmarked", "of a dose at the counter"],
    )
    def test_refuses_what_would_hide_where_a_dose_came_from(self, place: Clinic, done: str, constraint: str) -> None:
        enter(place, paper(place, place.client()))
        place.give(place.client())
        with pytest.raises(IntegrityError, match=constraint), place.database.writing() as session:
            session.execute(text(done))

    def test_refuses_a_dose_of_a_closed_day_without_its_correction(self, place: Clinic) -> None:
        client = place.client(mg="80")
        supply = enter(place, paper(place, client, day=place.today)).supply_id
        other = place.client(mg="80")
        close(place, counted=False)
        with pytest.raises(IntegrityError, match="the dose day is closed"), place.database.writing() as session:
            session.execute(
                text("""INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions,
                        kind, mg, closed_day) SELECT gen_random_uuid(), :supply, site_id, client_id, id,
                        lower(days), 1, 1, 'observed', mg, false FROM dose_order WHERE client_id = :client"""),
                {"supply": supply, "client": other},
            )


@pytest.mark.parametrize(
    ("typed", "days"),
    [
        ("", []),
        ("+2", [25, 26]),
        ("25 27", [25, 27]),
        ("25-27", [25, 26, 27]),
        ("30-2", [30, 31, 32]),
        ("24, 25", [24, 25]),
    ],
)
def test_bottle_days_are_read_as_people_write_them(typed: str, days: list[int]) -> None:
    began = DoseDay(date(2026, 11, 24))
    assert [(day - date(2026, 10, 31)).days for day in bottle_days(typed, began)] == days


@pytest.mark.parametrize("typed", ["x", "+0", "+40", "0", "32", "25-", "-", "2.5", "+"])
def test_what_is_no_day_is_no_bottle(typed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        bottle_days(typed, DoseDay(date(2026, 11, 24)))


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DELETE FROM late_entry", "was written on paper, and nobody says who entered it"),
        ("UPDATE late_entry SET beyond_decision = false", "has bottles without a take-home decision in force"),
        (
            "UPDATE day_correction SET outcome = 'missed', given_mg = 0",
            "was given on paper, and the closed day is missed",
        ),
        ("UPDATE supply SET origin = 'counter' WHERE origin = 'outage'", "was written on paper, and nobody says"),
    ],
    ids=["unmarked", "beyond unsaid", "corrected otherwise", "passed off"],
)
def test_damage_is_found_and_named(place: Clinic, sql: str, named: str) -> None:
    client = place.client(mg="80")
    line = paper(place, client, bottle_days=place.ahead(1))
    close(place, counted=False)
    place.move_on()
    assert keep(place, line) == ["day-closed", "no-decision"]
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(sql))
    assert any(named in finding for finding in damage(place))
