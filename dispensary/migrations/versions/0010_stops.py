"""Stop flags and what the counter is asked to say first; what the safety check found; known by the birth date."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.stops_guards import GUARDS

revision = "0010_stops"
down_revision = "0009_passes"
branch_labels = None
depends_on = None

_TREATS = "('doctor', 'pharmacist', 'nurse')"


def upgrade() -> None:
    op.create_table(
        "stop_flag",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("owner_role", sa.Text(), nullable=True),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_by", sa.Uuid(), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clear_reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('stop_dose', 'stop_bottles', 'say_first')", name=op.f("ck_stop_flag_kind")),
        sa.CheckConstraint("sentence <> ''", name=op.f("ck_stop_flag_has_sentence")),
        sa.CheckConstraint("NOT isempty(days) AND NOT lower_inf(days)", name=op.f("ck_stop_flag_days")),
        sa.CheckConstraint(f"owner_role IN {_TREATS}", name=op.f("ck_stop_flag_owner_role")),
        sa.CheckConstraint("num_nonnulls(owner_id, owner_role) = 1", name=op.f("ck_stop_flag_one_owner")),
        sa.CheckConstraint(
            "(cleared_at IS NULL) = (cleared_by IS NULL) AND (cleared_at IS NULL) = (clear_reason = '')",
            name=op.f("ck_stop_flag_cleared_by_somebody"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_stop_flag_site_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_stop_flag_client_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_stop_flag_owner_id")),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_stop_flag_set_by")),
        sa.ForeignKeyConstraint(["cleared_by"], ["account.id"], name=op.f("fk_stop_flag_cleared_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_flag")),
    )
    op.create_index(op.f("ix_stop_flag_client_id_set_at"), "stop_flag", ["client_id", "set_at"])
    op.create_index("ix_stop_flag_live", "stop_flag", ["client_id"], postgresql_where=sa.text("cleared_at IS NULL"))
    op.create_table(
        "flag_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("supply_id", sa.Uuid(), nullable=True),
        sa.Column("said", sa.Boolean(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["flag_id"], ["stop_flag.id"], name=op.f("fk_flag_answer_flag_id")),
        sa.ForeignKeyConstraint(["supply_id"], ["supply.id"], name=op.f("fk_flag_answer_supply_id")),
        sa.ForeignKeyConstraint(["answered_by"], ["account.id"], name=op.f("fk_flag_answer_answered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_answer")),
    )
    op.create_index(op.f("ix_flag_answer_flag_id"), "flag_answer", ["flag_id"])
    op.create_index("uq_flag_answer_said", "flag_answer", ["flag_id"], unique=True, postgresql_where=sa.text("said"))
    _more_of_supplies()
    for statement in GUARDS:
        op.execute(statement)


def _more_of_supplies() -> None:
    # Nothing was found at any hand-over before: the new column is empty, and no full table is rewritten for it.
    op.add_column("supply", sa.Column("found", sa.Text(), nullable=True))
    for name, condition in (
        (
            "found",
            "found IS NULL OR (found IN ('unwell', 'asks_doctor', 'asks_counsellor', 'other') AND observation <> '')",
        ),
        ("identified_by", "identified_by IN ('photo', 'second_identifier', 'born', 'document', 'import')"),
    ):
        if name == "identified_by":
            op.drop_constraint(op.f("ck_supply_identified_by"), "supply")
        # Not valid first: the long look at a full table then lets everybody else go on.
        op.execute(f"ALTER TABLE supply ADD CONSTRAINT ck_supply_{name} CHECK ({condition}) NOT VALID")
        op.execute(f"ALTER TABLE supply VALIDATE CONSTRAINT ck_supply_{name}")
    op.create_index("ix_supply_found", "supply", ["client_id", "at"], postgresql_where=sa.text("found IS NOT NULL"))
