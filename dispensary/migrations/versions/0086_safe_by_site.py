"""A site's discrepancies are read from its own rows, however many sites there are."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.safe_view import DISCREPANCY
from dispensary.migrations.safe_view_by_site import DISCREPANCY_BY_SITE

revision = "0086_safe_by_site"
down_revision = "0084_live_bottles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(DISCREPANCY_BY_SITE)


def downgrade() -> None:
    op.execute(DISCREPANCY.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
