"""Tables that grow, divided as a country may divide them: what is new, what is read, and that nothing is half-done."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import text

from dispensary import cli
from dispensary.backups.making import back_up
from dispensary.backups.restoring import drill
from dispensary.backups.trying import tool
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.keys import Vault
from dispensary.parts.bearings import bearings
from dispensary.parts.dividing import divide, divided
from dispensary.parts.tables import BY
from dispensary.schema import _config, migrate
from dispensary.verification.verifying import verify
from tests.builders import Clinic
from tests.dispensary.old_clinic import FULL
from tests.dispensary.parts_place import (
    PARTS,
    WAYS,
    all_whole,
    close,
    divide_all,
    held,
    other,
    quiet,
    said,
    straight,
    worked,
)
from tests.dispensary.test_evaluation import export_days


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return worked(database, now)


@pytest.fixture
def parted(place: Clinic) -> Clinic:
    divide_all(place.database)
    return place


def schema_dump(database: Database) -> bytes:
    with tool("pg_dump", "--schema-only", url=database.url, taken=subprocess.PIPE) as dump:
        assert dump.stdout is not None
        whole = dump.stdout.read()
    whole = re.sub(rb"(?m)^\\(un)?restrict .*\n", b"", whole)  # a word of its own in each dump
    return re.sub(
        rb"(?s)CREATE (?:OR REPLACE )?VIEW .*?;\n", b"", whole
    )  # PostgreSQL writes one otherwise once it has read it back


CHANGED = {
    "constraint register_line pk_register_line PRIMARY KEY (id, book_id) t",
    "constraint register_line uq_register_line_corrects_id UNIQUE (corrects_id, book_id) t",
    "constraint message pk_message PRIMARY KEY (id, reason_key) t",
    "constraint message uq_message_gateway_provider_id UNIQUE (gateway, provider_id, reason_key) t",
    *(
        f"constraint {table} fk_{table}_{column} FOREIGN KEY ({column}) REFERENCES parts.key_pk_{of}(id) t"
        for table, column, of in (
            ("register_line", "corrects_id", "register_line"),
            ("delivery", "line_id", "register_line"),
            ("destruction", "line_id", "register_line"),
            ("investigation", "line_id", "register_line"),
            ("inbound", "reply_id", "message"),
        )
    ),
}


def test_nothing_but_the_keys_that_are_named_is_other_and_whole_again_it_is_the_same_to_the_byte(place: Clinic) -> None:
    before, dumped, rows = said(place.database), schema_dump(place.database), held(place.database)
    divide_all(place.database)
    assert divided(place.database) == dict.fromkeys(BY, PARTS)
    new = set(said(place.database) - before)
    assert {line for line in new if line.startswith("constraint")} == CHANGED
    assert all("_register_line_transfer " in line or line.split()[2] in {c.split()[2] for c in CHANGED}
               for line in new if line.startswith("index"))  # fmt: skip
    assert {line.split()[0] for line in new} == {"constraint", "index"}
    assert held(place.database) == rows
    with straight(place.database) as connection:
        state = """SELECT tgname, array_agg(DISTINCT tgenabled::text), count(*) FROM pg_trigger t
            JOIN pg_class c ON c.oid = t.tgrelid WHERE relname = ANY (%s) AND NOT tgisinternal GROUP BY tgname"""
        assert [row for row in connection.execute(state, [list(BY)]) if len(row[1]) > 1] == []

    all_whole(place.database)
    assert said(place.database) == before
    assert schema_dump(place.database) == dumped
    assert held(place.database) == rows
    with place.database.reading() as session:
        assert [str(finding) for finding in verify(session, now=place.now)] == []


ASKED = {
    "SELECT * FROM day_outcome WHERE client_id = {client} AND dose_day > '2026-11-01'": "day_outcome",
    "SELECT FROM day_outcome WHERE client_id = {client} AND dose_day = '2026-11-24' AND portion = 1": "day_outcome",
    "SELECT * FROM audit_entry WHERE site_id = {site} ORDER BY seq DESC LIMIT 50": "audit_entry",
    "SELECT hash FROM audit_entry WHERE site_id = {site} AND seq = 5": "audit_entry",
    "SELECT * FROM register_line WHERE book_id = {book} ORDER BY seq": "register_line",
    "SELECT id FROM message WHERE reason_key = 'reply:3'": "message",
}


def test_what_is_asked_by_the_column_reads_one_part(parted: Clinic) -> None:
    values = {
        "client": "(SELECT id FROM client ORDER BY id LIMIT 1)",
        "site": f"'{parted.site_id}'::uuid",
        "book": f"(SELECT book_id FROM lot WHERE id = '{parted.lot_id}')",
    }
    with straight(parted.database) as connection:
        for statement, table in ASKED.items():
            row = connection.execute(f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {statement.format(**values)}").fetchone()
            assert row is not None
            steps = [each for each in walk(row[0][0]["Plan"]) if each.get("Relation Name") == table]
            assert len({each["Schema"] for each in steps if each["Actual Loops"] > 0}) == 1, (statement, row)


def walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from walk(each)


KILLED = """
import os, signal, sys
from dispensary.database import Database
from dispensary.keys import fresh_vault
from datetime import date
from dispensary.parts.dividing import divide, divide_by_month
def killed(done, total, within):
    if within == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
database = Database(sys.argv[1], fresh_vault(), pool_size=1)
if sys.argv[3] == "month":
    divide_by_month(database, "register_line", today=date(2026, 11, 24), progress=killed)
