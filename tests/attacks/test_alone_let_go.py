"""The last moment of bringing a satellite back: its subscription is let go, and power or line fail just then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from dispensary.embedded import discard_embedded
from tests.attacks.boxes import Pair, at
from tests.attacks.servers import kill_server, opened
from tests.attacks.test_alone_joined import doses_of_klg, killed_at

_DROPS = b"DROP_REPLICATION_SLOT"


class Line:
    """The satellite's socket carried to the centre, as ssh carries it; `fails` when the slot is to be dropped."""

    def __init__(self, folder: Path, to: str) -> None:
        self._to = str(next(Path(to.split("host=", 1)[1].split(" ", 1)[0]).glob(".s.PGSQL.*[0-9]")))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(f"{opened(folder)}/.s.PGSQL.5432")
        (folder / ".s.PGSQL.5432").chmod(0o777)
        self._listening.listen()
        self.address = f"host={folder} user=postgres dbname=takehome"
        self.fails: Callable[[], object] | None = None
        self.before = False
        """Whether it fails before the word to drop the slot goes over it, and not after it was done there."""
        self.failed = 0
        threading.Thread(target=self._carries, daemon=True).start()

    def _carries(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._to)
                last = threading.Event()
                for source, into, is_asked in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._one_way, args=(source, into, last, is_asked), daemon=True).start()

    def _one_way(self, source: socket.socket, into: socket.socket, last: threading.Event, is_asked: bool) -> None:
        """Bytes of one direction; `last` stands once the word to drop the slot came, of which the answer is kept."""
        with suppress(OSError):
            while said := source.recv(1 << 16):
                drops = is_asked and _DROPS in said and self.fails is not None
                if drops and not self.before:
                    last.set()
                if (drops and self.before) or (not is_asked and last.is_set()):
                    self.failed += 1
                    assert self.fails is not None
                    self.fails()
                    break
                into.sendall(said)
        for each in (source, into):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()


@contextmanager
def carried(pair: Pair, folder: Path) -> Iterator[Line]:
    folder.mkdir()
    line = Line(folder, pair.far.line)
    yield line
    line.close()


def comes_to_its_end(pair: Pair, line: Line, *, slot_left: bool) -> None:
    """The same command again; then the site is written at the centre, and neither server waits for the other."""
    line.fails = None
    for _ in range(2):
        assert "written here again" in pair.centre.types("join", "KLG", "--line", line.address, "--last")
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == []
    assert len(pair.far.asks("SELECT slot_name FROM pg_replication_slots")) == slot_left
    assert pair.centre.asks("SELECT count(*) FROM audit_entry WHERE act = 'site came back'") == [(1,)]
    with pair.counters() as (home, _):
        at(pair.here.satellite, home.database).give(pair.theirs[1])
    assert doses_of_klg(pair) == 2
    assert "no row breaks a rule" in pair.centre.types("verify")


def gives(pair: Pair) -> None:
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[0])


@pytest.mark.parametrize("before", [True, False])
def test_the_centre_loses_its_power_while_the_subscription_is_let_go(pair: Pair, tmp_path: Path, before: bool) -> None:
    """Before the satellite heard that its slot may go, and after it went and before the centre knew."""
    gives(pair)
    with carried(pair, tmp_path / "line") as line:
        line.before, line.fails = before, lambda: kill_server(pair.centre.postgresql)
        ended = pair.centre.tries("join", "KLG", "--line", line.address, "--last")
        assert (ended.exit_code, ended.output.count("\n")) == (2, 1), ended.output
        assert line.failed == 1
        assert len(pair.far.asks("SELECT slot_name FROM pg_replication_slots")) == before
        assert pair.centre.asks("SELECT subname, subenabled FROM pg_subscription") == [("takehome_klg", False)]
        comes_to_its_end(pair, line, slot_left=False)


@pytest.mark.parametrize("before", [True, False])
def test_the_line_is_cut_while_the_subscription_is_let_go(pair: Pair, tmp_path: Path, before: bool) -> None:
    """The centre is done with it either way; a slot that nobody could drop stays on a box that is destroyed."""
    gives(pair)
    with carried(pair, tmp_path / "line") as line:
        line.before, line.fails = before, lambda: None
        assert "written here again" in pair.centre.types("join", "KLG", "--line", line.address, "--last")
        assert line.failed == 1
        comes_to_its_end(pair, line, slot_left=before)


_KILLED_BY = """
import os, signal, sys
import psycopg
from dispensary.cli import main
words, when = sys.argv[1:3]
does = psycopg.Connection.execute
def dies(self, query, *args, **kept):
    said = query if isinstance(query, str) else query.as_string(self)
    if words in said and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = does(self, query, *args, **kept)
    if words in said:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
psycopg.Connection.execute = dies
main(sys.argv[3:])
"""


def test_the_command_is_killed_around_each_statement_of_letting_go(pair: Pair) -> None:
    gives(pair)
    last = ("--line", pair.far.line, "--last")
    slots, subscribed = "SELECT slot_name FROM pg_replication_slots", "SELECT subenabled FROM pg_subscription"
    for words, when, enabled in (("DISABLE", "before", True), ("DISABLE", "after", False), ("DROP", "before", False)):
        killed_at(pair, words, when, *last, script=_KILLED_BY)
        assert pair.centre.asks("SELECT until IS NULL FROM site_apart") == [(False,)], (words, when)
        assert pair.centre.asks(subscribed) == [(enabled,)], (words, when)
        assert pair.far.asks(slots) == [("takehome_klg",)], (words, when)
    killed_at(pair, "DROP", "after", *last, script=_KILLED_BY)
    assert pair.centre.asks(subscribed) == []
    assert pair.far.asks(slots) == []
    assert "written here again" in pair.joins("--last")
    assert pair.centre.asks("SELECT count(*) FROM audit_entry WHERE act = 'site came back'") == [(1,)]
    with pair.counters() as (home, _):
        at(pair.here.satellite, home.database).give(pair.theirs[1])
    assert doses_of_klg(pair) == 2
    assert "no row breaks a rule" in pair.centre.types("verify")


def test_the_command_is_killed_while_it_lets_go_of_a_box_that_was_destroyed_already(pair: Pair) -> None:
    gives(pair)
    killed_at(pair, "DROP", "before", "--line", pair.far.line, "--last", script=_KILLED_BY)
    discard_embedded(pair.far.postgresql)
    for when in ("before", "after"):
        killed_at(pair, "slot_name = NONE", when, "--last", script=_KILLED_BY)
        assert pair.centre.asks("SELECT subslotname IS NULL FROM pg_subscription") == [(when == "after",)]
    assert "written here again" in pair.centre.types("join", "KLG", "--last")
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == []
    with pair.centre.database() as database:
        again = at(pair.here.satellite, database)
        again.now += timedelta(minutes=2)
        again.give(pair.theirs[1])
    assert "no row breaks a rule" in pair.centre.types("verify")
