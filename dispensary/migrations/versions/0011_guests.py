"""Doses at another site of the programme."""

from __future__ import annotations

revision = "0011_guests"
down_revision = "0010_stops"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
