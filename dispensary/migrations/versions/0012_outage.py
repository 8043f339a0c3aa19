"""When the system was away: packs on paper, and what is entered afterwards."""

from __future__ import annotations

revision = "0012_outage"
down_revision = "0011_guests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
