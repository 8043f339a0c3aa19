"""Exports on the command line: the files appear together, once it is on record who took what."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dispensary.commands.parts import now
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.evaluation.queries import Period
from dispensary.evaluation.taken import note_taken
from dispensary.staff.queries import Place
from dispensary.staff.rules import the_program


@dataclass
class Taking:
    """An export under way: what it reads from, where it writes, and what is put on record of it."""

    session: ReadSession
    folder: Path
    name: str = ""
    places: Sequence[Place] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    first: Callable[[WriteSession], None] = lambda session: None
    """What else is put on record in the same unit of work."""

    def note(self, name: str, places: Sequence[Place], period: Period, as_of: datetime, **more: object) -> None:
        """What is taken, of which sites, with the whole question, as the desk puts it on record."""
        self.name, self.places = name, places
        self.asked = {
            "sites": sorted(place.code for place in places),
            "first": period.from_day,
            "last": period.until_day - timedelta(days=1),
            "as_of": as_of.astimezone(UTC).isoformat(),
            **{key: value for key, value in more.items() if value not in ("", None, (), [], {})},
        }


@contextmanager
def taking(database: Database, out: Path) -> Iterator[Taking]:
    """Files written in the block come to `out` once the trail of each site says who took them, or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=out) as hidden:
        with database.reading() as session:
            under_way = Taking(session, Path(hidden))
            yield under_way
        with database.writing() as session:
            under_way.first(session)
            for place in under_way.places:
                actor = the_program(place.id)
                asked = {**under_way.asked, "computer_account": who_runs_this()}
                note_taken(session, actor=actor, name=under_way.name, at=now(), asked=asked)
        for file in sorted(Path(hidden).iterdir()):
            os.replace(file, out / file.name)


def who_runs_this() -> str:
    """The account of the computer that the command runs under; what the environment claims is not asked first."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()
