"""Who collects: agents, carriers, and how a pass was answered."""

from __future__ import annotations

revision = "0009_passes"
down_revision = "0008_paper"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
