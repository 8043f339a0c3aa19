"""Backups: which are kept, that each comes back whole, and that no mistake or sudden end costs anything."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from dispensary.backups.files import BadBackup, in_folder, read_said
from dispensary.backups.making import Made, back_up
from dispensary.backups.restoring import drill, restore
from dispensary.backups.rules import DAYS, MONTHS, WEEKS, kept
from dispensary.cli import main
from dispensary.database import Database
from dispensary.jobs import back_up_nightly
from dispensary.settings import Backups, BadSettings, settings_from
from dispensary.staff.models import JobRun
from dispensary.staff.queries import last_backup
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic, enrolled
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, open_site

NIGHT = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


class TestRotation:
    def test_a_year_of_nights_leaves_a_week_of_days_five_weeks_and_twelve_months(self) -> None:
        nights = [NIGHT - timedelta(days=n) for n in range(400)]
        held = sorted(kept(nights), reverse=True)
        assert held[:DAYS] == nights[:DAYS]
        assert NIGHT.weekday() == 1
        sundays = [NIGHT - timedelta(days=n) for n in (2, 9, 16, 23)]
        assert set(sundays) <= set(held)
        months = [datetime(2026, month, day, 20, tzinfo=UTC) for month, day in ((10, 31), (2, 28), (1, 31))]
        assert set(months) <= set(held)
        assert min(held) == datetime(2025, 12, 31, 20, tzinfo=UTC)

    @given(st.lists(st.integers(0, 5 * 365 * 24), unique=True, max_size=300))
    @settings(max_examples=50)
    def test_the_newest_stays_and_so_does_what_is_kept_once_it_was_rotated(self, hours: list[int]) -> None:
        moments = [NIGHT - timedelta(hours=each) for each in hours]
        held = kept(moments)
        assert held <= set(moments)
        assert len(held) <= DAYS + WEEKS + MONTHS
        assert kept(held) == held
        if moments:
            assert max(moments) in held


@pytest.fixture
def pair() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def secret(tmp_path: Path, pair: pyrage.x25519.Identity) -> Path:
    file = tmp_path / "secret.txt"
    file.write_text(f"# kept elsewhere\n{pair}\n")
    return file


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    place = clinic(database, now)
    with database.writing() as session:
        for _ in range(3):
            enrolled(session, place, mg="80", began=place.today)
    return place


@pytest.fixture
def made(place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path) -> Made:
    return back_up(
        place.database,
        into=tmp_path / "backups",
        sealed_to=[str(pair.to_public())],
        data=tmp_path / "data",
        at=NIGHT,
        copy_to=tmp_path / "elsewhere",
    )


def files(folder: Path) -> list[str]:
    """What lies in a folder of backups, beside the clients' own keys."""
    return sorted(each.name for each in folder.iterdir() if "own-keys" not in each.name)


def counted(database: Database, table: str) -> int:
    with database.reading() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


