"""What NOTIFY costs: calls by eight at once, with the trigger that tells every server and without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import psycopg

import scheduling.calling
import scheduling.service
from benchmarks.clinics import open_clinic
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from dispensary.database import Database
from tests.builders import Clinic

NAME = "calling"
CALLERS = 8
ROUNDS = 7
SECONDS = 3.0

_AGAIN = "UPDATE visit SET calls = calls + 1, last_called_at = clock_timestamp() WHERE id = %s"


def run(ground: Ground) -> list[Figure]:
    """Each caller has a client of its own to call, so that nobody waits for a row: what is left to wait for is NOTIFY.

    Once as the program calls, and once the bare statement, of which NOTIFY is the largest share that it can be. Both
    with and without the trigger in turns, the order changed each round; one listener hears all of it.
    """
    say(f"calling: {CALLERS} callers, {ROUNDS} rounds of {SECONDS:g} s, four ways each")
    ground.copy("calling")
    found: dict[tuple[str, bool], list[float]] = {}
    with ground.database("calling") as database:
        place = open_clinic(database, clients=CALLERS, days=1)
        visits = _arrived(place)
        address = database.url.replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as heard:
            heard.execute("LISTEN calls")
            ways = {"the program": _by_program(database), "the statement": _by_hand(address)}
            for number in range(ROUNDS):
                for told in (True, False) if number % 2 else (False, True):
                    _tells(database, told)
                    for way, call in ways.items():
                        found.setdefault((way, told), []).append(_a_second(call, visits))
            for _ in heard.notifies(timeout=1, stop_after=1):
                break
    figures = []
    for way in ("the program", "the statement"):
        told = of_rounds(NAME, f"{way}: calls a second, each told to every server", found[way, True], "/s")
        silent = of_rounds(NAME, f"{way}: calls a second, nobody told", found[way, False], "/s")
        figures += [told, silent, ratio(NAME, f"{way}: told to silent", told, silent)]
    return figures


def _arrived(place: Clinic) -> list[UUID]:
    now = datetime.now(UTC)
    with place.database.writing() as session:
        return [
            scheduling.service.check_in(session, place_id=place.site_id, holder_id=client, now=now).id
            for client in place.clients[:CALLERS]
        ]


def _tells(database: Database, told: bool) -> None:
    with database.engine.begin() as connection:
        word = "ENABLE" if told else "DISABLE"
        connection.exec_driver_sql(f"ALTER TABLE visit {word} TRIGGER tr_visit_call_is_heard")


def _by_program(database: Database) -> Callable[[UUID, int, float], int]:
    def calls(visit: UUID, window: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            with database.writing() as session:
                scheduling.calling.call(session, visit_id=visit, window=window, now=datetime.now(UTC))
            done += 1
        return done

    return calls


def _by_hand(address: str) -> Callable[[UUID, int, float], int]:
    def calls(visit: UUID, _: int, until: float) -> int:
        done = 0
        with psycopg.connect(address, autocommit=True) as connection:
            while time.perf_counter() < until:
                connection.execute(_AGAIN, [visit])
                done += 1
        return done

    return calls


def _a_second(call: Callable[[UUID, int, float], int], visits: list[UUID]) -> float:
    together = threading.Barrier(len(visits))

    def one(number: int) -> int:
        together.wait()
        return call(visits[number], number + 1, time.perf_counter() + SECONDS)

    with ThreadPoolExecutor(len(visits)) as many:
        return sum(many.map(one, range(len(visits)))) / SECONDS
