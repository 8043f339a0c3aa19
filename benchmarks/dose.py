"""One observed dose through the API, beside the same rows written by hand, in turns on two copies of one clinic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median
from uuid import UUID

from sqlalchemy import text

from benchmarks.clinics import Browser, doses_for, open_clinic, signs_in
from benchmarks.figures import Figure, of_rounds, percentile, ratio, say
from benchmarks.ground import Ground, Server, serving, takehome
from benchmarks.load import put_on

NAME = "dose"
AT_ONCE = 32
ROUNDS = 6
DOSES = 500
WARM_UP = 200
OPEN_RATE, OPEN_SECONDS = 50, 10
DAYS = 14
OURS, THEIRS = "through the API", "by hand"


def run(ground: Ground, *, rounds: int = ROUNDS, doses: int = DOSES) -> list[Figure]:
    """Doses every client of both copies but once, round by round, each in its turn."""
    wanted = WARM_UP + rounds * doses + OPEN_RATE * OPEN_SECONDS
    say(f"dose: enrolling {wanted} clients")
    ground.copy("dose_template")
    with ground.database("dose_template") as database:
        clients = iter(open_clinic(database, clients=wanted, days=DAYS).clients)
    ground.copy("dose_ours", "dose_template")
    ground.copy("dose_theirs", "dose_template")
    bare = {"DATABASE_URL": ground.url_of("dose_theirs"), "DISPENSARY_DATA": str(ground.folder / "bare")}
    log = ground.folder / "bare.log"
    with (
        takehome(ground, "dose_ours") as ours,
        serving("benchmarks.bare", environment=bare, complaints=log) as theirs,
    ):
        figures = _in_turns(ground, {OURS: ours, THEIRS: theirs}, signs_in(ours.port), clients, rounds, doses)
    _refuse_unequal(ground)
    return figures


def _in_turns(
    ground: Ground,
    servers: dict[str, Server],
    browser: Browser,
    clients: Iterator[UUID],
    rounds: int,
    doses: int,
) -> list[Figure]:
    seen: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in servers}
    for number, turn in enumerate([WARM_UP, *[doses] * rounds]):
        say(f"dose: round {number} of {rounds}" if number else "dose: warming up")
        requests = doses_for(browser, list(islice(clients, turn)))
        for name, server in sorted(servers.items(), reverse=bool(number % 2)):
            before, before_postgresql = server.cpu(), ground.cpu()
            told = put_on(server.port, requests, at_once=AT_ONCE)
            if not number:
                continue
            seen[name]["cpu"].append((server.cpu() - before) / turn * 1000)
            seen[name]["postgresql"].append((ground.cpu() - before_postgresql) / turn * 1000)
            seen[name]["rate"].append(told.per_second)
            for percent in (50, 95, 99):
                seen[name][f"p{percent}"].append(percentile(told.ms, percent))
    say(f"dose: {OPEN_RATE} a second for {OPEN_SECONDS} s")
    spread = doses_for(browser, list(islice(clients, OPEN_RATE * OPEN_SECONDS)))
    opened = put_on(servers[OURS].port, spread, at_once=AT_ONCE, per_second=OPEN_RATE)
    return [*_figures(seen), *_open_figures(opened.ms)]


def _figures(seen: dict[str, dict[str, list[float]]]) -> Iterator[Figure]:
    for what, key, unit in (
        ("server CPU a dose", "cpu", "ms"),
        ("PostgreSQL CPU a dose", "postgresql", "ms"),
        (f"doses a second, {AT_ONCE} at once", "rate", "/s"),
        ("p50", "p50", "ms"),
        ("p95", "p95", "ms"),
        ("p99", "p99", "ms"),
    ):
        ours, theirs = (of_rounds(NAME, f"{what}, {name}", seen[name][key], unit) for name in (OURS, THEIRS))
        yield from (ours, theirs)
        yield ratio(NAME, f"{what}, ratio", ours, theirs, goal=2 if key == "cpu" else None)


def _open_figures(ms: Sequence[float]) -> Iterator[Figure]:
    at_rate = f"at {OPEN_RATE} doses a second"
    yield Figure(NAME, f"p50 {at_rate}", median(ms), "ms")
    yield Figure(NAME, f"p99 {at_rate}", percentile(ms, 99), "ms", goal=100)


# What a dose leaves behind, without what differs by chance: ids, keys, moments.
_LEFT = """
SELECT (SELECT (count(*), count(distinct client_id), sum(length(answer::text)))::text
            FROM supply WHERE origin = 'counter'),
    (SELECT (count(*), sum(mg), sum(ml))::text FROM dose WHERE ml IS NOT NULL),
    (SELECT (count(*), sum(ml), sum(consumed_ml), min(balance))::text FROM register_line),
    (SELECT count(*) FROM audit_entry WHERE act = 'dispensed')
"""


def _refuse_unequal(ground: Ground) -> None:
    """Both must have written the same rows, but for the doses at a fixed rate, which only ours was asked for."""
    with ground.database("dose_ours") as database, database.reading() as session:
        ours = list(session.execute(text(_LEFT)).one())
    with ground.database("dose_theirs") as database, database.reading() as session:
        theirs = list(session.execute(text(_LEFT)).one())
    if ours[3] - theirs[3] != OPEN_RATE * OPEN_SECONDS:
        raise RuntimeError(f"the two did not write the same rows: {ours} {theirs}")
