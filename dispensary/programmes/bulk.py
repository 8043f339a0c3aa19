"""The days of a counter that are written together: who came, what was given by the order in force, what was carried.

They are the demonstration's rows, which pass every constraint and trigger; each night is closed by the service itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select

from dispensary.clients.models import Episode
from dispensary.clients.rules import Sex
from dispensary.database import ReadSession, WriteSession
from dispensary.demo.course import Came, Life, Order
from dispensary.demo.people import Person
from dispensary.demo.rows import HistoryLot, Opening, Writer
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.queries import lots
from dispensary.takehome.carrying import DecisionLimits, take_home_allowed
from dispensary.takehome.models import Decision
from dispensary.takehome.queries import limits_of
from dispensary.units import ClientId, plain
from scheduling.models import Visit

FARTHEST = 28
"""Days ahead that bottles are looked for: what a decision allows at most."""


@dataclass(frozen=True)
class Habit:
    """How somebody comes: from when to when, on which days they do not, and when they collect."""

    first: date
    last: date
    missed_every: int | None
    offset: int
    """By which each of them misses another day."""
    collects: frozenset[int]

    def comes(self, day: date) -> bool:
        """Whether they come on a day on which a dose is due and none is at home."""
        n = (day - self.first).days + self.offset
        return self.missed_every is None or day == self.first or n % self.missed_every > 0


@dataclass
class Bulk:
    """A site's counter. `day` collects, `flush` writes; what others wrote in between is read again."""

    site: str
    pharmacist: Actor
    zone: ZoneInfo
    opening: Opening
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - the same days every time
    lives: dict[ClientId, tuple[Life, Habit]] = field(default_factory=dict)
    writer: Writer | None = None
    pending: bool = False

    def joins(self, client_id: ClientId, episode_id: UUID, habit: Habit) -> None:
        """Somebody has a dose here from now on."""
        self.lives[client_id] = Life(_nobody(len(self.lives), habit.first), client_id, episode_id), habit

    def writes(self, day: date) -> bool:
        """Whether the doses of a day are written here."""
        return any(habit.first <= day <= habit.last for _, habit in self.lives.values())

    def day(self, session: WriteSession, day: date) -> None:
        """Collects a day of everybody who has an order. Raises Refused where the safe has too little."""
        here = {who: pair for who, pair in self.lives.items() if pair[1].first <= day <= pair[1].last}
        if not here:
            return
        if session.scalar(select(exists().where(Visit.place_id == self.pharmacist.site_id, Visit.day == day))):
            raise Refused(
                Refusal(
                    "days-together",
                    "An act checked somebody in on this day, whose visits are written together with its doses.",
                    "Do that act on a day before or after the `doses` of the groups of this site.",
                )
            )
        orders, decisions = _orders(session, here, day), _decisions(session, here, day)
        came = []
        for client_id, (life, habit) in here.items():
            order = orders.get(client_id)
            if order is None or day in life.covered or not habit.comes(day):
                continue
            life.covered[day] = "observed"
            life.decision_id, life.limits = decisions.get(client_id, (None, None))
            came.append((life, Came(day, order, tuple(_bottles(life, habit, order, day)))))
        writer = self._writer(session)
        wanted = sum((visit.order.mg * (1 + len({at for at, _ in visit.bottles})) for _, visit in came), Decimal(0))
        held = sum((lot.balance * lot.strength for lot in writer.lots), Decimal(0))
        if wanted > held:
            raise Refused(
                Refusal(
                    "safe-empty",
                    f"The safe of {self.site} has {plain(held)} mg, and {plain(wanted)} mg are due.",
                    "Give the site a larger lot, or another one by the act lot before that day.",
                )
            )
        writer.counter(day, [life for life, _ in here.values()], came, self.random)
        self.pending = True

    def flush(self, session: WriteSession) -> None:
        """Writes what was collected."""
        if self.pending and self.writer is not None:
            self.writer.flush(session)
            self.pending = False

    def _writer(self, session: WriteSession) -> Writer:
        held = [] if self.pending else lots(session, site_id=self.pharmacist.site_id)
        if self.writer is None:
            if not held:
                raise Refused(
                    Refusal("no-lot", f"The safe of {self.site} is empty.", f"Add [[site.lot]] under {self.site}.")
                )
            self.writer = Writer(self.pharmacist, held[0].book_id, self.zone, opening=self.opening)
        if not self.pending:
            self.writer.lots = [
                HistoryLot(lot.id, lot.balance, lot.strength) for lot in held if lot.book_id == self.writer.book_id
            ]
        return self.writer


def _orders(session: ReadSession, here: Mapping[ClientId, object], day: date) -> dict[ClientId, Order]:
    found = session.scalars(
        select(DoseOrder).where(
            DoseOrder.client_id.in_(list(here)), DoseOrder.days.contains(day), DoseOrder.voided_at.is_(None)
        )
    )
    return {
        ClientId(each.client_id): Order(each.id, each.days.lower or day, each.mg, tuple(each.portions), each.reason)
        for each in found
    }


def _decisions(
    session: ReadSession, here: Mapping[ClientId, object], day: date
) -> dict[ClientId, tuple[UUID, DecisionLimits]]:
    found = session.scalars(
        select(Decision).where(
            Decision.client_id.in_(list(here)), Decision.days.contains(day), Decision.voided_at.is_(None)
        )
    )
    return {ClientId(each.client_id): (each.id, limits_of(each)) for each in found}


def _bottles(life: Life, habit: Habit, order: Order, day: date) -> Sequence[tuple[date, int]]:
    """As many days ahead as the decision lets them carry."""
    if life.limits is None or day.weekday() not in habit.collects:
        return []
    chosen: list[date] = []
    for ahead in (day + timedelta(days=n) for n in range(1, FARTHEST + 1)):
        if ahead in life.covered or take_home_allowed(life.limits, [*chosen, ahead], life.carried, (), today=day):
            break
        chosen.append(ahead)
    for ahead in chosen:
        life.carried.add(ahead)
        life.covered[ahead] = "take_home"
    return [(ahead, portion) for ahead in chosen for portion in range(1, len(order.parts) + 1)]


def _nobody(n: int, began: date) -> Person:
    """What the demonstration's rows ask of a person: which slot they like. All else is on record already."""
    return Person(
        number="",
        name="",
        sex=Sex.UNKNOWN,
        born=began,
        language="",
        phone="",
        second_identifier="",
        enrolled_on=began,
        route=None,
        target_mg=Decimal(0),
        split=False,
        misses=0,
        collects_on=0,
        prefers=n % 20,
        lockbox=None,
        housing_stable=False,
        employed=False,
        health_stable=False,
        conditions=(),
    )


def episode_of(session: ReadSession, client_id: ClientId, day: date) -> UUID:
    """The episode that runs on a day."""
    return session.scalars(
        select(Episode.id).where(Episode.client_id == client_id, Episode.began_on <= day, Episode.ended_on.is_(None))
    ).one()
