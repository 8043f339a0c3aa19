"""The bottles that are somewhere are found by their site, beside everybody's work."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.steps import index_beside_work

revision = "0084_live_bottles"
down_revision = "0079_open_again"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_beside_work(
        "ix_bottle_live",
        "bottle",
        "(site_id) WHERE state IN ('prepared', 'checked', 'out', 'handed_over', 'recalled')",
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_bottle_live")
