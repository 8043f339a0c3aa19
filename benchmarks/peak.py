"""A country's morning: 91,000 doses in three hours, then three and ten times as many, through two servers.

    python -m benchmarks.country 790 91000        sites and clients of China; more words: --help

Every dose has its arrival, the counter's page after a scan, and the dose itself with all rules; every seventh client
books a time, and each is sent a text, through two senders. All of it, PostgreSQL and the load itself share the machine.
The morning is a slice of as many seconds as are asked for. Then doses alone go as fast as they can, in turns with
`pgbench`, which writes the same rows by hand on a copy of the same country on the same server.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as of_day
from functools import partial
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import psutil  # type: ignore[import-untyped]
from sqlalchemy import text

import notifications.service
from benchmarks.by_hand import doses_by_hand, get_ready
from benchmarks.clinics import Browser, sits_down
from benchmarks.country import Country, build
from benchmarks.country_life import due_today, live, open_for_bookings
from benchmarks.figures import RESULTS, Figure, of_rounds, percentile, ratio, say, table, told, write
from benchmarks.ground import Ground, Server, ground, takehome
from benchmarks.load import Told, put_on
from benchmarks.nation import as_a_whole
from dispensary.database import Database
from dispensary.key_sources import open_vault
from dispensary.units import SiteId
from notifications.gateways.console import ConsoleGateway
from notifications.sending import send_due

NAME = "country"
PEAK = 91_000 / (3 * 3600)
"""Doses a second."""
TIMES = (1, 3, 10)
ACTS = ("arrival", "screen", "dose", "booking")
BOOKS_EACH = 7
LAG = 12
"""So many other clients' acts lie between a client's arrival, page and dose."""
AT_ONCE = 16
"""Connections to each server."""
SENDERS = 2


@dataclass(frozen=True)
class Asked:
    """How large the country is, and how long it is measured."""

    sites: int
    clients: int
    years: float
    seconds: int
    """Of the morning, at each of the rates."""
    doses: int
    """Of each round as fast as they go."""
    rounds: int
    times: Sequence[int] = TIMES
    """The peak, so many times."""
    past: tuple[int, int, float] = (40, 4600, 0.5)
    """Sites, clients and years of the country whose bytes are told: a week's past leaves tables half empty."""


@dataclass(frozen=True)
class Due:
    """A client who comes today, with the browser of their site's counter."""

    client: UUID
    browser: Browser
    zone: ZoneInfo
    site: SiteId


def run(on: Ground, asked: Asked) -> list[Figure]:
    """Builds the country, replays its mornings, and sets its doses beside pgbench's."""
    figures = told(_of_a_past(on, *asked.past))
    on.copy("country_made")
    with on.database("country_made") as database:
        began = time.perf_counter()
        country = build(database, clients=asked.clients, years=asked.years, sites=asked.sites)
        live(database, country)
        say(f"country: it was built in {time.perf_counter() - began:.0f} s")
        people = due_today(database)
        wanted = sum(round(PEAK * each * asked.seconds) for each in asked.times) + 2 * AT_ONCE
        alone = asked.rounds * asked.doses
        if len(people) < wanted + alone:
            raise SystemExit(f"{len(people)} clients come today and {wanted + alone} are needed: ask for more clients.")
        people = people[: wanted + alone]
        open_for_bookings(database, country, {SiteId(site) for _, _, site in people})
        get_ready(database, [client for client, _, _ in people[wanted:]])
    for name in ("country_ours", "country_theirs"):
        on.copy(name, "country_made")
    with (
        takehome(on, "country_ours") as one,
        takehome(on, "country_ours", another="-two") as two,
        on.database("country_ours") as database,
    ):
        servers = (one, two)
        everybody = _seated(database, servers, people, country)
        counters, everybody, fast = everybody, iter(everybody[:wanted]), iter(everybody[wanted:])
        _put(servers, [_of(ACTS, next(everybody)) for _ in range(2 * AT_ONCE)], 0)  # warms up
        for times in asked.times:
            rate = PEAK * times
            count = round(rate * asked.seconds)
            _awake(servers, counters)
            say(f"country: {times} x the peak, {rate:.1f} doses a second for {asked.seconds} s")
            figures += told(_morning(on, database, servers, [next(everybody) for _ in range(count)], times, rate))
        _awake(servers, counters)
        figures += told(_fast(on, database, servers, list(fast), asked))
    return [*figures, *told(as_a_whole(on, "country_ours", country, of=NAME))]


