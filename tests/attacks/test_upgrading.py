"""An upgrade while a clinic works, with the program of an earlier day out of the history: nobody is refused a dose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from dispensary import schema
from dispensary.database import Database
from dispensary.embedded import discard_embedded, start_embedded
from dispensary.key_sources import open_vault
from dispensary.verification.verifying import verify
from tests.attacks.program import PATIENCE, Program, until
from tests.dispensary.test_rolling import SINCE
from tests.dispensary.tomorrow import Tomorrow

ROOT = Path(__file__).parents[2]
PASSWORD = "one clinic and two programs"
CLIENTS = 60
KEPT = 4
"""So many of these have their dose after the upgrade."""

MIGRATES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7301442 AND granted"
CLINIC = """
import json, sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from dispensary.database import Database
from dispensary.key_sources import open_vault
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from tests.builders import clinic, enrolled

url, keys, password, many = sys.argv[1:]
with closing(Database(url, open_vault(Path(keys)), pool_size=2)) as database:
    place = clinic(database, datetime.now(UTC))
    with database.writing() as session:
        add_account(
            session, actor=the_program(place.site_id), site_id=place.site_id, username="counter",
            name="Aishah binti Yusof", initials="AY", password=password, roles=[Role.PHARMACIST], at=place.now,
        )
        clients = [enrolled(session, place, mg="80", began=place.today) for _ in range(int(many))]
print(json.dumps([str(client) for client in clients]))
"""
"""A clinic as the older program's own services make it."""


