"""Clinics to measure on: people enrolled through the services, their past written beside the triggers for speed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import httpx
from sqlalchemy import text

from benchmarks.figures import say
from benchmarks.ground import Ground
from dispensary.database import Database
from dispensary.evaluation.facts import count_behind
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from tests.builders import Clinic, clinic, enrolled

USERNAME, PASSWORD = "aishah", "a walk to the river"


def noon_zone(now: datetime) -> str:
    """A zone in which it is about noon, so that no benchmark runs across the end of a dose day."""
    ahead = 12 - now.astimezone(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


def open_clinic(database: Database, *, clients: int, days: int) -> Clinic:
    """A clinic that opened so many days ago and enrolled its clients then; each came on nearly every day since.

    It is closed for nobody, the days before today are closed, and `aishah` can sign in as a pharmacist.
    """
    now = datetime.now(UTC)
    place = clinic(database, now - timedelta(days=days), zone=noon_zone(now), ml="900000")
    with database.writing() as session:
        add_account(
            session,
            actor=the_program(place.site_id),
            site_id=place.site_id,
            username=USERNAME,
            name="Aishah binti Yusof",
            initials="AY",
            password=PASSWORD,
            roles=[Role.PHARMACIST],
            at=place.now,
        )
        for _ in range(clients):
            enrolled(session, place, mg="80", began=place.today)
    place.move_on(days)
    _write_past(place, days)
    count_behind(database)
    return place


# Of 46 days one is missed, never two in a row and none in the last week.
_PAST = """
CREATE TEMP TABLE past ON COMMIT DROP AS
    SELECT gen_random_uuid() AS supply_id, c.id AS client_id, c.site_id, e.id AS episode_id, o.id AS order_id,
        day::date AS day,
        (row_number() OVER (PARTITION BY day ORDER BY c.id) + (:today - day::date)) % 46 > 0
            OR :today - day::date <= 7 AS came
    FROM client c JOIN episode e ON e.client_id = c.id JOIN dose_order o ON o.client_id = c.id
    CROSS JOIN generate_series(CAST(:first AS date), CAST(:today AS date) - 1, '1 day') AS day;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
        second_look, origin, answer)
    SELECT supply_id, site_id, client_id, episode_id, day, day + time '12:00', supply_id::text, '', 'import', '', '',
        'import', '{}' FROM past WHERE came ORDER BY day;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
    SELECT gen_random_uuid(), supply_id, site_id, client_id, order_id, day, 1, 1, 'observed', 80, false
    FROM past WHERE came ORDER BY day;
INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,
        outcome, frozen_at)
    SELECT client_id, day, 1, 1, site_id, episode_id, order_id, 80, CASE WHEN came THEN 80 ELSE 0 END,
        CASE WHEN came THEN 'observed' ELSE 'missed' END, day + time '23:59' FROM past ORDER BY day;
INSERT INTO day_close (site_id, dose_day, closed_at, counted, observed, taken_home, missed, held, unclaimed)
    SELECT site_id, day, day + time '23:59', false, count(*) FILTER (WHERE came), 0, count(*) FILTER (WHERE NOT came),
        0, 0 FROM past GROUP BY site_id, day;
"""


def _write_past(place: Clinic, days: int) -> None:
    values = {"today": place.today, "first": place.today - timedelta(days=days)}
    with place.database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # the past obeys; nobody asks again
        for statement in _PAST.split(";\n")[:-1]:
            connection.execute(text(statement), values)


@cache
def thousand(ground: Ground) -> Clinic:
    """A clinic of 1,000 clients with a year of history each, in a database `thousand` that is there to be copied."""
    say("enrolling 1,000 clients, with a year of history each")
    ground.copy("thousand")
    with ground.database("thousand") as database:
        return open_clinic(database, clients=1000, days=365)


@contextmanager
def thousand_in(ground: Ground, name: str) -> Iterator[Clinic]:
    """That clinic in a copy of its own."""
    place = thousand(ground)
    ground.copy(name, "thousand")
    with ground.database(name) as database:
        yield replace(place, database=database, clients=list(place.clients))


@dataclass(frozen=True)
class Browser:
    """A signed-in browser as the headers that it sends."""

    headers: Mapping[str, str]

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> str:
        """A whole request, as it goes over the wire."""
        return self._whole(method, path, "application/json", json.dumps(body) if body is not None else "")

    def form(self, path: str, content: str) -> str:
        """A form as a page sends it."""
        return self._whole("POST", path, "application/x-www-form-urlencoded", content)

    def _whole(self, method: str, path: str, kind: str, content: str) -> str:
        lines = [f"{method} {path} HTTP/1.1", "Host: clinic.example.org"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if content:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "", content])


def signs_in(port: int) -> Browser:
    """Signs in over the API, and keeps cookies that are meant for TLS on this machine's own wire."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        opened = client.get("/api/session")
        jar = _cookies(opened)
        headers = {"X-CSRFToken": opened.json()["csrf_token"], "Cookie": _line(jar)}
        entered = client.post("/api/session", json={"username": USERNAME, "password": PASSWORD}, headers=headers)
        entered.raise_for_status()
        cookies = _line(jar | _cookies(entered))
        signed_in = client.get("/api/session", headers={"Cookie": cookies})
        return Browser({"X-CSRFToken": signed_in.json()["csrf_token"], "Cookie": cookies})


def sits_down(port: int, username: str = USERNAME) -> Browser:
    """Signs in on the page, as a person does; what is posted then says for whom its page was drawn, as each form does.

    A token of the API opens no page.
    """
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        opened = client.get("/api/session")
        jar = _cookies(opened)
        headers = {"X-CSRFToken": opened.json()["csrf_token"]}
        form = {"username": username, "password": PASSWORD}
        entered = client.post("/signin", data=form, headers={**headers, "Cookie": _line(jar)})
        if entered.status_code != 303:
            raise RuntimeError(f"nobody signed in: {entered.status_code}")
        headers["Cookie"] = _line(jar | _cookies(entered))
        page = client.get("/counter", headers=headers)
        page.raise_for_status()
        headers["X-CSRFToken"] = page.text.split('name="_csrf_token" value="')[1].split('"')[0]
        return Browser({**headers, "X-Acting": page.text.split('data-person="')[1].split('"')[0]})


def _cookies(response: httpx.Response) -> dict[str, str]:
    pairs = (line.split(";", 1)[0].split("=", 1) for line in response.headers.get_list("set-cookie"))
    return {pair[0]: pair[1] for pair in pairs}


def _line(jar: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def doses_for(browser: Browser, clients: Sequence[UUID]) -> list[str]:
    """The request for today's observed dose of each of these clients."""
    return [
        browser.request(
            "POST",
            f"/api/clients/{client}/supplies",
            {"key": f"bench-{client}", "observed": True, "identified_by": "photo", "well": True},
        )
        for client in clients
    ]
