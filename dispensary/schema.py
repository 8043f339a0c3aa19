"""The tables of all three houses, and bringing a database up to them."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError, ProgrammingError

from dispensary.columns import Base
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.wall import DESK

_ROOMS = (
    "staff",
    "evaluation",
    "clients",
    "stock",
    "prescribing",
    "monitoring",
    "care",
    "takehome",
    "supplies",
    "looks",
    "phone",
)
_LOCK = 7_301_442  # one migration at a time, however many programs start at once
_MIGRATIONS = Path(__file__).parent / "migrations"

_WAITS = "700ms"
"""How long a step waits for a table. Whoever comes after it waits behind it, so it is short; and shorter than the
second after which PostgreSQL looks for a deadlock, so that it is the step that gives way, and never a dose."""
_PAUSE = 0.4
PATIENCE = 90.0
"""Seconds for which a step that gave way is tried again."""
_GAVE_WAY = ("55P03", "40P01")  # lock not available, deadlock: nothing of the step is left

_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DESK}') THEN
        BEGIN
            CREATE ROLE {DESK} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this server was brought up to date in the same moment
        END;
    END IF;
    BEGIN
        SET LOCAL ROLE {DESK};
        RESET ROLE;
    EXCEPTION WHEN insufficient_privilege THEN
        GRANT {DESK} TO CURRENT_USER;
    END;
END $$
"""
"""The role is the server's and not one database's. Whoever owns the tables works as it and gets nothing from it."""

_ASKED = text(f"SELECT quote_ident(current_user), EXISTS (SELECT FROM pg_roles WHERE rolname = '{DESK}')")
_RAISED = f"""
DO $$
DECLARE each record;
BEGIN
    GRANT USAGE ON SCHEMA public TO {DESK};
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {DESK};
    -- What has policies can be read, and written where they say so; what is only ever added to is only added to.
    FOR each IN
        SELECT c.relname, string_agg(DISTINCT may.what, ', ') AS what
        FROM pg_class c JOIN pg_policies p ON p.schemaname = 'public' AND p.tablename = c.relname
        CROSS JOIN unnest(CASE p.cmd WHEN 'ALL' THEN '{{SELECT,INSERT,UPDATE,DELETE}}' ELSE ARRAY[p.cmd] END)
            AS may(what)
        WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND NOT EXISTS (
            SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.proname = 'never_changed'
            WHERE t.tgrelid = c.oid AND CASE may.what WHEN 'UPDATE' THEN t.tgtype & 16 WHEN 'DELETE' THEN t.tgtype & 8
                ELSE 0 END > 0)
        GROUP BY c.relname
    LOOP
        EXECUTE format('GRANT %s ON %I TO {DESK}', each.what, each.relname);
    END LOOP;
    -- A view shows what its reader may see, not what its owner may. One that does is let be:
    -- to set it waits for whoever reads it.
    FOR each IN
        SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
    LOOP
        IF NOT coalesce('security_invoker=true' = ANY (each.reloptions), false) THEN
            EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', each.relname);
        END IF;
        EXECUTE format('GRANT SELECT ON %I TO {DESK}', each.relname);
    END LOOP;
    -- A guard judges across sites: it sees every row, whoever wrote the one that it judges.
    FOR each IN
        SELECT oid::regprocedure AS name FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype = 'trigger'::regtype
        AND (NOT prosecdef OR proconfig IS NULL)
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp', each.name);
    END LOOP;
END $$
"""
"""What follows from the tables, their policies and their triggers. It can be said any number of times."""

_STANDS = f"""
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DESK}')
    AND coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = '{DESK}'), false)
    AND coalesce((SELECT has_table_privilege(oid, to_regclass('client'), 'SELECT') FROM pg_roles
        WHERE rolname = '{DESK}'), false)
"""
"""Whether whoever is connected can work behind the wall of this database."""

_KEPT = text("SELECT to_regclass('works_with') IS NOT NULL")
_WORKS = text("SELECT revision FROM works_with ORDER BY no")
_WORKS_TOO = text("INSERT INTO works_with (revision, no) SELECT :revision, coalesce(max(no), 0) + 1 FROM works_with")
_WORKS_NO_MORE = text("DELETE FROM works_with WHERE revision = :revision")


