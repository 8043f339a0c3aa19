"""The primary dies under load: the standby, made by the script that the guide names, has all that was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from litestar.testing import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.embedded import discard_embedded, start_embedded
from dispensary.key_sources import open_vault
from dispensary.resealing.prints import must_fit
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.attacks.program import PATIENCE, Program, until
from tests.attacks.servers import SecondServer, as_server, kill_server, opened
from tests.builders import Clinic, clinic, enrolled
from tests.dispensary.visiting import demo_settings

SCRIPT = Path(__file__).parents[2] / "docker" / "standby.sh"
CLIENTS, COUNTERS = 120, 8


class Morning:
    """Counters that dose a queue of clients, each with one key a client, until each client is answered."""

    def __init__(self, place: Clinic) -> None:
        self._place = place
        self._lock = threading.Lock()
        self.told: dict[ClientId, str] = {}
        self.trouble: Counter[str] = Counter()

    def run(self) -> None:
        with ThreadPoolExecutor(COUNTERS) as pool:
            list(pool.map(self._counter, range(COUNTERS)))

    def _counter(self, number: int) -> None:
        for client_id in self._place.clients[number::COUNTERS]:
            handed = self._insist(client_id)
            with self._lock:
                self.told[client_id] = handed

    def _insist(self, client_id: ClientId) -> str:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                return str(self._place.give(client_id, key=f"dose of {client_id}").supply_id)
            except DBAPIError as reason:
                with self._lock:
                    self.trouble[type(reason).__name__] += 1
            time.sleep(random.uniform(0.02, 0.1))
        raise AssertionError(f"client {client_id} was never answered: {self.trouble}")


def test_nothing_acknowledged_is_lost_when_the_standby_takes_over_under_load(
    program: Program, tmp_path: Path, record_property: Any
) -> None:
    primary_folder = program.postgresql
    url = start_embedded(primary_folder)
    sockets = url.split("host=", 1)[1].split("&", 1)[0]
    primary = f"host={sockets} user=postgres"
    beside = tmp_path / "beside"
    beside.mkdir()
    second = SecondServer(opened(beside) / "data", primary_folder)

    def standby(*line: object, **variables: str) -> None:
        done = as_server(beside, SCRIPT, *line, like=primary_folder, **variables)
        assert done.returncode == 0, done.stderr

    def refused(*line: object) -> str:
        done = as_server(beside, SCRIPT, *line, like=primary_folder)
        assert done.returncode == 2, (done.stdout, done.stderr)
        return done.stderr

    try:
        assert "does not follow" in refused("wait", "standby_1", primary)
        standby("make", "standby_1", primary, second.data)
        assert "is not empty" in refused("make", "standby_1", primary, second.data)
        second.start()
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            follows = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            until(lambda: connection.execute(follows).fetchone() == (1,), what="the standby follows")
        standby("wait", "standby_1", primary)
        until(
            lambda: "quorum" in as_server(beside, SCRIPT, "look", primary, like=primary_folder).stdout, what="it waits"
        )
        assert "still answers" in refused("promote", second.data)
        with psycopg.connect(f"host={beside} user=postgres dbname=postgres") as there:
            assert there.execute("SHOW hot_standby_feedback").fetchone() == ("on",), "a long look is not cut off"
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            waits = "SELECT setting FROM pg_settings WHERE name = 'synchronous_standby_names'"
            standby("alone", primary)
            until(lambda: connection.execute(waits).fetchone() == ("",), what="the primary counts by itself")
            standby("wait", "standby_1", primary)
            until(lambda: connection.execute(waits).fetchone() == ("ANY 1 (standby_1)",), what="it waits again")

        either = f"postgresql+psycopg://postgres@/takehome?host={sockets},{beside}&target_session_attrs=read-write"
        database = Database(either, open_vault(program.keys))
        must_fit(database, at=datetime.now(UTC))  # as the program does at its start
        place = clinic(database, datetime.now(UTC), ml="5000")
        with database.writing() as session:
            for _ in range(CLIENTS):
                enrolled(session, place, mg="80", began=place.today)
        with (
            TestClient(create_app(demo_settings(tmp_path / "app"), database)) as app,
            ThreadPoolExecutor(1) as background,
        ):
            assert app.get("/health/ready").status_code == 200
            apart = program.run("verify", DATABASE_URL=f"postgresql://postgres@/takehome?host={beside}")
            assert apart.returncode == 0, (apart.stdout, apart.stderr)
            morning = Morning(place)
            dosing = background.submit(morning.run)
            until(lambda: len(morning.told) >= CLIENTS // 3 or dosing.done(), what="a third is dosed")
            kill_server(primary_folder)
            known = dict(morning.told)
            until(lambda: morning.trouble.total() or dosing.done(), what="a counter notices")
            began = time.monotonic()
            standby("promote", second.data)
            until(lambda: len(morning.told) > len(known) + COUNTERS or dosing.done(), what="doses go on")
            away = time.monotonic() - began
            dosing.result(PATIENCE)
            assert app.get("/health/ready").status_code == 200, "the program found the new primary by itself"
        assert CLIENTS // 3 <= len(known) < CLIENTS, "it died in the middle"
        assert morning.told.keys() == set(place.clients)

        with database.reading() as session:
            kept = {row.client_id: row.id for row in session.execute(text("SELECT client_id, id::text FROM supply"))}
            doses = session.scalar(text("SELECT count(*) FROM dose WHERE voided_at IS NULL"))
            assert session.scalar(text("SELECT pg_is_in_recovery()")) is False
            assert list(verify(session, now=datetime.now(UTC))) == []
        assert {client: kept.get(client) for client in known} == known, "what was acknowledged before it died"
        assert (kept, doses) == (morning.told, CLIENTS), "nothing was done twice"
        database.close()
        record_property("tries", CLIENTS)
        record_property("figure", f"{away:.1f} s from the order to take over until doses went on")
    finally:
        second.clear()
        discard_embedded(primary_folder)