def _seated(
    database: Database, servers: Sequence[Server], people: list[tuple[UUID, str, UUID]], country: Country
) -> list[Due]:
    """Everybody who is due, at counters that signed in at one server and are known at both."""
    with database.reading() as session:
        zone = ZoneInfo(str(session.scalar(text("SELECT zone FROM site LIMIT 1"))))
    codes = list(dict.fromkeys(code for _, code, _ in people))
    ports = [servers[number % len(servers)].port for number in range(len(codes))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seated = pool.map(sits_down, ports, (f"at-{code.lower()}" for code in codes))
        browsers = dict(zip(codes, seated, strict=True))
    say(f"country: {len(browsers)} counters have signed in")
    return [Due(client, browsers[code], zone, SiteId(site)) for client, code, site in people]


def _awake(servers: Sequence[Server], people: Iterable[Due]) -> None:
    """Every counter looks at its page once: a screen that nobody touches for ten minutes closes."""
    looks = {each.site: each.browser.request("GET", "/counter") for each in people}.values()
    put_on(servers[0].port, list(looks), at_once=AT_ONCE, per_second=0)


def _of(acts: Sequence[str], due: Due) -> dict[str, str]:
    """The requests of a client's visit."""
    starts = datetime.combine((datetime.now(due.zone) + timedelta(days=1)).date(), of_day(8), tzinfo=due.zone)
    client, browser = due.client, due.browser
    dose = {"key": f"country-{client}", "observed": True, "identified_by": "photo", "well": True}
    asked = {
        "arrival": lambda: browser.request("POST", "/api/arrivals", {"client_id": str(client)}),
        "screen": lambda: browser.request("GET", f"/counter/clients/{client}"),
        "dose": lambda: browser.request("POST", f"/api/clients/{client}/supplies", dose),
        "booking": lambda: browser.request(
            "POST", "/api/bookings", {"client_id": str(client), "starts_at": starts.isoformat()}
        ),
    }
    return {act: asked[act]() for act in acts}


def _put(
    servers: Sequence[Server], visits: Sequence[dict[str, str]], doses_a_second: float
) -> tuple[dict[str, list[float]], float]:
    """Sends the visits through the servers in turn, each client's acts in their order; milliseconds by act, seconds."""
    ms: dict[str, list[float]] = defaultdict(list)
    plans = [_in_order(visits[number :: len(servers)]) for number in range(len(servers))]

    def through(server: Server, plan: list[tuple[str, str]]) -> Told:
        share = doses_a_second * len(plan) / max(1, sum(1 for act, _ in plan if act == "dose")) / len(servers)
        return put_on(server.port, [request for _, request in plan], at_once=AT_ONCE, per_second=share)

    with ThreadPoolExecutor(len(servers)) as pool:
        told = list(pool.map(through, servers, plans))
    for plan, answer in zip(plans, told, strict=True):
        for (act, _), took in zip(plan, answer.ms, strict=True):
            ms[act].append(took)
    return ms, max(answer.seconds for answer in told)


def _in_order(visits: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    """Everybody's acts, so that a client's next one comes when some others had theirs."""
    moments = [
        (number + LAG * step, number, act, visit[act])
        for number, visit in enumerate(visits)
        for step, act in enumerate(each for each in ACTS if each in visit)
    ]
    return [(act, request) for _, _, act, request in sorted(moments, key=lambda each: each[:2])]


def _morning(
    on: Ground, database: Database, servers: Sequence[Server], due: Sequence[Due], times: int, rate: float
) -> Iterator[Figure]:
    acts = [_of(ACTS if number % BOOKS_EACH == 0 else ACTS[:3], each) for number, each in enumerate(due)]
    _queue_texts(database, due)
    with _senders(on, database.url) as senders, _watched(on, database, servers, senders) as spent:
        ms, seconds = _put(servers, acts, rate)
    doses, at = len(due), f"at {times} x the peak"
    yield Figure(NAME, f"doses a second {at} ({rate:.1f} asked)", doses / seconds, "/s")
    for act in ACTS:
        for percent in (50, 95, 99):
            yield Figure(NAME, f"{act} {at}, p{percent}", percentile(ms[act], percent), "ms")
    for what, value in spent.items():
        yield Figure(NAME, f"{what} {at}, for each dose with all around it", value / doses * 1000, "ms")
    with database.reading() as session:
        left = session.scalar(text("SELECT count(*) FROM message WHERE state = 'queued' AND next_attempt_at <= now()"))
    yield Figure(NAME, f"texts left in the outbox {at}, of {doses}", float(left or 0), "")


def _fast(on: Ground, database: Database, servers: Sequence[Server], due: list[Due], asked: Asked) -> list[Figure]:
    """Doses alone as fast as they go, in turns with pgbench."""
    ours, theirs, grown, logged = [], [], [], []
    spent: dict[str, list[float]] = defaultdict(list)
    for number in range(asked.rounds):
        say(f"country: as fast as it goes, round {number + 1} of {asked.rounds}")
        visits = [_of(("dose",), each) for each in due[number * asked.doses :][: asked.doses]]
        before = _rows_and_log(database)
        with _watched(on, database, servers, []) as used:
            _, seconds = _put(servers, visits, 0)
        after = _rows_and_log(database)
        ours.append(asked.doses / seconds)
        grown.append((after[0] - before[0]) / asked.doses)
        logged.append((after[1] - before[1]) / asked.doses)
        for what, value in used.items():
            spent[what].append(value / asked.doses * 1000)
        theirs.append(doses_by_hand(on.url_of("country_theirs"), doses=asked.doses, at_once=2 * AT_ONCE))
    fast = of_rounds(NAME, f"doses a second as fast as they go, {2 * AT_ONCE} at once", ours, "/s")
    hand = of_rounds(NAME, f"the same rows by pgbench, {2 * AT_ONCE} at once", theirs, "/s")
    return [
        fast,
        hand,
        ratio(NAME, "pgbench's doses for each of ours", hand, fast, goal=2),
        *(of_rounds(NAME, f"{what}, for each dose alone", values, "ms") for what, values in spent.items()),
        of_rounds(NAME, "a dose adds to tables and indexes", grown, "bytes"),
        of_rounds(NAME, "a dose adds to the log of PostgreSQL", logged, "bytes"),
    ]


def _rows_and_log(database: Database) -> tuple[int, int]:
    asked = text("""SELECT sum(pg_total_relation_size(oid)), pg_current_wal_insert_lsn() - '0/0'::pg_lsn FROM pg_class
                    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')""")
    with database.engine.connect() as connection:
        row = connection.execute(asked).one()
        return int(row[0]), int(row[1])


@contextmanager
def _watched(
    on: Ground, database: Database, servers: Sequence[Server], others: Sequence[psutil.Process]
) -> Iterator[dict[str, float]]:
    """Seconds that the block took of each: both servers, the senders, PostgreSQL, and its sessions at work."""

    def now() -> tuple[float, ...]:
        time.sleep(1.1)  # PostgreSQL counts a session's time within a second of its end
        with database.engine.connect() as connection:
            active = connection.scalar(
                text("SELECT active_time FROM pg_stat_database WHERE datname = current_database()")
            )
        times = [each.cpu_times() for each in others]
        senders = sum(each.user + each.system for each in times)
        return (sum(each.cpu() for each in servers), senders, on.cpu(), float(active or 0) / 1000)

    spent: dict[str, float] = {}
    before = now()
    yield spent
    names = ("CPU of both servers", "CPU of the senders", "CPU of PostgreSQL", "database time")
    spent.update(
        {name: b - a for name, a, b in zip(names, before, now(), strict=True) if others or "sender" not in name}
    )


def _queue_texts(database: Database, due: Sequence[Due]) -> None:
    """A text for everybody, due from now on."""
    now = datetime.now(UTC)
    for after in range(0, len(due), 500):
        with database.writing() as session:
            for each in due[after : after + 500]:
                notifications.service.queue(
                    session,
                    vault=session.vault,
                    recipient_id=each.client,
                    kind="booking_reminder",
                    reason_key=f"morning:{each.client}",
                    fields={"at": now + timedelta(hours=20)},
                    zone=each.zone,
                    now=now,
                    valid_until=now + timedelta(hours=12),
                )


@contextmanager
def _senders(on: Ground, url: str) -> Iterator[list[psutil.Process]]:
    """Two processes that send what is due for as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    processes = [context.Process(target=_send, args=(url, on.keys, ended)) for _ in range(SENDERS)]
    for process in processes:
        process.start()
    try:
        yield [psutil.Process(process.pid) for process in processes]
    finally:
        ended.set()
        for process in processes:
            process.join(60)


def _send(url: str, keys: Path, ended: object) -> None:
    database, gateway = Database(url, open_vault(keys), pool_size=2), ConsoleGateway()
    clock = partial(datetime.now, UTC)
    while not ended.wait(0.2):  # type: ignore[attr-defined]
        send_due(database.writing, vault=database.vault, gateway=gateway, now=clock)
    database.close()


def _of_a_past(on: Ground, sites: int, clients: int, years: float) -> Iterator[Figure]:
    """What a client's year is in a country with a longer past, tables and indexes, and the largest of them."""
    on.copy("country_past")
    with on.database("country_past") as database:
        say(f"country: {sites} sites and {clients:,} clients with {years:g} years, for the bytes of a client-year")
        live(database, build(database, clients=clients, years=years, sites=sites))
        yield from _sizes(database)
    on.drop("country_past")


def _sizes(database: Database) -> Iterator[Figure]:
    largest = text("""SELECT relname, pg_total_relation_size(oid), greatest(reltuples, 0) FROM pg_class
                      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                      AND relname NOT LIKE 'country%' ORDER BY 2 DESC""")
    with database.engine.connect() as connection:
        years = float(connection.scalar(text("SELECT count(*) / 365.25 FROM day_outcome")) or 1)
        rows = connection.execute(largest).all()
    yield Figure(NAME, "a client-year", sum(row[1] for row in rows) / years, "bytes")
    yield Figure(NAME, "a client-year", sum(row[2] for row in rows) / years, "rows")
    for name, size, _ in rows[:8]:
        yield Figure(NAME, f"a client-year in {name}", size / years, "bytes")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.country", description=__doc__)
    options.add_argument("sites", type=int, nargs="?", default=790)
    options.add_argument("clients", type=int, nargs="?", default=91_000)
    options.add_argument("--years", type=float, default=1, help="of the past; 1 when nothing is said")
    options.add_argument("--seconds", type=int, default=60, help="of each morning; 60 when nothing is said")
    options.add_argument("--doses", type=int, default=1600, help="of each round as fast as they go")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--dry", action="store_true", help="print the table and leave results.json as it is")
    asked = options.parse_args()
    load = psutil.getloadavg()[0]
    say(f"country: {psutil.cpu_count()} cores; before anything began, {load:.1f} processes wanted one")
    with ground() as here:
        figures = run(here, Asked(asked.sites, asked.clients, asked.years, asked.seconds, asked.doses, asked.rounds))
        version = here.version
    figures.append(Figure(NAME, "processes that wanted a core before it began", load, ""))
    print(table(figures))
    if not asked.dry:
        write(figures, version)
        say(f"kept in {RESULTS.parent.name}/{RESULTS.name}")
