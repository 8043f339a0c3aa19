"""The real program on a data folder of its own, and what a power cut, the kernel or a hasty hand does to it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from dispensary.database import Database
from dispensary.key_sources import open_vault

DISPENSARY = Path(sys.executable).with_name("dispensary")
PATIENCE = 60
"""Seconds that anything may take on a slow machine where others work too, before a test gives up on it."""

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], *, what: str) -> Found:
    """Looks again and again until something is found; its absence fails the test with these words."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s in vain: {what}")


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL to all of them: nobody is asked, nobody can clean up."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def free_port() -> int:
    """A port below those that the system gives to outgoing connections.

    Else a client that knocks at the closed port could be given that very port, find itself there, and keep it taken.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Program:
    """`dispensary` on a data folder with its embedded PostgreSQL, as a clinic runs it: every write reaches the disk."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.postgresql = self.data / "postgresql"
        self.keys = folder / "keys" / "keys.json"
        self.log = folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: subprocess.Popen[str] | None = None
        self._spawned: list[subprocess.Popen[str]] = []

    def _environment(self, changes: dict[str, str]) -> dict[str, str]:
        ours = ("DISPENSARY_", "DATABASE_URL", "PUBLIC_BASE_URL", "TWILIO_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "DISPENSARY_DATA": str(self.data),
            "DISPENSARY_KEYS": str(self.keys),
            "DISPENSARY_PORT": str(self.port),
            **changes,
        }

    def spawn(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Begins a command; what it says goes to the log."""
        with self.log.open("a") as log:
            spawned = subprocess.Popen(
                [str(DISPENSARY), *command], env=self._environment(environment), stdout=log, stderr=log, text=True
            )
        self._spawned.append(spawned)
        return spawned

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            [str(DISPENSARY), *command],
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def begin(self) -> None:
        """Begins to serve."""
        self.server = self.spawn("serve")

    def start(self) -> None:
        """Serves, and returns when the program is ready."""
        self.begin()
        until(self.is_ready, what="the program is ready")

    def is_going_on(self) -> bool:
        """AssertionError, with its last words, when the server has ended by itself."""
        assert self.server is not None
        assert self.server.poll() is None, f"it ended: {self.log.read_text()[-2000:]}"
        return True

    def is_ready(self) -> bool:
        """Whether the server answers and has its database."""
        self.is_going_on()
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health/ready", timeout=PATIENCE).status_code == 200
        return False

    def stop(self) -> int:
        """Ends the server as a person does, and says its exit code."""
        assert self.server is not None
        self.server.send_signal(signal.SIGTERM)
        return self.server.wait(PATIENCE)

    def kill_server(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.wait()

    def postmaster(self) -> psutil.Process:
        """The first process of PostgreSQL. AssertionError while there is none."""
        return until(self._postmaster, what="PostgreSQL runs")

    def _postmaster(self) -> psutil.Process | None:
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self._note()[0]))
            return process if str(self.postgresql) in process.cmdline() else None
        return None

    def _note(self) -> list[str]:
        return (self.postgresql / "postmaster.pid").read_text().splitlines()

    def kill_postgresql(self) -> None:
        """Kills the postmaster and all that it started."""
        postmaster = self.postmaster()
        postmaster.suspend()  # so that it starts nobody between the look and the blow
        kill([postmaster, *postmaster.children()])

    def kill_a_backend(self) -> None:
        """Kills one process that serves a connection, as a kernel without memory does. PostgreSQL restarts itself."""
        kill(until(self.backends, what="somebody is served")[:1])

    def backends(self) -> list[psutil.Process]:
        """The processes of PostgreSQL that serve a connection to the clinic's database."""
        found = []
        for child in self.postmaster().children():
            with suppress(psutil.Error):
                if " takehome [local]" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def cut_power(self) -> None:
        """Kills everything that runs for this folder."""
        self._kill_spawned()
        kill(self.left())
        until(lambda: not self.left(), what="everything is dead")

    def _kill_spawned(self) -> None:
        for spawned in self._spawned:
            spawned.kill()
            spawned.wait()

    def left(self) -> list[psutil.Process]:
        """The processes of PostgreSQL that work in this folder, whoever is their parent; the dead do not count."""
        return [process for process in psutil.process_iter() if self._works_here(process)]

    def _works_here(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return str(self.postgresql) in process.cmdline() or process.cwd() == str(self.postgresql)
        return False

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The clinic's database, opened beside the program."""
        port, sockets = self._note()[3:5]
        url = f"postgresql+psycopg://postgres@/takehome?host={sockets}&port={port}"
        database = Database(url, open_vault(self.keys))
        yield database
        database.close()

    def clear(self) -> None:
        """Leaves no process behind, nor, where PostgreSQL still heeds, the memory that it shares."""
        self._kill_spawned()
        if (postmaster := self._postmaster()) is not None:
            postmaster.send_signal(signal.SIGQUIT)
        give_up = time.monotonic() + 5
        while self.left() and time.monotonic() < give_up:
            time.sleep(0.02)
        kill(self.left())
