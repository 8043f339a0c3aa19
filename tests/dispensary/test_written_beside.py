"""Files that are written beside the work: in turn, told as they grow, ended with the program, and left to nobody."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.database import Database, ReadSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.reporting.beside import KEPT, MOST_WAITING, Exports, Ordered, State, Write
from dispensary.units import AccountId
from tests.dispensary.visiting import MovableClock, demo_settings

ME = AccountId(uuid4())


@pytest.fixture
def clock(now: object) -> MovableClock:
    return MovableClock(now)  # type: ignore[arg-type]


@pytest.fixture
def exports(database: Database, clock: MovableClock, tmp_path: Path) -> Iterator[Exports]:
    exports = Exports(demo_settings(tmp_path), database, clock)
    yield exports
    exports.close()


def order(exports: Exports, write: Write, *, owner: AccountId = ME) -> Ordered:
    return exports.order(owner=owner, name="rows", asked={}, write=write)


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        if true():
            return
        time.sleep(0.001)
    pytest.fail("it did not come about")


def test_one_is_written_after_the_other_and_told_as_it_grows(exports: Exports, tmp_path: Path) -> None:
    go_on = threading.Event()

    def write(session: ReadSession, folder: Path) -> None:
        with (folder / "rows.csv").open("wb") as file:
            file.write(b"a" * 1000)
            file.flush()
            assert go_on.wait(20)
            file.write(b"b" * 1000)

    first, second = order(exports, write), order(exports, write)
    until(lambda: first.written == 1000)
    assert (first.state, second.state) == (State.WRITING, State.WAITING)
    order(exports, write)
    with pytest.raises(Refused, match=f"{MOST_WAITING} of your files"):
        order(exports, write)
    order(exports, write, owner=AccountId(uuid4()))
    go_on.set()
    until(lambda: second.state is State.READY)
    with zipfile.ZipFile(first.packed) as packed:
        assert packed.read("rows.csv") == b"a" * 1000 + b"b" * 1000
    assert first.packed.read_bytes() == second.packed.read_bytes()
    assert first.packed.stat().st_mode & 0o077 == 0 or first.folder.stat().st_mode & 0o077 == 0


def test_a_failure_says_what_to_do_and_leaves_no_half_of_a_file(exports: Exports) -> None:
    def refuses(session: ReadSession, folder: Path) -> None:
        (folder / "half.csv").write_text("half")
        raise BadInput(Refusal("too-many-rows", "A sheet has no room.", "Take csv."))

    def breaks(session: ReadSession, folder: Path) -> None:
        raise OSError("no space")

    refused, broken = order(exports, refuses), order(exports, breaks)
    until(lambda: broken.state is State.FAILED)
    assert refused.refusals[0].remedy == "Take csv."
    assert "tell an administrator" in broken.refusals[0].remedy
    assert not refused.folder.exists()
    assert not broken.folder.exists()


def test_looking_on_disturbs_nothing(exports: Exports) -> None:
    def write(session: ReadSession, folder: Path) -> None:
        for n in range(300):
            (folder / f"{n}.part").write_bytes(b"x" * 100)
            (folder / f"{n}.part").rename(folder / f"{n}.csv")

    ordered = order(exports, write)
    until(lambda: ordered.written >= 0 and ordered.state is State.READY)
    assert ordered.written == ordered.packed.stat().st_size


def test_nobody_else_finds_it_and_after_an_hour_nobody_does(exports: Exports, clock: MovableClock) -> None:
    mine = order(exports, lambda session, folder: (folder / "rows.csv").touch())
    until(lambda: mine.state is State.READY)
    with pytest.raises(NotThere):
        exports.find(mine.id, owner=AccountId(uuid4()))
    assert exports.find(mine.id, owner=ME) is mine
    clock.moment += KEPT + timedelta(seconds=1)
    with pytest.raises(NotThere):
        exports.find(mine.id, owner=ME)
    assert not mine.folder.exists()


def test_the_program_ends_without_waiting_for_a_long_question(exports: Exports) -> None:
    long = order(exports, lambda session, folder: session.execute(text("SELECT pg_sleep(60)")) and None)
    until(lambda: long.cancel is not None)
    time.sleep(0.3)
    began = time.monotonic()
    exports.close()
    assert time.monotonic() - began < 4
    until(lambda: long.state is State.FAILED)
