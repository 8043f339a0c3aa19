"""The one database: PostgreSQL, started here from its wheel or reached by DATABASE_URL; nothing else knows which.

A unit of work is `with database.reading() as session` or `with database.writing() as session`. Their types differ, so
that a function that writes cannot be handed a session that only reads. A unit commits when its block ends and rolls
back when the block raises. `database.write(work)` runs a unit once more when PostgreSQL gave up one of two that
collided.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError

from dispensary import embedded
from dispensary.client_keys import DatabaseVault
from dispensary.embedded import QUIET, START_WITHIN, NoDatabase, lives, start_embedded, told_too_much
from dispensary.keys import Vault
from dispensary.refusals import Refusal, Refused
from dispensary.settings import Settings
from dispensary.straight import Straight
from dispensary.wall import in_view
from dispensary.work import ReadSession as ReadSession
from dispensary.work import WriteSession as WriteSession
from dispensary.work import through as through

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

OLDEST_SERVER = 150000
_COLLISIONS = ("40001", "40P01")  # serialization failure, deadlock: PostgreSQL rolled one of the two back
GLANCES = 5
"""Connections for reads that take a millisecond and no transaction: who is signed in."""
BESIDE = 2
"""Connections for units beside a unit: each is held for a few milliseconds, and waits for nothing but another."""
LOOK_EVERY = 0.5
"""Seconds between two looks at whether the embedded PostgreSQL lives."""


_ELSEWHERE = "written_elsewhere"
WRITTEN_ELSEWHERE = Refusal(
    "written-elsewhere",
    "This is written on another server while the satellite runs alone, and nothing of it was kept.",
    "Call the other site, and let it be written there.",
)
"""What the guards of a site that is apart say (`dispensary/apart/guarding.py`): a refusal like any other, so that
whichever page it was has what was typed."""


class Database:
    """Connections to the one PostgreSQL, with the keys that its sealed fields need."""

    def __init__(self, url: str, vault: Vault, *, pool_size: int = 20) -> None:
        self.url = url
        self.vault = DatabaseVault(vault, lambda statement, values: self.glance(_rows_of(statement, values)))
        self.engine = _engine(url, pool_size)
        self._readonly = self.engine.execution_options(postgresql_readonly=True)
        self._glances = _engine(
            url,
            GLANCES,
            "SET default_transaction_read_only = on",
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
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
        """For a read by itself, in no transaction, on a connection that never enters one: half of what a unit costs.

        It stands before the wall, since what makes a unit stand behind it lasts for a transaction.
        """
        with self._glances.connect() as connection:
            yield Straight(connection)

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """A unit of work that only reads."""
        self.vault.keyring.look()
        known = {"vault": self.vault, "sites": in_view()}
        with ReadSession(self._readonly, info=known, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[WriteSession]:
        """A unit of work: everything in the block is committed together at its end, or nothing is.

        Raises Refused where another server writes what is changed, while a site is apart.
        """
        return self._unit(self.engine)

    def _unit(self, engine: Engine) -> Iterator[WriteSession]:
        self.vault.keyring.look()
        known = {"vault": self.vault, "aside": self._aside, "sites": in_view()}
        try:
            with WriteSession(engine, info=known, expire_on_commit=False) as session, session.begin():
                yield session
                session.finish()
                session.must_be_whole()
        except IntegrityError as reason:
            if broken_constraint(reason) == _ELSEWHERE:
                raise Refused(WRITTEN_ELSEWHERE) from None
            raise

    @contextmanager
    def _aside(self) -> Iterator[WriteSession]:
        return self._unit(self._beside)

    async def hears(self, channel: str, told: Callable[[str], None]) -> None:
        """Listens on a channel of PostgreSQL (NOTIFY), on a connection of its own, and passes on what is told.

        It first tells itself something, and passes on "" when that came back: behind a pooler that lends a connection
        for a transaction alone nothing ever would. Raises psycopg.Error when the connection is lost or cannot be made.
        """
        address = make_url(self.url).set(drivername="postgresql")
        line = {name: str(value) for name, value in _LINE.items() if name not in address.query}
        told_by = address.update_query_dict(line).render_as_string(hide_password=False)
        async with await AsyncConnection.connect(told_by, autocommit=True) as connection:
            await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            await connection.execute("SELECT pg_notify(%s, '')", [channel])
            async for each in connection.notifies():
                told(each.payload)

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

    def log_tells(self) -> list[str]:
        """Which settings of the server let what people type into its own log; none on the embedded one."""
        with self.engine.connect() as connection:
            asked = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
            rows = connection.execute(asked, {"names": list(QUIET)})
            return told_too_much({str(name): str(setting) for name, setting in rows})

    def close(self) -> None:
        for engine in self._engines:
            if event.contains(engine, "handle_error", self._forget_lost_server):
                event.remove(engine, "handle_error", self._forget_lost_server)
            engine.dispose()


def _rows_of(statement: LiteralString, values: Mapping[str, Any]) -> Callable[[Straight], list[tuple[Any, ...]]]:
    return lambda straight: straight.run(statement, values).fetchall()


_LINE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server whose machine went dark says nothing. Within some 20 seconds a connection to it is given up, so that a
standby that took over is found; over the network alone, as libpq understands it. The address may say otherwise."""


def _engine(url: str, pool_size: int, settings: str = "", **options: Any) -> Engine:
    address = make_url(url)
    line = {name: value for name, value in _LINE.items() if name not in address.query}
    if settings and address.query.get("target_session_attrs") == "read-write":
        # These sessions read by their own choice: what is asked of the server is that it is the one that takes writes.
        address = address.update_query_dict({"target_session_attrs": "primary"})
    engine = create_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=False,
        hide_parameters=True,  # an error names its statement, never the values: they would stand in its text
        connect_args=line,
        **options,
    )

    def begin(connection: Any, _record: object) -> None:
        # Said once it is there, not as it is made: a pooler between hands on what is said, and no options.
        own, connection.autocommit = connection.autocommit, True
        for said in ("SET timezone = 'UTC'", "SET lock_timeout = '10s'", *filter(None, [settings])):
            connection.execute(said)
        connection.autocommit = own

    event.listen(engine, "connect", begin)
    return engine


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
        form = "postgresql://name:password@host:5432/database"  # several: see docs/standby.md
        raise NoDatabase(f"DATABASE_URL cannot be read. Write it as {form}, with %40 for @ in a password.") from None
    return database


def _embedded(settings: Settings) -> Path:
    return settings.data / "postgresql"


def keep_logical_log(settings: Settings) -> None:
    """Has the server keep in its log what a subscriber needs. Raises NoDatabase, with what to do, until it does."""
    if settings.database_url is None:
        embedded.keep_logical_log(_embedded(settings))
        return
    engine = _engine(settings.database_url, 1)
    try:
        with engine.connect() as connection:
            if connection.scalar(text("SHOW wal_level")) != "logical":
                raise NoDatabase("Set wal_level = logical on this server, start it anew, and begin again.")
    finally:
        engine.dispose()


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
            if not lives(folder):
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
        watcher.join(timeout=START_WITHIN)