class TestMaking:
    def test_it_is_tried_out_sealed_copied_and_comes_back_as_it_was(
        self, made: Made, place: Clinic, secret: Path, tmp_path: Path
    ) -> None:
        assert made.said.tried_out
        assert made.said.sums["client"].split()[0] == str(counted(place.database, "client")) == "3"
        assert int(made.said.sums["(triggers)"].split()[0]) > 50
        assert (
            files(tmp_path / "backups")
            == files(tmp_path / "elsewhere")
            == [
                "takehome-20261124T200000Z.dump.age",
                "takehome-20261124T200000Z.json",
            ]
        )
        sealed = made.file.read_bytes()
        assert sealed.startswith(b"age-encryption.org/v1")
        assert b"PGDMP" not in sealed
        assert made.file.stat().st_mode & 0o077 == 0
        assert not (tmp_path / "data" / "backup-tried-out").exists()
        tried = drill(
            tmp_path / "elsewhere" / made.file.name,
            keys=secret,
            vault=place.database.vault,
            data=tmp_path / "data",
            now=place.now,
        )
        assert tried.findings == ()
        with place.database.reading() as session:
            assert tried.last_act == session.scalar(text("SELECT max(at) FROM audit_entry"))
            head = session.execute(text("SELECT seq, encode(hash, 'hex') FROM audit_entry ORDER BY seq DESC")).first()
        assert made.said.chains == {"HRP": f"{head[0]} {head[1]}"}

    def test_what_was_written_meanwhile_is_not_half_in_it(
        self, place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path
    ) -> None:
        written = []

        def write_beside(about: str, done: int, of: int) -> None:
            if about == "counting" and done == of // 2:
                with place.database.writing() as session:
                    written.append(enrolled(session, place, mg="60", began=place.today))

        made = back_up(
            place.database,
            into=tmp_path,
            sealed_to=[str(pair.to_public())],
            data=tmp_path / "data",
            at=NIGHT,
            progress=write_beside,
        )
        assert written
        assert made.said.sums["client"].split()[0] == "3"
        assert made.said.sums["episode"].split()[0] == "3"

    def test_a_backup_that_does_not_come_back_is_none(
        self, place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path
    ) -> None:
        """A rule that looks at another table, which is still empty when the rows come back."""
        with place.database.writing() as session:
            looks = "SELECT EXISTS (SELECT 1 FROM public.site)"
            session.execute(text(f"CREATE FUNCTION has_site() RETURNS boolean LANGUAGE sql AS '{looks}'"))
            session.execute(text("ALTER TABLE account ADD CONSTRAINT somewhere CHECK (has_site())"))
        with pytest.raises(BadBackup, match="pg_restore"):
            back_up(
                place.database,
                into=tmp_path / "backups",
                sealed_to=[str(pair.to_public())],
                data=tmp_path / "data",
                at=NIGHT,
            )
        assert files(tmp_path / "backups") == []
        assert not (tmp_path / "data" / "backup-tried-out").exists()

    @pytest.mark.parametrize("key", ["", "age1nothing", "AGE-SECRET-KEY-1QQQ"])
    def test_a_key_that_is_none_is_refused_before_anything_is_done(
        self, place: Clinic, tmp_path: Path, key: str
    ) -> None:
        with pytest.raises(BadBackup, match="key"):
            back_up(place.database, into=tmp_path / "b", sealed_to=[key] if key else [], data=tmp_path, at=NIGHT)
        assert not (tmp_path / "b").exists()

    def test_while_the_second_folder_fails_backups_do_not_heap_up(
        self, place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path
    ) -> None:
        (tmp_path / "gone").write_text("no folder")
        for hour in range(2):
            with pytest.raises(OSError, match="exists"):
                back_up(
                    place.database,
                    into=tmp_path / "backups",
                    sealed_to=[str(pair.to_public())],
                    data=tmp_path / "data",
                    at=NIGHT + timedelta(hours=hour),
                    copy_to=tmp_path / "gone",
                    try_out=False,
                )
        assert files(tmp_path / "backups") == ["takehome-20261124T210000Z.dump.age", "takehome-20261124T210000Z.json"]


