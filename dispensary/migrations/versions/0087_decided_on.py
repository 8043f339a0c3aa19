"""What was decided on an assessment is found by it, beside everybody's work."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.steps import index_beside_work

revision = "0087_decided_on"
down_revision = "0086_safe_by_site"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_beside_work("ix_decision_assessment_id", "decision", "(assessment_id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_decision_assessment_id")