def git(*words: str) -> bytes | None:
    """What git says of this folder; nothing when it has no history here."""
    line = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *words]
    try:
        return subprocess.run(line, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it was when `SINCE` was its newest migration, and what builds a clinic for its tests."""
    added = f"dispensary/migrations/versions/{SINCE}.py"
    commit = (git("log", "-1", "--diff-filter=A", "--format=%H", "--", added) or b"").decode().strip()
    if not commit or git("rev-parse", "--is-shallow-repository") != b"false\n":
        pytest.skip("there is no history here (no git, or a shallow clone): an earlier program cannot be played")
    folder = tmp_path_factory.mktemp("earlier")
    parts = ("dispensary", "scheduling", "notifications", "tests/__init__.py", "tests/builders.py")
    packed = folder / "program.tar"
    packed.write_bytes(git("archive", "--format=tar", commit, *parts) or b"")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Edition(Program):
    """The program of one day, on a database that it shares with those of other days."""

    def __init__(self, folder: Path, place: Place, *, code: Path | None = None) -> None:
        super().__init__(folder)
        folder.mkdir()
        self.keys = place.keys
        self._given = {"DATABASE_URL": place.database.url, **({"PYTHONPATH": str(code)} if code else {})}

    def _environment(self, changes: dict[str, str]) -> dict[str, str]:
        return super()._environment({**self._given, **changes})

    def begins(self, *command: str) -> Edition:
        self.server = self.spawn(*command)
        return self

    def leads(self) -> bool:
        return "this program runs the jobs now" in self.log.read_text()


@dataclass
class Place:
    """A database, its keys, and whoever works on it."""

    folder: Path
    database: Database
    keys: Path
    code: Path
    """Of the earlier program."""
    editions: list[Edition] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)

    def edition(self, name: str, *, earlier: bool = False) -> Edition:
        edition = Edition(self.folder / name, self, code=self.code if earlier else None)
        self.editions.append(edition)
        return edition

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.database.reading() as session:
            return [tuple(row) for row in session.execute(text(sql))]


@pytest.fixture
def place(earlier: Path, tmp_path: Path) -> Iterator[Place]:
    """A clinic that the earlier program has made, on a database that it has migrated."""
    postgresql, keys = tmp_path / "postgresql", tmp_path / "keys.json"
    url = start_embedded(postgresql)
    with closing(Database(url, open_vault(keys), pool_size=3)) as database:
        place = Place(tmp_path, database, keys, earlier)
        migrated = place.edition("first", earlier=True).run("migrate")
        assert migrated.stdout.endswith(f", {SINCE}.\n"), migrated.stderr
        made = subprocess.run(
            [sys.executable, "-c", CLINIC, url, str(keys), PASSWORD, str(CLIENTS)],
            env={**os.environ, "PYTHONPATH": str(earlier)},
            cwd=earlier,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        place.clients = json.loads(made.stdout)
        yield place
        for each in place.editions:
            each._kill_spawned()
    discard_embedded(postgresql)


class Counter:
    """A counter's browser, which a proxy sends to one server or to another."""

    def __init__(self) -> None:
        self.browser = httpx.Client(timeout=PATIENCE)
        self.given: list[tuple[float, float]] = []
        """When each dose was asked for, and for how many seconds it was waited."""

    def signs_in(self, server: Edition) -> None:
        form = {"username": "counter", "password": PASSWORD}
        self.browser.post(f"{server.url}/api/session", json=form, headers=self._token(server)).raise_for_status()
        assert self.is_known(server)

    def is_known(self, server: Edition) -> bool:
        return self.browser.get(f"{server.url}/api/session").json()["signed_in"] is not None

    def _token(self, server: Edition) -> dict[str, str]:
        return {"X-CSRFToken": self.browser.get(f"{server.url}/api/session").json()["csrf_token"]}

    def gives(self, server: Edition, client: str) -> tuple[str, bool]:
        """Gives a client the dose of the day: the supply, and whether it had been given by this very form before."""
        wanted = {"key": f"the dose of {client}", "identified_by": "photo", "well": True}
        began = time.monotonic()
        address = f"{server.url}/api/clients/{client}/supplies"
        answer = self.browser.post(address, json=wanted, headers=self._token(server))
        assert answer.status_code in (200, 201), answer.text
        self.given.append((began, time.monotonic() - began))
        told = answer.json()
        return str(told["supply"]), bool(told["repeated"])


def test_a_counter_gives_doses_through_an_upgrade_from_an_earlier_program(place: Place, tmp_path: Path) -> None:
    old = place.edition("old", earlier=True).begins("serve")
    until(lambda: old.is_ready() and old.leads(), what="the earlier program serves and runs the jobs")
    counter = Counter()
    counter.signs_in(old)
    late = [place.clients.pop() for _ in range(KEPT)]

    # `migrate` of the newer program, while the earlier one gives doses.
    with ThreadPoolExecutor(1) as pool:
        migrating = pool.submit(place.edition("migrates").run, "migrate")
        until(lambda: migrating.done() or place.rows(MIGRATES) == [(1,)], what="it has begun")
        began = time.monotonic()
        while not migrating.done() and place.clients:
            counter.gives(old, place.clients.pop())
        migrated = migrating.result()
    assert migrated.returncode == 0, migrated.stderr
    assert place.rows("SELECT version_num FROM alembic_version") == [(schema._steps()[0],)]
    waited = [seconds for asked, seconds in counter.given if asked >= began]
    assert len(waited) > 2
    print(f"{len(waited)} doses while the steps were taken, none waited longer than {max(waited):.2f} s")

    # Both serve: whoever signed in at one is known at the other, and a form that is sent twice is one dose.
    new = place.edition("new").begins("serve")
    until(new.is_ready, what="the newer program serves beside it")
    assert counter.is_known(new)
    for first, second in ((old, new), (new, old)):
        client = late.pop()
        supply, repeated = counter.gives(first, client)
        assert (repeated, counter.gives(second, client)) == (False, (supply, True))

    # The earlier one ends: the newer one runs the jobs, and the counter goes on.
    assert not new.leads()
    assert old.stop() == 0
    until(new.leads, what="the newer program runs the jobs")
    assert counter.gives(new, late.pop())[1] is False
    doses = place.rows("SELECT count(*), count(DISTINCT client_id) FROM dose")
    assert doses == [(CLIENTS - len(place.clients) - len(late),) * 2]
    with place.database.reading() as session:
        assert list(verify(session, now=datetime.now(UTC))) == []
    assert ["job failed" in each.log.read_text() for each in (old, new)] == [False, False]

    # The next upgrade begins: a database that is ahead is served, until a step says that this program's time is over.
    tomorrow = Tomorrow(tmp_path / "tomorrow")
    tomorrow.says("0901_expand", "ALTER TABLE dose ADD COLUMN known_as text")
    tomorrow.brings(place.database)
    answer = httpx.get(f"{new.url}/health/ready", timeout=PATIENCE)
    assert (answer.status_code, answer.json()["detail"]) == (200, "The database is ahead of this program.")
    assert counter.gives(new, late.pop())[1] is False
    tomorrow.adds("0902_contract", 'op.execute(works_since("0901_expand"))')
    tomorrow.brings(place.database)
    assert httpx.get(f"{new.url}/health/ready", timeout=PATIENCE).status_code == 503
