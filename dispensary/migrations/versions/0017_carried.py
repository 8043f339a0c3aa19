"""A report is also about a bottle that was lost on its way; a full bottle goes back only where its lot lies."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.carried_guards import BEFORE, GUARDS

revision = "0017_carried"
down_revision = "0016_suppliers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    op.execute(BEFORE)
