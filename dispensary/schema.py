"""The tables of all three houses, and bringing a database up to them."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import ProgrammingError

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
    -- A view shows what its reader may see, not what its owner may.
    FOR each IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' LOOP
        EXECUTE format('ALTER VIEW %I SET (security_invoker = true)', each.relname);
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
    AND coalesce((SELECT has_table_privilege(oid, 'client', 'SELECT') FROM pg_roles WHERE rolname = '{DESK}'), false)
"""
"""Whether whoever is connected can work behind the wall of this database."""


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
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database) -> list[str]:
    """Brings the database to the newest migration and returns the steps taken, oldest first; none when it is there.

    Then the second wall stands as the tables have it. Raises NoDatabase when its role cannot be made.
    """
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        try:
            config = _config(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            script = ScriptDirectory.from_config(config)
            steps = [step.revision for step in script.walk_revisions(base=before or "base", head="head")]
            command.upgrade(config, "head")
            connection.commit()
            raise_wall(connection)
            connection.commit()
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    return [step for step in reversed(steps) if step != before]


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


def behind(database: Database) -> bool:
    """Whether the database needs `dispensary migrate`: it lacks a step, or the second wall does not stand in it."""
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current != ScriptDirectory.from_config(_config(connection)).get_current_head():
            return True
        return not connection.scalar(text(_STANDS))
