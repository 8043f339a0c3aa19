"""What an assessment reads beside the days: bottles that came back, recalls, reviews, intoxication, the agreement."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from dispensary.clients.tasks import finish_task, open_task, tasks_of
from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies import exceptions, recalls
from dispensary.supplies.models import Bottle, Recall
from dispensary.supplies.returns import take_back
from dispensary.takehome.history import History, canonical, digest
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import history_of, history_of_all
from dispensary.takehome.service import replay
from dispensary.units import ClientId
from tests.builders import Clinic, clinic


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def record(place: Clinic, client: ClientId, on: date | None = None) -> History:
    """The client's record, which is the same whether they are read alone or with everybody."""
    with place.database.reading() as session:
        alone = history_of(session, client, on or place.today)
        together = history_of_all(session, place.site_id, on or place.today)
    assert alone is not None
    assert together[client] == alone
    assert History.from_json(alone.as_json()) == alone
    return alone


def bottles_of(place: Clinic, client: ClientId) -> list[UUID]:
    with place.database.reading() as session:
        return list(session.scalars(select(Bottle.id).where(Bottle.client_id == client).order_by(Bottle.dose_day)))


def comes_back(place: Clinic, client: ClientId, *bottles: UUID, full: bool = False) -> None:
    with place.database.writing() as session:
        take_back(
            session,
            actor=place.pharmacist,
            client_id=client,
            bottles=[(bottle, full) for bottle in bottles],
            reason="not taken" if full else "",
            today=place.today,
            at=place.now,
        )


class TestBottles:
    @pytest.fixture
    def client(self, place: Clinic) -> ClientId:
        """Somebody who was given two bottles, came again on the third day and is looked at on the fourth."""
        client = place.client()
        place.decide(client, per_supply=3)
        place.give(client, take_home_days=place.ahead(1, 2))
        place.move_on(3)
        place.give(client)
        place.move_on()
        return client

    def test_where_nobody_takes_bottles_back_none_is_missing(self, place: Clinic, client: ClientId) -> None:
        history = record(place, client)
        assert (history.bottles_are_returned, history.unreturned_bottle_days) == (None, ())

    def test_a_bottle_is_due_back_at_the_hand_over_after_its_day(self, place: Clinic, client: ClientId) -> None:
        first, second = bottles_of(place, client)
        comes_back(place, client, first)
        history = record(place, client)
        assert history.bottles_are_returned
        assert history.unreturned_bottle_days == (place.today - timedelta(days=2),)
        assert record(place, client, place.today - timedelta(days=1)).unreturned_bottle_days == (), "not due yet"
        comes_back(place, client, second)
        assert record(place, client).unreturned_bottle_days == ()

    def test_a_full_bottle_came_back_too(self, place: Clinic, client: ClientId) -> None:
        comes_back(place, client, *bottles_of(place, client), full=True)
        assert record(place, client).unreturned_bottle_days == ()


class TestRecalls:
    def called(self, place: Clinic, client: ClientId) -> UUID:
        with place.database.writing() as session:
            return recalls.call_back(
                session,
                actor=place.doctor,
                client_id=client,
                cause="check",
                from_day=place.today,
                bring_by=place.ahead(1)[0],
                at=place.now,
            ).id

    def test_a_recall_is_overdue_after_its_day_and_no_more_once_it_is_counted(self, place: Clinic) -> None:
        client = place.client()
        place.decide(client, per_supply=7)
        place.give(client, take_home_days=place.ahead(1, 2, 3, 4))
        recall = self.called(place, client)
        due = place.ahead(1)[0]
        assert record(place, client).overdue_recalls == ()
        place.move_on()
        assert record(place, client).overdue_recalls == (), "the day itself is in time"
        place.move_on()
        assert record(place, client).overdue_recalls == (due,)
        with place.database.writing() as session:
            recalls.count(
                session,
                actor=place.pharmacist,
                recall_id=recall,
                counted_full=1,
                portions_taken=0,
                note="one bottle was missing",
                today=place.today,
                at=place.now,
            )
        history = record(place, client)
        assert (history.overdue_recalls, history.failed_recalls) == ((), (place.today,))
        before = record(place, client, place.today - timedelta(days=1))
        assert before.failed_recalls == ()


