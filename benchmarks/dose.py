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
        browser = signs_in(ours.port)
        figures = [*_in_turns(ground, {OURS: ours, THEIRS: theirs}, browser, clients, rounds, doses)]
        _refuse_unequal(ground, WARM_UP + rounds * doses)
        say(f"dose: {OPEN_RATE} a second for {OPEN_SECONDS} s")
        spread = doses_for(browser, list(islice(clients, OPEN_RATE * OPEN_SECONDS)))
        opened = put_on(ours.port, spread, at_once=AT_ONCE, per_second=OPEN_RATE)
        return [*figures, *_open_figures(opened.ms)]


def _in_turns(
    ground: Ground,
    servers: dict[str, Server],
    browser: Browser,
    clients: Iterator[UUID],
    rounds: int,
    doses: int,
) -> Iterator[Figure]:
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
    return _figures(seen)


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


# Everything that the doses left behind, but for ids and moments, which differ by chance, and the order of the register.
_LEFT = """
SELECT
    (SELECT md5(string_agg((client_id, episode_id, site_id, dose_day, key, request_sha256, decision_id, pickup_id,
        identified_by, observation, second_look, dispensed_by, voided_at, answer - 'supply' - 'at')::text, ''
        ORDER BY client_id)) FROM supply WHERE origin = 'counter'),
    (SELECT md5(string_agg((client_id, site_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id, closed_day,
        voided_at)::text, '' ORDER BY client_id)) FROM dose WHERE ml IS NOT NULL),
    (SELECT md5(string_agg((s.client_id, l.book_id, l.lot_id, l.dose_day, l.kind, l.ml, l.consumed_ml, l.taken_home_ml,
        l.corrects_id, l.reason, l.account_id, l.second_id)::text, '' ORDER BY s.client_id))
        FROM register_line l JOIN supply s ON s.id = l.supply_id),
    (SELECT (balance, lines)::text FROM register_book),
    (SELECT md5(string_agg((account_id, act, subject, subject_id, details::jsonb - 'supply')::text, ''
        ORDER BY subject_id)) FROM audit_entry WHERE act = 'dispensed'),
    (SELECT count(*) FROM supply WHERE origin = 'counter')
"""


def _refuse_unequal(ground: Ground, doses: int) -> None:
    """Raises RuntimeError unless both wrote the same rows for as many doses."""
    left = []
    for name in ("dose_ours", "dose_theirs"):
        with ground.database(name) as database, database.reading() as session:
            left.append(session.execute(text(_LEFT)).one())
    if left[0] != left[1] or left[0][-1] != doses:
        raise RuntimeError(f"the two did not write the same rows: {left}")
