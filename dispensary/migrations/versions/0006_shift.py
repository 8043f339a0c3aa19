"""A counter that several people share: PINs, and who is at the screen."""

from __future__ import annotations

revision = "0006_shift"
down_revision = "0005_bottles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
