"""A move that is taken back says what went back with it: bottles that the new site had prepared, and its bookings."""

from alembic import op

revision = "0067_moves"
down_revision = "0068_goals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
ALTER TABLE client_move
    ADD COLUMN undone_bottles_back SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN undone_bookings_dropped SMALLINT NOT NULL DEFAULT 0
""")


def downgrade() -> None:
    op.execute("ALTER TABLE client_move DROP COLUMN undone_bottles_back, DROP COLUMN undone_bookings_dropped")
