"""The safe: where lots come from, transfers, destruction, investigations."""

from __future__ import annotations

revision = "0007_safe"
down_revision = "0006_shift"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
