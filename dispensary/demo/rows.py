"""Writes the days of the demonstration's history, a month at a time, past no constraint and no trigger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from dispensary.database import WriteSession
from dispensary.demo.course import Came, Life, Order
from dispensary.staff.rules import Actor
from dispensary.supplies.serials import SERIAL_DIGITS
from dispensary.units import new_id

FIRST_SLOT = time(6, 30)
SLOT = timedelta(minutes=15)
PER_SLOT = 8
SLOTS = 48
STRENGTH = Decimal(5)
LOT_ML = Decimal(20_000)
LOW_ML = Decimal(6_000)
RESIDUE_ML = Decimal(40)
"""Less than this in a bottle is written off at the close, with its reason."""

_COLUMNS = {
    "supply": "id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, decision_id, identified_by, "
    "observation, second_look, dispensed_by, origin, answer",
    "dose": "id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id, "
    "closed_day",
    "bottle": "id, serial, site_id, client_id, order_id, dose_id, lot_id, dose_day, portion, portions, mg, ml, state, "
    "packed_by, packed_at",
    "register_line": "id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance, "
    "lot_balance, supply_id, reason, account_id",
    "day_outcome": "client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg, "
    "outcome, frozen_at",
    "stock_count": "id, site_id, lot_id, dose_day, at, expected, measured, difference, reason, account_id",
    "day_close": "site_id, dose_day, closed_at, closed_by, counted, observed, taken_home, missed, held, unclaimed",
    "slot": "place_id, starts_at, ends_at, day, capacity, booked, held, held_booked",
    "booking": "id, holder_id, place_id, starts_at, day, state, channel, made_at, changed_at, share, given",
    "visit": "id, place_id, holder_id, day, ticket, booking_id, at_window, arrived_at, called_at, started_at, "
    "ended_at, group_word, priority, calls, last_called_at, skips, left_unserved",
    "ticket_counter": "place_id, day, last",
}


@dataclass
class HistoryLot:
    """A lot as the year draws it down."""

    id: UUID
    balance: Decimal
    strength: Decimal = STRENGTH
    """mg/mL"""


@dataclass(frozen=True)
class Opening:
    """When the counter is open, how its slots are cut, and how many of those who come have booked one."""

    first: time = FIRST_SLOT
    slot: timedelta = SLOT
    per_slot: int = PER_SLOT
    slots: int = SLOTS
    windows: int = 2
    booked: float = 0.85


@dataclass
class Writer:
    """Collects the rows of a month and writes them in the order in which they refer to each other."""

    actor: Actor
    book_id: UUID
    zone: ZoneInfo
    lots: list[HistoryLot] = field(default_factory=list)
    opening: Opening = Opening()
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in _COLUMNS})

    def moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.zone)

    def day(self, day: date, lives: Sequence[Life], came: Sequence[tuple[Life, Came]], random: Random) -> None:
        """One day of the clinic: who came in which order, what left the safe, what was missed, the close."""
        self.counter(day, lives, came, random)
        self._close(day, lives)

    def counter(self, day: date, lives: Sequence[Life], came: Sequence[tuple[Life, Came]], random: Random) -> None:
        """One day of the counter, up to its close."""
        taken: dict[datetime, int] = {}
        visits = sorted(
            ((*self._arrival(day, life, taken, random), life, visit) for life, visit in came), key=lambda v: v[0]
        )
        free_at = [self.moment(day, self.opening.first)] * self.opening.windows
        for ticket, (arrived, booked, life, visit) in enumerate(visits, start=1):
            window = free_at.index(min(free_at))
            started = max(arrived, free_at[window]) + timedelta(seconds=random.randint(5, 40))
            ended = started + timedelta(seconds=max(35, int(random.lognormvariate(4.4, 0.4))))
            free_at[window] = ended
            self._visit(day, life, booked, ticket, window + 1, (arrived, started, ended))
            self._supply(life, visit, ended)
        for life in lives:
            if day not in life.covered:
                self._missed_booking(day, life, taken, random)
        for start, booked_people in taken.items():
            ends, most = start + self.opening.slot, self.opening.per_slot
            slot = (self.actor.site_id, start, ends, day, most, booked_people, "{}", "{}")
            self.rows["slot"].append(slot)
        if visits:
            self.rows["ticket_counter"].append((self.actor.site_id, day, len(visits)))

    def _arrival(
        self, day: date, life: Life, taken: dict[datetime, int], random: Random
    ) -> tuple[datetime, datetime | None]:
        booked = random.random() < self.opening.booked
        start = self._free_slot(day, life.person.prefers, taken) if booked else None
        if start is None:
            minutes = min(random.expovariate(1 / 60), 600)
            return self.moment(day, self.opening.first) + timedelta(minutes=minutes), None
        taken[start] = taken.get(start, 0) + 1
        earliest = self.moment(day, self.opening.first) - timedelta(minutes=25)
        return max(earliest, start + timedelta(minutes=random.gauss(-4, 6))), start

    def _free_slot(self, day: date, prefers: int, taken: dict[datetime, int]) -> datetime | None:
        opening = self.opening
        for ahead in range(opening.slots):
            start = self.moment(day, opening.first) + ((prefers + ahead) % opening.slots) * opening.slot
            if taken.get(start, 0) < opening.per_slot:
                return start
        return None

    def _visit(
        self,
        day: date,
        life: Life,
        booked: datetime | None,
        ticket: int,
        window: int,
        stamps: tuple[datetime, datetime, datetime],
    ) -> None:
        arrived, started, ended = stamps
        booking_id = self._booking(day, life, booked, "arrived", arrived) if booked else None
        site, who = self.actor.site_id, life.client_id
        self.rows["visit"].append(
            (
                *(new_id(), site, who, day, ticket, booking_id, window, arrived, started, started, ended),
                *("", 0, 1, started, 0, False),
            )
        )

    def _booking(self, day: date, life: Life, start: datetime, state: str, changed: datetime) -> UUID:
        booking_id = new_id()
        made = start - timedelta(days=1, hours=3)
        self.rows["booking"].append(
            (booking_id, life.client_id, self.actor.site_id, start, day, state, "text", made, changed, "", False)
        )
        return booking_id

    def _missed_booking(self, day: date, life: Life, taken: dict[datetime, int], random: Random) -> None:
        if (
            self.opening.booked
            and random.random() < 0.5
            and (start := self._free_slot(day, life.person.prefers, taken))
        ):
            taken[start] = taken.get(start, 0) + 1
            self._booking(day, life, start, "missed", self.moment(day, time(18, 40)))

    def _supply(self, life: Life, visit: Came, at: datetime) -> None:
        order, site, supply_id = visit.order, self.actor.site_id, new_id()
        plans = [(visit.day, 1, "observed"), *((day, portion, "take_home") for day, portion in visit.bottles)]
        drawn: dict[int, list[Decimal]] = {}
        doses = []
        for day, portion, kind in plans:
            dose_id, mg = new_id(), order.parts[portion - 1]
            of = len(order.parts)
            place = next(n for n, lot in enumerate(self.lots) if lot.balance >= mg / lot.strength)
            lot = self.lots[place]
            ml = mg / lot.strength
            lot.balance -= ml
            drawn.setdefault(place, [Decimal(0), Decimal(0)])[kind == "take_home"] += ml
            self.rows["dose"].append(
                (dose_id, supply_id, site, life.client_id, order.id, day, portion, of, kind, mg, ml, lot.id, False)
            )
            if kind == "take_home":
                bottle_id = new_id()
                serial = f"{bottle_id.int % 10**SERIAL_DIGITS:0{SERIAL_DIGITS}d}"
                self.rows["bottle"].append(
                    (
                        bottle_id,
                        serial,
                        site,
                        life.client_id,
                        order.id,
                        dose_id,
                        lot.id,
                        day,
                        portion,
                        of,
                        mg,
                        ml,
                        "handed_over",
                        self.actor.account_id,
                        at,
                    )
                )
            doses.append({"day": str(day), "portion": portion, "of": of, "kind": kind, "mg": str(mg), "ml": str(ml)})
        answer = json.dumps({"supply": str(supply_id), "at": at.isoformat(), "doses": doses})
        decision = life.decision_id if visit.bottles else None
        self.rows["supply"].append(
            (
                supply_id,
                site,
                life.client_id,
                life.episode_id,
                visit.day,
                at,
                f"history-{supply_id}",
                b"-",
                decision,
                "photo",
                "",
                "",
                self.actor.account_id,
                "counter",
                answer,
            )
        )
        for place, (consumed, carried) in drawn.items():
            lot, total = self.lots[place], consumed + carried
            self._line(lot, at, visit.day, "supplied", -total, consumed, carried, supply_id)

    def _line(
        self,
        lot: HistoryLot,
        at: datetime,
        day: date,
        kind: str,
        ml: Decimal,
        consumed: Decimal = Decimal(0),
        carried: Decimal = Decimal(0),
        supply_id: UUID | None = None,
        reason: str = "",
    ) -> None:
        self.rows["register_line"].append(
            (
                new_id(),
                self.book_id,
                0,
                lot.id,
                at,
                day,
                kind,
                ml,
                consumed,
                carried,
                0,
                0,
                supply_id,
                reason,
                self.actor.account_id,
            )
        )

    def _close(self, day: date, lives: Sequence[Life]) -> None:
        at = self.moment(day, time(18, 45))
        tally = {"observed": 0, "take_home": 0, "missed": 0}
        for life in lives:
            for order in (o for o in life.orders if o.from_day <= day and (o.until is None or day < o.until)):
                for portion, mg in enumerate(order.parts, start=1):
                    outcome = life.outcome(day, portion)
                    tally[outcome] += 1
                    self.rows["day_outcome"].append(
                        (
                            life.client_id,
                            day,
                            portion,
                            len(order.parts),
                            self.actor.site_id,
                            life.episode_id,
                            order.id,
                            mg,
                            Decimal(0) if outcome == "missed" else mg,
                            outcome,
                            at,
                        )
                    )
        for lot in self.lots:
            if lot.balance > 0:
                residue = lot.balance if lot.balance < RESIDUE_ML else Decimal(0)
                measured, why = lot.balance - residue, "residue of the empty bottle, not measurable" if residue else ""
                site, who = self.actor.site_id, self.actor.account_id
                self.rows["stock_count"].append(
                    (new_id(), site, lot.id, day, at, lot.balance, measured, -residue, why, who)
                )
                if residue:
                    self._line(lot, at, day, "counted", -residue, reason=why)
                    lot.balance = measured
        self.rows["day_close"].append(
            (
                self.actor.site_id,
                day,
                at,
                self.actor.account_id,
                True,
                tally["observed"],
                tally["take_home"],
                tally["missed"],
                0,
                0,
            )
        )

    def flush(self, session: WriteSession) -> None:
        """Writes everything that was collected, by COPY: every trigger and constraint looks at every row."""
        session.flush()
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        with connection.cursor() as cursor:
            for table, columns in _COLUMNS.items():
                if self.rows[table]:
                    _copy(cursor, table, columns, self.rows[table])
                    self.rows[table].clear()


def _copy(cursor: psycopg.Cursor[Any], table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def write_orders(session: WriteSession, lives: Sequence[Life], actor: Actor, zone: ZoneInfo, known: set[UUID]) -> None:
    """Writes the orders that are new since the last month, and the ends of those that gave way."""
    ended, fresh = [], []
    for life in lives:
        for order in life.orders:
            row = _order_row(life, order, actor, zone)
            if order.id not in known:
                fresh.append(row)
                known.add(order.id)
            elif order.until is not None:
                ended.append(row)
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    with connection.cursor() as cursor:
        cursor.executemany(
            """UPDATE dose_order SET days = %(days)s::daterange, end_reason = %(end_reason)s, ended_at = %(ended_at)s
               WHERE id = %(id)s AND end_reason IS NULL""",
            ended,
        )
        cursor.executemany(
            """INSERT INTO dose_order (id, episode_id, client_id, site_id, days, mg, portions, end_reason, ended_at,
                   reason, ordered_by, ordered_at, origin)
               VALUES (%(id)s, %(episode)s, %(client)s, %(site)s, %(days)s::daterange, %(mg)s, %(parts)s,
                   %(end_reason)s, %(ended_at)s, %(why)s, %(by)s, %(at)s, 'clinic')""",
            fresh,
        )


def _order_row(life: Life, order: Order, actor: Actor, zone: ZoneInfo) -> dict[str, Any]:
    until = order.until.isoformat() if order.until else ""
    return {
        "id": order.id,
        "episode": life.episode_id,
        "client": life.client_id,
        "site": actor.site_id,
        "days": f"[{order.from_day},{until})",
        "mg": order.mg,
        "parts": list(order.parts),
        "end_reason": order.end_reason,
        "ended_at": datetime.combine(order.until, time(6, 0), tzinfo=zone) if order.until else None,
        "why": order.why,
        "by": actor.account_id,
        "at": datetime.combine(order.from_day, time(6, 0), tzinfo=zone),
    }
