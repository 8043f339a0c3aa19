"""Flexible dosing: plans, guidelines, reductions, exceptions, returns, recalls, tasks, goals, patterns of decisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.dosing_guards import GUARDS

revision = "0004_dosing"
down_revision = "0003_clinic"
branch_labels = None
depends_on = None

_REGISTER_KINDS = "kind IN ('received', 'supplied', 'corrected', 'counted', 'destroyed', 'lost', 'note')"


def upgrade() -> None:
    _new_tables()
    _more_columns()
    _more_checks()
    for statement in GUARDS:
        op.execute(statement)


def _new_tables() -> None:
    op.create_table(
        "guideline_adoption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("guideline", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("adopted_by", sa.Uuid(), nullable=True),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("site_id"), "="),
            (sa.column("topic"), "="),
            (sa.column("days"), "&&"),
            using="gist",
            name="guideline_adoption_no_overlap",
        ),
        sa.CheckConstraint(
            "topic IN ('induction', 'taper', 'split', 'missed', 'vomited', 'wrong_dose', 'prescription')",
            name=op.f("ck_guideline_adoption_topic"),
        ),
        sa.ForeignKeyConstraint(["adopted_by"], ["account.id"], name=op.f("fk_guideline_adoption_adopted_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_guideline_adoption_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guideline_adoption")),
    )
    op.create_table(
        "client_assignment",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_by", sa.Uuid(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_client_assignment_account_id")),
        sa.ForeignKeyConstraint(["assigned_by"], ["account.id"], name=op.f("fk_client_assignment_assigned_by")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_assignment_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_assignment")),
    )
    op.create_table(
        "client_goal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("words_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("set_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("noted_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(state = 'open') = (closed_on IS NULL)", name=op.f("ck_client_goal_closed_has_day")),
        sa.CheckConstraint("state IN ('open', 'reached', 'let_go')", name=op.f("ck_client_goal_state")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_goal_client_id")),
        sa.ForeignKeyConstraint(["noted_by"], ["account.id"], name=op.f("fk_client_goal_noted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_goal")),
    )
    op.create_index(op.f("ix_client_goal_client_id"), "client_goal", ["client_id"], unique=False)
    op.create_table(
        "recall",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("called_on", sa.Date(), nullable=False),
        sa.Column("bring_by", sa.Date(), nullable=False),
        sa.Column("called_by", sa.Uuid(), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expected_full", sa.SmallInteger(), nullable=True),
        sa.Column("counted_full", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_recall_closed_has_moment")),
        sa.CheckConstraint("cause IN ('dose_changed', 'restart', 'stopped', 'check')", name=op.f("ck_recall_cause")),
        sa.CheckConstraint("state IN ('open', 'passed') OR note <> ''", name=op.f("ck_recall_failure_has_note")),
        sa.CheckConstraint("state IN ('open', 'passed', 'failed', 'cancelled')", name=op.f("ck_recall_state")),
        sa.CheckConstraint("bring_by >= called_on", name=op.f("ck_recall_bring_by")),
        sa.ForeignKeyConstraint(["called_by"], ["account.id"], name=op.f("fk_recall_called_by")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_recall_client_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_recall_closed_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_recall_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
    )
    op.create_index(op.f("ix_recall_client_id_called_on"), "recall", ["client_id", "called_on"], unique=False)
    op.create_index("uq_recall_open", "recall", ["client_id"], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint("(done_at IS NULL) = (outcome = '')", name=op.f("ck_task_done_has_outcome")),
        sa.CheckConstraint("kind IN ('review', 'call', 'recall', 'other')", name=op.f("ck_task_kind")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_task_client_id")),
        sa.ForeignKeyConstraint(["done_by"], ["account.id"], name=op.f("fk_task_done_by")),
        sa.ForeignKeyConstraint(["opened_by"], ["account.id"], name=op.f("fk_task_opened_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_task_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_client_id_kind"), "task", ["client_id", "kind"], unique=False)
    op.create_index(
        "ix_task_open", "task", ["site_id", "due_on"], unique=False, postgresql_where=sa.text("done_at IS NULL")
    )
    op.create_index(
        "uq_task_open",
        "task",
        ["client_id", "kind", "due_on", "sentence"],
        unique=True,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "dose_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("guideline", sa.Text(), nullable=True),
        sa.Column("guideline_version", sa.Text(), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('induction', 'titration', 'stabilisation', 'taper', 'split', 'weekdays')",
            name=op.f("ck_dose_plan_kind"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_dose_plan_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_dose_plan_episode_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["account.id"], name=op.f("fk_dose_plan_signed_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_dose_plan_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose_plan")),
    )
    op.create_index(op.f("ix_dose_plan_client_id"), "dose_plan", ["client_id"], unique=False)
    op.create_table(
        "reduction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("ruling", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("agreed_with", sa.Uuid(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_order", sa.Uuid(), nullable=True),
        sa.CheckConstraint("mg > 0", name=op.f("ck_reduction_mg")),
        sa.ForeignKeyConstraint(["agreed_with"], ["account.id"], name=op.f("fk_reduction_agreed_with")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_reduction_client_id")),
        sa.ForeignKeyConstraint(["ended_by_order"], ["dose_order.id"], name=op.f("fk_reduction_ended_by_order")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_reduction_episode_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_reduction_recorded_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_reduction_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reduction")),
    )
    op.create_index(
        "uq_reduction_open", "reduction", ["client_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "dose_exception",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dose_id", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ruling", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("prescriber_id", sa.Uuid(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("allowed_mg", sa.Numeric(precision=7, scale=2), nullable=True),
        sa.Column("observe_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocks", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint("(closed_at IS NULL) = (outcome = '')", name=op.f("ck_dose_exception_closed_has_outcome")),
        sa.CheckConstraint(
            "kind IN ('vomited', 'intoxicated', 'refused', 'partly_taken', 'spilled', 'late', 'wrong_dose', 'top_up')",
            name=op.f("ck_dose_exception_kind"),
        ),
        sa.CheckConstraint(
            "allowed_mg IS NULL OR (allowed_mg > 0 AND prescriber_id IS NOT NULL)",
            name=op.f("ck_dose_exception_allowed_by_prescriber"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_dose_exception_client_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_dose_exception_closed_by")),
        sa.ForeignKeyConstraint(["dose_id"], ["dose.id"], name=op.f("fk_dose_exception_dose_id")),
        sa.ForeignKeyConstraint(["prescriber_id"], ["account.id"], name=op.f("fk_dose_exception_prescriber_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_dose_exception_recorded_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_dose_exception_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose_exception")),
    )
    op.create_index(
        op.f("ix_dose_exception_client_id_dose_day"), "dose_exception", ["client_id", "dose_day"], unique=False
    )
    op.create_index(
        "ix_dose_exception_open",
        "dose_exception",
        ["site_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(op.f("ix_dose_exception_site_id_dose_day"), "dose_exception", ["site_id", "dose_day"], unique=False)
    op.create_table(
        "bottle_return",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bottle_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("returned_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("NOT is_full OR reason <> ''", name=op.f("ck_bottle_return_full_has_reason")),
        sa.ForeignKeyConstraint(["bottle_id"], ["bottle.id"], name=op.f("fk_bottle_return_bottle_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_bottle_return_client_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_bottle_return_recorded_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_bottle_return_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bottle_return")),
        sa.UniqueConstraint("bottle_id", name=op.f("uq_bottle_return_bottle_id")),
    )
    op.create_index(
        op.f("ix_bottle_return_client_id_dose_day"), "bottle_return", ["client_id", "dose_day"], unique=False
    )
    op.create_table(
        "extra_dose",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("supply_id", sa.Uuid(), nullable=False),
        sa.Column("exception_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('replacement', 'top_up', 'in_error')", name=op.f("ck_extra_dose_kind")),
        sa.CheckConstraint("mg > 0 AND ml > 0", name=op.f("ck_extra_dose_amount")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_extra_dose_client_id")),
        sa.ForeignKeyConstraint(["exception_id"], ["dose_exception.id"], name=op.f("fk_extra_dose_exception_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_extra_dose_lot_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_extra_dose_site_id")),
        sa.ForeignKeyConstraint(["supply_id"], ["supply.id"], name=op.f("fk_extra_dose_supply_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extra_dose")),
    )
    op.create_index(op.f("ix_extra_dose_client_id_dose_day"), "extra_dose", ["client_id", "dose_day"], unique=False)
    op.create_index(op.f("ix_extra_dose_supply_id"), "extra_dose", ["supply_id"], unique=False)
    op.create_index(
        "uq_extra_dose_exception",
        "extra_dose",
        ["exception_id"],
        unique=True,
        postgresql_where=sa.text("voided_at IS NULL"),
    )


def _more_columns() -> None:
    op.add_column("client", sa.Column("children_at_home", sa.Boolean(), nullable=True))
    op.add_column("client", sa.Column("guardian", sa.Boolean(), nullable=True))
    op.add_column("client", sa.Column("distance_km", sa.SmallInteger(), nullable=True))
    op.add_column("decision", sa.Column("closed_days_in_a_row", sa.SmallInteger(), nullable=True))
    op.add_column("decision", sa.Column("consecutive", sa.SmallInteger(), nullable=True))
    op.add_column("decision", sa.Column("weekdays", postgresql.ARRAY(sa.SmallInteger()), nullable=True))
    # A constant default needs no rewrite of a full table; it goes again, since the code always says which it is.
    op.add_column("decision", sa.Column("kind", sa.Text(), nullable=False, server_default="grant"))
    op.alter_column("decision", "kind", server_default=None)
    op.add_column("decision", sa.Column("occasion", sa.Text(), nullable=True))
    op.add_column("decision", sa.Column("review_on", sa.Date(), nullable=True))
    op.add_column("decision", sa.Column("agreement_signed_on", sa.Date(), nullable=True))
    op.add_column("decision", sa.Column("naloxone", sa.Text(), nullable=True))
    op.add_column("decision", sa.Column("continues_id", sa.Uuid(), nullable=True))
    op.alter_column("decision", "decided_by", existing_type=sa.Uuid(), nullable=True)
    op.create_foreign_key(op.f("fk_decision_continues_id"), "decision", "decision", ["continues_id"], ["id"])
    op.add_column("dose_order", sa.Column("places", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("dose_order", sa.Column("plan_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_dose_order_plan_id"), "dose_order", "dose_plan", ["plan_id"], ["id"])
    op.add_column("hold", sa.Column("release_reason", sa.Text(), nullable=False, server_default=""))
    op.alter_column("hold", "release_reason", server_default=None)


def _more_checks() -> None:
    for table, name, condition in (
        ("client", "distance", "distance_km BETWEEN 0 AND 2000"),
        ("decision", "kind", "kind IN ('grant', 'one_off', 'suspension', 'by_law')"),
        ("decision", "a_person_or_the_law", "(kind = 'by_law') = (decided_by IS NULL)"),
        ("decision", "consecutive", "consecutive BETWEEN 0 AND 28"),
        ("decision", "weekdays", "weekdays <@ ARRAY[0, 1, 2, 3, 4, 5, 6]::smallint[]"),
        ("decision", "suspension_is_reviewed", "kind <> 'suspension' OR review_on IS NOT NULL"),
        (
            "decision",
            "one_off_has_occasion",
            "kind <> 'one_off' OR (occasion IN ('travel', 'holiday', 'illness', 'closure', 'work', 'other')"
            " AND NOT upper_inf(days))",
        ),
        ("decision", "naloxone", "naloxone IN ('given', 'declined', 'has_one')"),
        (
            "dose_order",
            "places",
            "cardinality(places) = cardinality(portions) AND places <@ ARRAY['supervised', 'take_home']",
        ),
    ):
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    op.drop_constraint(op.f("ck_register_line_kind"), "register_line", type_="check")
    op.create_check_constraint(op.f("ck_register_line_kind"), "register_line", _REGISTER_KINDS)
