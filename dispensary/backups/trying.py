"""A PostgreSQL of its own, for as long as a backup is tried out, and PostgreSQL's tools."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import fasteners
from sqlalchemy import make_url

from dispensary.backups.files import BadBackup
from dispensary.embedded import discard_embedded, postgres_tool, start_embedded

_LAST_WORDS = 400


@contextmanager
def one_at_a_time(data: Path) -> Iterator[None]:
    """Nobody else makes or restores a backup in this data folder meanwhile. Raises BadBackup when somebody does."""
    data.mkdir(parents=True, exist_ok=True)
    lock = fasteners.InterProcessLock(data / ".backup.lock")
    if not lock.acquire(blocking=False):
        raise BadBackup("A backup is being made or restored here already. Wait until it is done.")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def spare_server(data: Path) -> Iterator[str]:
    """The address of an empty database on a server that lives in the data folder until the block ends.

    What a run that was killed left of it is cleared away first.
    """
    folder = data / "backup-tried-out"
    discard_embedded(folder)
    try:
        yield start_embedded(folder)
    finally:
        discard_embedded(folder)


def surroundings(url: str) -> Mapping[str, str]:
    """The environment in which PostgreSQL's tools find this database; no address or password stands on their line."""
    parts = make_url(url)
    named = {
        "PGHOST": parts.host or parts.query.get("host"),
        "PGPORT": str(parts.port) if parts.port else None,
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
    }
    return {**os.environ, **{name: str(value) for name, value in named.items() if value}, "PGTZ": "UTC"}


@contextmanager
def tool(
    name: str, *options: str, url: str, given: int | None = None, taken: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs one of PostgreSQL's tools on a database. Raises BadBackup with its own last words when it fails."""
    line = [str(postgres_tool(name)), *options]
    process = subprocess.Popen(line, env=dict(surroundings(url)), stdin=given, stdout=taken, stderr=subprocess.PIPE)  # noqa: S603
    try:
        yield process
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for pipe in (process.stdin, process.stdout):
            _close(pipe)
    said = process.stderr.read() if process.stderr else b""
    if process.wait() != 0:
        words = said.decode(errors="replace").strip().splitlines() or [f"ended with {process.returncode}"]
        raise BadBackup(f"{name}: {words[-1][:_LAST_WORDS]}")


def _close(pipe: IO[bytes] | None) -> None:
    if pipe and not pipe.closed:
        try:
            pipe.close()
        except BrokenPipeError:
            return
