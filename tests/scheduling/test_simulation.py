"""The simulator is judged: by simpy on the same draws, by two laws of queues, and by the model clinic's figures."""

from __future__ import annotations

from dataclasses import replace
from math import factorial, inf, sqrt
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.advice import percentile
from scheduling.plans import MODEL, Clinic, advised, bailey_welch, chosen, dome, flat, walk_in
from scheduling.simulation import Arrivals, Person, arrivals, compare, draw, serve, serve_day
from tests.scheduling.by_simpy import booked_first, by_simpy, first_come_first_served

PLANS = {
    "walk-in": (walk_in, 35.5, 56.8),
    "flat-15": (flat, 2.1, 9.3),
    "dome": (dome, 1.6, 7.2),
    "bailey-welch": (bailey_welch, 2.6, 10.5),
    "flat-30": (lambda clinic: flat(clinic, 30), 5.5, 16),
    "flat-60": (lambda clinic: flat(clinic, 60), 16.5, 35),
}
"""Plan, published mean and published 95th percentile, in minutes."""


@pytest.fixture(scope="module")
def model():
    plans = {name: making for name, (making, _, _) in PLANS.items()} | {"advised": advised}
    return dict(zip(plans, compare(MODEL, list(plans.values()), mornings=150, seed=7), strict=True))


moments = st.integers(-3000, 6000).map(lambda hundredths: hundredths / 100)
"""To which a ten thousandth is added for each person: nobody comes just when another does, or the doors open."""


class TestAgainstSimpy:
    @pytest.mark.parametrize("name", ["walk-in", "flat-15", "flat-60", "advised"])
    def test_everybody_begins_at_the_same_moment_on_the_same_draws(self, name):
        clinic = replace(MODEL, unbooked=0.0 if name == "walk-in" else 0.2)
        plan = ({"advised": advised} | {key: making for key, (making, _, _) in PLANS.items()})[name](clinic)
        chance, ours, theirs = Random(11), [], []
        for _ in range(10):
            come = arrivals(plan, draw(clinic, chance))
            mine, other = serve(come, clinic.windows), by_simpy(come, clinic.windows)
            assert mine == pytest.approx(other, abs=1e-6)
            ours += [start - at for start, at in zip(mine, come.at, strict=True)]
            theirs += [start - at for start, at in zip(other, come.at, strict=True)]
        assert (fmean(ours), percentile(ours, 95)) == pytest.approx((fmean(theirs), percentile(theirs, 95)))

    @given(
        st.lists(
            st.tuples(moments, st.one_of(st.just(inf), st.integers(0, 5).map(lambda n: n * 10)), st.floats(0.1, 9)),
            max_size=25,
        ),
        st.integers(1, 4),
    )
    def test_any_crowd_is_served_as_simpy_serves_it(self, people, windows):
        # Moments that never coincide: who is first among two of one moment is nobody's rule.
        people = sorted(
            (at + 1e-4 * n, float(slot), service + 1e-5 * n * n) for n, (at, slot, service) in enumerate(people, 1)
        )
        come = Arrivals(*(list(column) for column in zip(*people, strict=True))) if people else Arrivals([], [], [])

        assert serve(come, windows) == pytest.approx(by_simpy(come, windows), abs=1e-6)

    @given(
        st.lists(
            st.tuples(
                moments,
                st.one_of(st.just(inf), st.integers(0, 5).map(lambda n: n * 10)),
                st.floats(0.1, 9),
                st.sampled_from((0.0, 0.0, 15.0, 40.0)),
            ),
            max_size=25,
        ),
        st.integers(1, 4),
        st.sampled_from((5.0, 30.0)),
    )
    def test_any_crowd_with_groups_and_with_turns_of_those_without_a_slot(self, people, windows, patience):
        came = sorted((at + 1e-4 * n, *rest) for n, (at, *rest) in enumerate(people, 1))
        at = [each[0] for each in came]
        turn = [min(slot, here + patience) - sooner + 1e-7 * n for n, (here, slot, _, sooner) in enumerate(came)]
        service = [each[2] + 1e-5 * n * n for n, each in enumerate(came)]
        come = Arrivals(at, turn, service, [each[3] for each in came])

        assert serve(come, windows) == pytest.approx(by_simpy(come, windows), abs=1e-6)

    def test_the_two_judges_agree_where_nobody_has_a_slot(self):
        come = arrivals(walk_in(MODEL), draw(MODEL, Random(3)))

        assert booked_first(come, 2) == pytest.approx(first_come_first_served(come, 2))


def poisson(rate: float, people: int, service, chance: Random, *, slots: bool = False) -> Arrivals:
    at, moment = [], 0.0
    for _ in range(people):
        moment += chance.expovariate(rate)
        at.append(moment)
    slot = [each + chance.uniform(-20, 20) if slots else inf for each in at]
    return Arrivals(at, slot, [service(chance) for _ in at])


