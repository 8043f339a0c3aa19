"""For how many years a site keeps the record of somebody who has left."""

from alembic import op

revision = "0050_erasing"
down_revision = "0046b_consents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""ALTER TABLE site ADD COLUMN keep_years SMALLINT,
        ADD CONSTRAINT ck_site_keep_years CHECK (keep_years BETWEEN 1 AND 100)""")


def downgrade() -> None:
    op.execute("ALTER TABLE site DROP COLUMN keep_years")
