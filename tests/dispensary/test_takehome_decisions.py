"""A doctor decides on an assessment, and the database lets no more leave than was decided."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from dispensary.clients.models import Episode
from dispensary.database import Database, WriteSession, broken_constraint
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.audit import broken_links
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.supplies.models import Dose, Supply
from dispensary.takehome.carrying import DecisionLimits, take_home_allowed
from dispensary.takehome.deciding import decide
from dispensary.takehome.models import Decision
from dispensary.takehome.queries import decision_on, decisions_of, limits_of
from dispensary.units import ClientId, SiteId, new_id
from tests.dispensary.takehome_place import CLINIC, SIX, TODAY, US, Place, ago, codes, opened


@pytest.fixture
def place(database: Database, now: datetime) -> Place:
    return opened(database, now)


def ahead(days: int) -> date:
    return TODAY + timedelta(days=days)


class TestDeciding:
    def test_a_doctor_agrees_and_the_decision_is_in_force_from_its_day(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 26 + "mm", lockbox=True, housing_stable=True)
        decided = place.decide(place.assess(client_id), 4, 4, days_from=ahead(1))
        assert (decided.differs, decided.closed_days_apart) == (False, True)
        with place.database.reading() as session:
            assert decision_on(session, client_id, TODAY) is None
            tomorrow = decision_on(session, client_id, ahead(1))
            assert tomorrow is not None
            assert tomorrow.id == decided.id
            assert (limits_of(tomorrow).per_supply, limits_of(tomorrow).per_week) == (4, 4)
            assert list(broken_links(session, site_id=place.site_id)) == []
        assert place.acts()[-1] == "decided take-home"

    def test_differing_needs_a_reason_and_the_law_a_limit(self, place: Place) -> None:
        place.adopt(US)
        assessment = place.assess(place.client("c" * 13), **dict.fromkeys(SIX, True))  # day 14
        with pytest.raises(BadInput) as without:
            place.decide(assessment, 5)
        assert codes(without) == ["reason-missing"]
        with pytest.raises(BadInput) as above:
            place.decide(assessment, 8, reason="lives on an island")
        assert codes(above) == ["above-legal-limit"]
        assert place.decide(assessment, 7).differs is False
        assert place.decide(assessment, 5, reason="no lockbox yet").differs is True

    def test_a_new_decision_ends_the_earlier_one_or_sets_it_aside(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        assessment = place.assess(client_id)
        later = ahead(10)
        place.decide(assessment, 1, 1, reason="a first step")
        place.decide(assessment, 2, 2, days_from=later, reason="a second step")
        assert place.live(client_id) == [(TODAY, later, 1), (later, None, 2)]
        sooner = ahead(5)
        place.decide(assessment, 6, 6, days_from=sooner)
        assert place.live(client_id) == [(TODAY, sooner, 1), (sooner, None, 6)]
        place.decide(assessment, 3, 3, days_until=sooner, reason="travel")
        assert place.live(client_id) == [(TODAY, sooner, 3), (sooner, None, 6)]

    def test_a_decision_that_was_set_aside_is_not_in_force(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        assessment = place.assess(client_id)
        place.decide(assessment, 6, 6, days_until=ahead(5))
        second = place.decide(assessment, 2, 2, days_until=ahead(1), reason="a smaller step")
        with place.database.reading() as session:
            in_force = [decision_on(session, client_id, ahead(n)) for n in (0, 1)]
        assert [one and one.id for one in in_force] == [second.id, None]

    def test_an_assessment_of_an_earlier_stay_is_not_decided_on(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        assessment = place.assess(client_id)
        with place.database.writing() as session:
            session.execute(update(Episode).values(ended_on=TODAY, exit_reason="transferred"))
            session.add(Episode(client_id=client_id, site_id=place.site_id, began_on=TODAY))
        with pytest.raises(Refused) as earlier:
            place.decide(assessment, 6, 6)
        assert codes(earlier) == ["other-episode"]

    def test_nobody_decides_at_another_site(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        assessment = place.assess(client_id)
        place.decide(assessment, 6, 6)
        with place.database.writing() as session:
            other = Site(code="OTH", name="Another", zone="Asia/Kuala_Lumpur", region="MY", opened_at=place.now)
            session.add(other)
        elsewhere = replace(place, doctor=replace(place.doctor, site_id=SiteId(other.id)))
        for act in (lambda: elsewhere.suspend(client_id), lambda: elsewhere.decide(assessment, 6, 6)):
            with pytest.raises(NotThere):
                act()

    def test_an_outdated_assessment_is_not_decided_on(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        old = place.assess(client_id)
        newer = place.assess(client_id)
        with pytest.raises(Refused) as replaced:
            place.decide(old, 6, 6)
        assert codes(replaced) == ["assessment-replaced"]
        place.adopt(US)
        with pytest.raises(Refused) as changed:
            place.decide(newer, 6, 6)
        assert codes(changed) == ["policy-changed"]

    def test_days_that_passed_are_not_decided_on(self, place: Place) -> None:
        place.adopt(CLINIC)
        assessment = place.assess(place.client("c" * 28, lockbox=True, housing_stable=True))
        with pytest.raises(BadInput) as past:
            place.decide(assessment, 6, 6, days_from=ago(1))
        assert codes(past) == ["day-passed"]
        with pytest.raises(BadInput) as backwards:
            place.decide(assessment, 6, 6, days_until=TODAY)
        assert codes(backwards) == ["ends-before"]

    def test_the_program_never_decides(self, place: Place) -> None:
        place.adopt(CLINIC)
        assessment = place.assess(place.client("c" * 28))
        with pytest.raises(NotAllowed), place.database.writing() as session:
            decide(
                session,
                actor=the_program(place.site_id),
                assessment_id=assessment.id,
                days_from=TODAY,
                days_until=None,
                per_supply=6,
                per_week=6,
                reason="it computed so",
                at=place.now,
            )

    def test_thirty_two_decisions_at_once_leave_one_in_force(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True, housing_stable=True)
        assessment = place.assess(client_id)
        gate = threading.Barrier(16)

        def one(n: int) -> Decision:
            if n < 16:
                gate.wait()
            return place.decide(assessment, n % 7, 7, reason="at once", days_from=ahead(n % 3))

        with ThreadPoolExecutor(16) as pool:
            decided = list(pool.map(one, range(32)))
        assert len(decided) == 32
        with place.database.reading() as session:
            standing = [one for one in decisions_of(session, client_id) if one.voided_at is None]
            assert len([one for one in standing if one.days.upper is None]) == 1
            assert decision_on(session, client_id, ahead(3)) is not None


class TestTheDatabaseObeys:
    """Whoever writes to the tables, more than the doctor decided does not leave."""

    def hand_over(
        self, place: Place, client_id: ClientId, decision: Decision | None, *days: int, closed: tuple[int, ...] = ()
    ) -> None:
        with place.database.writing() as session:
            self.bottles(session, place, client_id, decision, days, closed)

    def bottles(
        self,
        session: WriteSession,
        place: Place,
        client_id: ClientId,
        decision: Decision | None,
        days: tuple[int, ...],
        closed: tuple[int, ...],
    ) -> None:
        order = session.scalars(select(DoseOrder).where(DoseOrder.client_id == client_id)).one()
        supply_id = new_id()
        session.execute(
            insert(Supply).values(
                id=supply_id,
                site_id=place.site_id,
                client_id=client_id,
                episode_id=order.episode_id,
                dose_day=TODAY,
                at=place.now,
                key=str(supply_id),
                request_sha256=b"-",
                decision_id=decision.id if decision else None,
                identified_by="photo",
                answer={},
            )
        )
        for n in days:
            session.execute(
                insert(Dose).values(
                    id=new_id(),
                    supply_id=supply_id,
                    site_id=place.site_id,
                    client_id=client_id,
                    order_id=order.id,
                    dose_day=ahead(n),
                    portion=1,
                    portions=1,
                    kind="take_home",
                    mg=order.mg,
                    closed_day=n in closed,
                )
            )

    @pytest.fixture
    def decided(self, place: Place) -> tuple[ClientId, Decision]:
        """Four a week, decided on an assessment. Today is a Tuesday: Sunday is 5 days ahead."""
        place.adopt(CLINIC)
        client_id = place.client("c" * 26 + "mm", lockbox=True, housing_stable=True)
        return client_id, place.decide(place.assess(client_id), 4, 4)

    @pytest.mark.parametrize(
        ("days", "closed", "refused_by"),
        [
            ((1, 2, 3, 4), (), None),
            ((1, 2, 3, 4, 5), (5,), None),
            ((1, 2, 3, 4, 5), (), "take_home_per_supply"),
            ((1, 2, 3, 6, 7), (), "take_home_per_supply"),
        ],
    )
    def test_the_rule_and_the_trigger_say_the_same(
        self,
        place: Place,
        decided: tuple[ClientId, Decision],
        days: tuple[int, ...],
        closed: tuple[int, ...],
        refused_by: str | None,
    ) -> None:
        client_id, decision = decided
        told = take_home_allowed(
            limits_of(decision), [ahead(n) for n in days], [], [ahead(n) for n in closed], today=ahead(0)
        )
        if refused_by is None:
            self.hand_over(place, client_id, decision, *days, closed=closed)
            assert told == ()
            return
        with pytest.raises(DBAPIError) as refused:
            self.hand_over(place, client_id, decision, *days, closed=closed)
        assert broken_constraint(refused.value) == refused_by
        assert told[0].code == refused_by.replace("_", "-")

    def test_for_any_days_the_trigger_refuses_what_the_rule_refuses(
        self, place: Place, decided: tuple[ClientId, Decision]
    ) -> None:
        client_id, decision = decided
        chance = Random(8)
        seen = set()
        for _ in range(60):
            limits = DecisionLimits(chance.randint(0, 6), chance.choice([None, 1, 2, 3, 5]), chance.random() < 0.5)
            closed = tuple(n for n in range(1, 15) if chance.random() < 0.2)
            before, wanted = (tuple(sorted(chance.sample(range(1, 15), chance.randint(1, 5)))) for _ in range(2))
            wanted = tuple(n for n in wanted if n not in before)
            told = take_home_allowed(
                limits,
                [ahead(n) for n in wanted],
                [ahead(n) for n in before],
                [ahead(n) for n in closed],
                today=ahead(0),
            )
            assert self.refused_by_trigger(place, client_id, decision, limits, before, wanted, closed) == bool(told)
            seen.add(bool(told))
        assert seen == {True, False}

    def refused_by_trigger(
        self,
        place: Place,
        client_id: ClientId,
        decision: Decision,
        limits: DecisionLimits,
        before: tuple[int, ...],
        wanted: tuple[int, ...],
        closed: tuple[int, ...],
    ) -> bool:
        """Whether the database refuses these bottles to somebody who carries those; nothing of it is kept."""
        with place.database.engine.connect() as connection:
            session = WriteSession(connection)
            session.execute(text("ALTER TABLE dose DISABLE TRIGGER take_home_within_decision"))
            self.bottles(session, place, client_id, decision, before, closed)
            session.execute(text("ALTER TABLE dose ENABLE TRIGGER take_home_within_decision"))
            session.execute(update(Decision).values(**vars(limits)))
            try:
                self.bottles(session, place, client_id, decision, wanted, closed)
                session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            except DBAPIError as refused:
                return broken_constraint(refused) in ("take_home_per_supply", "take_home_per_week")
            finally:
                session.rollback()
        return False

    def test_more_in_a_week_than_decided_is_refused_over_several_supplies(
        self, place: Place, decided: tuple[ClientId, Decision]
    ) -> None:
        client_id, decision = decided
        with place.database.engine.begin() as connection:
            connection.execute(text("UPDATE decision SET per_supply = 14"))
        self.hand_over(place, client_id, decision, 1, 2)
        self.hand_over(place, client_id, decision, 3, 4, 6)
        with pytest.raises(DBAPIError) as refused:
            self.hand_over(place, client_id, decision, 5)
        assert broken_constraint(refused.value) == "take_home_per_week"

    def test_two_supplies_never_add_up_to_more_in_hand_than_was_decided(
        self, place: Place, decided: tuple[ClientId, Decision]
    ) -> None:
        client_id, decision = decided
        self.hand_over(place, client_id, decision, 1, 2, 3)
        with pytest.raises(DBAPIError) as refused:
            self.hand_over(place, client_id, decision, 6, 7)
        assert broken_constraint(refused.value) == "take_home_per_supply"
        self.hand_over(place, client_id, decision, 6)

    def test_nothing_leaves_without_a_decision_or_on_another_clients_or_after_it_was_suspended(
        self, place: Place, decided: tuple[ClientId, Decision]
    ) -> None:
        client_id, decision = decided
        other = place.client("c")
        for who, whose in ((client_id, None), (other, decision)):
            with pytest.raises(DBAPIError) as refused:
                self.hand_over(place, who, whose, 1)
            assert broken_constraint(refused.value) == "take_home_decided"
        taken_back = place.suspend(client_id)
        with pytest.raises(DBAPIError) as voided:
            self.hand_over(place, client_id, decision, 1)
        assert broken_constraint(voided.value) == "take_home_decided"
        with pytest.raises(DBAPIError) as nothing:
            self.hand_over(place, client_id, taken_back, 1)
        assert broken_constraint(nothing.value) == "take_home_per_supply"
        self.hand_over(place, client_id, taken_back, 5, closed=(5,))  # the clinic is closed: nobody could give it