def all_metadata() -> list[MetaData]:
    """The metadata of the three houses, with every room's tables loaded."""
    import notifications.models
    import scheduling.acts_models
    import scheduling.models
    import scheduling.waiting_models

    for room in _ROOMS:
        package = importlib.import_module(f"dispensary.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name == "models" or module.name.endswith("_models"):
                importlib.import_module(f"dispensary.{room}.{module.name}")
    return [Base.metadata, scheduling.models.Base.metadata, notifications.models.Base.metadata]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


@cache
def _steps() -> tuple[str, ...]:
    """The migrations that this program knows, the newest first: by that one its version is told from others."""
    return tuple(step.revision for step in ScriptDirectory(str(_MIGRATIONS)).walk_revisions())


def migrate(database: Database) -> list[str]:
    """Brings the database to the newest migration and returns the steps taken, oldest first; none when it is there.

    Each step is committed by itself, with the second wall as its tables have it, and gives way to whoever works with a
    table, so that nobody waits long for any of them. A database that is ahead of this program is left as it is. Raises
    NoDatabase when this program is too old for it, when somebody does not let go of a table, or when the wall's role
    cannot be made.
    """
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        try:
            before = _revision(connection)
            if before is not None and before not in _steps():
                if needs := _met(connection).needs:
                    raise NoDatabase(needs)
                return []
            connection.commit()  # else all steps were one transaction: this one
            _upgrade(connection)
            raise_wall(connection)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
            connection.invalidate()  # nobody gets it afterwards: it waits otherwise than theirs
    known = _steps()
    return list(reversed(known if before is None else known[: known.index(before)]))


def _upgrade(connection: Connection) -> None:
    """Takes all steps. One that gave way is taken again after a pause, in which whoever waited behind it works."""
    connection.execute(text(f"SET lock_timeout = '{_WAITS}'"))
    connection.commit()
    reached, until = _revision(connection), time.monotonic() + PATIENCE
    connection.commit()
    while True:
        try:
            command.upgrade(_config(connection), "head")
            return
        except PendingRollbackError as reason:  # in a step that is in no transaction, such as an index beside work
            raise NoDatabase(f"The database was lost after {reached}. Run `dispensary migrate` again.") from reason
        except DBAPIError as reason:
            connection.rollback()
            if getattr(reason.orig, "sqlstate", None) not in _GAVE_WAY:
                raise
        if (now_at := _revision(connection)) != reached:
            reached, until = now_at, time.monotonic() + PATIENCE
        connection.commit()
        if time.monotonic() > until:
            raise NoDatabase(
                f"Somebody has not let go of a table for {PATIENCE:.0f} s, such as a backup or a long export."
                f" The database is whole, at {reached}; run `dispensary migrate` again to go on."
            )
        time.sleep(_PAUSE)


def took_step(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:
    """What follows from each step, in its transaction: programs of it work with the database, and the wall stands.

    A guard that was stated anew would see no other site's rows until the wall is raised, and a new table nobody's.
    """
    connection = ctx.connection
    assert connection is not None
    if connection.scalar(_KEPT):
        connection.execute(_WORKS_TOO if step.is_upgrade else _WORKS_NO_MORE, {"revision": step.up_revision_id})
    if connection.scalar(text(_STANDS)):
        connection.execute(text(_RAISED))


def raise_wall(connection: Connection) -> None:
    """Makes the role behind which signed-in people work, and gives it what the tables of this database allow.

    Raises NoDatabase, with what is to be done, when whoever is connected may not make a role.
    """
    try:
        connection.execute(text(_ROLE))
    except ProgrammingError as reason:
        connection.rollback()
        who, there = connection.execute(_ASKED).one()
        made = "" if there else f"CREATE ROLE {DESK} NOLOGIN; "
        raise NoDatabase(
            f"The program's user may not make the role {DESK}, or work as it; behind it signed-in people work. Let"
            f" whoever runs the server say: {made}GRANT {DESK} TO {who}; and then migrate again."
        ) from reason
    connection.execute(text(_RAISED))


@dataclass(frozen=True)
class Met:
    """How this program meets a database."""

    needs: str = ""
    """What is to be done before it may work with it, in one line; nothing when it may at once."""
    ahead: str = ""
    """The migration at which the database is, where that is one of a newer program and this one may go on."""


def met(database: Database) -> Met:
    """Whether this program may work with the database: it has its migrations, and whatever came after lets it work.

    What a newer migration does, this program cannot know. So the database says with which programs it works, by the
    newest migration of each (`works_with`), and one that takes something away strikes those out that need it.
    """
    with database.engine.connect() as connection:
        return _met(connection)


def _met(connection: Connection) -> Met:
    current, own = _revision(connection), _steps()[0]
    ahead = current is not None and current not in _steps()
    if ahead:
        works = list(connection.scalars(_WORKS)) if connection.scalar(_KEPT) else []
        if own not in works:
            at = f"{current} and works with programs since {works[0]}" if works else current
            return Met(f"The database needs a newer program than this: it is at {at}, and this one is of {own}.")
    elif current != own:
        return Met("The database is not up to date. Run `dispensary migrate` first.")
    if not connection.scalar(text(_STANDS)):
        whose = f" of the program that brought it to {current}" if ahead else ""
        return Met(f"The database lacks its second wall. Run `dispensary migrate`{whose} first.")
    return Met(ahead=str(current) if ahead else "")


def _revision(connection: Connection) -> str | None:
    """The newest migration of the database; nothing before the first."""
    return MigrationContext.configure(connection).get_current_revision()
