"""Doses at another site of the programme."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.guest_guards import GUARDS

revision = "0011_guests"
down_revision = "0010_stops"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guest_stay",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("home_site_id", sa.Uuid(), nullable=False),
        sa.Column("guest_site_id", sa.Uuid(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=False),
        sa.Column(
            "days",
            postgresql.DATERANGE(),
            sa.Computed("daterange(from_day, coalesce(ended_on, until_day), '[)')", persisted=True),
            nullable=False,
        ),
        sa.Column("bottles", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at_site_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed", postgresql.JSONB(), nullable=True),
        sa.Column("refused_by", sa.Uuid(), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.CheckConstraint("guest_site_id <> home_site_id", name=op.f("ck_guest_stay_elsewhere")),
        sa.CheckConstraint("until_day - from_day BETWEEN 1 AND 28", name=op.f("ck_guest_stay_length")),
        sa.CheckConstraint(
            "asked_at_site_id IN (home_site_id, guest_site_id)", name=op.f("ck_guest_stay_asked_by_either")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_guest_stay_has_reason")),
        sa.CheckConstraint(
            "(verified_at IS NULL) = (verified_by IS NULL) AND (verified_at IS NULL) = (confirmed IS NULL)",
            name=op.f("ck_guest_stay_verified_by_somebody"),
        ),
        sa.CheckConstraint(
            "(refused_at IS NULL) = (refused_by IS NULL) AND (refused_at IS NULL) = (refusal = '')",
            name=op.f("ck_guest_stay_refused_with_reason"),
        ),
        sa.CheckConstraint("verified_at IS NULL OR refused_at IS NULL", name=op.f("ck_guest_stay_one_answer")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_on IS NULL)"
            " AND (ended_at IS NULL) = (end_reason = '')",
            name=op.f("ck_guest_stay_ended_with_reason"),
        ),
        sa.CheckConstraint("ended_on BETWEEN from_day AND until_day", name=op.f("ck_guest_stay_ended_within")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_guest_stay_client_id")),
        sa.ForeignKeyConstraint(["home_site_id"], ["site.id"], name=op.f("fk_guest_stay_home_site_id")),
        sa.ForeignKeyConstraint(["guest_site_id"], ["site.id"], name=op.f("fk_guest_stay_guest_site_id")),
        sa.ForeignKeyConstraint(["asked_at_site_id"], ["site.id"], name=op.f("fk_guest_stay_asked_at_site_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["account.id"], name=op.f("fk_guest_stay_asked_by")),
        sa.ForeignKeyConstraint(["verified_by"], ["account.id"], name=op.f("fk_guest_stay_verified_by")),
        sa.ForeignKeyConstraint(["refused_by"], ["account.id"], name=op.f("fk_guest_stay_refused_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["account.id"], name=op.f("fk_guest_stay_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_stay")),
        postgresql.ExcludeConstraint(
            (sa.column("client_id"), "="),
            (sa.column("days"), "&&"),
            where=sa.text("refused_at IS NULL"),
            using="gist",
            name="guest_stay_no_overlap",
        ),
    )
    op.create_index("ix_guest_stay_guest", "guest_stay", ["guest_site_id", "until_day"])
    op.create_index("ix_guest_stay_home", "guest_stay", ["home_site_id", "until_day"])
    op.create_table(
        "guest_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("longest_days", sa.SmallInteger(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("longest_days BETWEEN 1 AND 28", name=op.f("ck_guest_setting_longest_days")),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_guest_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_guest_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_guest_setting")),
    )
    for statement in GUARDS:
        op.execute(statement)
