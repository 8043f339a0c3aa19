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

from dispensary.columns import Base
from dispensary.database import Database

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
    """Brings the database to the newest migration and returns the steps taken, oldest first; none when it is there."""
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
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    return [step for step in reversed(steps) if step != before]


def behind(database: Database) -> bool:
    """Whether the database needs `dispensary migrate`."""
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        return current != ScriptDirectory.from_config(_config(connection)).get_current_head()
