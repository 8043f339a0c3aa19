"""A site's number for texts stands on the help that its clients take along."""

import sqlalchemy as sa
from alembic import op

revision = "0024_phone_line"
down_revision = "0023_moved"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phone_line",
        sa.Column("site_id", sa.Uuid(), sa.ForeignKey("site.id", name="fk_phone_line_site_id"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", name="pk_phone_line"),
        sa.CheckConstraint(r"number ~ '^(\+[0-9]{7,15}|[0-9]{3,8})$'", name="ck_phone_line_number"),
    )


def downgrade() -> None:
    op.drop_table("phone_line")
