"""What is done to a country as a whole: its day is closed at every site, its figures are read, all of it is verified.

The night closes one site after the other, in a unit of work each, as here. Its memory is what the verifying process
has at most, beside what it had before it began.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median

from sqlalchemy import text

from benchmarks.clockwork import run_jobs
from benchmarks.country import Country
from benchmarks.figures import Figure, say
from benchmarks.ground import Ground
from dispensary.database import Database
from dispensary.evaluation.facts import count_behind
from dispensary.evaluation.rollup import last_seen, site_figures
from dispensary.key_sources import open_vault
from dispensary.staff.queries import sites
from dispensary.staff.rules import the_program
from dispensary.supplies.closing import close_day
from dispensary.verification.verifying import verify

NIGHT_WITHIN, FIGURES_WITHIN = 600, 300
"""Seconds for the close of a day at all sites; milliseconds for the figures of the nation."""
LOOKS = 9


def as_a_whole(on: Ground, name: str, country: Country, *, of: str) -> Iterator[Figure]:
    """Closes today everywhere, reads the nation's figures and verifies, on the database of this name."""
    with on.database(name) as database:
        count_behind(database)
        yield from _night(on, database, country, of)
        yield from run_jobs(on, database, of=of)
        yield from _figures(database, of)
    yield from _verified(on, name, of)


def _night(on: Ground, database: Database, country: Country, of: str) -> Iterator[Figure]:
    at = datetime.now(UTC)
    with database.reading() as session:
        places = sites(session)
    began, before, took, portions = time.perf_counter(), on.cpu(), [], 0
    for number, site in enumerate(places):
        if number % 50 == 0:
            say(f"{of}: {country.today} is closed at {number} of {len(places)} sites")
        started = time.perf_counter()
        with database.writing() as session:
            day = close_day(
                session, actor=the_program(site.id), day=country.today, today=site.dose_day(at), counts=None, at=at
            )
        took.append(time.perf_counter() - started)
        portions += day.observed + day.taken_home + day.missed + day.held
    whole = time.perf_counter() - began
    yield Figure(of, f"close of a day at {len(places)} sites, {portions} portions, one after the other", whole, "s",
                 NIGHT_WITHIN)  # fmt: skip
    yield Figure(of, "close of a day at a site, median", median(took) * 1000, "ms")
    yield Figure(of, "PostgreSQL CPU of the close at all sites", on.cpu() - before, "s")


def _figures(database: Database, of: str) -> Iterator[Figure]:
    took = []
    with database.reading() as session:
        every = list(session.scalars(text("SELECT id FROM site")))
    seen = database.glance(lambda glance: last_seen(glance, site_ids=every))
    for _ in range(LOOKS):
        began = time.perf_counter()
        with database.reading() as session:
            told = site_figures(session, site_ids=every, seen=seen, now=datetime.now(UTC) + timedelta(days=1))
        took.append((time.perf_counter() - began) * 1000)
    if sum(site.active for site in told) == 0:
        raise RuntimeError("the figures of the nation say that nobody is in treatment")
    yield Figure(of, f"figures of the nation, {len(told)} sites, median", median(took), "ms", FIGURES_WITHIN)


def _verified(on: Ground, name: str, of: str) -> Iterator[Figure]:
    """In a process of its own, so that the memory is its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_verify, args=(on.url_of(name), str(on.keys), theirs))
    before = on.cpu()
    process.start()
    theirs.close()
    seconds, rows, kilobytes, found = ours.recv()
    process.join()
    yield Figure(of, f"verify, {rows:,} rows", seconds, "s")
    yield Figure(of, "rows that verify named", float(found), "", 0)
    yield Figure(of, "memory of verify, most, beside what it began with", kilobytes / 1024, "MB")
    yield Figure(of, "PostgreSQL CPU of verify", on.cpu() - before, "s")


def _verify(url: str, keys: str, told: Pipe) -> None:
    database = Database(url, open_vault(Path(keys)), pool_size=2)
    with database.reading() as session:
        rows = session.scalar(
            text("SELECT sum(greatest(reltuples, 0)) FROM pg_class WHERE relkind = 'r' AND relname NOT LIKE 'pg_%'")
        )
    before = _kilobytes("VmRSS")
    began, last = time.perf_counter(), time.perf_counter()

    def progress(done: int, total: int, about: str) -> None:
        nonlocal last
        if time.perf_counter() - last > 10:
            last = time.perf_counter()
            say(f"verify: {done} of {total} looks, {about}")

    with database.reading() as session:
        found = sum(1 for _ in verify(session, now=datetime.now(UTC), progress=progress))
    told.send((time.perf_counter() - began, int(rows or 0), _kilobytes("VmHWM") - before, found))
    database.close()


def _kilobytes(field: str) -> int:
    """What this process has (VmRSS), or had at most (VmHWM): its own alone, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