def long_run(rate: float, service, windows: int, *, slots: bool = False) -> tuple[float, float]:
    """The mean wait once the queue has settled, and its standard error from one run to the next."""
    means = []
    for run in range(20):
        come = poisson(rate, 6000, service, Random(run), slots=slots)
        starts = serve(come, windows)
        means.append(fmean(start - at for start, at in list(zip(starts, come.at, strict=True))[1000:]))
    return fmean(means), stdev(means) / sqrt(len(means))


class TestAgainstTheLawsOfQueues:
    @pytest.mark.parametrize("slots", [False, True], ids=["as-they-come", "booked-first"])
    @pytest.mark.parametrize(("windows", "load"), [(1, 0.7), (2, 0.8), (4, 0.75)])
    def test_erlang_c_for_exponential_services(self, windows, load, slots):
        mean_service = 1.5
        offered = windows * load
        last = offered**windows / factorial(windows) / (1 - load)
        waits = last / (sum(offered**k / factorial(k) for k in range(windows)) + last)
        expected = waits * mean_service / (windows * (1 - load))

        mean, error = long_run(
            offered / mean_service, lambda chance: chance.expovariate(1 / mean_service), windows, slots=slots
        )

        assert error < 0.05 * expected
        assert mean == pytest.approx(expected, abs=3.5 * error)

    @pytest.mark.parametrize("load", [0.5, 0.8])
    def test_pollaczek_and_khinchine_for_services_of_one_length(self, load):
        mean, error = long_run(load / 2, lambda chance: 2.0, 1)
        expected = load * 2.0 / (2 * (1 - load))

        assert error < 0.05 * expected
        assert mean == pytest.approx(expected, abs=3.5 * error)


class TestModelClinic:
    @pytest.mark.parametrize("name", PLANS)
    def test_waits_as_was_published(self, model, name):
        """Within 4 % or a tenth of a minute, and three standard errors: the published figures were simulated too."""
        _, mean, p95 = PLANS[name]
        found = model[name]

        assert found.mean == pytest.approx(mean, abs=max(0.04 * mean, 0.1) + 3 * found.error)
        assert found.p95 == pytest.approx(p95, abs=max(0.04 * p95, 0.1) + 3 * found.error)

    def test_the_advised_plan_waits_a_tenth_of_walk_in_or_less(self, model):
        assert advised(MODEL).people == (18,) * 11 + (2,)
        assert model["advised"].mean <= model["walk-in"].mean / 10
        assert model["advised"].unplaced == 0

    def test_the_same_seed_gives_the_same_figures_and_another_one_others(self):
        once, again, other = (compare(MODEL, [walk_in], mornings=5, seed=seed)[0] for seed in (1, 1, 2))

        assert once == again
        assert once.mean != other.mean


class TestPlans:
    def test_nobody_is_lost(self):
        clinic = replace(MODEL, clients=97, absent=0.0, unbooked=0.1)
        people = draw(clinic, Random(1))
        for making in (walk_in, flat, dome, bailey_welch, advised):
            plan = making(clinic)
            come = arrivals(plan, people)
            assert len(come.at) == 97
            assert sum(turn < inf for turn in come.turn) == plan.booked == (0 if making is walk_in else 87)

    def test_who_finds_no_advised_place_comes_without_one_and_is_counted(self):
        crowded = replace(MODEL, clients=400)
        (found,) = compare(crowded, [advised], mornings=3)

        assert found.plans[0].people == (18,) * 12
        assert found.unplaced == 400 - 216

    def test_advised_slots_hold_places_for_those_who_come_without_booking(self):
        assert advised(replace(MODEL, unbooked=0.3)).people[0] == 18 - 5

    def test_a_slot_longer_than_the_morning_is_the_only_one(self):
        assert flat(Clinic(clients=9, opening=20, windows=1, service_mean=1, slot_minutes=30)).people == (9,)

    def test_a_dome_is_fullest_in_its_middle(self):
        people = dome(MODEL).people

        assert max(people) in people[4:8]
        assert min(people) in (people[0], people[-1])