divide(database, "register_line", parts=4, progress=killed)
"""


@pytest.mark.parametrize("by", ["digest", "month"])
@pytest.mark.parametrize("within", ["rows", "uq_register_line_transfer"])
def test_when_it_is_killed_in_the_middle_nothing_has_changed(place: Clinic, within: str, by: str) -> None:
    before, rows = said(place.database), held(place.database)
    root = str(Path(cli.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, place.database.url, within, by],
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL

    def cut(done: int, total: int, now_within: str) -> None:
        if now_within == within:
            with straight(place.database) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
                )

    with pytest.raises(psycopg.OperationalError):
        divide(place.database, "register_line", parts=PARTS, progress=cut)
    assert divided(place.database) == {}
    assert said(place.database) == before
    assert held(place.database) == rows
    assert divide(place.database, "register_line", parts=PARTS, progress=quiet).rows > 0


@pytest.mark.parametrize("way", WAYS)
def test_work_goes_on_the_same_on_connections_that_were_open_before(
    place: Clinic, way: Callable[[Database], None]
) -> None:
    """What PostgreSQL remembers of a function holds the row of a table as it was."""
    client, later = place.client(), place.client()
    place.give(client)
    way(place.database)
    place.give(later)
    close(place)
    with place.database.reading() as session:
        assert [str(finding) for finding in verify(session, now=place.now)] == []
        kept = session.execute(text("SELECT count(*) FROM stock_discrepancy")).scalar_one()
    assert kept == 0


@pytest.mark.parametrize("way", WAYS)
def test_exports_say_the_same_to_the_byte_and_a_backup_comes_back_in_parts(
    place: Clinic, tmp_path: Path, way: Callable[[Database], None]
) -> None:
    whole = export_days(place, tmp_path / "whole")[1]
    way(place.database)
    assert export_days(place, tmp_path / "divided")[1] == whole
    assert len(whole["dose-days.csv"].splitlines()) > 6

    pair = pyrage.x25519.Identity.generate()
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{pair}\n")
    data = tmp_path / "data"
    data.mkdir()
    made = back_up(
        place.database, into=tmp_path / "backups", sealed_to=[str(pair.to_public())], data=data, at=place.now
    )
    assert made.said.tried_out
    assert made.said.sums["register_line"].split()[0] == made.said.sums["parts.key_pk_register_line"].split()[0] != "0"
    tried = drill(made.file, keys=secret, vault=place.database.vault, data=data, now=place.now)
    assert [str(finding) for finding in tried.findings] == []


def test_the_command_says_what_it_did_and_refuses_in_a_sentence(
    place: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"DATABASE_URL": place.database.url, "DISPENSARY_DATA": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("dispensary.commands.parts.must_fit", lambda database, at: None)
    runner = CliRunner()

    def run(*words: str) -> tuple[int, str]:
        answer = runner.invoke(cli.main, ["divide", *words])
        return answer.exit_code, answer.output

    assert run("day_outcome", "--parts", "3")[1].startswith(
        "day_outcome: divided into 3 parts by client_id; 6 rows. It"
    )
    otherwise = "To divide it otherwise, make it whole first."
    assert run("day_outcome") == (2, f"day_outcome is divided already. {otherwise}\n")
    code, said_then = run()
    assert (code, len(said_then.splitlines())) == (0, 3)
    assert run()[1] == "Every table that can be divided is divided.\n"
    assert [line.split(";")[0] for line in run("--whole")[1].splitlines()] == [f"{table}: whole" for table in BY]
    assert run("--whole", "message") == (2, "message is whole.\n")
    with straight(place.database) as connection:
        connection.execute("INSERT INTO site_apart VALUES (%s, now(), now(), true)", [other(place)])
        assert "A site has a server of its own (SAT)" in run("register_line")[1]
        connection.execute("DELETE FROM site_apart")
        connection.execute("BEGIN; SELECT FROM register_line LIMIT 1")
        monkeypatch.setattr("dispensary.parts.dividing.WAITS", "100ms")
        assert "Somebody works with register_line" in run("register_line")[1]
        connection.execute("ROLLBACK; CREATE PUBLICATION told FOR TABLE register_line")
        assert "is told to another server by the publication told" in run("register_line")[1]
    assert divided(place.database) == {}


def test_a_key_that_could_not_be_kept_exact_leaves_the_table_whole(place: Clinic) -> None:
    with straight(place.database) as connection:
        connection.execute("CREATE UNIQUE INDEX odd ON message (lower(phone_index::text)) WHERE state = 'sent'")
        with pytest.raises(NoDatabase, match="The key odd cannot be kept exact in parts"):
            divide(place.database, "message", parts=PARTS, progress=quiet)
    assert divided(place.database) == {}


@pytest.mark.parametrize("way", WAYS)
def test_a_divided_database_is_brought_to_a_later_step(
    server: str, vault: Vault, way: Callable[[Database], None]
) -> None:
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE divided_early")
    database = Database(server.replace("/takehome?", "/divided_early?"), vault, pool_size=2)
    try:
        for step, then in (("0003_clinic", FULL), ("0059_homes", "SELECT 1")):
            with database.engine.connect() as upgraded:
                command.upgrade(_config(upgraded), step)
                upgraded.commit()
                upgraded.exec_driver_sql(then)
                upgraded.commit()
        way(database)
        rows = held(database)
        migrate(database)
        assert {
            name: rows[name] for name in ("day_outcome", "register_line", "audit_entry", "message")
        }.items() <= held(database).items()
        divided_then = said(database)
        all_whole(database)
        whole_then = said(database)
        way(database)
        assert said(database) == divided_then
        with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
            if not os.environ.get("TAKEHOME_TESTS_DIVIDED"):
                assert bearings(connection.cursor()) == whole_then
    finally:
        database.close()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE divided_early WITH (FORCE)")
