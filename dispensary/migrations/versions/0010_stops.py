"""Stop flags and what the counter is asked to say first."""

from __future__ import annotations

revision = "0010_stops"
down_revision = "0009_passes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
