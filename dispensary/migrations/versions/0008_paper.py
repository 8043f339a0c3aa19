"""What a site prints: the register's layout, the labels' fields and languages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_paper"
down_revision = "0007_safe"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("law", sa.Text(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("second_identifier", sa.Boolean(), nullable=False),
        sa.Column("languages", postgresql.JSONB(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("directions", postgresql.JSONB(), nullable=False),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("printer", sa.Text(), nullable=False),
        sa.Column("dilution_ml", sa.Numeric(10, 3), nullable=True),
        sa.Column("dilution_with", sa.Text(), nullable=False),
        sa.Column("dilution_source", sa.Text(), nullable=False),
        sa.CheckConstraint("law IN ('none', 'US', 'UK', 'NSW', 'MY')", name=op.f("ck_paper_setting_law")),
        sa.CheckConstraint("size IN ('small', 'large')", name=op.f("ck_paper_setting_size")),
        sa.CheckConstraint("printer IN ('sheet', 'roll', 'zpl203', 'zpl300')", name=op.f("ck_paper_setting_printer")),
        sa.CheckConstraint("jsonb_array_length(languages) BETWEEN 1 AND 2", name=op.f("ck_paper_setting_languages")),
        sa.CheckConstraint("dilution_ml > 0", name=op.f("ck_paper_setting_dilution_volume")),
        sa.CheckConstraint(
            "dilution_ml IS NULL OR (dilution_with <> '' AND dilution_source <> '')",
            name=op.f("ck_paper_setting_dilution_has_source"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_paper_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_paper_setting")),
    )
