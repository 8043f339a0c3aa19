"""A programme that comes with the program, built once for the test that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.programmes.building import build
from dispensary.programmes.reading import read_programme
from dispensary.programmes.scene import House
from dispensary.programmes.shapes import Programme
from dispensary.published.table import Line, programme_table
from dispensary.verification.verifying import verify


@dataclass(frozen=True)
class Built:
    """A programme as its records are now."""

    database: Database
    programme: Programme
    house: House
    table: dict[str, Line]
    """Each published figure by its key."""
    now: datetime

    def not_equal(self) -> dict[str, tuple[str, ...]]:
        """Figures that are answered from records, and are not what was published."""
        return {key: line.told() for key, line in self.table.items() if line.equal is False}


@pytest.fixture
def built(database: Database, now: datetime) -> Callable[[str | Path], Built]:
    """Builds a programme by its name, or from a folder; every rule of the house holds of its records."""

    def make(name: str | Path) -> Built:
        programme = read_programme(str(name))
        house = build(database, programme, now=now)
        with database.reading() as session:
            lines = programme_table(session, programme.publication, now=now)
            assert [str(finding) for finding in verify(session, now=now)] == []
        return Built(database, programme, house, {line.figure.key: line for line in lines}, now)

    return make
