"""Days at three sites, at random: register, bottles and coverage agree with a model that a child could keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.rules import the_program
from dispensary.stock import transfers
from dispensary.stock.counting import count_lot
from dispensary.stock.destroying import destroy
from dispensary.supplies import service, voiding
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.supplies.full_bottles import destroy_bottles
from dispensary.supplies.losses import Decision, Lost, decide_loss, report_loss
from dispensary.supplies.pickups import cancel_pickup
from dispensary.supplies.recalls import call_back, call_off
from dispensary.supplies.returns import take_back
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId, DoseDay, Millilitres
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import has_pin

PIN = "271828"
DOSE = Decimal(60)
ML = Decimal(12)
"""What a dose is, from the only strength that these sites have."""
Done = TypeVar("Done")

sites = st.integers(0, 2)
picks = st.integers(0, 10_000)


class PowerCut(Exception):
    """The unit of work ends here, and nothing of it is kept."""


@dataclass
class ModelBottle:
    """A bottle as the model keeps it."""

    client: ClientId
    day: date
    lot: UUID
    state: str
    supply: UUID | None = None
    pickup: UUID | None = None


@dataclass
class Model:
    """What a child would write down: what is in each lot and on the road, who has which day, where each bottle is."""

    lots: dict[UUID, Decimal] = field(default_factory=dict)
    road: dict[UUID, tuple[UUID, Decimal]] = field(default_factory=dict)
    days: dict[tuple[ClientId, date], UUID] = field(default_factory=dict)
    """Covered days, by the supply that covers them."""
    bottles: dict[UUID, ModelBottle] = field(default_factory=dict)
    supplies: dict[UUID, tuple[ClientId, int, date]] = field(default_factory=dict)
    """Supplies that stand: client, site, the day on which each was handed over."""
    pickups: dict[UUID, tuple[ClientId, int, date]] = field(default_factory=dict)
    """Prepared pickups: client, site, day of collection."""
    closed: set[tuple[int, date]] = field(default_factory=set)


class ThreeSites(RuleBasedStateMachine):
    """Three clinics with two clients each, one clock, and the model beside them."""

    def __init__(self, database: Database, now: datetime) -> None:
        super().__init__()
        self.database = database
        code = f"{id(self) % 10**6}"
        self.places = [clinic(database, now, code=f"S{n}-{code}", ml="900") for n in range(3)]
        self.model = Model()
        self.counter = 0

    @initialize()
    def begins(self) -> None:
        self.clients: list[tuple[int, ClientId]] = []
        self.began = self.today
        for n, place in enumerate(self.places):
            has_pin(self.database, place.doctor, PIN, place.now)
            self.model.lots[place.lot_id] = Decimal(900)
            for _ in range(2):
                client = place.client(mg="60")
                place.decide(client, per_supply=6)
                self.clients.append((n, client))
        for pick in range(6):  # a morning at work before chance begins
            self.gives(pick, pick % 3, cut=False)

    # How things are done

    def key(self) -> str:
        self.counter += 1
        return f"three-sites-{id(self)}-{self.counter:05d}"

    def does(self, act: Callable[[WriteSession], Done]) -> Done | None:
        """The answer, or nothing when it was refused: then nothing of it may be left, as the invariants find out."""
        try:
            return self.database.write(act)
        except Refused:
            return None

    def read(self, sql: str, **values: Any) -> Any:
        with self.database.reading() as session:
            return session.execute(text(sql), values).all()

    def who(self, pick: int) -> tuple[int, Clinic, ClientId]:
        n, client = self.clients[pick % len(self.clients)]
        return n, self.places[n], client

    @property
    def today(self) -> DoseDay:
        return self.places[0].today

    def learn_bottles(self, supply: UUID | None, pickup: UUID | None, client: ClientId, state: str) -> None:
        where = "d.supply_id = :of" if supply else "b.pickup_id = :of"
        rows = self.read(
            f"SELECT b.id, b.dose_day, b.lot_id FROM bottle b LEFT JOIN dose d ON d.id = b.dose_id WHERE {where}",
            of=supply or pickup,
        )
        for bottle_id, day, lot in rows:
            self.model.bottles[bottle_id] = ModelBottle(client, day, lot, state, supply, pickup)

    def at_home(self) -> list[UUID]:
        return sorted(b for b, each in self.model.bottles.items() if each.state == "handed_over")

    def of_supply(self, supply: UUID) -> list[UUID]:
        return [bottle_id for bottle_id, each in self.model.bottles.items() if each.supply == supply]

    # What people do

    @rule(pick=picks, ahead=st.integers(0, 3), cut=st.sampled_from([False, False, True]))
    def somebody_comes(self, pick: int, ahead: int, cut: bool) -> None:
        self.gives(pick, ahead, cut)

    @rule(pick=picks, ahead=st.integers(0, 3))
    def a_day_passes_and_somebody_comes(self, pick: int, ahead: int) -> None:
        self.a_day_passes()
        self.gives(pick, ahead, cut=False)

    def gives(self, pick: int, ahead: int, cut: bool) -> None:
        n, place, client = self.who(pick)
        days = place.ahead(*range(1, ahead + 1))
        wanted = Wanted(observed=True, take_home_days=days, identified_by="photo", well=True)

        def act(session: WriteSession) -> UUID:
            handed = service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=self.key(), today=self.today,
                at=place.now,
            )  # fmt: skip
            if cut:
                raise PowerCut
            return handed.supply_id

        asked = [self.today, *days]
        free = (
            all((client, day) not in self.model.days for day in asked)
            and not any(each == client for each, _, _ in self.model.pickups.values())
            and (n, self.today) not in self.model.closed
            and self.model.lots[place.lot_id] - self.promised(place.lot_id) >= ML * len(asked)
            and self.in_hand(client) + ahead <= 6
            and (place.today == self.began or self.was_here(client))
        )
        try:
            supply = self.does(act)
        except PowerCut:
            return
        if supply is None:
            assert not free or cut, "what was free was refused"
            return
        for day in asked:
            assert (client, day) not in self.model.days, "a day was covered twice"
            self.model.days[client, day] = supply
        for lot, ml in self.read("SELECT lot_id, -ml FROM register_line WHERE supply_id = :of", of=supply):
            self.model.lots[lot] -= ml
        self.model.supplies[supply] = (client, n, self.today)
        self.learn_bottles(supply, None, client, "handed_over")
        assert len(self.of_supply(supply)) == ahead

    def was_here(self, client: ClientId) -> bool:
        """Whether no more than two days passed without a dose: after three the prescriber is asked."""
        return any((client, self.today - timedelta(days=back)) in self.model.days for back in (1, 2))

    def promised(self, lot: UUID) -> Decimal:
        return ML * sum(each.lot == lot and each.state == "prepared" for each in self.model.bottles.values())

    def in_hand(self, client: ClientId) -> int:
        return sum(each.client == client and each.day >= self.today for each in self.model.bottles.values())

    @precondition(lambda self: self.model.supplies)
    @rule(pick=picks, right=st.booleans())
    def voids(self, pick: int, right: bool) -> None:
        supply = sorted(self.model.supplies)[pick % len(self.model.supplies)]
        client, n, _ = self.model.supplies[supply]
        place = self.places[n]
        gave = self.read("SELECT lot_id, sum(-ml) FROM register_line WHERE supply_id = :of GROUP BY 1", of=supply)
        voided = self.does(
            lambda session: voiding.void_supply(
                session,
                actor=place.pharmacist,
                supply_id=supply,
                reason="another client was meant",
                second_id=place.doctor.account_id,
                pin=PIN if right else "314159",
                key=self.key(),
                today=self.today,
                at=place.now,
            )
        )
        at_home = all(self.model.bottles[each].state == "handed_over" for each in self.of_supply(supply))
        if voided is None:
            needs_two = self.of_supply(supply) or any(
                (n, day) in self.model.closed for (_, day), by in self.model.days.items() if by == supply
            )
            assert not at_home or (needs_two and not right), "an entry in error stayed"
            return
        assert at_home
        for lot, ml in gave:
            self.model.lots[lot] += ml
        for key in [key for key, by in self.model.days.items() if by == supply]:
            del self.model.days[key]
        for each in self.of_supply(supply):
            bottle = self.model.bottles[each]
            bottle.state, bottle.supply = ("prepared", None) if bottle.pickup else ("void", supply)
            if bottle.pickup:
                self.model.pickups[bottle.pickup] = (client, n, self.collect_day(bottle.pickup))
        del self.model.supplies[supply]

    def collect_day(self, pickup: UUID) -> date:
        ((day,),) = self.read("SELECT collect_on FROM pickup WHERE id = :of", of=pickup)
        return day  # type: ignore[no-any-return]

    @precondition(lambda self: self.at_home())
    @rule(pick=picks, full=st.booleans())
    def brings_back(self, pick: int, full: bool) -> None:
        home = self.at_home()
        bottle_id = home[pick % len(home)]
        bottle = self.model.bottles[bottle_id]
        place = self.place_of(bottle.client)
        done = self.does(
            lambda session: take_back(
                session, actor=place.pharmacist, client_id=bottle.client, bottles=[(bottle_id, full)],
                reason="travels", today=self.today, at=place.now,
            )
        )  # fmt: skip
        assert done is not None
        bottle.state = "returned_full" if full else "returned_empty"
        if full and not self.is_frozen(bottle):
            self.model.days.pop((bottle.client, bottle.day), None)

    def place_of(self, client: ClientId) -> Clinic:
        return self.places[next(n for n, each in self.clients if each == client)]

    def is_frozen(self, bottle: ModelBottle) -> bool:
        return (next(n for n, each in self.clients if each == bottle.client), bottle.day) in self.model.closed

    @rule(n=sites, right=st.booleans())
    def destroys_what_came_back(self, n: int, right: bool) -> None:
        place = self.places[n]
        here = [
            b for b, each in self.model.bottles.items()
            if each.state == "returned_full" and self.place_of(each.client) is place
        ]  # fmt: skip
        done = self.does(
            lambda session: destroy_bottles(
                session, actor=place.pharmacist, bottle_ids=here, how="onto cat litter",
                second_id=place.doctor.account_id, pin=PIN if right else "314159", at=place.now,
            )
        )  # fmt: skip
        assert (done is not None) == bool(here and right)
        for each in here if done else ():
            self.model.bottles[each].state = "destroyed"

    @precondition(lambda self: self.at_home())
    @rule(pick=picks, again=st.booleans())
    def loses(self, pick: int, again: bool) -> None:
        home = self.at_home()
        bottle_id = home[pick % len(home)]
        bottle = self.model.bottles[bottle_id]
        place = self.place_of(bottle.client)

        def act(session: WriteSession) -> bool:
            report = report_loss(
                session, actor=place.pharmacist, client_id=bottle.client, bottle_ids=[bottle_id], what=Lost.LOST,
                told="on the bus", police_number="", key=self.key(), at=place.now,
            )  # fmt: skip
            decide_loss(
                session, actor=place.doctor, report_id=report.id, said="as agreed", today=self.today, at=place.now,
                decision=Decision.GIVEN_AGAIN if again else Decision.STAYS,
            )  # fmt: skip
            return True

        assert self.does(act)
        bottle.state = "lost"
        if again and bottle.day >= self.today and not self.is_frozen(bottle):
            self.model.days.pop((bottle.client, bottle.day), None)

    @rule(pick=picks)
    def calls_back_and_off(self, pick: int) -> None:
        _, place, client = self.who(pick)
        recall = self.does(
            lambda session: call_back(
                session, actor=place.doctor, client_id=client, cause="check", from_day=self.today,
                bring_by=self.today, at=place.now,
            ).id
        )  # fmt: skip
        if recall is None:
            return
        self.does(
            lambda session: call_off(session, actor=place.pharmacist, recall_id=recall, note="rain", at=place.now)
        )

    @rule(pick=picks, ahead=st.integers(1, 3))
    def prepares(self, pick: int, ahead: int) -> None:
        n, place, client = self.who(pick)
        try:
            ready = prepared(place, client, *range(1, ahead + 1))
        except Refused:
            return
        self.model.pickups[ready.pickup_id] = (client, n, self.today)
        self.learn_bottles(None, ready.pickup_id, client, "prepared")

    @precondition(lambda self: self.model.pickups)
    @rule(pick=picks)
    def hands_the_pickup_over(self, pick: int) -> None:
        pickup = sorted(self.model.pickups)[pick % len(self.model.pickups)]
        client, n, _ = self.model.pickups[pickup]
        place = self.places[n]
        wanted = Wanted(observed=False, identified_by="photo", well=True, pickup_id=pickup)
        supply = self.does(
            lambda session: service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=self.key(), today=self.today,
                at=place.now,
            ).supply_id
        )  # fmt: skip
        if supply is None:
            return
        del self.model.pickups[pickup]
        self.model.supplies[supply] = (client, n, self.today)
        for each in self.model.bottles.values():
            if each.pickup == pickup and each.state == "prepared":
                assert (client, each.day) not in self.model.days, "a day was covered twice"
                each.state, each.supply = "handed_over", supply
                self.model.days[client, each.day] = supply
                self.model.lots[each.lot] -= ML

    @precondition(lambda self: self.model.pickups)
    @rule(pick=picks)
    def puts_the_pickup_back(self, pick: int) -> None:
        pickup = sorted(self.model.pickups)[pick % len(self.model.pickups)]
        _, n, _ = self.model.pickups[pickup]
        place = self.places[n]

        def act(session: WriteSession) -> bool:
            cancel_pickup(
                session, actor=place.pharmacist, pickup_id=pickup, reason="moved", day=self.today, at=place.now
            )
            return True

        assert self.does(act)
        self.put_back(pickup)

    def put_back(self, pickup: UUID) -> None:
        del self.model.pickups[pickup]
        for each in self.model.bottles.values():
            if each.pickup == pickup and each.state == "prepared":
                each.state = "back_in_stock"

    @rule(pick=picks, to=st.integers(1, 2), ml=st.sampled_from(["100", "250.5", "9000"]))
    def sends(self, pick: int, to: int, ml: str) -> None:
        place = self.places[pick % 3]
        other = self.places[(pick + to) % 3]
        sent = self.does(
            lambda session: transfers.send(
                session, actor=place.pharmacist, lot_id=place.lot_id, to_site_id=other.site_id,
                ml=Millilitres(Decimal(ml)), carried_by="seal 4711", day=self.today, at=place.now, key=self.key(),
            ).id
        )  # fmt: skip
        there = self.model.lots[place.lot_id] - self.promised(place.lot_id)
        assert (sent is not None) == (Decimal(ml) <= there), "more was sent than there was, or less than could be"
        if sent is not None:
            self.model.lots[place.lot_id] -= Decimal(ml)
            self.model.road[sent] = (place.lot_id, Decimal(ml))

    @precondition(lambda self: self.model.road)
    @rule(pick=picks, arrives=st.booleans(), less=st.sampled_from(["0", "1.5"]))
    def settles(self, pick: int, arrives: bool, less: str) -> None:
        transfer = sorted(self.model.road)[pick % len(self.model.road)]
        from_lot, ml = self.model.road.pop(transfer)
        ((from_site, to_site),) = self.read(
            "SELECT from_site_id, to_site_id FROM stock_transfer WHERE id = :of", of=transfer
        )
        place = next(each for each in self.places if each.site_id == (to_site if arrives else from_site))
        day, at = self.today, place.now
        if not arrives:
            assert self.does(
                lambda session: transfers.take_back(
                    session, actor=place.pharmacist, transfer_id=transfer, reason="no van", day=day, at=at
                )
            )
            self.model.lots[from_lot] += ml
            return
        assert self.does(
            lambda session: transfers.receive(
                session, actor=place.pharmacist, transfer_id=transfer, measured=Millilitres(ml - Decimal(less)),
                reason="as measured", day=day, at=at,
            )
        )  # fmt: skip
        ((lot,),) = self.read("SELECT to_lot_id FROM stock_transfer WHERE id = :of", of=transfer)
        self.model.lots[lot] = self.model.lots.get(lot, Decimal(0)) + ml - Decimal(less)

    @rule(n=sites, gap=st.sampled_from(["0", "-2", "3.5"]), right=st.booleans())
    def counts_and_destroys(self, n: int, gap: str, right: bool) -> None:
        place = self.places[n]
        lot, now = place.lot_id, self.model.lots[place.lot_id]
        counted = self.does(
            lambda session: count_lot(
                session, actor=place.pharmacist, lot_id=lot, measured=Millilitres(now + Decimal(gap)), reason="seen",
                day=self.today, at=place.now, key=self.key(),
            )
        )  # fmt: skip
        if counted is not None:
            self.model.lots[lot] += Decimal(gap)
        gone = self.does(
            lambda session: destroy(
                session, actor=place.pharmacist, lot_id=lot, ml=Millilitres(Decimal(5)), reason="cloudy",
                method="incinerated", reference="form 41", second_id=place.doctor.account_id,
                pin=PIN if right else "314159", day=self.today, at=place.now, key=self.key(),
            )
        )  # fmt: skip
        if gone is not None:
            assert right
            self.model.lots[lot] -= Decimal(5)

    @rule(n=sites, at_counter=st.booleans())
    def closes(self, n: int, at_counter: bool) -> None:
        place = self.places[n]

        def act(session: WriteSession) -> bool:
            counts = {
                row.lot.id: Counted(row.expected_bulk)
                for row in to_count(session, site_id=place.site_id, day=self.today)
            }
            close_day(
                session, actor=place.pharmacist if at_counter else the_program(place.site_id), day=self.today,
                today=self.today, counts=counts if at_counter else None, at=place.now,
            )  # fmt: skip
            return True

        closed = self.does(act)
        assert (closed is not None) == ((n, self.today) not in self.model.closed)
        if closed is None:
            return
        self.model.closed |= {(n, day) for (day,) in self.read(
            "SELECT dose_day FROM day_close WHERE site_id = :of", of=place.site_id)}  # fmt: skip
        for pickup in [p for p, (_, where, on) in self.model.pickups.items() if where == n and on <= self.today]:
            if at_counter:
                self.put_back(pickup)

    @rule()
    def a_day_passes(self) -> None:
        for place in self.places:
            place.move_on()

    # What always holds

    @invariant()
    def the_register_says_what_there_is(self) -> None:
        for lot, ml in self.model.lots.items():
            ((balance, lines, bottled),) = self.read(
                """SELECT balance, (SELECT sum(ml) FROM register_line WHERE lot_id = lot.id), bottled
                   FROM lot WHERE id = :of""",
                of=lot,
            )
            assert balance == lines == ml
            assert bottled == self.promised(lot)

    @invariant()
    def the_days_are_covered_as_they_were_given(self) -> None:
        rows = self.read(
            "SELECT client_id, dose_day FROM dose WHERE voided_at IS NULL AND client_id = ANY(:of)",
            of=[client for _, client in self.clients],
        )
        assert sorted((c, d) for c, d in rows) == sorted((c, d) for c, d in self.model.days)

    @invariant()
    def every_bottle_is_where_it_was_left(self) -> None:
        rows = self.read(
            """SELECT id, CASE state WHEN 'recalled' THEN 'handed_over' ELSE state END
               FROM bottle WHERE client_id = ANY(:of)""",
            of=[client for _, client in self.clients],
        )
        assert {row[0]: row[1] for row in rows} == {b: each.state for b, each in self.model.bottles.items()}

    @invariant()
    def the_safe_has_no_discrepancy(self) -> None:
        assert self.read("SELECT kind, sentence FROM stock_discrepancy") == []

    def teardown(self) -> None:
        with self.database.reading() as session:
            assert [str(each) for each in verify(session, now=self.places[0].now)] == []


def test_register_bottles_and_coverage_agree_after_random_days(database: Database, now: datetime) -> None:
    run_state_machine_as_test(
        lambda: ThreeSites(database, now),
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def _nothing(*_: object, **__: object) -> None:
    """A step that somebody left out."""


BUGS = {
    "the register is not written": ("dispensary.supplies.service.write_register", _nothing),
    "bottles are not moved": ("dispensary.supplies.returns.move_bottles", _nothing),
    "a full bottle still covers its day": ("dispensary.supplies.returns._void_where_open", _nothing),
    "a void credits nothing": ("dispensary.supplies.voiding._credit_lots", _nothing),
    "a void leaves the doses": ("dispensary.supplies.voiding._undo_doses", _nothing),
    "a void leaves the bottles": ("dispensary.supplies.voiding._undo_bottles", _nothing),
    "a closed day is not corrected": ("dispensary.supplies.voiding.day_was_otherwise", _nothing),
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_bug_is_refused_by_postgresql_or_named_by_verify(
    database: Database, now: datetime, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same day with one step left out somewhere, and PostgreSQL's own refusals switched off."""
    place = clinic(database, now)
    has_pin(database, place.doctor, PIN, now)
    carries, wrong, late = (place.client(mg="60") for _ in range(3))
    place.decide(carries, per_supply=6)
    place.decide(wrong, per_supply=6)
    monkeypatch.setattr(*BUGS[bug])

    def off(act: Callable[[WriteSession], Done]) -> Done:
        def unguarded(session: WriteSession) -> Done:
            session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
            done = act(session)
            session.flush()
            # the guards that would judge at the commit are passed by, as a repair by hand would
            session.execute(text("SET LOCAL session_replication_role = replica"))
            return done

        return database.write(unguarded)

    def give(client: ClientId, *ahead: int) -> UUID:
        wanted = Wanted(observed=True, take_home_days=place.ahead(*ahead), identified_by="photo", well=True)
        return off(
            lambda session: service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=f"bug-{client}",
                today=place.today, at=place.now,
            ).supply_id
        )  # fmt: skip

    def void(supply: UUID, key: str) -> None:
        off(
            lambda session: voiding.void_supply(
                session, actor=place.pharmacist, supply_id=supply, reason="another was meant",
                second_id=place.doctor.account_id, pin=PIN, key=key, today=place.today, at=place.now,
            )
        )  # fmt: skip

    def a_day() -> None:
        give(carries, 1, 2)
        with database.reading() as session:
            bottle = session.execute(text("SELECT id FROM bottle ORDER BY dose_day LIMIT 1")).scalar_one()
        off(
            lambda session: take_back(
                session, actor=place.pharmacist, client_id=carries, bottles=[(bottle, True)], reason="travels",
                today=place.today, at=place.now,
            )
        )  # fmt: skip
        void(give(wrong, 1), "void-now-1")
        supply = give(late)
        off(
            lambda session: close_day(
                session, actor=the_program(place.site_id), day=place.today, today=place.today, counts=None,
                at=place.now,
            )
        )  # fmt: skip
        place.now += timedelta(days=1)
        place.today = DoseDay(place.today + timedelta(days=1))
        void(supply, "void-late-1")

    try:
        a_day()
    except (IntegrityError, AssertionError):
        return  # refused before anything was kept
    with database.reading() as session:
        assert list(verify(session, now=place.now)), f"nobody noticed that {bug}"
