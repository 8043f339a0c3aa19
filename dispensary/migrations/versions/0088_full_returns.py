"""Bottles that came back full are found by their site, beside everybody's work."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.steps import index_beside_work

revision = "0088_full_returns"
down_revision = "0087_decided_on"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_beside_work("ix_bottle_return_full", "bottle_return", "(site_id) WHERE is_full")


def downgrade() -> None:
    op.execute("DROP INDEX ix_bottle_return_full")
