"""The way back to a moment: a base backup and the archived log, by the script that the guide names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from dispensary.database import Database
from dispensary.embedded import discard_embedded, start_embedded, stop_embedded
from dispensary.keys import fresh_vault
from dispensary.schema import migrate
from tests.attacks.servers import as_server, opened
from tests.builders import Clinic, clinic, enrolled

DRILL = Path(__file__).parents[2] / "docker" / "point-in-time-drill.sh"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pitr"
    folder.mkdir()
    return opened(folder)


@pytest.fixture
def place(folder: Path) -> Iterator[Clinic]:
    """A clinic on a server that archives its log, as the guide sets it up."""
    data, archive = folder / "postgresql", folder / "archive"
    archive.mkdir()
    archive.chmod(0o777)
    start_embedded(data)
    stop_embedded(data)
    command = f"test ! -f {archive}/%f && cp %p {archive}/.%f && sync {archive}/.%f && mv {archive}/.%f {archive}/%f"
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"archive_mode = on\narchive_timeout = 60s\narchive_command = '{command}'\n")
    database = Database(start_embedded(data), fresh_vault(), pool_size=4)
    migrate(database)
    yield clinic(database, datetime.now(UTC))
    database.close()
    discard_embedded(data)


def moment(place: Clinic) -> str:
    with psycopg.connect(place.database.url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute("SELECT clock_timestamp()::text, pg_sleep(0.05)").fetchone()
    assert row is not None
    return row[0]


def test_a_moment_comes_back_with_all_that_was_done_by_then_and_nothing_later(place: Clinic, folder: Path) -> None:
    url = place.database.url.replace("+psycopg", "")
    host = url.split("host=", 1)[1]
    base = folder / "base"
    taken = as_server(folder, "pg_basebackup", f"--pgdata={base}", "--checkpoint=fast", f"--host={host}")
    assert taken.returncode == 0, taken.stderr
    known = {}
    for name in ("before", "after"):
        with place.database.writing() as session:
            enrolled(session, place, mg="80", began=place.today)
        with psycopg.connect(url, autocommit=True) as connection:
            known[name] = connection.execute("SELECT count(*) FROM audit_entry").fetchone()
        if name == "before":
            then = moment(place)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
        last = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)").fetchone()
        assert last is not None
        for _ in range(200):
            done = connection.execute(
                "SELECT last_archived_wal >= %s, failed_count, pg_sleep(0.1) FROM pg_stat_archiver", last
            ).fetchone()
            assert done is not None
            if done[0]:
                break
        assert done[:2] == (True, 0)

    drilled = as_server(folder, DRILL, base, folder / "archive", then)
    assert drilled.returncode == 0, drilled.stderr
    assert f"Entries of the audit trail: {known['before'][0]}" in drilled.stdout
    assert known["after"] > known["before"]
    assert sorted(each.name for each in folder.iterdir()) == [".postgresql.lock", "archive", "base", "postgresql"]

    kept = folder / "kept"
    keeping = as_server(folder, "env", f"KEEP={kept}", DRILL, base, folder / "archive", then)
    assert (keeping.returncode, (kept / "data" / "PG_VERSION").exists()) == (0, True)
    assert not (kept / "data" / "postmaster.pid").exists()
    assert as_server(folder, "env", f"KEEP={kept}", DRILL, base, folder / "archive", then).returncode == 2
    assert (kept / "data" / "PG_VERSION").exists()

    too_late = as_server(folder, DRILL, base, folder / "archive", "2199-01-01 00:00:00+00")
    assert (too_late.returncode, "does not come back" in too_late.stderr) == (1, True)
    for words in ([], [base, "/nowhere", then], [folder / "archive", folder / "archive", then]):
        assert as_server(folder, DRILL, *words).returncode == 2