class TestBringingBack:
    def test_a_damaged_file_a_wrong_key_and_a_missing_note_are_told_apart(
        self, made: Made, place: Clinic, secret: Path, tmp_path: Path
    ) -> None:
        def tried(file: Path, keys: Path) -> None:
            drill(file, keys=keys, vault=place.database.vault, data=tmp_path / "data", now=place.now)

        other = tmp_path / "other.txt"
        other.write_text(str(pyrage.x25519.Identity.generate()))
        with pytest.raises(BadBackup, match="does not open with this secret key"):
            tried(made.file, other)
        other.write_text("nothing")
        with pytest.raises(BadBackup, match="holds no secret key"):
            tried(made.file, other)
        content = bytearray(made.file.read_bytes())
        content[len(content) // 2] ^= 1
        made.file.write_bytes(content)
        with pytest.raises(BadBackup, match="SHA-256"):
            tried(made.file, secret)
        made.file.with_name("takehome-20261124T200000Z.json").unlink()
        with pytest.raises(BadBackup, match="is missing"):
            tried(made.file, secret)

    def test_rows_that_are_not_those_that_were_backed_up_are_named(
        self, made: Made, place: Clinic, secret: Path, tmp_path: Path
    ) -> None:
        beside = made.file.with_name("takehome-20261124T200000Z.json")
        said = json.loads(beside.read_text())
        said["sums"]["client"] = "4 17"
        beside.write_text(json.dumps(said))
        with pytest.raises(BadBackup, match="client: backed up 4 rows, came back 3 rows"):
            drill(made.file, keys=secret, vault=place.database.vault, data=tmp_path / "data", now=place.now)

    def test_it_takes_the_place_of_what_is_there_which_is_kept_and_the_trail_says_so(
        self, made: Made, place: Clinic, secret: Path, tmp_path: Path, database_url: str
    ) -> None:
        asked = {"keys": secret, "url": database_url, "vault": place.database.vault, "data": tmp_path / "data"}
        asked["by"] = "root"
        with place.database.writing() as session:
            enrolled(session, place, mg="60", began=place.today)
        with place.database.reading() as session:
            session.execute(text("SELECT 1"))
            with pytest.raises(BadBackup, match="Stop every program"):
                restore(made.file, **asked, now=place.now)
        place.database.close()
        assert counted(place.database, "client") == 4
        place.database.close()
        _, was = restore(made.file, **asked, now=place.now + timedelta(seconds=1))
        assert counted(place.database, "client") == 3
        with place.database.reading() as session:
            act, details = session.execute(text("SELECT act, details FROM audit_entry ORDER BY seq DESC LIMIT 1")).one()
            left = session.scalars(text("SELECT datname FROM pg_database WHERE datname LIKE '%restored%'")).all()
        assert (act, left) == ("restored backup", [])
        assert json.loads(details)["computer_account"] == "root"
        before = Database(make_url(database_url).set(database=was).render_as_string(False), place.database.vault)
        try:
            assert counted(before, "client") == 4
        finally:
            before.close()


def test_a_backup_that_is_killed_leaves_nothing_and_the_next_one_is_made(
    place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path, database_url: str
) -> None:
    """Killed while its server runs, in the middle of the dump."""
    surroundings = {
        **os.environ,
        "DATABASE_URL": database_url.replace("+psycopg", ""),
        "DISPENSARY_DATA": str(tmp_path / "data"),
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys.json").write_text(place.database.vault.ring.as_json())
    line = [sys.executable, "-m", "dispensary.cli", "backup", "--to", str(tmp_path / "backups")]
    process = subprocess.Popen([*line, "--key", str(pair.to_public())], env=surroundings)
    part, until = tmp_path / "backups" / ".takehome-", time.monotonic() + 60
    while not list(part.parent.glob(".takehome-*.part")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(in_folder(tmp_path / "backups"))
    assert (tmp_path / "data" / "backup-tried-out").exists()
    made = back_up(
        place.database,
        into=tmp_path / "backups",
        sealed_to=[str(pair.to_public())],
        data=tmp_path / "data",
        at=NIGHT,
    )
    assert files(tmp_path / "backups") == [made.file.name, "takehome-20261124T200000Z.json"]
    assert not (tmp_path / "data" / "backup-tried-out").exists()


class TestTheNight:
    def test_one_is_made_a_night_old_ones_go_and_a_failure_is_tried_again_after_an_hour(
        self, place: Clinic, pair: pyrage.x25519.Identity, tmp_path: Path
    ) -> None:
        clock = MovableClock(NIGHT)
        backups = Backups(tmp_path / "backups", (str(pair.to_public()),), None)
        assert back_up_nightly(place.database, backups, tmp_path / "data", clock)
        assert not back_up_nightly(place.database, backups, tmp_path / "data", clock)
        assert read_said(next(file for _, file in in_folder(backups.folder))).tried_out
        clock.moment = NIGHT + timedelta(days=1)
        nowhere = Backups(tmp_path / "secret.txt" / "no folder", backups.sealed_to, None)
        (tmp_path / "secret.txt").write_text("a file")
        assert not back_up_nightly(place.database, nowhere, tmp_path / "data", clock)
        with place.database.reading() as session:
            failed = session.get(JobRun, ("back up", "night of 2026-11-26"))
            assert failed is not None
            assert "NotADirectoryError" in failed.failure
            assert last_backup(session) == NIGHT
        assert not back_up_nightly(place.database, backups, tmp_path / "data", clock)
        clock.moment += timedelta(minutes=61)
        assert back_up_nightly(place.database, backups, tmp_path / "data", clock)


class TestTheOffice:
    @pytest.mark.parametrize(
        ("age", "says"),
        [
            (None, "There is no backup: a broken disk loses everything."),
            (timedelta(hours=27), "A broken disk loses what came after it."),
            (timedelta(hours=3), "Last backup:"),
        ],
    )
    def test_every_page_says_how_old_the_last_backup_is(
        self, database: Database, now: datetime, tmp_path: Path, age: timedelta | None, says: str
    ) -> None:
        set_up = demo_settings(tmp_path, DISPENSARY_BACKUPS=str(tmp_path / "b"), DISPENSARY_BACKUP_KEYS="age1x")
        hire(database, open_site(database, now), "farid", [Role.ADMINISTRATOR], now)
        administrator = Visitor(lent_app(set_up, database, MovableClock(now)))
        administrator.signs_in("farid")
        if age is not None:
            with database.writing() as session:
                session.add(JobRun(job="back up", slot="night", began_at=now - age, ended_at=now - age))
        for path in ("/office", "/office/staff", "/office/audit"):
            assert says in administrator.get(path).text


class TestCommands:
    @pytest.fixture
    def run(self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database):
        monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
        monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
        monkeypatch.delenv("DISPENSARY_BACKUPS", raising=False)

        def command(*words: object) -> Result:
            return CliRunner().invoke(main, [str(word) for word in words])

        return command

    def test_from_a_key_to_a_backup_to_its_drill(self, run, tmp_path: Path, database: Database, now: datetime) -> None:
        open_site(database, now)
        made = run("backup-key", tmp_path / "secret.txt")
        assert made.exit_code == 0, made.output
        public = next(word for word in made.output.split() if word.startswith("age1"))
        again = run("backup-key", tmp_path / "secret.txt")
        assert (again.exit_code, "never replaced" in again.output) == (2, True)
        done = run("backup", "--to", tmp_path / "backups", "--key", public)
        assert done.exit_code == 0, done.output
        assert "Restored once, and all" in done.output
        with database.reading() as session:
            told = session.scalars(text("SELECT details FROM audit_entry WHERE act = 'made backup'")).one()
        assert json.loads(told)["computer_account"]
        (file,) = (each for _, each in in_folder(tmp_path / "backups"))
        tried = run("restore", file, "--key", tmp_path / "secret.txt", "--dry-run")
        assert tried.exit_code == 0, tried.output
        assert "verify: all is well, names open." in tried.output
        shutil.move(tmp_path / "data" / "keys.json", tmp_path / "keys.json")
        lost = run("restore", file, "--key", tmp_path / "secret.txt")
        assert (lost.exit_code, "Bring the key file back first" in lost.output) == (2, True)
        assert not (tmp_path / "data" / "keys.json").exists()
        nowhere = run("backup")
        assert (nowhere.exit_code, nowhere.output.count("\n")) == (2, 1)

    @pytest.mark.parametrize(
        ("environment", "says"),
        [
            ({"DISPENSARY_BACKUPS": "b"}, "DISPENSARY_BACKUP_KEYS is missing"),
            ({"DISPENSARY_BACKUP_KEYS": "age1x"}, "DISPENSARY_BACKUPS is missing"),
            ({"DISPENSARY_BACKUPS": "b", "DISPENSARY_BACKUP_KEYS": "AGE-SECRET-KEY-1"}, "no public key"),
            (
                {"DISPENSARY_BACKUPS": "b", "DISPENSARY_BACKUP_KEYS": "age1x", "DISPENSARY_BACKUP_COPY": "b"},
                "same folder",
            ),
            (
                {
                    "DISPENSARY_ENV": "production",
                    "PUBLIC_BASE_URL": "https://clinic.example.org",
                    "DISPENSARY_PROXIES": "127.0.0.1",
                    "DISPENSARY_KEYS": "keys.json",
                    "DISPENSARY_DATA": "data",
                    "DISPENSARY_BACKUPS": "data/b",
                    "DISPENSARY_BACKUP_KEYS": "age1x",
                },
                "outside the data folder",
            ),
        ],
    )
    def test_a_setting_that_cannot_work_is_refused(self, environment: dict[str, str], says: str) -> None:
        with pytest.raises(BadSettings, match=says):
            settings_from(environment)
