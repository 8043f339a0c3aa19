"""The states of a bottle, each with who and when; supplies that were entered in error."""

from __future__ import annotations

revision = "0005_bottles"
down_revision = "0004_dosing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
