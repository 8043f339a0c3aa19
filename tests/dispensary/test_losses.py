"""Bottles lost, stolen or damaged: told, decided by a prescriber, replaced by nobody else; called back at random."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.rules import the_program
from dispensary.supplies.loss_models import BottleReport
from dispensary.supplies.losses import Decision, Lost, decide_loss, report_loss, reports_of
from dispensary.supplies.models import Bottle, Recall
from dispensary.supplies.random_recalls import call_back_at_random, no_recall_rule, set_recall_rule
from dispensary.supplies.random_rules import day_in, period_of
from dispensary.supplies.returns import bottles_out, take_back
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_verification import findings


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    """Today's dose taken, and bottles for the next three days at home."""
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    place.give(client, take_home_days=place.ahead(1, 2, 3))
    return client


def bottles(place: Clinic) -> list[UUID]:
    with place.database.reading() as session:
        return list(session.scalars(select(Bottle.id).order_by(Bottle.dose_day)))


def reported(
    place: Clinic,
    client: ClientId,
    *ids: UUID,
    what: Lost = Lost.LOST,
    told: str = "left on the bus",
    key: str = "",
) -> BottleReport:
    return place.database.write(
        lambda session: report_loss(
            session,
            actor=place.pharmacist,
            client_id=client,
            bottle_ids=ids,
            what=what,
            told=told,
            police_number="",
            key=key or f"loss-{ids[0] if ids else 0}",
            at=place.now,
        )
    )


def decided(place: Clinic, report: BottleReport, decision: Decision, said: str = "come by each day") -> None:
    place.database.write(
        lambda session: decide_loss(
            session,
            actor=place.doctor,
            report_id=report.id,
            decision=decision,
            said=said,
            today=place.today,
            at=place.now,
        )
    )


class TestAReport:
    def test_is_told_to_the_prescriber_and_replaces_nothing(self, place: Clinic, client: ClientId) -> None:
        first, *_ = bottles(place)
        reported(place, client, first)
        assert one(place, "SELECT string_agg(state, ' ' ORDER BY dose_day) FROM bottle") == (
            "lost handed_over handed_over"
        )
        assert one(place, "SELECT sentence FROM alert") == (
            f"1 bottle reported lost, from {place.today + timedelta(days=1)} on: left on the bus"
        )
        place.move_on()
        with pytest.raises(Refused) as refused:
            place.give(client)
        assert codes(refused) == ["already-covered"]

    def test_counts_the_bottle_no_more_among_those_at_home(self, place: Clinic, client: ClientId) -> None:
        reported(place, client, bottles(place)[0])
        with place.database.reading() as session:
            assert len(bottles_out(session, client_id=client, first=place.today)) == 2

    def test_sent_twice_is_one(self, place: Clinic, client: ClientId) -> None:
        first, *_ = bottles(place)
        assert reported(place, client, first).id == reported(place, client, first).id
        with pytest.raises(Refused) as refused:
            reported(place, client, bottles(place)[1], key=f"loss-{first}")
        assert codes(refused) == ["key-reused"]

    def test_says_everything_that_is_missing(self, place: Clinic, client: ClientId) -> None:
        with pytest.raises(BadInput) as refused:
            reported(place, client, told=" ", key="loss-key-1")
        assert codes(refused) == ["bottles", "told"]

    def test_is_about_bottles_that_the_client_has(self, place: Clinic, client: ClientId) -> None:
        other = place.client()
        with pytest.raises(NotThere):
            reported(place, other, bottles(place)[0])

    def test_is_kept_as_it_was_told(self, place: Clinic, client: ClientId) -> None:
        reported(place, client, bottles(place)[0])
        for sql in ("UPDATE bottle_report SET told = 'nothing'", "DELETE FROM reported_bottle"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sql))


