"""Each sign-in has a number of its own, which its pages' forms are bound to; it outlives a change of its token."""

from alembic import op

revision = "0053_sign_in_forms"
down_revision = "0051_contact_notes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE sign_in ADD COLUMN forms UUID DEFAULT gen_random_uuid() NOT NULL;")


def downgrade() -> None:
    op.execute("ALTER TABLE sign_in DROP COLUMN forms;")
