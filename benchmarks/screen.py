"""The counter's screen, after a scan and where nothing is as usual: how long it takes, and how much is on the wire."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import text

from benchmarks.clinics import Browser, sits_down, thousand_in
from benchmarks.figures import Figure, percentile, say
from benchmarks.ground import Ground, takehome
from benchmarks.load import Connection
from dispensary.prescribing.sections import Topic
from dispensary.supplies.exceptions import withhold
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import ClientId
from tests.builders import Clinic
from tests.dispensary.unusual_place import follows

NAME = "screen"
SCANS = 200
UNUSUAL = 60


def run(ground: Ground) -> list[Figure]:
    """Scans the passes of 200 clients, one after the other, as one counter does; the page is what the scan leads to.

    Then opens clients who come back after days without a dose, and whom the counter has sent away for now.
    """
    with thousand_in(ground, "screen") as place:
        say(f"screen: {SCANS} scans")
        tokens, unusual = _passes(place), _unusual(place)
        with takehome(ground, "screen") as server:
            browser, connection = sits_down(server.port), Connection("127.0.0.1", server.port)
            page = _scan(connection, browser, tokens[0])
            kept = _weight(connection, browser, page)
            ms, sizes = [], []
            for token in tokens[1:]:
                began, before = time.perf_counter(), connection.received
                _scan(connection, browser, token)
                ms.append((time.perf_counter() - began) * 1000)
                sizes.append((connection.received - before) / 1000)
            given_ms = []
            for token in tokens[1:]:
                given_ms.append(_scan_and_give(connection, browser, token))
            odd_ms = []
            for client in unusual:
                began, before = time.perf_counter(), connection.received
                _open(connection, browser, client)
                odd_ms.append((time.perf_counter() - began) * 1000)
                sizes.append((connection.received - before) / 1000)
    return [
        Figure(NAME, "from the scan to the whole page, p50", percentile(ms, 50), "ms"),
        Figure(NAME, "from the scan to the whole page, p99", percentile(ms, 99), "ms", 100),
        Figure(NAME, "from the scan to the recorded dose and bottles, p50", percentile(given_ms, 50), "ms", 100),
        Figure(NAME, "from the scan to the recorded dose and bottles, p99", percentile(given_ms, 99), "ms"),
        Figure(NAME, "after days without a dose, withheld for now, p99", percentile(odd_ms, 99), "ms", 100),
        Figure(NAME, "over the wire, most", max(sizes), "kB"),
        Figure(NAME, "over the wire, most, with every stylesheet and script anew", max(sizes) + kept, "kB", 60),
    ]


def _passes(place: Clinic) -> list[str]:
    tokens = []
    for client in place.clients[: SCANS + 1]:
        place.decide(client, per_supply=6)
        with place.database.writing() as session:
            prepared = prepare_pickup(
                session,
                actor=place.pharmacist,
                client_id=client,
                collect_on=place.today,
                take_home_days=place.ahead(1, 2, 3, 4, 5, 6),
                valid=(place.now - timedelta(hours=1), place.now + timedelta(hours=12)),
                today=place.today,
                at=place.now,
            )
        tokens.append(prepared.token)
    return tokens


# The last three days of some, as though nobody had come.
_AWAY = """
DELETE FROM dose WHERE client_id = ANY (:clients) AND dose_day >= :first;
DELETE FROM supply WHERE client_id = ANY (:clients) AND dose_day >= :first;
UPDATE day_outcome SET outcome = 'missed', given_mg = 0 WHERE client_id = ANY (:clients) AND dose_day >= :first;
"""


def _unusual(place: Clinic) -> Sequence[ClientId]:
    """Clients with an absence that the site's guideline judges, and with an exception of today."""
    clients = place.clients[SCANS + 1 : SCANS + 1 + UNUSUAL]
    values = {"clients": clients, "first": place.today - timedelta(days=3)}
    with place.database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _AWAY.split(";\n")[:-1]:
            connection.execute(text(statement), values)
    follows(place, Topic.MISSED, "AU-NAT-2003")
    for client in clients:
        with place.database.writing() as session:
            withhold(
                session,
                actor=place.pharmacist,
                client_id=client,
                observation="Drowsy, and words slurred.",
                today=place.today,
                at=place.now,
            )
    return clients


def _open(connection: Connection, browser: Browser, client: ClientId) -> None:
    status, _, page = connection.ask(browser.request("GET", f"/counter/clients/{client}").encode())
    if status != 200 or b"AU-NAT-2003" not in page or b"Drowsy" not in page:
        raise RuntimeError(f"the page does not say what is not as usual: {status}")


def _scan(connection: Connection, browser: Browser, token: str) -> str:
    """What the scanner types into the counter's one field, and the page that the answer leads to."""
    status, head, _ = connection.ask(browser.form("/counter/find", urlencode({"sought": token})).encode())
    leads = [line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("location: ")]
    if status != 303 or "?pickup=" not in leads[0]:
        raise RuntimeError(f"the pass opened nothing: {status} {leads}")
    status, _, page = connection.ask(browser.request("GET", leads[0]).encode())
    if status != 200 or b"</html>" not in page:
        raise RuntimeError(f"no page came: {status}")
    return page.decode()


def _scan_and_give(connection: Connection, browser: Browser, token: str) -> float:
    """Milliseconds that the server takes for the scan, the page, and the hand-over of today's dose and six bottles."""
    began = time.perf_counter()
    page = _scan(connection, browser, token)
    form = dict(re.findall(r'name="(key|observed|shown_\w+|identified_by|pickup_id)" value="([^"]*)"', page))
    to = re.findall(r'action="(/counter/clients/[^"]+/supply)"', page)[0]
    status, head, _ = connection.ask(browser.form(to, urlencode({**form, "well": "yes"})).encode())
    if status != 303 or "/counter?done=" not in head:
        raise RuntimeError(f"nothing was handed over: {status}")
    return (time.perf_counter() - began) * 1000


def _weight(connection: Connection, browser: Browser, page: str) -> float:
    """Kilobytes of what the page asks for the first time; a browser keeps it for a year."""
    before = connection.received
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        status, _, _ = connection.ask(browser.request("GET", path).encode())
        if status != 200:
            raise RuntimeError(f"{path} is not there: {status}")
    return (connection.received - before) / 1000
