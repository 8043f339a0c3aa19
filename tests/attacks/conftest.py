"""A clinic's program for every attack, with PostgreSQL made once and copied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispensary.parts.tables import FEWEST
from tests.attacks.boxes import Pair, copied, make_pair
from tests.attacks.program import Program


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database is migrated and stopped; with TAKEHOME_TESTS_DIVIDED=1 its big tables are divided."""
    folder = tmp_path_factory.mktemp("made")
    program = Program(folder)
    try:
        migrated = program.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        if os.environ.get("TAKEHOME_TESTS_DIVIDED"):
            divided = program.run("divide", "--parts", str(FEWEST))
            assert divided.returncode == 0, divided.stderr
    finally:
        program.clear()
    return folder


@pytest.fixture
def nothing_yet(tmp_path: Path) -> Iterator[Program]:
    """A program on a folder that is not there yet."""
    program = Program(tmp_path)
    yield program
    program.clear()


@pytest.fixture
def program(made: Path, tmp_path: Path, nothing_yet: Program) -> Program:
    """A program that is not running yet, on a database that is migrated and empty."""
    subprocess.run(["cp", "-a", f"{made}/.", str(tmp_path)], check=True)  # as it is: PostgreSQL looks at the owner
    return nothing_yet


@pytest.fixture(scope="session")
def lent(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A centre and a satellite that was lent two days ago, stopped."""
    return make_pair(made, tmp_path_factory.mktemp("lent"))


@pytest.fixture
def pair(lent: Pair, tmp_path: Path) -> Iterator[Pair]:
    """The same two, to work with."""
    yield from copied(lent, tmp_path)
