"""Whatever is done in whatever order: orders never overlap, leave no gap unchosen, and keep days that were dosed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from dispensary.clients.rules import ExitReason
from dispensary.database import Database, WriteSession
from dispensary.prescribing.models import DayOutcome, DoseOrder, Hold
from dispensary.prescribing.plans import Draft, PlanKind, Step
from dispensary.prescribing.queries import orders_of, plans_of
from dispensary.refusals import Refused
from dispensary.staff.rules import the_program
from dispensary.supplies.closing import close_day
from dispensary.supplies.models import Dose
from dispensary.units import ClientId, milligrams
from dispensary.web import caring_acts, dosing_acts, planning_acts
from dispensary.web.dosing_acts import Bottles
from tests.builders import Clinic, clinic

AHEAD = 30
"""Days from today on that are compared with what was chosen."""
doses = st.sampled_from(["60", "70", "80", "90"])
offsets = st.sampled_from([1, 0, 2, 3, 5, -1])
lengths = st.none() | st.sampled_from([1, 2, 4])
choices = st.sampled_from([Bottles.STAY, Bottles.CALL_BACK, Bottles.UNSAID])


class Chain(RuleBasedStateMachine):
    """One client, and beside them what was chosen for each day."""

    def __init__(self, place: Clinic) -> None:
        super().__init__()
        self.place = place
        self.chosen: dict[date, Decimal | None] = {}
        self.dosed: dict[date, UUID] = {}
        """Days of which a dose was handed over and not called back, with the order that it was under."""

    @initialize()
    def begins(self) -> None:
        self.client: ClientId = self.place.client(mg="80")
        self.choose(self.place.today, None, "80")
        self.place.decide(self.client, per_supply=3)

    def choose(self, first: date, until: date | None, mg: str | Decimal | None) -> None:
        last = self.place.today + timedelta(days=2 * AHEAD)
        day = first
        while day < last:
            ordered = until is None or day < until
            self.chosen[day] = Decimal(mg) if mg is not None and ordered else None
            day += timedelta(days=1)

    def day(self, offset: int) -> date:
        return self.place.today + timedelta(days=offset)

    def does(self, act: Callable[[WriteSession], object]) -> bool:
        """Whether it was done; refused, nothing of it may be left."""
        try:
            self.place.database.write(act)
        except Refused:
            return False
        return True

    def called_back(self, bottles: Bottles, first: date) -> None:
        if bottles is Bottles.CALL_BACK:
            self.dosed = {day: order for day, order in self.dosed.items() if day < first}

    def acted(self) -> dict[str, Any]:
        return {"actor": self.place.doctor, "client_id": self.client, "at": self.place.now}

    @rule(mg=doses, offset=offsets, length=lengths, bottles=choices)
    def orders(self, mg: str, offset: int, length: int | None, bottles: Bottles) -> None:
        first = self.day(offset)
        until = first + timedelta(days=length) if length else None
        wanted = dosing_acts.Wanted(
            milligrams(mg), (), first, until, "as they feel", second_look="seen", bottles=bottles
        )
        if self.does(lambda s: dosing_acts.order(s, wanted=wanted, today=self.place.today, **self.acted())):
            self.choose(first, until, mg)
            self.called_back(bottles, first)

    @rule(
        steps=st.lists(st.tuples(st.integers(1, 5), doses), min_size=1, max_size=4),
        offset=offsets,
        length=lengths,
        bottles=choices,
    )
    def plans(self, steps: list[tuple[int, str]], offset: int, length: int | None, bottles: Bottles) -> None:
        day, dated = self.day(offset), []
        for wait, mg in steps:
            dated.append(Step(day, milligrams(mg), why="agreed"))
            day += timedelta(days=wait)
        until = dated[-1].first_day + timedelta(days=length) if length else None
        draft = Draft(PlanKind.TITRATION, tuple(dated), until)
        signed = self.does(
            lambda s: planning_acts.sign(
                s, draft=draft, reason="agreed", bottles=bottles, today=self.place.today, **self.acted()
            )
        )
        if signed:
            for step in dated:
                self.choose(step.first_day, until, step.mg)
            self.called_back(bottles, dated[0].first_day)

    @rule(offset=offsets, length=lengths, bottles=choices)
    def ends_a_plan(self, offset: int, length: int | None, bottles: Bottles) -> None:
        with self.place.database.reading() as session:
            plans = plans_of(session, client_id=self.client)
        if not plans:
            return
        first = self.day(offset)
        until = first + timedelta(days=length) if length else None
        ending = planning_acts.Ending(first, until, "drowsy", "drowsy")
        goes_on = self.chosen.get(first - timedelta(days=1))
        done = self.does(
            lambda s: planning_acts.stop(
                s, plan_id=plans[0].id, ending=ending, bottles=bottles, today=self.place.today, **self.acted()
            )
        )
        if done:
            self.choose(first, until, goes_on)
            self.called_back(bottles, first)

    @rule(offset=offsets, bottles=choices)
    def stops(self, offset: int, bottles: Bottles) -> None:
        first = self.day(offset)
        stopped = self.does(
            lambda s: caring_acts.stop(
                s, from_day=first, reason="moves away", bottles=bottles, today=self.place.today, **self.acted()
            )
        )
        if stopped:
            self.choose(first, None, None)
            self.called_back(bottles, first)

    @rule(offset=offsets, length=lengths)
    def holds(self, offset: int, length: int | None) -> None:
        first = self.day(offset)
        until = first + timedelta(days=length) if length else None
        self.does(
            lambda s: dosing_acts.hold(
                s, from_day=first, until_day=until, reason="chest pain", today=self.place.today, **self.acted()
            )
        )

    @rule()
    def releases(self) -> None:
        with self.place.database.reading() as session:
            held = session.scalars(
                select(Hold.id).where(Hold.client_id == self.client, Hold.released_at.is_(None))
            ).first()
        if held is not None:
            self.does(lambda s: dosing_acts.release(s, hold_id=held, reason="well again", **self.acted()))

    @rule(carried=st.integers(0, 3))
    def comes(self, carried: int) -> None:
        self.takes(carried)

    def takes(self, carried: int) -> None:
        days = self.place.ahead(*range(1, carried + 1))
        try:
            self.place.give(self.client, take_home_days=days)
        except Refused:
            return
        with self.place.database.reading() as session:
            for dose in session.scalars(select(Dose).where(Dose.client_id == self.client, Dose.voided_at.is_(None))):
                if dose.dose_day >= self.place.today:
                    self.dosed.setdefault(dose.dose_day, dose.order_id)

    @rule(comes=st.booleans())
    def the_day_closes(self, comes: bool) -> None:
        if comes:
            self.takes(0)
        self.does(
            lambda s: close_day(
                s,
                actor=the_program(self.place.site_id),
                day=self.place.today,
                today=self.place.today,
                counts=None,
                at=self.place.now,
            )
        )
        self.place.move_on(1)

    @invariant()
    def holds_together(self) -> None:
        if not hasattr(self, "client"):
            return
        with self.place.database.reading() as session:
            orders = list(reversed(orders_of(session, client_id=self.client)))
            outcomes = session.scalars(select(DayOutcome).where(DayOutcome.client_id == self.client)).all()
        self.follow_each_other(orders)
        for day in (self.day(n) for n in range(AHEAD)):
            ordered = [one.mg for one in orders if day in _days(one)]
            assert ordered == ([self.chosen[day]] if self.chosen.get(day) is not None else []), day
        by_id = {one.id: one for one in orders}
        for day, order_id in self.dosed.items():
            assert day in _days(by_id[order_id]), f"{day} was dosed under an order that does not hold there any more"
        for outcome in outcomes:
            assert outcome.dose_day in _days(by_id[outcome.order_id])

    def follow_each_other(self, orders: list[DoseOrder]) -> None:
        for one, after in pairwise(orders):
            ends, begins = one.days.upper, after.days.lower
            assert ends is not None
            assert begins is not None
            assert ends <= begins, "two orders overlap"
            assert ends == begins or one.end_reason != "superseded", "a gap that nobody chose"
        if orders:
            assert (orders[-1].days.upper is None) == (orders[-1].end_reason is None)
            assert orders[-1].end_reason != "superseded"

    def teardown(self) -> None:
        """The client leaves, so that the next one's days close without them."""
        if hasattr(self, "client"):
            self.place.move_on(1)
            left = self.does(
                lambda s: dosing_acts.leave(s, ended_on=self.place.today, reason=ExitReason.COMPLETED, **self.acted())
            )
            assert left
            with self.place.database.reading() as session:
                orders = orders_of(session, client_id=self.client)
            assert all(one.days.upper is not None and one.days.upper <= self.place.today for one in orders)


class _Span:
    def __init__(self, first: date, until: date | None) -> None:
        self.first, self.until = first, until

    def __contains__(self, day: date) -> bool:
        return self.first <= day and (self.until is None or day < self.until)


def _days(order: DoseOrder) -> _Span:
    assert order.days.lower is not None
    return _Span(order.days.lower, order.days.upper)


def test_orders_hold_together_whatever_is_done(database: Database, now: datetime) -> None:
    place = clinic(database, now, ml="100000")
    run_state_machine_as_test(
        lambda: Chain(place),
        settings=settings(
            max_examples=25,
            stateful_step_count=18,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
