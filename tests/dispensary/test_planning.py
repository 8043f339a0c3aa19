"""Plans: what a guideline proposes, what is signed as one, and how it ends before its time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from dispensary.clients.models import Task
from dispensary.database import Database
from dispensary.prescribing.adopting import adopt_guideline
from dispensary.prescribing.course import Course, Leg
from dispensary.prescribing.drafting import said_of_steps
from dispensary.prescribing.guideline import Guideline, guidelines, guidelines_with
from dispensary.prescribing.judging import About, Held
from dispensary.prescribing.models import DoseOrder, DosePlan
from dispensary.prescribing.plans import Aim, Draft, PlanKind, Step, by_weekday, equal_portions, propose
from dispensary.prescribing.rules import JumpGuard
from dispensary.prescribing.sections import Topic, Verdict
from dispensary.prescribing.steps import Tolerance
from dispensary.refusals import BadInput, Refused
from dispensary.staff.rules import the_program
from dispensary.supplies.closing import close_day
from dispensary.supplies.recalls import open_recall
from dispensary.units import ClientId, DoseDay, milligrams
from dispensary.web import caring_acts, dosing_acts, planning_acts
from dispensary.web.dosing_acts import Bottles
from tests.builders import Clinic, clinic

DAY = date(2026, 11, 24)
GUARD = JumpGuard()
amounts = st.decimals("1", "300", places=1)
days = st.integers(1, 400).map(lambda n: DAY - timedelta(days=n))


def step(day: date, mg: str, why: str = "", parts: tuple[str, ...] = (), places: tuple[str, ...] = ()) -> Step:
    return Step(day, milligrams(mg), tuple(milligrams(part) for part in parts), places, why)


class TestProposals:
    @given(
        guideline=st.sampled_from(list(guidelines_with(Topic.INDUCTION).values())),
        target=amounts,
        tolerance=st.sampled_from(Tolerance),
        at_risk=st.booleans(),
    )
    def test_every_step_of_an_induction_is_one_that_the_guideline_allows_without_a_reason(
        self, guideline: Guideline, target: Decimal, tolerance: Tolerance, at_risk: bool
    ) -> None:
        about = About(tolerance, at_risk)
        aim = Aim(PlanKind.INDUCTION, DAY, start_mg=None, target_mg=target, about=about)

        proposed = propose(aim, Course(), guideline)

        draft = Draft(PlanKind.INDUCTION, proposed.steps, about=about)
        said = said_of_steps(draft, Course(), Held(induction=guideline), JumpGuard(percent=900, mg=Decimal(900)))
        assert {one.judged.ruling.answer for one in said} <= {Verdict.ALLOW, Verdict.REFER}
        assert all(one.first_day < after.first_day for one, after in pairwise(proposed.steps))

    @given(
        guideline=st.sampled_from(list(guidelines_with(Topic.TAPER).values())), begun=days, current=amounts, to=amounts
    )
    def test_every_step_of_a_taper_is_one_that_the_guideline_allows_and_none_rises(
        self, guideline: Guideline, begun: date, current: Decimal, to: Decimal
    ) -> None:
        course = Course((Leg(begun, current),), begun)
        aim = Aim(PlanKind.TAPER, DAY, current_mg=current, target_mg=min(to, current))

        proposed = propose(aim, course, guideline)

        draft = Draft(PlanKind.TAPER, proposed.steps, proposed.until_day)
        said = said_of_steps(draft, course, Held(taper=guideline), JumpGuard(percent=100, mg=Decimal(900)))
        later = said[1:]  # the first may come soon after a change that was no step of this taper
        assert {one.judged.ruling.answer for one in later} <= {Verdict.ALLOW}
        doses = [current, *(one.mg for one in proposed.steps)]
        assert all(after < before for before, after in pairwise(doses))

    @given(amounts, st.integers(1, 4))
    def test_equal_portions_add_up_and_none_is_more_than_the_first(self, mg: Decimal, portions: int) -> None:
        parts = equal_portions(mg, portions)

        assert (sum(parts), len(parts), max(parts)) == (mg, portions, parts[0])
        assert min(parts) > 0

    @given(st.lists(st.sampled_from(["40", "60"]), min_size=7, max_size=7), st.integers(0, 6), st.integers(1, 40))
    def test_a_pattern_of_weekdays_gives_each_day_its_own_dose(
        self, pattern: list[str], begins: int, length: int
    ) -> None:
        first = DAY + timedelta(days=begins)
        until = first + timedelta(days=length)

        steps = list(by_weekday([step(DAY, mg) for mg in pattern], first, until))

        for n in range(length):
            day = first + timedelta(days=n)
            told = [one.mg for one in steps if one.first_day <= day][-1]
            assert told == Decimal(pattern[day.weekday()])


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def follow(place: Clinic, topic: Topic, guideline: str) -> None:
    with place.database.writing() as session:
        adopt_guideline(
            session,
            actor=the_program(place.site_id),
            site_id=place.site_id,
            topic=topic,
            guideline=guideline,
            from_day=place.today - timedelta(days=30),
            at=place.now,
        )


def sign(place: Clinic, client: ClientId, kind: PlanKind, *steps: Step, reason: str = "agreed", **how: Any) -> UUID:
    bottles = how.pop("bottles", Bottles.UNSAID)
    draft = Draft(kind, steps, **how)
    return place.database.write(
        lambda session: (
            planning_acts.sign(
                session,
                actor=place.doctor,
                client_id=client,
                draft=draft,
                reason=reason,
                bottles=bottles,
                today=place.today,
                at=place.now,
            ).id
        )
    )


def refused(place: Clinic, client: ClientId, kind: PlanKind, *steps: Step, **how: Any) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as fault:
        sign(place, client, kind, *steps, **how)
    return {(one.code, one.field) for one in fault.value.refusals}


def chain(place: Clinic, client: ClientId) -> list[tuple[str, int, int | None, str | None]]:
    """mg, first day and the day after the last as days from today, and how it ends."""
    with place.database.reading() as session:
        orders = session.scalars(
            select(DoseOrder)
            .where(DoseOrder.client_id == client, DoseOrder.voided_at.is_(None))
            .order_by(DoseOrder.days)
        ).all()
    return [
        (
            format(one.mg.normalize(), "f"),
            (one.days.lower - place.today).days if one.days.lower else 0,
            (one.days.upper - place.today).days if one.days.upper else None,
            one.end_reason,
        )
        for one in orders
    ]


def tasks(place: Clinic, client: ClientId, *, done: bool = False) -> list[tuple[int, str]]:
    with place.database.reading() as session:
        rows = session.scalars(
            select(Task).where(Task.client_id == client, Task.kind == "review").order_by(Task.due_on)
        )
        return [((one.due_on - place.today).days, one.sentence) for one in rows if (one.done_at is not None) == done]


def test_a_taper_of_more_steps_than_a_plan_has_says_where_it_stops() -> None:
    aim = Aim(
        PlanKind.TAPER, date(2026, 11, 24), current_mg=Decimal(130), target_mg=Decimal(0), step_mg=Decimal(1),
        days_between=7,
    )  # fmt: skip
    proposed = propose(aim, Course(), None)
    assert (len(proposed.steps), proposed.steps[-1].mg, proposed.until_day) == (120, 10, None)
    assert proposed.note == "These are the first 120 steps; they do not reach 0 mg."


class TestSigning:
    def test_all_orders_come_as_one_and_the_order_before_gives_way_without_a_gap(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        first, second = place.ahead(1, 8)

        sign(place, client, PlanKind.TITRATION, step(first, "90"), step(second, "100"))

        assert chain(place, client) == [
            ("80", 0, 1, "superseded"),
            ("90", 1, 8, "superseded"),
            ("100", 8, None, None),
        ]

    def test_a_taper_to_nothing_ends_on_the_first_day_without_a_dose(self, place: Clinic) -> None:
        follow(place, Topic.TAPER, "UK-ORANGE-2017")
        client = place.client(mg="15")
        place.move_on(7)
        with place.database.reading() as session:
            given_before = dosing_acts.last_given(session, client_id=client, before=place.today)
        assert given_before is None
        aim = Aim(PlanKind.TAPER, place.today, current_mg=Decimal(15), target_mg=Decimal(0))
        proposed = propose(
            aim, Course((Leg(place.today - timedelta(days=7), Decimal(15)),)), guidelines()["UK-ORANGE-2017"]
        )
        steps = [Step(one.first_day, one.mg, why="agreed with the client") for one in proposed.steps]

        sign(place, client, PlanKind.TAPER, *steps, until_day=proposed.until_day)

        assert chain(place, client) == [
            ("15", -7, 0, "superseded"),
            ("10", 0, 7, "superseded"),
            ("5", 7, 14, "as_written"),
        ]

    def test_what_leaves_the_guideline_asks_for_its_reason_which_is_kept_with_the_ruling(self, place: Clinic) -> None:
        client = place.client(mg="40")
        place.give(client)
        follow(place, Topic.INDUCTION, "AU-NAT-2003")
        first, second = place.ahead(1, 2)
        asked = refused(place, client, PlanKind.TITRATION, step(first, "45"), step(second, "50"))
        assert asked == {("outside-guideline", "why_0"), ("outside-guideline", "why_1")}
        assert len(chain(place, client)) == 1

        plan_id = sign(
            place, client, PlanKind.TITRATION, step(first, "45", "in withdrawal"), step(second, "50", "still so")
        )

        with place.database.reading() as session:
            plan = session.get_one(DosePlan, plan_id)
        assert (plan.guideline, plan.guideline_version) == ("AU-NAT-2003", "1")
        assert [one["why"] for one in plan.steps] == ["in withdrawal", "still so"]
        assert plan.steps[1]["ruling"]["limits"] == ["days-between", "settling"]

    def test_the_guard_against_slips_looks_at_each_step_and_ten_fold_is_refused_whatever_is_said(
        self, place: Clinic
    ) -> None:
        client = place.client(mg="20")
        place.give(client)
        first, second, third = place.ahead(1, 10, 20)

        asked = refused(
            place, client, PlanKind.TITRATION, step(first, "25"), step(second, "40"), step(third, "400", "sure")
        )

        assert asked == {("second-look", "why_1"), ("ten-fold", "mg_2")}

    def test_what_the_law_limits_is_refused_and_no_reason_helps(self, place: Clinic) -> None:
        client = place.client(mg="40")
        place.give(client)
        follow(place, Topic.PRESCRIPTION, "VN-CIRC26-2023")
        first, second = place.ahead(1, 20)
        steps = (step(first, "45"), step(second, "50"))

        assert refused(place, client, PlanKind.TITRATION, *steps, outside="far away") == {
            ("guideline-refuses", "until_day")
        }
        (too_late,) = place.ahead(32)
        assert refused(place, client, PlanKind.TITRATION, *steps, until_day=too_late, outside="far away") == {
            ("guideline-refuses", "until_day")
        }
        (last,) = place.ahead(31)
        sign(place, client, PlanKind.TITRATION, *steps, until_day=last)
        assert chain(place, client)[-1] == ("50", 20, 31, "as_written")

    def test_every_fault_is_told_at_once_beside_its_own_step(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        first, second = place.ahead(1, 8)
        crooked = step(second, "90", parts=("50", "30"))

        asked = refused(place, client, PlanKind.TITRATION, crooked, step(first, "95"), reason=" ")

        assert asked == {("portions", "portions_0"), ("step-order", "day_1"), ("reason", "reason")}

    def test_a_plan_without_a_step_is_none(self, place: Clinic) -> None:
        client = place.client(mg="80")

        assert refused(place, client, PlanKind.TITRATION) == {("plan-empty", "")}

    def test_it_does_not_begin_on_a_day_that_was_dosed_nor_on_one_that_has_passed(self, place: Clinic) -> None:
        client = place.client(mg="80", began=place.today - timedelta(days=9))
        place.give(client)

        assert refused(place, client, PlanKind.TITRATION, step(place.today, "90")) == {("day-covered", "day_0")}
        yesterday = place.today - timedelta(days=1)
        assert ("begins-earlier", "day_0") in refused(place, client, PlanKind.TITRATION, step(yesterday, "90"))

    def test_bottles_at_home_are_a_question_and_can_be_called_back(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.decide(client, per_supply=3)
        place.give(client, take_home_days=place.ahead(1, 2, 3))
        first, second = place.ahead(1, 8)
        steps = (step(first, "75"), step(second, "70"))
        assert refused(place, client, PlanKind.TAPER, *steps) == {
            ("day-covered", "day_0"),
            ("bottles-at-home", "bottles"),
        }

        sign(place, client, PlanKind.TAPER, *steps, bottles=Bottles.CALL_BACK)

        with place.database.reading() as session:
            recall = open_recall(session, client_id=client)
        assert recall is not None
        assert (recall.cause, recall.from_day) == ("dose_changed", first)

    def test_places_and_portions_reach_the_order_and_a_missing_place_is_asked_for(self, place: Clinic) -> None:
        client = place.client(mg="80")
        place.give(client)
        (first,) = place.ahead(1)
        split = step(first, "80", parts=("50", "30"), places=("supervised",))
        assert refused(place, client, PlanKind.SPLIT, split) == {("places", "places_0")}

        sign(place, client, PlanKind.SPLIT, step(first, "80", "", ("50", "30"), ("supervised", "take_home")))

        with place.database.reading() as session:
            order = session.scalars(select(DoseOrder).where(DoseOrder.plan_id.is_not(None))).one()
        assert (order.portions, order.places) == ([Decimal(50), Decimal(30)], ["supervised", "take_home"])

    def test_dividing_without_a_sign_for_it_asks_why_where_the_site_follows_a_guideline(self, place: Clinic) -> None:
        follow(place, Topic.SPLIT, "PRODUCT-DEFAULT")
        client = place.client(mg="80")
        place.give(client)
        place.move_on(7)
        divided = step(place.today, "80", parts=("40", "40"))
        levels = {"trough_ng_ml": Decimal(400), "peak_ng_ml": Decimal(600)}

        assert refused(place, client, PlanKind.SPLIT, divided, **levels) == {("outside-guideline", "why_0")}
        levels["peak_ng_ml"] = Decimal(1000)
        sign(place, client, PlanKind.SPLIT, divided, **levels)

    def test_reviews_before_rises_are_tasks_and_those_of_a_pattern_of_weekdays_are_not(self, place: Clinic) -> None:
        climbs, changes = place.client(mg="80"), place.client(mg="80")
        first, second = place.ahead(1, 8)

        sign(place, climbs, PlanKind.TITRATION, step(first, "85"), step(second, "90"))
        sign(
            place,
            changes,
            PlanKind.WEEKDAYS,
            step(first, "80"),
            step(second, "85"),
            until_day=second + timedelta(days=7),
        )

        assert [due for due, _ in tasks(place, climbs)] == [7]
        assert tasks(place, changes) == []

    def test_the_first_dose_of_a_stay_brings_the_hours_of_observation_that_the_guideline_states(
        self, place: Clinic
    ) -> None:
        client = place.client(mg="10")
        follow(place, Topic.INDUCTION, "WHO-2009")
        usual = About(Tolerance.USUAL)

        sign(place, client, PlanKind.INDUCTION, step(place.today, "15"), about=usual)

        assert tasks(place, client) == [(0, "First dose: observe the client for 2 to 3 hours.")]

    def test_the_same_plan_again_is_the_same_plan_until_it_no_longer_stands(self, place: Clinic) -> None:
        client = place.client(mg="80")
        first, second = place.ahead(1, 8)
        steps = (step(first, "85"), step(second, "90"))

        once, twice = (sign(place, client, PlanKind.TITRATION, *steps) for _ in range(2))
        assert once == twice

        with place.database.writing() as session:
            planning_acts.stop(
                session,
                actor=place.doctor,
                client_id=client,
                plan_id=once,
                ending=planning_acts.Ending(second, None, "drowsy"),
                today=place.today,
                at=place.now,
            )
        assert sign(place, client, PlanKind.TITRATION, *steps) != once


class TestEndingAPlan:
    def stop(self, place: Clinic, client: ClientId, plan_id: UUID, from_day: DoseDay, **how: Any) -> UUID:
        bottles = how.pop("bottles", Bottles.UNSAID)
        ending = planning_acts.Ending(from_day, how.pop("until_day", None), how.pop("reason", "drowsy"))
        return place.database.write(
            lambda session: (
                planning_acts.stop(
                    session,
                    actor=place.doctor,
                    client_id=client,
                    plan_id=plan_id,
                    ending=ending,
                    bottles=bottles,
                    today=place.today,
                    at=place.now,
                ).id
            )
        )

    @pytest.fixture
    def client(self, place: Clinic) -> ClientId:
        return place.client(mg="80")

    @pytest.fixture
    def plan_id(self, place: Clinic, client: ClientId) -> UUID:
        """90 mg from tomorrow, 100 mg a week later."""
        place.give(client)
        first, second = place.ahead(1, 8)
        return sign(place, client, PlanKind.TITRATION, step(first, "90"), step(second, "100"))

    def test_the_dose_of_the_day_before_goes_on_and_no_review_is_left(
        self, place: Clinic, client: ClientId, plan_id: UUID
    ) -> None:
        place.move_on(3)
        (tomorrow,) = place.ahead(1)

        first, again = (self.stop(place, client, plan_id, tomorrow) for _ in range(2))

        assert first == again
        assert chain(place, client)[1:] == [("90", -2, 1, "superseded"), ("90", 1, None, None)]
        assert tasks(place, client) == []
        assert [due for due, _ in tasks(place, client, done=True)] == [4]

    def test_before_it_has_begun_the_order_before_goes_on(self, place: Clinic, client: ClientId, plan_id: UUID) -> None:
        (tomorrow,) = place.ahead(1)

        self.stop(place, client, plan_id, tomorrow)

        assert chain(place, client) == [("80", 0, 1, "superseded"), ("80", 1, None, None)]

    def test_it_has_a_reason_and_days_that_are_left(self, place: Clinic, client: ClientId, plan_id: UUID) -> None:
        (tomorrow,) = place.ahead(1)
        with pytest.raises(BadInput) as fault:
            self.stop(place, client, plan_id, tomorrow, reason=" ")
        assert fault.value.first.code == "reason"
        self.stop(place, client, plan_id, tomorrow)

        with pytest.raises(Refused) as over:
            self.stop(place, client, plan_id, tomorrow, reason="another")
        assert over.value.first.code == "plan-over"

    def test_of_somebody_else_there_is_none(self, place: Clinic, plan_id: UUID) -> None:
        other = place.client(mg="80")
        with pytest.raises(Refused) as fault:
            self.stop(place, other, plan_id, place.ahead(1)[0])
        assert fault.value.first.code == "no-plan"

    def test_where_nothing_is_ordered_before_it_no_dose_can_go_on(self, place: Clinic) -> None:
        client = place.client(mg="80")
        with place.database.writing() as session:
            dosing_acts.order(
                session,
                actor=place.doctor,
                client_id=client,
                wanted=dosing_acts.Wanted(milligrams("80"), (), place.today, place.ahead(2)[0], "to see"),
                today=place.today,
                at=place.now,
            )
        later, last = place.ahead(5, 9)
        plan_id = sign(place, client, PlanKind.STABILISATION, step(later, "80"), until_day=last)

        with pytest.raises(Refused) as fault:
            self.stop(place, client, plan_id, later)

        assert fault.value.first.code == "plan-no-dose-before"

    def test_an_order_in_the_middle_takes_its_place_and_dosed_days_keep_theirs(
        self, place: Clinic, client: ClientId, plan_id: UUID
    ) -> None:
        place.move_on(2)
        place.give(client)
        with place.database.writing() as session:
            close_day(
                session, actor=the_program(place.site_id), day=place.today, today=place.today, counts=None, at=place.now
            )
        (tomorrow,) = place.ahead(1)
        with place.database.writing() as session:
            dosing_acts.order(
                session,
                actor=place.doctor,
                client_id=client,
                wanted=dosing_acts.Wanted(milligrams("85"), (), tomorrow, None, "drowsy"),
                today=place.today,
                at=place.now,
            )

        assert chain(place, client)[1:] == [("90", -1, 1, "superseded"), ("85", 1, None, None)]
        assert tasks(place, client) == []


def test_what_was_ordered_again_is_stopped_again(place: Clinic) -> None:
    client = place.client(mg="80")
    (tomorrow,) = place.ahead(1)

    def stopped() -> None:
        with place.database.writing() as session:
            caring_acts.stop(
                session,
                actor=place.doctor,
                client_id=client,
                from_day=tomorrow,
                reason="moves away",
                today=place.today,
                at=place.now,
            )

    stopped()
    sign(place, client, PlanKind.STABILISATION, step(tomorrow, "80"))
    stopped()

    assert chain(place, client) == [("80", 0, 1, "stopped")]
