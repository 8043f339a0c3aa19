"""Texts of a place by when they were written, and contacts that asked for no more, without reading everybody's."""

from alembic import op

revision = "0056_hot_queries"
down_revision = "0058g_outreach"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_message_place_id_created_at ON message (place_id, created_at)")
    op.execute("CREATE INDEX ix_contact_opted_out ON contact (opted_out_at) WHERE opted_out_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_contact_opted_out")
    op.execute("DROP INDEX ix_message_place_id_created_at")
