"""What a site prints: the register's layout, the labels' fields and languages."""

from __future__ import annotations

revision = "0008_paper"
down_revision = "0007_safe"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
