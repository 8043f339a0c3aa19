"""Granted once, suspended, restored, renewed: at most one decision holds on a day, and none is lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from dispensary.clients.models import Episode, Task
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.rules import Actor, the_program
from dispensary.takehome import suspending
from dispensary.takehome.deciding import renew, renewable
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import decision_on, decisions_of
from dispensary.takehome.service import end_decisions, replay
from dispensary.takehome.terms import (
    Asked,
    DecisionKind,
    Naloxone,
    Occasion,
    Terms,
    asks_naloxone,
    faults_of,
    pattern,
)
from dispensary.units import ClientId
from tests.dispensary.takehome_place import CLINIC, SIX, TODAY, US, Place, codes, opened


@pytest.fixture
def place(database: Database, now: datetime) -> Place:
    return opened(database, now)


@pytest.fixture
def regular(place: Place) -> ClientId:
    """Six a week, by the policy of the clinic."""
    place.adopt(CLINIC)
    return place.client("c" * 28, lockbox=True, housing_stable=True)


def ahead(days: int) -> date:
    return TODAY + timedelta(days=days)


def standing(place: Place, client_id: ClientId) -> list[Decision]:
    with place.database.reading() as session:
        found = [one for one in decisions_of(session, client_id) if one.voided_at is None]
    return sorted(found, key=lambda one: one.days.lower or date.min)


def once(place: Place, assessment: Assessment, first: int, until: int, per_supply: int = 10, **more: Any) -> Decision:
    asked = {"reason": "a wedding in Ipoh", "occasion": Occasion.TRAVEL, **more}
    return place.decide(assessment, per_supply, days_from=ahead(first), days_until=ahead(until), **asked)


def renewed(place: Place, client_id: ClientId, naloxone: Naloxone | None = Naloxone.HAS_ONE) -> Decision:
    return place.do(
        lambda session: renew(session, actor=place.doctor, client_id=client_id, naloxone=naloxone, at=place.now)
    )


def refusing(act: Callable[[], object]) -> list[str]:
    with pytest.raises(Refused) as refused:
        act()
    return codes(refused)


class TestOnce:
    def test_what_it_interrupts_goes_on_afterwards_with_its_pattern(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        grant = place.decide(assessment, 6, 6, weekdays=frozenset({0, 1, 2, 3, 4, 5}), review_on=ahead(90))

        trip = once(place, assessment, 5, 12)

        assert place.live(regular) == [
            (TODAY, ahead(5), 6),
            (ahead(5), ahead(12), 10),
            (ahead(12), None, 6),
        ]
        after = standing(place, regular)[-1]
        assert (after.kind, after.continues_id, after.weekdays, after.per_week) == (
            "grant",
            grant.id,
            [0, 1, 2, 3, 4, 5],
            6,
        )
        assert (after.decided_by, after.reason, after.review_on) == (place.doctor.account_id, "", ahead(90))
        assert (trip.kind, trip.occasion, trip.differs) == ("one_off", "travel", True)
        assert place.acts()[-1] == "granted take-home once"

    def test_what_has_a_last_day_still_ends_on_it(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        place.decide(assessment, 6, 6, days_until=ahead(30))
        once(place, assessment, 0, 4)
        assert place.live(regular) == [(TODAY, ahead(4), 10), (ahead(4), ahead(30), 6)]
        once(place, assessment, 25, 35)
        assert place.live(regular) == [
            (TODAY, ahead(4), 10),
            (ahead(4), ahead(25), 6),
            (ahead(25), ahead(35), 10),
        ]

    def test_a_trip_within_a_trip_leaves_both_ends_of_the_longer_one(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        once(place, assessment, 0, 10, 8)
        once(place, assessment, 3, 5, 12, occasion=Occasion.ILLNESS)
        assert place.live(regular) == [(TODAY, ahead(3), 8), (ahead(3), ahead(5), 12), (ahead(5), ahead(10), 8)]
        assert [one.kind for one in standing(place, regular)] == ["one_off"] * 3

    def test_a_suspension_goes_on_after_it(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        grant = place.decide(assessment, 6, 6)
        place.suspend(regular)
        once(place, assessment, 2, 4, 2, occasion=Occasion.CLOSURE)
        after = standing(place, regular)[-1]
        assert (after.kind, after.continues_id, after.days.lower) == ("suspension", grant.id, ahead(4))
        assert place.restore(regular, ahead(6)).per_supply == 6

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"days_until": None}, "one-off-open"),
            ({"days_until": ahead(100)}, "one-off-long"),
            ({"days_until": TODAY}, "ends-before"),
            ({"reason": " "}, "reason-missing"),
        ],
    )
    def test_it_has_a_last_day_and_a_reason(
        self, place: Place, regular: ClientId, changed: dict[str, Any], code: str
    ) -> None:
        assessment = place.assess(regular)
        asked = {"days_until": ahead(3), "reason": "travel", "occasion": Occasion.TRAVEL, **changed}
        assert code in refusing(lambda: place.decide(assessment, 10, **asked))
        assert place.live(regular) == []

    def test_the_law_limits_it_too(self, place: Place) -> None:
        place.adopt(US)
        assessment = place.assess(place.client("c" * 13), **dict.fromkeys(SIX, True))  # day 14: seven
        assert refusing(lambda: once(place, assessment, 0, 10, 8)) == ["above-legal-limit"]
        assert once(place, assessment, 0, 10, 7).per_supply == 7


class TestSuspending:
    def test_nothing_is_carried_until_it_is_restored_with_what_was_decided(
        self, place: Place, regular: ClientId
    ) -> None:
        grant = place.decide(place.assess(regular), 4, 4, reason="four for now", weekdays=frozenset({1, 2, 3, 5}))

        suspended = place.suspend(regular, ahead(1))
        assert (suspended.kind, suspended.review_on) == ("suspension", ahead(14))
        assert suspended.closed_days_apart  # a day on which nobody could give the dose stays possible
        assert place.live(regular) == [(TODAY, ahead(1), 4), (ahead(1), None, 0)]

        restored = place.restore(regular, ahead(5), review_on=ahead(40))
        assert place.live(regular) == [(TODAY, ahead(1), 4), (ahead(1), ahead(5), 0), (ahead(5), None, 4)]
        assert (restored.kind, restored.continues_id, restored.weekdays) == ("grant", grant.id, [1, 2, 3, 5])
        assert (restored.reason, restored.review_on) == ("a lockbox was brought", ahead(40))
        assert [act for act in place.acts() if act != "did task"][-2:] == ["suspended take-home", "restored take-home"]

    def test_a_grant_with_a_last_day_is_restored_to_that_day_alone(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6, days_until=ahead(30))
        place.suspend(regular, ahead(3))
        assert place.live(regular) == [(TODAY, ahead(3), 6), (ahead(3), ahead(30), 0)]
        place.restore(regular, ahead(9))
        assert place.live(regular)[-1] == (ahead(9), ahead(30), 6)
        assert refusing(lambda: place.restore(regular, ahead(9))) == ["nothing-suspended"]

    def test_all_that_was_granted_for_later_days_is_suspended_with_it(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        place.decide(assessment, 6, 6)
        once(place, assessment, 5, 12)
        place.suspend(regular, ahead(2))
        assert place.live(regular) == [(TODAY, ahead(2), 6), (ahead(2), None, 0)]
        assert place.restore(regular, ahead(3)).per_supply == 6

    def test_nothing_is_suspended_twice_nor_where_nothing_is_granted(self, place: Place, regular: ClientId) -> None:
        assert refusing(lambda: place.suspend(regular)) == ["nothing-to-suspend"]
        assert refusing(lambda: place.restore(regular)) == ["nothing-suspended"]
        place.decide(place.assess(regular), 6, 6)
        place.suspend(regular)
        assert refusing(lambda: place.suspend(regular)) == ["nothing-to-suspend"]

    @pytest.mark.parametrize(
        ("asked", "code", "field"),
        [
            ({"from_day": ahead(-1)}, "day-passed", "from_day"),
            ({"reason": "  "}, "reason-missing", "reason"),
            ({"reason": "x" * 2001}, "reason-missing", "reason"),
            ({"review_on": TODAY}, "review-passed", "review_on"),
        ],
    )
    def test_each_fault_is_told_beside_its_field(
        self, place: Place, regular: ClientId, asked: dict[str, Any], code: str, field: str
    ) -> None:
        place.decide(place.assess(regular), 6, 6)
        with pytest.raises(BadInput) as refused:
            place.suspend(regular, **asked)
        assert [(one.code, one.field) for one in refused.value.refusals] == [(code, field)]

    def test_it_is_restored_only_as_far_as_the_law_of_the_day_lets_it(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 13, lockbox=True, housing_stable=True)
        place.decide(place.assess(client_id), 10, reason="works on a ship")
        place.suspend(client_id)
        place.adopt(US)
        assert refusing(lambda: place.restore(client_id)) == ["policy-changed"]
        place.assess(client_id, **dict.fromkeys(SIX, True))
        assert refusing(lambda: place.restore(client_id)) == ["above-legal-limit"]

    def test_the_program_suspends_and_restores_nobody(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        place.doctor = the_program(place.site_id)
        for act in (place.suspend, place.restore):
            with pytest.raises(NotAllowed):
                act(regular)

    def test_sixteen_at_once_suspend_it_once(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        gate = threading.Barrier(16)

        def one(_: int) -> bool:
            gate.wait()
            try:
                return bool(place.suspend(regular))
            except Refused:
                return False

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(one, range(16))) == 1
        assert place.live(regular) == [(TODAY, None, 0)]


class TestReviews:
    def tasks(self, place: Place) -> list[tuple[str, date, str]]:
        with place.database.reading() as session:
            found = session.scalars(select(Task).order_by(Task.opened_at, Task.id)).all()
        return [(task.sentence, task.due_on, task.outcome) for task in found]

    def test_a_review_is_a_task_for_the_doctor_until_the_next_decision(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6, review_on=ahead(90))
        place.suspend(regular)
        place.restore(regular)
        assert self.tasks(place) == [
            ("Take-home is to be reviewed.", ahead(90), "Suspended take-home."),
            ("Take-home is suspended: look at it again.", ahead(14), "Restored take-home."),
        ]

    def test_a_trip_leaves_the_review_open(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        place.decide(assessment, 6, 6, review_on=ahead(90))
        once(place, assessment, 5, 12)
        assert self.tasks(place) == [("Take-home is to be reviewed.", ahead(90), "")]


class TestNaloxone:
    def test_it_is_asked_at_the_start_and_at_each_renewal(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        with pytest.raises(BadInput) as start:
            place.decide(assessment, 6, 6, naloxone=None)
        assert [(one.code, one.field) for one in start.value.refusals] == [("naloxone-not-asked", "naloxone")]
        assert place.decide(assessment, 6, 6, naloxone=Naloxone.DECLINED).naloxone == "declined"
        assert refusing(lambda: place.decide(assessment, 6, 6, naloxone=None)) == ["naloxone-not-asked"]

    def test_who_was_asked_in_this_stay_is_not_asked_for_a_trip(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        assert refusing(lambda: once(place, assessment, 0, 3, naloxone=None)) == ["naloxone-not-asked"]
        place.decide(assessment, 6, 6)
        assert once(place, assessment, 0, 3, naloxone=None).naloxone is None

    def test_a_decision_that_allows_nothing_asks_nothing(self, place: Place, regular: ClientId) -> None:
        assert place.decide(place.assess(regular), 0, 0, reason="moves house", naloxone=None).per_supply == 0


class TestPattern:
    def test_fewer_weekdays_than_the_policy_allows_differ_from_it(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        weekend = frozenset({5, 6})
        assert refusing(lambda: place.decide(assessment, 6, 6, weekdays=weekend)) == ["reason-missing"]
        assert place.decide(assessment, 6, 6, weekdays=weekend, reason="at work on weekdays").differs
        assert not place.decide(assessment, 6, 6, weekdays=frozenset(range(6))).differs

    def test_every_weekday_is_no_pattern(self, place: Place, regular: ClientId) -> None:
        assert place.decide(place.assess(regular), 6, 6, weekdays=frozenset(range(7))).weekdays is None

    @pytest.mark.parametrize("weekdays", [frozenset(), frozenset({7}), frozenset({-1, 3})])
    def test_it_names_days_of_the_week(self, place: Place, regular: ClientId, weekdays: frozenset[int]) -> None:
        assert "weekday-unknown" in refusing(lambda: place.decide(place.assess(regular), 6, 6, weekdays=weekdays))


class TestRenewing:
    def test_it_goes_on_as_before_in_one_act(self, place: Place, regular: ClientId) -> None:
        grant = place.decide(
            place.assess(regular),
            4,
            4,
            days_until=ahead(28),
            reason="four for now",
            weekdays=frozenset({1, 2, 3, 5}),
            review_on=ahead(20),
        )
        newest = place.assess(regular)

        again = renewed(place, regular)

        assert (again.days.lower, again.days.upper, again.review_on) == (ahead(28), ahead(56), ahead(48))
        assert (again.per_supply, again.per_week, again.weekdays) == (4, 4, [1, 2, 3, 5])
        assert (again.reason, again.assessment_id, again.naloxone) == ("four for now", newest.id, "has_one")
        assert place.live(regular) == [(TODAY, ahead(28), 4), (ahead(28), ahead(56), 4)]
        assert grant.id != again.id

    def test_after_a_trip_it_is_as_long_as_it_was(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        place.decide(assessment, 6, 6, days_until=ahead(28))
        once(place, assessment, 5, 12)
        place.assess(regular)
        assert (renewed(place, regular).days.lower, place.live(regular)[-1][1]) == (ahead(28), ahead(56))

    def test_an_open_one_begins_anew_today(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        place.assess(regular)
        renewed(place, regular)
        assert place.live(regular) == [(TODAY, None, 6)]

    def test_nothing_goes_on_where_the_assessment_says_something_else(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        assert refusing(lambda: renewed(place, regular)) == ["not-as-before"]  # no new assessment
        place.do(lambda session: session.execute(text("UPDATE client SET lockbox = false")))
        place.assess(regular)
        assert refusing(lambda: renewed(place, regular)) == ["not-as-before"]

    def test_nothing_goes_on_that_is_suspended(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        place.suspend(regular)
        place.assess(regular)
        assert refusing(lambda: renewed(place, regular)) == ["not-as-before"]

    def test_naloxone_is_offered_again(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        place.assess(regular)
        assert refusing(lambda: renewed(place, regular, None)) == ["naloxone-not-asked"]

    def test_nobody_has_something_to_renew_before_anything_was_decided(self, place: Place, regular: ClientId) -> None:
        with place.database.reading() as session:
            assert renewable(session, regular) is None


class TestTheEndOfAStay:
    def test_no_decision_holds_any_more(self, place: Place, regular: ClientId) -> None:
        assessment = place.assess(regular)
        place.decide(assessment, 6, 6)
        once(place, assessment, 5, 12)

        def end() -> int:
            return len(
                place.do(
                    lambda session: end_decisions(
                        session, actor=place.doctor, client_id=regular, from_day=ahead(2), at=place.now
                    )
                )
            )

        assert end() == 3
        assert place.live(regular) == [(TODAY, ahead(2), 6)]
        assert place.acts()[-1] == "ended take-home"
        assert end() == 0
        assert place.acts().count("ended take-home") == 1

    def test_a_decision_of_an_earlier_stay_is_not_carried_on(self, place: Place, regular: ClientId) -> None:
        place.decide(place.assess(regular), 6, 6)
        with place.database.writing() as session:
            end_decisions(session, actor=place.doctor, client_id=regular, from_day=TODAY, at=place.now)
            session.execute(update(Episode).values(ended_on=TODAY, exit_reason="transferred"))
            session.add(Episode(client_id=regular, site_id=place.site_id, began_on=TODAY))
        place.assess(regular)
        assert refusing(lambda: renewed(place, regular)) == ["not-as-before"]
        assert refusing(lambda: place.restore(regular)) == ["nothing-suspended"]


def test_whatever_is_decided_at_most_one_decision_holds_on_a_day_and_each_assessment_replays(
    place: Place, regular: ClientId
) -> None:
    """A fixed walk through every act, each day looked at after each: the exclusion constraint never has to refuse."""
    acts: list[Callable[[int], object]] = [
        lambda n: place.decide(place.assess(regular), n % 7, 7, reason="so", days_from=ahead(n % 11)),
        lambda n: once(place, place.assess(regular), n % 13, n % 13 + 1 + n % 5),
        lambda n: place.suspend(regular, ahead(n % 9)),
        lambda n: place.restore(regular, ahead(n % 9)),
        lambda n: renewed(place, regular),
    ]
    kept = 0
    for n in range(60):
        try:
            acts[n * 7 % 5 if n % 3 else n % 5](n)
            kept += 1
        except Refused:
            continue
        with place.database.reading() as session:
            for day in range(0, 30, 3):
                held = session.scalar(
                    select(func.count())
                    .select_from(Decision)
                    .where(Decision.voided_at.is_(None), Decision.days.contains(ahead(day)))
                )
                assert held in (0, 1)
    assert kept > 20
    with place.database.reading() as session:
        assert decision_on(session, regular, ahead(29)) is not None
        assert all(replay(session, each) for each in session.scalars(select(Assessment.id)))


class TestTermsAreARule:
    @given(st.integers(0, 28), st.none() | st.integers(0, 7), st.none() | st.frozensets(st.integers(0, 6)))
    def test_a_pattern_never_allows_more_a_week(
        self, per_supply: int, per_week: int | None, weekdays: frozenset[int] | None
    ) -> None:
        terms = Terms(per_supply, per_week, None, weekdays)
        if per_week is not None:
            assert terms.a_week is not None
            assert terms.a_week <= per_week
        if weekdays is not None:
            assert terms.a_week is not None
            assert terms.a_week <= len(weekdays)
        assert pattern(pattern(weekdays)) == pattern(weekdays)

    @pytest.mark.parametrize(
        ("kind", "per_supply", "before", "asks"),
        [
            (DecisionKind.GRANT, 1, False, True),
            (DecisionKind.GRANT, 1, True, True),
            (DecisionKind.GRANT, 0, False, False),
            (DecisionKind.ONE_OFF, 1, False, True),
            (DecisionKind.ONE_OFF, 1, True, False),
        ],
    )
    def test_when_naloxone_is_asked(self, kind: DecisionKind, per_supply: int, before: bool, asks: bool) -> None:
        assert asks_naloxone(kind, Terms(per_supply), asked_before=before) is asks

    @given(
        st.builds(
            Asked,
            kind=st.sampled_from(DecisionKind),
            terms=st.builds(
                Terms,
                st.integers(0, 28),
                st.none() | st.integers(0, 7),
                st.none(),
                st.none() | st.frozensets(st.integers(0, 6), min_size=1),
            ),
            begins=st.dates(TODAY, ahead(60)),
            until=st.none() | st.dates(TODAY, ahead(200)),
            today=st.just(TODAY),
            review_on=st.none() | st.dates(ahead(-5), ahead(60)),
            agreement_signed_on=st.none() | st.dates(ahead(-60), ahead(60)),
            naloxone=st.none() | st.sampled_from(Naloxone),
            occasion=st.none() | st.sampled_from(Occasion),
        )
    )
    def test_no_field_has_two_faults_and_each_names_its_field(self, asked: Asked) -> None:
        fields = [fault.field for fault in faults_of(asked)]
        assert len(fields) == len(set(fields))
        assert all(fields)


def test_a_room_decides_for_people_alone(place: Place, regular: ClientId) -> None:
    nobody = Actor(None, place.site_id, frozenset(), "", "")
    with pytest.raises(NotAllowed), place.database.writing() as session:
        suspending.suspend(
            session, actor=nobody, client_id=regular, from_day=TODAY, reason="x", review_on=ahead(1), at=place.now
        )
