"""All visits to a client are found by them, beside everybody's work."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.steps import index_beside_work

revision = "0090_visits_of_client"
down_revision = "0089_moved_on"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index_beside_work("ix_home_visit_client_id", "home_visit", "(client_id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_home_visit_client_id")
