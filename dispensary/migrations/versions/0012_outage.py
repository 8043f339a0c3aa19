"""When the system was away: packs on paper, and what is entered afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.outage_guards import GUARDS

revision = "0012_outage"
down_revision = "0011_guests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_supply_origin"), "supply", type_="check")
    op.create_check_constraint(op.f("ck_supply_origin"), "supply", "origin IN ('counter', 'import', 'outage')")
    op.create_table(
        "downtime_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("password_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("days_ahead", sa.SmallInteger(), nullable=False),
        sa.Column("copy_to", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("days_ahead BETWEEN 1 AND 7", name=op.f("ck_downtime_setting_days_ahead")),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_downtime_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_downtime_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_downtime_setting")),
    )
    op.create_table(
        "late_entry",
        sa.Column("supply_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=True),
        sa.Column("witnessed_by", sa.Uuid(), nullable=True),
        sa.Column("conflicts", postgresql.JSONB(), nullable=False),
        sa.Column("beyond_decision", sa.Boolean(), nullable=False),
        sa.CheckConstraint("line BETWEEN 1 AND 999", name=op.f("ck_late_entry_line")),
        sa.CheckConstraint("NOT beyond_decision OR conflicts <> '{}'", name=op.f("ck_late_entry_beyond_is_named")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_late_entry_recorded_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_late_entry_site_id")),
        sa.ForeignKeyConstraint(["supply_id"], ["supply.id"], name=op.f("fk_late_entry_supply_id")),
        sa.ForeignKeyConstraint(["witnessed_by"], ["account.id"], name=op.f("fk_late_entry_witnessed_by")),
        sa.PrimaryKeyConstraint("supply_id", name=op.f("pk_late_entry")),
    )
    op.create_index(op.f("ix_late_entry_site_id_recorded_at"), "late_entry", ["site_id", "recorded_at"])
    for statement in GUARDS:
        op.execute(statement)