def test_a_second_call_reaches_back_to_the_earlier_of_both_days(place: Clinic) -> None:
    client = place.client()
    place.decide(client, per_supply=7)
    place.give(client, take_home_days=place.ahead(1, 2, 3, 4))

    def called_from(days: int) -> Recall:
        with place.database.writing() as session:
            return recalls.call_back(
                session,
                actor=place.doctor,
                client_id=client,
                cause="check",
                from_day=place.ahead(days)[0],
                bring_by=place.ahead(1)[0],
                at=place.now,
            )

    first, second, third = called_from(3), called_from(1), called_from(2)

    assert first.id == second.id == third.id
    assert [recall.from_day for recall in (first, second, third)] == list(place.ahead(3, 1, 1))


def test_a_review_counts_from_the_day_on_which_a_person_did_it(place: Clinic) -> None:
    client = place.client()
    with place.database.writing() as session:
        open_task(
            session,
            site_id=place.site_id,
            client_id=client,
            role=Role.DOCTOR,
            kind="review",
            sentence="See the client.",
            due_on=place.today,
            opened_by=place.doctor.account_id,
            at=place.now,
        )
        task_id = tasks_of(session, client_id=client)[0].id
    assert record(place, client).last_review_on is None
    place.move_on(2)
    with place.database.writing() as session:
        finish_task(session, actor=place.doctor, task_id=task_id, outcome="Seen, doing well.", at=place.now)
    assert record(place, client).last_review_on == place.today
    assert record(place, client, place.today - timedelta(days=1)).last_review_on is None


def test_a_dose_that_was_withheld_for_intoxication_stays_on_the_record(place: Clinic) -> None:
    client = place.client()
    with place.database.writing() as session:
        exceptions.withhold(
            session,
            actor=place.pharmacist,
            client_id=client,
            observation="slurred speech",
            at=place.now,
            today=place.today,
            key="withheld-1",
        )
    withheld_on = place.today
    place.move_on(3)
    assert record(place, client).intoxicated_days == (withheld_on,)


def test_what_a_client_told_and_signed_is_read(place: Clinic) -> None:
    client = place.client()
    place.decide(client, per_supply=1)
    with place.database.writing() as session:
        session.execute(
            text("UPDATE client SET children_at_home = true, guardian = false, distance_km = 31 WHERE id = :id"),
            {"id": client},
        )
    with place.database.writing() as session:
        decision = session.scalars(select(Decision).where(Decision.client_id == client)).one()
        decision.agreement_signed_on = place.today
    history = record(place, client)
    assert (history.children_at_home, history.guardian, history.distance_km) == (True, False, 31)
    assert history.agreement_signed_on == place.today


def test_an_assessment_that_was_kept_before_there_was_more_to_say_is_replayed_as_it_was(place: Clinic) -> None:
    client = place.client()
    place.decide(client, per_supply=1)
    with place.database.writing() as session:
        made = session.scalars(select(Assessment).where(Assessment.client_id == client)).one()
        result = {name: value for name, value in made.result.items() if name != "changes"}
        old = Assessment(
            site_id=made.site_id,
            client_id=made.client_id,
            episode_id=made.episode_id,
            policy_version_id=made.policy_version_id,
            on_day=made.on_day,
            inputs=made.inputs,
            inputs_sha256=digest(made.inputs),
            result=result,
            level=made.level,
            made_at=place.now - timedelta(days=1),
            made_by=made.made_by,
        )
        other = Assessment(
            **{name: getattr(old, name) for name in ("site_id", "client_id", "episode_id", "policy_version_id")},
            on_day=old.on_day,
            inputs=old.inputs,
            inputs_sha256=old.inputs_sha256,
            result={**made.result, "changes": ["Another promise."]},
            level=old.level,
            made_at=old.made_at,
            made_by=old.made_by,
        )
        session.add_all([old, other])
        session.flush()
        assert canonical(result) != canonical(made.result)
        assert replay(session, made.id)
        assert replay(session, old.id)
        assert not replay(session, other.id), "what it told would change the answer is part of what it said"
