"""Three sites as a child would keep them in a copybook, and what must always hold between that and the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import text

from dispensary.database import Database, WriteSession
from dispensary.evaluation.facts import count_behind
from dispensary.refusals import Refused
from dispensary.units import ClientId, DoseDay
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.measured import what_is_counted
from tests.dispensary.visiting import has_pin

PIN = "271839"
WRONG_PIN = "314195"
ML = Decimal(12)
"""What a dose is, from the only strength that these sites have."""
AT_HOME = ("handed_over", "recalled")
LOOK_EVERY = 5
CUT_EVERY = 4
"""Of how many acts one is first cut off in the middle."""
_TURNS = count(1)
"""Every machine opens sites of its own beside those of the machines before it: an address in memory comes again."""
Done = TypeVar("Done")

sites = st.integers(0, 2)
picks = st.integers(0, 10_000)
mostly = st.sampled_from([True, True, True, False])


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
    recalls: dict[ClientId, UUID] = field(default_factory=dict)
    """Recalls that are open."""
    closed: set[tuple[int, date]] = field(default_factory=set)

    def at_home(self) -> list[UUID]:
        return sorted(each for each, bottle in self.bottles.items() if bottle.state in AT_HOME)

    def full_at_home(self, client: ClientId, today: date) -> list[UUID]:
        """The bottles that a client must be able to show today."""
        return [
            each for each in self.at_home() if self.bottles[each].client == client and self.bottles[each].day >= today
        ]

    def of_supply(self, supply: UUID) -> list[UUID]:
        return [each for each, bottle in self.bottles.items() if bottle.supply == supply]

    def days_of(self, supply: UUID) -> list[tuple[ClientId, date]]:
        return [day for day, by in self.days.items() if by == supply]

    def promised(self, lot: UUID) -> Decimal:
        """What of a lot stands in prepared bottles."""
        return ML * sum(each.lot == lot and each.state == "prepared" for each in self.bottles.values())

    def in_hand(self, client: ClientId, today: date) -> int:
        return sum(each.client == client and each.day >= today for each in self.bottles.values())

    def was_here(self, client: ClientId, today: date) -> bool:
        """Whether no more than two days passed without a dose: after three the prescriber is asked."""
        return any((client, today - timedelta(days=back)) in self.days for back in (1, 2))

    def put_back(self, pickup: UUID) -> None:
        del self.pickups[pickup]
        for each in self.bottles.values():
            if each.pickup == pickup and each.state == "prepared":
                each.state = "back_in_stock"


class Sites(RuleBasedStateMachine):
    """Three clinics with two clients each, one clock, and the model beside them."""

    def __init__(self, database: Database, now: datetime, seen: Counter[str]) -> None:
        super().__init__()
        self.database = database
        turn = next(_TURNS)
        self.places = [clinic(database, now, code=f"S{n}-{turn}", ml="2000") for n in range(3)]
        self.model = Model()
        self.seen = seen
        """What really happened in all the random days, and how often."""
        self.acts = self.keys = self.looks = 0

    @initialize()
    def begins(self) -> None:
        self.clients: list[tuple[int, ClientId]] = []
        self.began = self.today
        for n, place in enumerate(self.places):
            has_pin(self.database, place.doctor, PIN, place.now)
            self.model.lots[place.lot_id] = Decimal(2000)
            for _ in range(2):
                client = place.client(mg="60")
                place.decide(client, per_supply=6)
                self.clients.append((n, client))
        for pick in range(6):  # a morning at work before chance begins
            self.gives(pick, pick % 3)

    def gives(self, pick: int, ahead: int) -> None:
        """Somebody comes for the dose of today, and for bottles of so many days ahead."""
        raise AssertionError("the rules say how")

    def key(self) -> str:
        self.keys += 1
        return f"three-sites-{id(self)}-{self.keys:05d}"

    def saw(self, what: str) -> None:
        self.seen[what] += 1

    def does(self, act: Callable[[WriteSession], Done], *, cut: bool = True) -> Done | None:
        """The answer, or nothing when it was refused: then nothing of it may be left, as the invariants find out.

        Now and then the power goes first, just before the act would be kept, and it is done again afterwards.
        """
        self.acts += 1
        try:
            if cut and self.acts % CUT_EVERY == 0:
                self._is_cut_off(act)
            return self.database.write(act)
        except Refused:
            return None

    def _is_cut_off(self, act: Callable[[WriteSession], object]) -> None:
        def cut_off(session: WriteSession) -> None:
            act(session)
            raise PowerCut

        try:
            self.database.write(cut_off)
        except PowerCut:
            self.saw("the power went in the middle of an act")

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

    def place_of(self, client: ClientId) -> Clinic:
        return self.places[next(n for n, each in self.clients if each == client)]

    def is_frozen(self, bottle: ModelBottle) -> bool:
        return (next(n for n, each in self.clients if each == bottle.client), bottle.day) in self.model.closed

    def collect_day(self, pickup: UUID) -> date:
        ((day,),) = self.read("SELECT collect_on FROM pickup WHERE id = :of", of=pickup)
        return day  # type: ignore[no-any-return]

    @invariant()
    def the_register_says_what_there_is(self) -> None:
        rows = self.read(
            """SELECT lot.id, balance, bottled, (SELECT sum(ml) FROM register_line WHERE lot_id = lot.id)
               FROM lot WHERE site_id = ANY(:of)""",
            of=[place.site_id for place in self.places],
        )
        assert {row[0] for row in rows} == set(self.model.lots)
        for lot, balance, bottled, lines in rows:
            assert balance == lines == self.model.lots[lot]
            assert bottled == self.model.promised(lot)

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
            "SELECT id, state FROM bottle WHERE client_id = ANY(:of)",
            of=[client for _, client in self.clients],
        )
        assert {row[0]: row[1] for row in rows} == {b: each.state for b, each in self.model.bottles.items()}

    @invariant()
    def the_safe_has_no_discrepancy(self) -> None:
        self.looks += 1
        if self.looks % LOOK_EVERY == 0:  # it reads every line of every register
            assert self.read("SELECT kind, sentence FROM stock_discrepancy") == []

    def teardown(self) -> None:
        with self.database.reading() as session:
            found = [str(each) for each in verify(session, now=self.places[0].now)]
        assert found == [], "\n".join(found)
        self.what_is_counted_day_by_day_is_what_counting_anew_finds()

    def what_is_counted_day_by_day_is_what_counting_anew_finds(self) -> None:
        count_behind(self.database)
        day_by_day = what_is_counted(self.database)
        count_behind(self.database, anew=True)
        assert what_is_counted(self.database) == day_by_day
