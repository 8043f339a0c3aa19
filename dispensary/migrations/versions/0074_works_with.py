"""The database says which versions of the program may work on it: each migration adds itself (`took_step`)."""

from alembic import op

revision = "0074_works_with"
down_revision = "0073_leaving"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE works_with (
    revision TEXT NOT NULL,
    no SMALLINT NOT NULL,
    CONSTRAINT pk_works_with PRIMARY KEY (revision),
    CONSTRAINT uq_works_with_no UNIQUE (no)
)""")


def downgrade() -> None:
    op.execute("DROP TABLE works_with")
