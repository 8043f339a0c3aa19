"""Two servers, two workers, one database: who signs in is known at both, jobs run once, screens hear of everything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text

import notifications.service
import scheduling.service
from benchmarks.clinics import noon_zone
from dispensary.database import Database
from dispensary.embedded import discard_embedded, start_embedded
from dispensary.key_sources import open_vault
from dispensary.staff.devices import bind
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from dispensary.units import ClientId
from tests.attacks.program import PATIENCE, Program, until
from tests.builders import Clinic, clinic, enrolled

PASSWORD = "two servers and one clinic"
TEXTS = 40


@pytest.fixture
def place(program: Program) -> Iterator[Clinic]:
    """A clinic on a database that no program serves yet."""
    url = start_embedded(program.postgresql)
    with closing(Database(url, open_vault(program.keys))) as database:
        place = clinic(database, datetime.now(UTC))
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
            for _ in range(TEXTS):
                enrolled(session, place, mg="80", began=place.today)
        yield place
    discard_embedded(program.postgresql)


Starts = Callable[..., list[Program]]


@pytest.fixture
def starts(program: Program, tmp_path: Path, place: Clinic) -> Iterator[Starts]:
    """Starts two programs of a kind, with data folders of their own and one key file."""
    pair = [Program(tmp_path / name) for name in ("one", "two")]

    def start(*command: str) -> list[Program]:
        for each in pair:
            each.data.parent.mkdir()
            url = place.database.url
            each.server = each.spawn(*command, DATABASE_URL=url, DISPENSARY_KEYS=str(program.keys))
        return pair

    yield start
    for each in pair:
        each._kill_spawned()


def write_texts(place: Clinic, about: str) -> None:
    """A reminder for each client, due now."""
    now = datetime.now(UTC)
    with place.database.writing() as session:
        for number, client in enumerate(place.clients):
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone=f"+60123456{number:03d}",
                language="en",
                region="MY",
                now=now,
            )
            queued = notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client,
                kind="booking_reminder",
                reason_key=f"{about}:{client}",
                fields={"at": now + timedelta(hours=20)},
                zone=ZoneInfo(noon_zone(now)),  # texts sleep at night
                now=now,
                valid_until=now + timedelta(hours=12),
            )
            assert queued is not None


def rows(place: Clinic, sql: str) -> list[tuple[Any, ...]]:
    with place.database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql))]


def sent(place: Clinic, about: str) -> int:
    return int(rows(place, f"SELECT count(*) FROM message WHERE reason_key LIKE '{about}:%' AND state = 'sent'")[0][0])


LEADERS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7301443 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def leads(worker: Program) -> bool:
    return "this program runs the jobs now" in worker.log.read_text()


def test_two_workers_have_one_leader_and_no_text_goes_twice_when_it_is_killed(place: Clinic, starts: Starts) -> None:
    workers = starts("worker")
    write_texts(place, "first")
    until(lambda: sent(place, "first") == TEXTS, what="all texts are sent")
    assert rows(place, LEADERS) == [(1,)]
    leader = next(each for each in workers if leads(each))
    assert [leads(each) for each in workers].count(True) == 1

    write_texts(place, "second")
    until(lambda: sent(place, "second") > 0, what="the leader is at it")
    leader.kill_server()
    write_texts(place, "third")
    until(lambda: sent(place, "third") == TEXTS, what="the other worker leads and sends")
    until(lambda: sent(place, "second") + in_doubt(place) == TEXTS, what="what was left is sent, or a person judges it")
    assert all(leads(each) for each in workers)
    assert rows(place, LEADERS) == [(1,)]
    once = "SELECT count(*) FROM message WHERE state = 'sent' AND attempts <> 1"
    assert rows(place, once) == [(0,)], "none was handed over twice"


def in_doubt(place: Clinic) -> int:
    """Texts that the leader had taken in hand when it was killed: at most one batch, left for a person to judge."""
    return int(rows(place, "SELECT count(*) FROM message WHERE state NOT IN ('queued', 'sent')")[0][0])


def test_who_signed_in_at_one_server_is_known_at_the_other_and_a_repeated_dose_is_the_first(
    place: Clinic, starts: Starts
) -> None:
    one, two = starts("serve", "--no-jobs")
    until(lambda: one.is_ready() and two.is_ready(), what="both serve")
    device = bound_screen(place)
    heard: list[dict[str, Any]] = []
    listening = threading.Thread(target=listen, args=(two, device, heard), daemon=True)
    listening.start()
    until(lambda: heard, what="the screen has its first state")

    with httpx.Client(timeout=PATIENCE) as browser:
        token = browser.get(f"{one.url}/api/session").json()["csrf_token"]
        headers = {"X-CSRFToken": token}
        form = {"username": "counter", "password": PASSWORD}
        browser.post(f"{one.url}/api/session", json=form, headers=headers).raise_for_status()
        headers = {"X-CSRFToken": browser.get(f"{one.url}/api/session").json()["csrf_token"]}
        assert browser.get(f"{two.url}/api/session").json()["signed_in"] is not None

        client = place.clients[0]
        answers = [ask(browser, program, client, headers) for program in (one, two, one)]
        assert [answer["repeated"] for answer in answers] == [False, True, True]
        assert len({answer["supply"] for answer in answers}) == 1

        with place.database.writing() as session:
            visit = scheduling.service.check_in(
                session, place_id=place.site_id, holder_id=client, now=datetime.now(UTC)
            )
        time.sleep(0.5)
        began = time.monotonic()
        called = browser.post(f"{one.url}/api/queue/next", json={"window": 3, "key": str(uuid4())}, headers=headers)
        assert called.status_code < 300, called.text
        until(lambda: (visit.ticket, 3) in calls(heard), what="the other server's screen shows who was called")
        print(f"a call was on the other server's screen after {time.monotonic() - began:.2f} s")

        browser.delete(f"{two.url}/api/session", headers=headers).raise_for_status()
        assert browser.get(f"{one.url}/api/session").json()["signed_in"] is None, "and who left is gone at both"


def bound_screen(place: Clinic) -> str:
    with place.database.writing() as session:
        return bind(session, actor=place.pharmacist, kind="screen", name="Waiting room", at=datetime.now(UTC))


def ask(browser: httpx.Client, program: Program, client: ClientId, headers: dict[str, str]) -> dict[str, Any]:
    wanted = {"key": "one dose of the day", "identified_by": "photo", "well": True}
    answer = browser.post(f"{program.url}/api/clients/{client}/supplies", json=wanted, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


def listen(program: Program, token: str, heard: list[dict[str, Any]]) -> None:
    """A screen: keeps each state that it is sent, until its server goes."""
    try:
        with httpx.stream(
            "GET", f"{program.url}/screen/events", headers={"Cookie": f"takehome.screen={token}"}, timeout=PATIENCE
        ) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: {"):
                    heard.append(json.loads(line[6:]))
    except httpx.TransportError:
        pass


def calls(heard: list[dict[str, Any]]) -> set[tuple[int, int]]:
    return {(call["number"], call["window"]) for state in heard for call in state["calls"]}
