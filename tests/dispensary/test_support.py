"""Adherence support and symptoms: what they change in what is found, and what they do not."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database
from dispensary.monitoring.alerts import escalate
from dispensary.monitoring.models import Alert
from dispensary.monitoring.results import Measurement
from dispensary.monitoring.support import give_support, support_of, take_support_back
from dispensary.refusals import BadInput, NotThere
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from dispensary.web import health_acts, support_acts
from dispensary.web.health_acts import When
from tests.builders import Clinic, clinic


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def when(here: Clinic) -> When:
    return When(here.today, here.now)


def measured(here: Clinic, client: ClientId, ago: int, *values: Measurement) -> None:
    with here.database.writing() as session:
        health_acts.enter(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today - timedelta(days=ago),
            measurements=values,
            key=uuid4(),
            when=when(here),
        )


def supported(here: Clinic, client: ClientId, ago: int) -> UUID:
    with here.database.writing() as session:
        return support_acts.give_support(
            session,
            actor=here.doctor,
            client_id=client,
            on=here.today - timedelta(days=ago),
            kind="counselling",
            note="",
            key=uuid4(),
            when=when(here),
        ).id


def alert(here: Clinic, client: ClientId, cause: str) -> Alert | None:
    with here.database.reading() as session:
        return session.scalar(
            select(Alert).where(Alert.client_id == client, Alert.cause == cause, Alert.resolved_at.is_(None))
        )


class TestViralLoad:
    FIRST, LAST = 130, 5

    @pytest.fixture
    def client(self, here: Clinic) -> ClientId:
        client = here.client(began=here.today - timedelta(days=400))
        for ago, copies in ((self.FIRST, "4000"), (self.LAST, "2500")):
            measured(here, client, ago, Measurement("viral_load", copies))
        return client

    @pytest.mark.parametrize(
        ("ago", "fails"),
        [(FIRST + 1, False), (FIRST, True), (60, True), (LAST + 1, True), (LAST, False), (0, False)],
        ids=["before the first", "with the first", "between", "a day before the last", "with the last", "after it"],
    )
    def test_it_fails_only_after_support_between_two_high_ones(
        self, here: Clinic, client: ClientId, ago: int, fails: bool
    ) -> None:
        given = supported(here, client, ago)
        found = alert(here, client, "viral-load")
        assert found is not None
        assert (found.severity, found.role) == (("urgent", "doctor") if fails else ("warning", "nurse"))
        assert (str(given) in found.evidence["rests_on"]) == fails

    def test_an_alert_that_changes_its_role_is_read_and_passed_on_anew(self, here: Clinic, client: ClientId) -> None:
        with here.database.writing() as session:
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=168)) == 1
        supported(here, client, 60)
        found = alert(here, client, "viral-load")
        assert found is not None
        assert (found.role, found.escalated_to, found.read_at) == ("doctor", "", None)
        with here.database.writing() as session:
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=23)) == 0
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=24)) == 1

    def test_support_that_was_taken_back_counts_no_more(self, here: Clinic, client: ClientId) -> None:
        given = supported(here, client, 60)
        first = alert(here, client, "viral-load")
        assert first is not None
        with here.database.reading() as session:
            assert list(verify(session, now=here.now)) == [], "it rests on results and support of theirs"
        with here.database.writing() as session:
            health_acts.close_alert(
                session,
                actor=here.doctor,
                client_id=client,
                alert_id=first.id,
                resolution="Written down for the wrong client.",
                when=when(here),
            )
            for _ in range(2):
                back = {"client_id": client, "support_id": given, "reason": "another client's", "when": when(here)}
                support_acts.take_support_back(session, actor=here.doctor, **back)
        measured(here, client, 0, Measurement("viral_load", "2600"))
        again = alert(here, client, "viral-load")
        assert again is not None
        assert again.severity == "warning"


class TestKept:
    def test_the_same_entry_twice_is_one_and_faults_are_named_where_they_are(self, here: Clinic) -> None:
        client = here.client()
        asked = {"actor": here.doctor, "client_id": client, "today": here.today, "at": here.now}
        with here.database.writing() as session:
            for _ in range(2):
                give_support(session, **asked, on=here.today, kind="peer", note="walks along", key="one")
            assert len(support_of(session, client_id=client)) == 1
            tomorrow = here.today + timedelta(days=1)
            with pytest.raises(BadInput) as refused:
                give_support(session, **asked, on=tomorrow, kind="scolding", note="x" * 501, key="two")
            assert [each.field for each in refused.value.refusals] == ["support", "support_on", "support_note"]
            with pytest.raises(BadInput):
                give_support(session, **asked, on=date(1979, 1, 1), kind="peer", note="", key="two")

    def test_another_site_sees_none(self, here: Clinic, database: Database, now: datetime) -> None:
        there = clinic(database, now, code="KLG")
        given = supported(here, here.client(), 0)
        with there.database.writing() as session, pytest.raises(NotThere):
            take_support_back(session, actor=there.doctor, support_id=given, reason="x", at=now)

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE adherence_support SET on_day = on_day - 1",
            "UPDATE adherence_support SET voided_at = given_at, void_reason = 'x', kind = 'peer'",
            "UPDATE adherence_support SET voided_at = given_at",
            "DELETE FROM adherence_support",
            "TRUNCATE adherence_support",
        ],
        ids=["another day", "another kind", "no reason", "gone", "all gone"],
    )
    def test_postgresql_keeps_it_as_it_was_written(self, here: Clinic, sql: str) -> None:
        supported(here, here.client(), 0)
        with pytest.raises(DBAPIError), here.database.writing() as session:
            session.execute(text(sql))


class TestSymptoms:
    @pytest.fixture
    def client(self, here: Clinic) -> ClientId:
        client = here.client(began=here.today - timedelta(days=60))
        with here.database.writing() as session:
            health_acts.start_treatment(
                session,
                actor=here.doctor,
                client_id=client,
                kind="tb",
                substances=["rifampicin", "isoniazid"],
                started_on=here.today - timedelta(days=30),
                when=when(here),
            )
        return client

    def says(self, here: Clinic, client: ClientId) -> tuple[str, str]:
        found = alert(here, client, "tb-alt")
        return (found.severity, found.sentence.rpartition(", ")[2]) if found else ("", "")

    def test_unknown_ones_are_judged_as_none_and_asked_about(self, here: Clinic, client: ClientId) -> None:
        measured(here, client, 2, Measurement("alt", "190", upper="40"))
        assert self.says(here, client) == ("warning", "symptoms were not asked about.")
        found = alert(here, client, "tb-alt")
        assert found is not None
        assert found.advice.startswith("Ask about nausea")

    def test_with_symptoms_the_medicines_stop_from_three_times_on(self, here: Clinic, client: ClientId) -> None:
        for ago, value in ((5, "119"), (2, "120")):
            measured(here, client, ago, Measurement("alt", value, upper="40"), Measurement("liver_symptoms", "present"))
            urgent = value == "120"
            assert self.says(here, client) == (("urgent", "with symptoms.") if urgent else ("", ""))

    @pytest.mark.parametrize("present", [True, False], ids=["present", "none"])
    def test_they_can_be_said_after_the_value(self, here: Clinic, client: ClientId, present: bool) -> None:
        measured(here, client, 2, Measurement("alt", "190", upper="40"))
        key = uuid4()
        for _ in range(2):
            with here.database.writing() as session:
                support_acts.say_symptoms(
                    session, actor=here.doctor, client_id=client, present=present, key=key, when=when(here)
                )
        said = ("urgent", "with symptoms.") if present else ("warning", "without symptoms.")
        assert self.says(here, client) == said

    def test_none_before_the_value_is_no_answer_and_present_goes_on_until_somebody_says_none(
        self, here: Clinic, client: ClientId
    ) -> None:
        measured(here, client, 9, Measurement("liver_symptoms", "none"))
        measured(here, client, 5, Measurement("alt", "190", upper="40"))
        assert self.says(here, client) == ("warning", "symptoms were not asked about.")
        measured(here, client, 4, Measurement("liver_symptoms", "present"))
        measured(here, client, 2, Measurement("alt", "191", upper="40"))
        assert self.says(here, client) == ("urgent", "with symptoms.")

    def test_what_was_before_the_treatment_is_no_symptom_of_it(self, here: Clinic, client: ClientId) -> None:
        measured(here, client, 31, Measurement("liver_symptoms", "present"))
        measured(here, client, 2, Measurement("alt", "190", upper="40"))
        assert self.says(here, client) == ("warning", "symptoms were not asked about.")
