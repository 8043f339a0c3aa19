"""How many bottles must be full when they are counted: by the bottle, of what was called back and not yet taken."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.exceptions_rules import expected_at_count
from dispensary.supplies.models import Recall
from dispensary.supplies.recalls import call_back
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of

TODAY = date(2026, 11, 24)

bottles_at_home = st.sets(
    st.tuples(st.integers(-5, 14).map(lambda n: TODAY + timedelta(days=n)), st.integers(1, 4)), max_size=40
)
portions = st.integers(0, 4)
first_days = st.none() | st.integers(-3, 16).map(lambda n: TODAY + timedelta(days=n))


@given(bottles_at_home, portions, first_days)
def test_a_bottle_is_full_when_it_is_called_back_and_dated_after_the_last_dose_that_was_taken(
    bottles: set[tuple[date, int]], taken: int, from_day: date | None
) -> None:
    full = 0
    for day, portion in bottles:
        due = day < TODAY or (day == TODAY and portion <= taken)
        full += not due and (from_day is None or day >= from_day)
    assert expected_at_count(bottles, TODAY, portions_taken=taken, from_day=from_day) == full


@given(bottles_at_home, portions, first_days)
def test_each_portion_that_is_taken_empties_its_own_bottle_and_no_other(
    bottles: set[tuple[date, int]], taken: int, from_day: date | None
) -> None:
    before, after = (expected_at_count(bottles, TODAY, portions_taken=n, from_day=from_day) for n in (taken, taken + 1))
    asked = from_day is None or from_day <= TODAY
    assert before - after == (asked and (TODAY, taken + 1) in bottles)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


def at(client_id: ClientId) -> str:
    return f"/counter/clients/{client_id}/bottles"


def called_back(here: Desks, client: ClientId, ahead: int) -> Recall:
    with here.database.writing() as session:
        return call_back(
            session,
            actor=here.place.doctor,
            client_id=client,
            cause="dose_changed",
            from_day=here.place.ahead(ahead)[0],
            bring_by=here.today + timedelta(days=2),
            at=here.place.now,
        )


def bottles(here: Desks) -> list[UUID]:
    with here.database.reading() as session:
        return list(session.scalars(text("SELECT id FROM bottle ORDER BY dose_day, portion")))


def counts(counter: Visitor, client: ClientId, recall: Recall, full: list[UUID], **said: str) -> str:
    sent = {f"bottle_{bottle}": "full" for bottle in full}
    answer = counter.post(
        at(client), {**sent, "recall_id": str(recall.id), "full_ones": "stay", "reason": "called back", **said}
    )
    return text_of(counter.get(answer.headers["location"]) if answer.status_code == 303 else answer)


class TestARecallFromALaterDay:
    @pytest.fixture
    def client(self, here: Desks) -> ClientId:
        """Bottles for the next four days at home, and the dose changes on the third."""
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1, 2, 3, 4))
        return client

    def test_asks_for_the_bottles_of_that_day_and_later(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall = called_back(here, client, 3)

        said = text_of(counter.get(at(client)))
        assert "2 full bottles expected" in said
        assert "Not called back: 2" in said
        told = counter.get(f"/api/clients/{client}/bottles").json()
        assert (told["expected_full"], told["expected_full_after"]) == (2, [])
        assert "Counted: 2 full, as there must be." in counts(counter, client, recall, bottles(here)[2:])

    def test_counts_no_others_that_are_brought_with_them(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall = called_back(here, client, 3)

        for _ in range(2):
            said = counts(counter, client, recall, bottles(here))
            assert "Counted: 2 full, as there must be." in said
        assert "Brought back today: 0 empty, 4 full." in said

    def test_does_not_take_others_for_those_that_are_missing(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client, 3)

        said = counts(counter, client, recall, bottles(here)[:2])

        assert "0 full bottles were counted; there must be 2." in said

    def test_counts_those_that_are_left_when_its_day_has_come(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        recall = called_back(here, client, 3)
        here.days_pass(4)
        assert counter.signs_in("pharmacist").status_code == 303

        said = text_of(counter.get(at(client)))
        assert "1 full bottle expected 0 when today's dose was taken already" in said
        assert "Counted: 0 full, as there must be." in counts(counter, client, recall, [], portions_taken="1")


class TestADividedDose:
    def test_is_counted_portion_by_portion(self, here: Desks, counter: Visitor) -> None:
        client = here.place.client(mg="80", parts=("30", "25", "25"))
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(0, 1))
        recall = called_back(here, client, 0)

        said = text_of(counter.get(at(client)))
        assert "5 full bottles expected" in said
        assert "4 when portion 2 of today was taken already" in said
        assert "3 when portion 3 of today was taken already" in said
        told = counter.get(f"/api/clients/{client}/bottles").json()
        assert told["expected_full_after"] == [
            {"portions_taken": 2, "full": 4},
            {"portions_taken": 3, "full": 3},
        ]
        assert "5 full bottles were counted; there must be 4." in counts(
            counter, client, recall, bottles(here), portions_taken="2"
        )
        assert "Counted: 4 full, as there must be." in counts(
            counter, client, recall, bottles(here)[1:], portions_taken="2"
        )

    def test_has_at_most_four_portions(self, here: Desks, counter: Visitor) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1))
        recall = called_back(here, client, 0)

        assert "This must be a whole number from 0 to 4." in counts(
            counter, client, recall, bottles(here), portions_taken="5"
        )
