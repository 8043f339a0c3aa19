"""Texts that were lost are found by whom they were for, however many were lost in the country."""

from alembic import op

revision = "0063_lost_texts"
down_revision = "0059_homes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE INDEX ix_message_lost ON message (recipient_id, changed_at)
        WHERE state IN ('failed', 'undelivered', 'expired') OR (state = 'unknown' AND next_attempt_at IS NULL)""")


def downgrade() -> None:
    op.execute("DROP INDEX ix_message_lost")
