"""What benchmarks stand on: a PostgreSQL of their own with its safe defaults, databases in it, and server processes.

The CPU of a server is read from the outside, of its process alone: neither the load nor PostgreSQL counts in it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from dispensary.database import Database
from dispensary.embedded import start_embedded, stop_embedded
from dispensary.key_sources import open_vault
from dispensary.keys import Vault
from dispensary.schema import migrate


@dataclass(frozen=True)
class Ground:
    """One PostgreSQL server with a migrated, empty database to copy, and one key file."""

    folder: Path
    url: str
    keys: Path

    @property
    def vault(self) -> Vault:
        return open_vault(self.keys)

    @property
    def version(self) -> str:
        with psycopg.connect(self._plain("postgres")) as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]

    def url_of(self, name: str) -> str:
        return self.url.replace("/takehome?", f"/{name}?")

    def _plain(self, name: str) -> str:
        return self.url_of(name).replace("+psycopg", "")

    def copy(self, name: str, template: str = "takehome") -> str:
        """A database that is like the template; nobody may be connected to that. Returns its address."""
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        with psycopg.connect(self._plain(name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Forgets a database; nobody may be connected to it."""
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")

    @contextmanager
    def database(self, name: str) -> Iterator[Database]:
        database = Database(self.url_of(name), self.vault)
        try:
            yield database
        finally:
            database.close()

    def cpu(self) -> float:
        """CPU seconds of the whole PostgreSQL server so far, those of its ended processes included."""
        postmaster = psutil.Process(int((self.folder / "postgresql" / "postmaster.pid").read_text().split("\n", 1)[0]))
        own = postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in postmaster.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return float(total)


@contextmanager
def ground() -> Iterator[Ground]:
    """Starts a PostgreSQL for the time of the block: fsync, full page writes and synchronous commit stay on."""
    folder = Path(tempfile.mkdtemp(prefix="takehome-bench-"))
    try:
        here = Ground(folder, start_embedded(folder / "postgresql"), folder / "keys" / "keys.json")
        template = Database(here.url, here.vault, pool_size=2)
        migrate(template)
        template.close()
        yield here
    finally:
        stop_embedded(folder / "postgresql")
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """A server process on a port of this machine."""

    process: subprocess.Popen[str]
    port: int

    def cpu(self) -> float:
        """CPU seconds of the process so far, all its threads together."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def serving(*command: str, environment: Mapping[str, str], complaints: Path) -> Iterator[Server]:
    """Runs `python -m COMMAND` until the block ends. It gets DISPENSARY_PORT and says a line when it answers."""
    port = free_port()
    with complaints.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment, "DISPENSARY_PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{command[0]} did not start: {complaints.read_text()[-2000:]}")
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def takehome(ground: Ground, database: str, *, program: str = "dispensary.cli", another: str = "") -> Iterator[Server]:
    """The program as a clinic runs it in production, on this database; the jobs run elsewhere (`dispensary worker`).

    `another` tells a second program on the same database from the first.
    """
    data = ground.folder / f"data-{database}{another}"
    environment = {
        "DISPENSARY_ENV": "production",
        "DISPENSARY_DATA": str(data),
        "DISPENSARY_KEYS": str(ground.keys),
        "DATABASE_URL": ground.url_of(database),
        "PUBLIC_BASE_URL": "https://clinic.example.org",
        "DISPENSARY_PROXIES": "127.0.0.1",
    }
    log = ground.folder / f"{database}{another}.log"
    with serving(program, "serve", "--no-jobs", environment=environment, complaints=log) as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
