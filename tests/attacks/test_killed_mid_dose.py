"""Five hundred doses at sixteen counters while the server, PostgreSQL and the whole computer are killed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.staff import audit
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from dispensary.units import ClientId
from tests.attacks.program import PATIENCE, Program, until
from tests.builders import Clinic, clinic, enrolled

CLIENTS = 500
COUNTERS = 16
BLOWS = ("server", "server", "postgresql", "postgresql", "backend", "power", "power")
PASSWORD = "five hundred before noon"


class Morning:
    """Counters that dose a queue of clients, each with one key a client, until each client is answered."""

    def __init__(self, url: str, clients: list[ClientId]) -> None:
        self._url = url
        self._clients = clients
        self._lock = threading.Lock()
        self.told: dict[ClientId, dict[str, Any]] = {}
        self.trouble: Counter[str] = Counter()
        with httpx.Client(base_url=url, timeout=PATIENCE) as desk:
            token = desk.get("/api/session").json()["csrf_token"]
            form = {"username": "counter", "password": PASSWORD}
            desk.post("/api/session", json=form, headers={"X-CSRFToken": token}).raise_for_status()
            token = desk.get("/api/session").json()["csrf_token"]
            self._signed_in = {"cookies": dict(desk.cookies), "headers": {"X-CSRFToken": token}}

    def run(self) -> None:
        """Doses everybody who was not answered yet."""
        with ThreadPoolExecutor(COUNTERS) as pool:
            list(pool.map(self._counter, range(COUNTERS)))

    def _counter(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE, **self._signed_in) as desk:
            for client_id in self._clients[number::COUNTERS]:
                answer = self._insist(desk, client_id)
                with self._lock:
                    self.told[client_id] = answer

    def _insist(self, desk: httpx.Client, client_id: ClientId) -> dict[str, Any]:
        """Asks for one dose, with its key, until there is an answer. Only a lost connection or 503 is asked again."""
        give_up = time.monotonic() + PATIENCE
        wait = 0.02
        while time.monotonic() < give_up:
            trouble = "connection"
            try:
                answer = ask(desk, client_id)
                if answer.status_code == 201:
                    return answer.json()
                assert answer.status_code == 503, (answer.status_code, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) > 0
                trouble = answer.json()["code"]
            except httpx.TransportError:
                pass
            with self._lock:
                self.trouble[trouble] += 1
            time.sleep(wait)
            wait = min(2 * wait, 0.5)
        raise AssertionError(f"client {client_id} was never answered: {self.trouble}")

    def ask_again(self) -> dict[ClientId, dict[str, Any]]:
        """What each client is told when their request is repeated afterwards."""
        with httpx.Client(base_url=self._url, timeout=PATIENCE, **self._signed_in) as desk:
            return {client_id: ask(desk, client_id).raise_for_status().json() for client_id in self._clients}


def ask(desk: httpx.Client, client_id: ClientId) -> httpx.Response:
    wanted = {"key": f"dose of {client_id}", "identified_by": "photo", "well": True}
    return desk.post(f"/api/clients/{client_id}/supplies", json=wanted)


def open_clinic(database: Database) -> Clinic:
    """A site with a lot for all, an account that signs in, and clients who each have an order of 80 mg."""
    place = clinic(database, datetime.now(UTC), ml="9000")
    with database.writing() as session:
        add_account(
            session,
            actor=the_program(place.site_id),
            site_id=place.site_id,
            username="counter",
            name="Aishah binti Yusof",
            initials="AY",
            password=PASSWORD,
            roles=[Role.PHARMACIST],
            at=place.now,
        )
        for _ in range(CLIENTS):
            enrolled(session, place, mg="80", began=place.today)
    return place


def strike(program: Program, blow: str) -> None:
    """One blow. The server is started again as a clinic would; PostgreSQL, which belongs to it, is its own business."""
    if blow == "server":
        program.kill_server()
        program.start()
    elif blow == "postgresql":
        program.kill_postgresql()
    elif blow == "backend":
        program.kill_a_backend()
    else:
        program.cut_power()
        program.start()


def without_repeated(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "repeated"}


@pytest.fixture
def place(program: Program) -> Clinic:
    program.start()
    with program.database() as database:
        return open_clinic(database)


def test_nothing_is_lost_and_nothing_doubled_when_everything_is_killed_during_500_doses(
    program: Program, place: Clinic
) -> None:
    morning = Morning(program.url, place.clients)
    dice = random.Random(1964)
    moments = sorted(dice.sample(range(10, CLIENTS - 2 * COUNTERS), len(BLOWS)))
    with ThreadPoolExecutor(1) as beside:
        dosing = beside.submit(morning.run)
        for moment, blow in zip(moments, dice.sample(BLOWS, len(BLOWS)), strict=True):
            until(lambda moment=moment: len(morning.told) >= moment or dosing.done(), what=f"{moment} doses")
            before = morning.trouble.total()
            strike(program, blow)
            until(lambda before=before: morning.trouble.total() > before, what=f"a counter notices: {blow}")
        dosing.result()

    assert morning.told.keys() == set(place.clients), "everybody was answered"
    again = morning.ask_again()
    assert all(answer["repeated"] for answer in again.values())
    told = {client_id: without_repeated(answer) for client_id, answer in morning.told.items()}
    assert {client_id: without_repeated(answer) for client_id, answer in again.items()} == told

    with program.database() as database, database.reading() as session:
        kept = session.execute(text("SELECT client_id, id, answer -> 'doses' FROM supply")).all()
        assert len(kept) == CLIENTS
        assert {client_id: (str(supply_id), doses) for client_id, supply_id, doses in kept} == {
            client_id: (answer["supply"], answer["doses"]) for client_id, answer in told.items()
        }
        doses = session.execute(text("SELECT client_id, sum(mg), count(*) FROM dose GROUP BY client_id")).all()
        assert {(mg, count) for _, mg, count in doses} == {(Decimal(80), 1)}
        assert len(doses) == CLIENTS
        lines = text("SELECT count(*), sum(ml) FROM register_line WHERE kind = 'supplied'")
        assert session.execute(lines).one() == (CLIENTS, Decimal(-16 * CLIENTS))
        balances = text("SELECT (SELECT balance FROM lot), (SELECT balance FROM register_book)")
        assert session.execute(balances).one() == (Decimal(1000), Decimal(1000))
        assert session.scalar(text("SELECT count(*) FROM audit_entry WHERE act = 'dispensed'")) == CLIENTS
        assert list(audit.broken_links(session, site_id=place.site_id)) == []

    verified = program.run("verify")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    assert program.stop() == 0
    assert program.left() == [], "stopped in order, it takes its PostgreSQL with it, whatever was killed before"