class TestTheDecision:
    def test_lets_its_days_be_given_again(self, place: Clinic, client: ClientId) -> None:
        report = reported(place, client, *bottles(place)[:2], what=Lost.STOLEN)
        decided(place, report, Decision.GIVEN_AGAIN)
        assert one(place, "SELECT resolution FROM alert") == "given_again: come by each day"
        place.move_on()
        place.give(client)
        assert findings(place.database, place.now) == []
        assert one(place, "SELECT count(*) FROM dose WHERE dose_day = :day AND voided_at IS NULL", day=place.today) == 1

    def test_may_be_that_it_stays_so(self, place: Clinic, client: ClientId) -> None:
        decided(place, reported(place, client, bottles(place)[0]), Decision.STAYS)
        place.move_on()
        with pytest.raises(Refused):
            place.give(client)
        assert findings(place.database, place.now) == []

    def test_is_made_once_with_its_reason(self, place: Clinic, client: ClientId) -> None:
        report = reported(place, client, bottles(place)[0])
        with pytest.raises(BadInput) as refused:
            decided(place, report, Decision.STAYS, said=" ")
        assert codes(refused) == ["said"]
        decided(place, report, Decision.STAYS)
        decided(place, report, Decision.STAYS)
        with pytest.raises(Refused) as again:
            decided(place, report, Decision.GIVEN_AGAIN)
        assert codes(again) == ["decided-already"]
        with place.database.reading() as session:
            (kept,) = reports_of(session, client_id=client)
        assert (kept.report.decision, kept.is_open) == ("stays", False)

    def test_leaves_a_bottle_that_was_found_where_it_is(self, place: Clinic, client: ClientId) -> None:
        first, *_ = bottles(place)
        report = reported(place, client, first)
        with place.database.writing() as session:
            take_back(
                session, actor=place.pharmacist, client_id=client, bottles=[(first, True)], reason="found",
                today=place.today, at=place.now,
            )  # fmt: skip
        decided(place, report, Decision.GIVEN_AGAIN)
        assert one(place, "SELECT state FROM bottle WHERE id = :id", id=first) == "returned_full"
        assert findings(place.database, place.now) == []


class TestChance:
    def rule(self, place: Clinic, **given: int) -> None:
        figures = {"from_bottles": 3, "per_year": 2, "within_days": 2, **given}
        with place.database.writing() as session:
            set_recall_rule(session, actor=place.doctor, source="Rule 24-2-53.7", at=place.now, **figures)

    def called(self, place: Clinic) -> int:
        return place.database.write(
            lambda session: call_back_at_random(
                session, actor=the_program(place.site_id), today=place.today, at=place.now
            )
        )

    def test_calls_nobody_where_no_rule_asks_for_it(self, place: Clinic, client: ClientId) -> None:
        assert self.called(place) == 0

    def test_calls_each_once_in_each_part_of_the_year(self, place: Clinic) -> None:
        self.rule(place, per_year=12)
        clients = [place.client(mg="60") for _ in range(3)]
        for client in clients:
            place.decide(client, per_supply=6)
        few = place.client(mg="60")
        place.decide(few, per_supply=6)
        seen: list[tuple[date, int]] = []
        for _ in range(31):
            for client in (*clients, few):
                with place.database.reading() as session:
                    out = bottles_out(session, client_id=client, first=place.today)
                if not out:
                    place.give(client, take_home_days=place.ahead(*range(1, 7) if client is not few else (1, 2)))
            seen.append((place.today, self.called(place)))
            with place.database.writing() as session:
                session.execute(text("UPDATE recall SET state = 'passed', closed_at = called_at WHERE state = 'open'"))
                session.execute(text("SELECT 1"))
            place.move_on()
        with place.database.reading() as session:
            recalls = session.scalars(select(Recall)).all()
        assert few not in {recall.client_id for recall in recalls}
        parts = [(recall.client_id, period_of(recall.called_on, 12)) for recall in recalls]
        assert len(parts) == len(set(parts)), "nobody twice in one part"
        assert {recall.client_id for recall in recalls} == set(clients)
        assert all(recall.called_by is None and recall.cause == "check" for recall in recalls)

    def test_is_refused_without_the_rule_that_asks_for_it(self, place: Clinic) -> None:
        with pytest.raises(BadInput) as refused, place.database.writing() as session:
            set_recall_rule(
                session, actor=place.doctor, from_bottles=0, per_year=2, within_days=9, source=" ", at=place.now
            )
        assert codes(refused) == ["source", "from_bottles", "within_days"]

    def test_ends_when_the_office_says_so(self, place: Clinic, client: ClientId) -> None:
        self.rule(place)
        with place.database.writing() as session:
            no_recall_rule(session, actor=place.doctor, at=place.now)
        assert one(place, "SELECT count(*) FROM recall_setting") == 0

    @given(st.dates(date(2024, 1, 1), date(2029, 12, 31)), st.integers(1, 12), st.integers(0, 2**64 - 1))
    def test_has_a_turn_for_everybody_in_each_part(self, day: date, per_year: int, number: int) -> None:
        first, last = period_of(day, per_year)
        assert first <= day <= last
        assert first <= day_in(first, last, number) <= last
        assert period_of(first, per_year) == period_of(last, per_year) == (first, last)
        assert period_of(last + timedelta(days=1), per_year)[0] == last + timedelta(days=1)