class TestWhoIsNext:
    """One window, always three minutes; A has the window, and two wait."""

    def test_after_so_many_minutes_somebody_without_a_slot_stands_among_the_booked(self):
        people = [Person(30, 0, 0), Person(3, -1, 0), Person(3, 0, 1)]
        booked_at_30 = flat(Clinic(clients=3, opening=60, windows=1, service_mean=3, slot_minutes=30, unbooked=1))
        plan = replace(booked_at_30, people=(1, 1))  # A at the opening, B at 30, C comes at 1 without
        waits_long = Clinic(clients=3, opening=60, windows=1, service_mean=3)
        first_b = arrivals(plan, people, waits_long)
        first_c = arrivals(plan, people, replace(waits_long, walk_in_minutes=20.0))

        assert first_b.at == first_c.at == [0, 1, 29]
        assert serve(first_b, 1) == [0, 33, 30]
        assert serve(first_c, 1) == [0, 30, 33]

    def test_who_comes_sooner_goes_before_who_came_earlier(self):
        come = Arrivals([0.0, 1.0, 2.0], [inf, inf, 2.0], [9.0, 3.0, 3.0], [0.0, 0.0, 10.0])

        assert serve(come, 1) == [0, 12, 9]

    def test_groups_are_drawn_in_their_shares(self):
        people = draw(replace(MODEL, clients=4000, groups=((0.25, 15.0), (0.1, 30.0)), absent=0.0), Random(5))
        share = {minutes: sum(each.sooner == minutes for each in people) / 4000 for minutes in (0.0, 15.0, 30.0)}

        assert share == pytest.approx({0.0: 0.65, 15.0: 0.25, 30.0: 0.1}, abs=0.02)


class TestDaysWithABreak:
    morning = Clinic(clients=40, opening=60, windows=2, service_mean=2, slot_minutes=15)
    evening = replace(morning, clients=30, begins=180.0, windows=1)

    def test_far_apart_stretches_are_as_if_each_were_a_day_of_its_own(self):
        both = compare((self.morning, self.evening), [flat], mornings=40, seed=2)[0]
        alone = [
            compare(each, [flat], mornings=400, seed=3)[0] for each in (self.morning, replace(self.evening, begins=0.0))
        ]

        expected = (40 * alone[0].mean + 30 * alone[1].mean) / 70
        assert both.mean == pytest.approx(expected, abs=4 * (both.error + alone[0].error + alone[1].error))
        assert max(both.queue) == pytest.approx(max(max(each.queue) for each in alone), rel=0.5)
        assert len(both.queue) > 180 + 60

    def test_a_window_that_is_late_with_the_first_begins_the_second_late(self):
        first = Arrivals([0.0, 1.0], [inf, inf], [5.0, 200.0])
        second = Arrivals([170.0, 175.0], [inf, inf], [3.0, 3.0])

        assert serve_day([(self.morning, first), (replace(self.evening, windows=2), second)]) == [[0, 1], [180, 183]]
        assert serve_day([(replace(self.morning, windows=1), first), (self.evening, second)]) == [[0, 5], [205, 208]]

    def test_overtime_is_counted_from_the_last_closing(self):
        (found,) = compare(
            (replace(self.morning, clients=1), replace(self.evening, clients=60)), [walk_in], mornings=30
        )

        assert 50 < found.overtime < 80


class TestAUsualDayOfTheAdvice:
    def test_spreads_the_booked_evenly_where_nobody_knows_what_they_like(self):
        assert chosen(replace(MODEL, clients=60)).people == (5,) * 12

    def test_follows_what_they_like_and_goes_to_the_next_place_where_it_is_full(self):
        clinic = replace(MODEL, clients=24, opening=60, advice=8, wishes=(3.0, 0.0, 1.0, 0.0))

        assert chosen(clinic).people == (8, 8, 8, 0)
        assert chosen(replace(clinic, clients=8)).people == (6, 0, 2, 0)

    def test_leaves_who_finds_no_place_without_one(self):
        assert chosen(replace(MODEL, clients=400)).people == advised(replace(MODEL, clients=400)).people

    def test_a_thin_day_waits_less_than_one_that_fills_from_the_first_slot_on(self):
        usual, hardest = compare(replace(MODEL, clients=60), [chosen, advised], mornings=40)

        assert usual.mean < hardest.mean / 2


class TestCounting:
    def test_a_queue_is_counted_minute_by_minute(self):
        everybody_at_once = Clinic(clients=4, opening=10, windows=1, service_mean=3, service_cv=0.0)
        (found,) = compare(everybody_at_once, [walk_in], mornings=200, seed=3)

        assert max(found.queue) <= 4
        assert found.queue[-1] == 0
        assert found.overtime > 0
        assert found.waiting <= 4

    def test_one_who_finds_the_window_free_waits_for_nothing(self):
        assert serve(Arrivals([1.0, 9.0], [inf, inf], [2.0, 2.0]), 1) == [1.0, 9.0]

    def test_before_opening_nobody_is_served(self):
        assert serve(Arrivals([-5.0, -4.0, -3.0], [0.0, inf, 0.0], [2.0, 2.0, 2.0]), 1) == [0.0, 4.0, 2.0]
