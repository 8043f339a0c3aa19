"""Two machines with the program on them: the centre, and a satellite's own server; and a pair that is apart already."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dispensary.cli import main
from dispensary.commands import apart
from dispensary.database import Database
from dispensary.embedded import discard_embedded, start_embedded, stop_embedded
from dispensary.key_sources import open_vault
from dispensary.staff.rules import Role
from dispensary.supplies.closing import close_day
from dispensary.supplies.flags import set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.satellites import send_to
from dispensary.units import ClientId
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme

_keys = itertools.count(1)


@dataclass
class Box:
    """A machine with the program on it and its own PostgreSQL."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def postgresql(self) -> Path:
        return self.data / "postgresql"

    @property
    def keys(self) -> Path:
        return self.folder / "keys" / "keys.json"

    @property
    def line(self) -> str:
        """As libpq writes the way to its server: a socket, which ssh carries from machine to machine."""
        url = start_embedded(self.postgresql)
        return f"host={url.split('host=', 1)[1].split('&', 1)[0]} user=postgres dbname=takehome"

    def types(self, *line: object) -> str:
        """A command of `dispensary`, and what it says. AssertionError unless it went well."""
        ended = self.tries(*line)
        assert ended.exit_code == 0, (line, ended.output, ended.exception)
        return ended.output

    def tries(self, *line: object) -> Any:
        surroundings = {"DISPENSARY_DATA": str(self.data), "DISPENSARY_KEYS": str(self.keys), "DATABASE_URL": None}
        return CliRunner().invoke(main, [str(word) for word in line], env=surroundings)

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = Database(start_embedded(self.postgresql), open_vault(self.keys), pool_size=4)
        yield database
        database.close()

    def asks(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.database() as database, database.reading() as session:
            return [tuple(row) for row in session.execute(text(statement), values)]


def at(place: Clinic, database: Database) -> Clinic:
    """The same counter on its own server."""
    return replace(place, database=database, clients=[])


def closes(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)


def sends(main: Clinic, client_id: ClientId) -> UUID:
    """KLG gives the client's doses from now on."""
    return main.database.write(
        lambda session: (
            send_to(
                session, actor=main.pharmacist, client_id=client_id, satellite="KLG", at=main.now,
                key=f"sent-{next(_keys):05d}",
            ).id
        )
    )  # fmt: skip


@dataclass
class Pair:
    """HRP's centre and KLG's own server, two days after the satellite was lent. Five clients go there, one to HRP.

    The first two may carry bottles home; a message waits for the second.
    """

    centre: Box
    far: Box
    here: Programme
    theirs: list[ClientId]
    homer: ClientId
    stays: dict[ClientId, UUID]
    message: UUID
    public: str
    key: str
    secret: Path

    def cut(self) -> None:
        """The centre lends anew, and the box takes it."""
        file = self.centre.folder / f"{next(_keys)}.cut"
        self.centre.types("lend", "KLG", file, "--to", self.public, "--key", self.key)
        self.far.types("borrow", file, "--secret", self.secret)

    def joins(self, *more: str) -> str:
        return self.centre.types("join", "KLG", "--line", self.far.line, *more)

    def joins_in_vain(self, *more: str) -> str:
        """What `join` says when it does not come to its end."""
        ended = self.centre.tries("join", "KLG", "--line", self.far.line, *more)
        assert ended.exit_code == 2, (ended.output, ended.exception)
        return str(ended.output)

    def line_is_cut(self) -> None:
        """What the box writes from here on does not come by itself."""
        with psycopg.connect(self.centre.line, autocommit=True) as here:
            here.execute("ALTER SUBSCRIPTION takehome_klg DISABLE")

    def holds(self) -> None:
        """No row of either breaks a rule."""
        for box in (self.centre, self.far):
            assert "no row breaks a rule" in box.types("verify")

    @contextmanager
    def counters(self) -> Iterator[tuple[Clinic, Clinic]]:
        """The main site's counter and the satellite's, each on its server, on the day of the lending, after it."""
        with self.centre.database() as at_centre, self.far.database() as at_far:
            counters = at(self.here.main, at_centre), at(self.here.satellite, at_far)
            for each in counters:
                each.now += timedelta(minutes=2)
            yield counters


def make_pair(made: Path, folder: Path, *, before: Callable[[Box, Programme], object] = lambda *_: None) -> Pair:
    """Lends and borrows as docs/satellite.md says, and stops both servers. `before` is what the centre did before."""
    centre, far = Box(folder / "centre"), Box(folder / "far")
    for box in (centre, far):
        box.folder.mkdir()
    subprocess.run(["cp", "-a", f"{made}/.", str(centre.folder)], check=True)
    began = datetime.now(UTC) - timedelta(days=2, minutes=10)
    with centre.database() as database:
        here = programme(database, began)
        theirs = [here.main.client() for _ in range(5)]
        stays = {client: sends(here.main, client) for client in theirs}
        for client in theirs[:2]:
            here.main.decide(client, per_supply=2)
        with database.writing() as session:
            message = set_flag(
                session, actor=here.main.doctor, client_id=theirs[1], kind=FlagKind.SAY_FIRST, sentence="call me",
                from_day=here.main.today, last_day=None, owner_id=None, owner_role=Role.DOCTOR, today=here.main.today,
                at=began,
            ).id  # fmt: skip
        pair = Pair(centre, far, here, theirs, here.main.client(), stays, message, "", "", folder / "klg.secret")
        before(centre, here)
    public = re.search(r"age1\w+", far.types("backup-key", pair.secret))
    key = re.search(r"k\d{3}", centre.types("keys", "add", "--not-yet"))
    assert public is not None
    assert key is not None
    pair.public, pair.key = public[0], key[0]
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(apart, "now", lambda: began + timedelta(minutes=1))
        pair.cut()
    for box in (centre, far):
        stop_embedded(box.postgresql)
    return pair


def copied(pair: Pair, folder: Path) -> Iterator[Pair]:
    """The same two machines once more, as they were when they were stopped."""
    subprocess.run(["cp", "-a", f"{pair.centre.folder.parent}/.", str(folder)], check=True)
    again = replace(
        pair, centre=Box(folder / "centre"), far=Box(folder / "far"), secret=folder / pair.secret.name
    )  # fmt: skip
    yield again
    for box in (again.centre, again.far):
        discard_embedded(box.postgresql)
