"""What PostgreSQL itself refuses of a decision on take-home: each refusal by its name, and the rightful let through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from dispensary.database import Database, WriteSession
from dispensary.takehome.models import Decision
from dispensary.units import ClientId, DoseDay
from tests.builders import Clinic, clinic
from tests.dispensary.past_services import dose, refused, supply


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


class TestTakeHome:
    """`now` is a Tuesday at the clinic."""

    def decided(self, here: Clinic, client: ClientId, *, per_supply: int = 14, **terms: Any) -> UUID:
        decision = here.decide(client, per_supply=per_supply)
        with here.database.writing() as session:
            session.execute(update(Decision).where(Decision.id == decision).values(closed_days_apart=True, **terms))
        return decision

    def carry(
        self,
        session: WriteSession,
        here: Clinic,
        client: ClientId,
        decision: UUID,
        days: list[int],
        closed: tuple[int, ...] = (),
        *,
        at: datetime | None = None,
    ) -> None:
        left = supply(session, here, client, decision_id=decision, at=at or here.now)
        for n in days:
            day = DoseDay(here.today + timedelta(days=n))
            dose(session, here, client, day, "80", kind="take_home", supply_id=left, closed_day=n in closed)

    def test_bottles_leave_only_for_days_of_the_weekly_pattern_or_closed_ones(self, here: Clinic) -> None:
        client = here.client(mg="80")
        decision = self.decided(here, client, weekdays=[2, 5])  # Wednesday and Saturday
        assert here.today.weekday() == 1
        assert refused(here, lambda s: self.carry(s, here, client, decision, [1, 2])) == "take_home_weekday"
        with here.database.writing() as session:
            self.carry(session, here, client, decision, [1, 4, 5], closed=(5,))

    def test_no_more_days_in_a_row_than_decided_and_closed_days_join_a_run(self, here: Clinic) -> None:
        client = here.client(mg="80")
        decision = self.decided(here, client, consecutive=2)
        for days, closed in (([1, 2, 3], ()), ([1, 2, 3, 4], (3,)), ([5, 6, 7, 8], (6,))):
            assert refused(
                here,
                lambda s, d=days, c=closed: self.carry(s, here, client, decision, d, c),  # type: ignore[misc]
            ) == ("take_home_consecutive")
        with here.database.writing() as session:
            self.carry(session, here, client, decision, [1, 2, 4, 5, 6], closed=(6,))

    def test_the_bottle_of_a_closed_day_does_not_join_two_runs_afterwards(self, here: Clinic) -> None:
        client = here.client(mg="80")
        decision = self.decided(here, client, consecutive=2)
        with here.database.writing() as session:
            self.carry(session, here, client, decision, [1, 2, 4, 5])
        assert refused(here, lambda s: self.carry(s, here, client, decision, [3], (3,))) == "take_home_consecutive"
        with here.database.writing() as session:
            self.carry(session, here, client, decision, [6], (6,))

    @pytest.mark.parametrize(
        ("terms", "name"),
        [
            ({"per_supply": 2}, "take_home_per_supply"),
            ({"per_week": 2}, "take_home_per_week"),
            ({"consecutive": 2}, "take_home_consecutive"),
        ],
    )
    def test_two_counters_at_once_never_add_up_to_more_whichever_began_first(
        self, here: Clinic, terms: dict[str, int], name: str
    ) -> None:
        client = here.client(mg="80")
        decision = self.decided(here, client, **terms)
        later = here.now + timedelta(seconds=1)
        with here.database.writing() as session:
            self.carry(session, here, client, decision, [1, 2], at=later)
        assert refused(here, lambda s: self.carry(s, here, client, decision, [3])) == name

    def test_nothing_is_carried_on_a_decision_that_ended_was_voided_or_is_another_clients(self, here: Clinic) -> None:
        client, other = here.client(mg="80"), here.client(mg="80")
        decision, strange = self.decided(here, client), self.decided(here, other)
        assert refused(here, lambda s: self.carry(s, here, client, strange, [1])) == "take_home_decided"
        with here.database.writing() as session:
            session.execute(update(Decision).where(Decision.id == decision).values(voided_at=here.now))
        assert refused(here, lambda s: self.carry(s, here, client, decision, [1])) == "take_home_decided"
