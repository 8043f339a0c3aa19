"""Commands that are killed when all their work is written and only its last line is missing leave nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dispensary.database import Database
from dispensary.embedded import start_embedded, stop_embedded
from tests.attacks.program import Program, until
from tests.builders import Clinic, clinic, enrolled

CLIENTS, DAYS = 40, 60


@pytest.fixture
def place(program: Program) -> Iterator[Clinic]:
    """A site with clients who all have an order, open now. The test itself keeps PostgreSQL running; nobody serves."""
    start_embedded(program.postgresql)
    with program.database() as database:
        place = clinic(database, datetime.now(UTC))
        with database.writing() as session:
            for _ in range(CLIENTS):
                enrolled(session, place, mg="80", began=place.today)
        yield place
    stop_embedded(program.postgresql)


@pytest.fixture
def history(tmp_path: Path, place: Clinic) -> Path:
    """A file of doses that other clients had elsewhere."""
    lines = [
        f"E{client:03},{place.today - timedelta(days=day)},80"
        for client in range(CLIENTS)
        for day in range(DAYS, 0, -1)
    ]
    file = tmp_path / "history.csv"
    file.write_text("\n".join(["client,day,mg", *lines]))
    return file


def count(database: Database, table: str) -> int:
    with database.reading() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


@contextmanager
def held_up(place: Clinic) -> Iterator[Callable[[], None]]:
    """Nobody can write into the audit trail, the last step of each unit of work, while the block runs.

    Gives what waits until somebody comes to that step. After the block whatever was killed there is undone.
    """
    end_of_chain = text("SELECT length FROM audit_chain WHERE site_id = :site FOR UPDATE")
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with place.database.engine.connect() as holds, place.database.engine.connect() as looks:
        looks.execution_options(isolation_level="AUTOCOMMIT")
        holds.execute(end_of_chain, {"site": place.site_id})
        yield lambda: until(lambda: looks.scalar(waits), what="somebody comes to the last step")
    with place.database.engine.connect() as comes_after_the_killed:
        comes_after_the_killed.execute(end_of_chain, {"site": place.site_id})


def test_an_import_that_is_killed_or_loses_its_database_brings_in_nothing_and_the_next_everything(
    program: Program, place: Clinic, history: Path
) -> None:
    command = ("import", "doses", str(history), "--site", "HRP")
    with held_up(place) as until_its_last_step:
        importing = program.spawn(*command)
        until_its_last_step()
        importing.kill()
        importing.wait()
    assert count(place.database, "client") == CLIENTS
    assert count(place.database, "dose") == 0

    with ThreadPoolExecutor(1) as beside:
        with suppress(OperationalError), held_up(place) as until_its_last_step:
            importing_in_vain = beside.submit(program.run, *command)
            until_its_last_step()
            program.kill_postgresql()
        lost = importing_in_vain.result()
    assert (lost.returncode, len(lost.stderr.splitlines())) == (2, 1), lost.stderr
    start_embedded(program.postgresql)
    assert count(place.database, "client") == CLIENTS
    assert count(place.database, "dose") == 0

    done = program.run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{CLIENTS * DAYS:,} dose days brought in\n{CLIENTS} clients new")
    assert count(place.database, "client") == 2 * CLIENTS
    assert count(place.database, "dose") == CLIENTS * DAYS
    assert program.run("verify").returncode == 0


def test_a_close_of_day_that_is_killed_closes_nothing_and_the_next_closes_the_day(
    program: Program, place: Clinic
) -> None:
    command = ("close-day", "--site", "HRP", "--day", str(place.today))
    with held_up(place) as until_its_last_step:
        closing = program.spawn(*command)
        until_its_last_step()
        closing.kill()
        closing.wait()
    assert count(place.database, "day_close") == 0
    assert count(place.database, "day_outcome") == 0

    done = program.run(*command)
    assert done.returncode == 0, done.stderr
    assert f"0 observed, 0 at home, {CLIENTS} missed" in done.stdout
    assert count(place.database, "day_close") == 1
    assert count(place.database, "day_outcome") == CLIENTS
