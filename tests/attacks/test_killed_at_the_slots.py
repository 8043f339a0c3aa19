"""Two hundred people book, move, drop, wait and answer across ten slots, while connections and PostgreSQL are killed.

Each of them acts a few times here; `TAKEHOME_SLOTS_SECONDS=60` lets them go on for a minute.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError

from dispensary.database import Database
from dispensary.verification.checks import CHECKS
from scheduling import queries, service, setting, standing, waitlist
from scheduling.models import Booking, BookingState
from scheduling.rules import BookingRules, Hours, NotBooked
from scheduling.shares import held_of
from scheduling.waiting_models import Offer, OfferState

ACTS = 3
SECONDS = float(os.environ.get("TAKEHOME_SLOTS_SECONDS", "0"))
PEOPLE, CONNECTIONS = 200, 32
NOW = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
DAY = date(2026, 11, 25)
GROUPS = [frozenset(), frozenset(), frozenset({"new"}), frozenset({"shift"}), frozenset({"new", "shift"})]


@dataclass
class Crowd:
    """People with a wish each moment, and what they were told once it was committed."""

    database: Database
    place_id: UUID
    people: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(PEOPLE)])
    told: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    trouble: list[str] = field(default_factory=list)

    def live(self, number: int) -> None:
        chance = random.Random(number)
        mine, groups = self.people[number], GROUPS[number % len(GROUPS)]
        acted, until = 0, time.monotonic() + SECONDS
        while acted < ACTS or time.monotonic() < until:
            acted += 1
            try:
                said = self.database.write(lambda session: self._act(session, chance, mine, groups))
            except NotBooked as refused:
                said = refused.code
            except TimeoutError:
                said = "no connection"  # two hundred hands want thirty-two connections, and nobody stands in line
            except (DBAPIError, SQLAlchemyError, psycopg.Error) as reason:
                said = "trouble"
                self.trouble.append(str(reason)[:200])
                time.sleep(0.05)
            with self.lock:
                self.told[str(said)] += 1

    def _act(self, session, chance: random.Random, mine: UUID, groups: frozenset[str]) -> str:
        starts = chance.choice(self.starts)
        theirs = queries.bookings_of(session, mine, NOW)
        wish = chance.choice(
            ("book", "book", "move", "drop", "drop", "wait", "take", "take", "lapse", "weekly", "give")
        )
        if wish == "move" and theirs:
            service.move(session, booking_id=theirs[0].id, starts_at=starts, now=NOW, groups=groups)
        elif wish == "drop" and theirs:
            service.drop(session, booking_id=theirs[0].id, now=NOW)
        elif wish == "wait":
            waitlist.ask(
                session, place_id=self.place_id, holder_id=mine, day=DAY, groups=groups, channel="text", now=NOW
            )
        elif wish == "take":
            for offer in waitlist.offered_to(session, [mine]):
                waitlist.accept(session, offer_id=offer.id, now=NOW)
        elif wish == "lapse":
            waitlist.lapse_next(session, place_id=self.place_id, now=NOW + timedelta(minutes=30))
        elif wish == "weekly" and chance.random() < 0.2:
            standing.set_weekly(
                session,
                place_id=self.place_id,
                holder_id=mine,
                weekdays=[2],
                at=starts.astimezone(queries.timetable(session, self.place_id, DAY, DAY).zone).time(),
                now=NOW,
                channel="text",
                groups=groups,
            )
        elif not theirs:
            service.book(
                session,
                place_id=self.place_id,
                holder_id=mine,
                starts_at=starts,
                now=NOW,
                channel="text",
                groups=groups,
                give=wish == "give" and chance.random() < 0.2,
            )
        return wish

    @property
    def starts(self) -> list[datetime]:
        first = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
        return [first + timedelta(minutes=15 * number) for number in range(10)]


@pytest.fixture
def crowd(database_url, vault):
    database = Database(database_url, vault, pool_size=CONNECTIONS)
    place_id = uuid4()
    with database.writing() as session:
        service.add_place(session, place_id=place_id, zone="Asia/Kuala_Lumpur", horizon_days=3)
        hours = [
            Hours(weekday, clock(7), clock(9, 30), 15, 8, 2, held_of({"walk-in": 1, "new": 2, "shift": 1}))
            for weekday in range(7)
        ]
        service.set_hours(session, place_id=place_id, hours=hours, from_day=date(2026, 1, 1))
        setting.set_booking_rules(session, place_id=place_id, rules=BookingRules(most_open=2))
    yield Crowd(database, place_id)
    database.close()


def live(crowd: Crowd) -> None:
    """All of them at once, each a thread; so many as there are connections are served at a time."""
    with ThreadPoolExecutor(PEOPLE) as threads:
        list(threads.map(crowd.live, range(PEOPLE)))


def is_exact(crowd: Crowd) -> None:
    """Nothing too much, nothing lost, nobody in two places, and every offer is answered or kept."""
    print(sum(crowd.told.values()), "acts:", dict(crowd.told))
    with crowd.database.reading() as session:
        assert queries.discrepancies(session) == []
        for check in CHECKS:
            if check.invariant == 8 and "given" not in check.sentence:
                assert session.execute(text(check.sql)).all() == [], check.sentence
        held = (
            select(Booking.starts_at, Booking.share, func.count())
            .where(Booking.state == BookingState.BOOKED)
            .group_by(Booking.starts_at, Booking.share)
        )
        most = {"": 4, "walk-in": 1, "new": 2, "shift": 1}
        assert all(count <= most[share] for _, share, count in session.execute(held))
        taken = session.scalars(select(Offer.booking_id).where(Offer.state == OfferState.TAKEN)).all()
        assert len(set(taken)) == len(taken)
        moved = session.scalar(select(func.count()).where(Booking.state == BookingState.MOVED))
        successors = session.scalar(select(func.count()).where(Booking.moved_from.is_not(None)))
        assert moved == successors, "whoever moved has the other place"


def test_200_people_across_ten_slots_are_served_exactly(crowd):
    live(crowd)
    is_exact(crowd)
    assert crowd.trouble == [], "nobody waited in a circle"
    assert min(crowd.told[wish] for wish in ("book", "move", "drop", "wait")) > 0, crowd.told


def test_connections_killed_in_the_middle_lose_nothing_and_double_nothing(crowd, database_url):
    stop = threading.Event()

    def strike():
        admin = database_url.replace("+psycopg", "")
        with psycopg.connect(admin, autocommit=True) as connection:
            while not stop.wait(0.25):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = "
                    "current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 4) AS unlucky"
                )

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        live(crowd)
    finally:
        stop.set()
        striker.join()
    is_exact(crowd)
    assert crowd.told["trouble"], "somebody was hit"
