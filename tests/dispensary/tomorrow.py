"""A program of tomorrow, which has migrations that the program of today cannot know."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from dispensary import schema
from dispensary.database import Database

_CONFIG = schema._config
_STEP = '''"""A step of tomorrow."""

from alembic import op

from dispensary.migrations.steps import index_beside_work, works_since

revision = "{revision}"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {does}


def downgrade() -> None:
    pass
'''


class Tomorrow:
    """The migrations of today, and those that are added here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps = list(schema._steps())
        folder.mkdir()

    def adds(self, revision: str, *does: str) -> str:
        """One step more, which does what these lines of a migration do."""
        lines = "\n    ".join(does)
        step = _STEP.format(revision=revision, after=self.steps[0], does=lines)
        (self.folder / f"{revision}.py").write_text(step)
        self.steps.insert(0, revision)
        return revision

    def says(self, revision: str, *sql: str) -> str:
        """One step more, which says these statements."""
        return self.adds(revision, *(f"op.execute({each!r})" for each in sql))

    def brings(self, database: Database) -> None:
        """Takes its steps, one after the other, while whoever asks is the program of today."""
        with database.engine.connect() as connection:
            command.upgrade(self._config(connection), "head")

    def _config(self, connection: Connection) -> Config:
        config = _CONFIG(connection)
        places = (str(schema._MIGRATIONS / "versions"), str(self.folder))
        config.set_main_option("version_locations", os.pathsep.join(places))
        config.set_main_option("path_separator", "os")
        return config

    def runs(self, monkeypatch: pytest.MonkeyPatch, *, of: str = "") -> None:
        """Whoever asks from now on is the program of this revision, or else of the newest."""
        steps = tuple(self.steps[self.steps.index(of) if of else 0 :])
        monkeypatch.setattr(schema, "_steps", lambda: steps)
        monkeypatch.setattr(schema, "_config", self._config)
