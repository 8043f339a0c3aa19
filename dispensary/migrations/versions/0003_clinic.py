"""The clinic's tables, and the triggers that hold what never breaks whoever writes to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.guards import GUARDS

revision = "0003_clinic"
down_revision = "0002_notifications"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("initials", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("username", name=op.f("uq_account_username")),
    )
    op.create_table(
        "job_run",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("job", "slot", name=op.f("pk_job_run")),
    )
    op.create_table(
        "policy_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
        sa.UniqueConstraint("policy", "version", name=op.f("uq_policy_version_policy_version")),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", postgresql.BYTEA(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index(op.f("ix_sign_in_attempt_subject_at"), "sign_in_attempt", ["subject", "at"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("day_starts", sa.Time(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("prescriber_phone", sa.Text(), nullable=False),
        sa.Column("jump_percent", sa.SmallInteger(), nullable=False),
        sa.Column("jump_mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("missed_days_ask", sa.SmallInteger(), nullable=False),
        sa.Column("tolerance_ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("code ~ '^[A-Z0-9-]{1,12}$'", name=op.f("ck_site_code")),
        sa.CheckConstraint("jump_percent BETWEEN 1 AND 100 AND jump_mg > 0", name=op.f("ck_site_jump_guard")),
        sa.CheckConstraint("missed_days_ask BETWEEN 1 AND 5", name=op.f("ck_site_missed_days_ask")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("code", name=op.f("uq_site_code")),
    )
    op.create_table(
        "audit_chain",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_audit_chain_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_audit_chain")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_audit_entry_account_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_audit_entry_site_id")),
        sa.PrimaryKeyConstraint("site_id", "seq", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_subject_id_at"), "audit_entry", ["subject_id", "at"], unique=False)
    op.create_table(
        "client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("born_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("national_id_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("photo_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("second_identifier_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("birth_year", sa.SmallInteger(), nullable=True),
        sa.Column("lockbox", sa.Boolean(), nullable=True),
        sa.Column("housing_stable", sa.Boolean(), nullable=True),
        sa.Column("employed", sa.Boolean(), nullable=True),
        sa.Column("health_stable", sa.Boolean(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sex IN ('female', 'male', 'other', 'unknown')", name=op.f("ck_client_sex")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_client_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("site_id", "number", name=op.f("uq_client_site_id_number")),
    )
    op.create_table(
        "day_close",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("observed", sa.Integer(), nullable=False),
        sa.Column("taken_home", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("unclaimed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_day_close_closed_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_day_close_site_id")),
        sa.PrimaryKeyConstraint("site_id", "dose_day", name=op.f("pk_day_close")),
    )
    op.create_table(
        "pass_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_pass_attempt_account_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pass_attempt_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pass_attempt")),
    )
    op.create_index(op.f("ix_pass_attempt_site_id_at"), "pass_attempt", ["site_id", "at"], unique=False)
    op.create_table(
        "policy_adoption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("policy_version_id", sa.Uuid(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("adopted_by", sa.Uuid(), nullable=True),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("site_id"), "="), (sa.column("days"), "&&"), using="gist", name="policy_adoption_no_overlap"
        ),
        sa.ForeignKeyConstraint(["adopted_by"], ["account.id"], name=op.f("fk_policy_adoption_adopted_by")),
        sa.ForeignKeyConstraint(
            ["policy_version_id"], ["policy_version.id"], name=op.f("fk_policy_adoption_policy_version_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_policy_adoption_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_adoption")),
    )
    op.create_table(
        "register_book",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_register_book_balance_not_negative")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_register_book_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_book")),
        sa.UniqueConstraint("site_id", "product", name=op.f("uq_register_book_site_id_product")),
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_role_grant_account_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_role_grant_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint("account_id", "site_id", "role", name=op.f("uq_role_grant_account_id_site_id_role")),
    )
    op.create_table(
        "sign_in",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_sign_in_account_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_sign_in_site_id")),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_sign_in")),
    )
    op.create_index(op.f("ix_sign_in_account_id"), "sign_in", ["account_id"], unique=False)
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.CheckConstraint("resolved_at IS NULL OR resolution <> ''", name=op.f("ck_alert_resolved_with_reason")),
        sa.CheckConstraint("severity IN ('info', 'warning', 'urgent')", name=op.f("ck_alert_severity")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_alert_client_id")),
        sa.ForeignKeyConstraint(["resolved_by"], ["account.id"], name=op.f("fk_alert_resolved_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_alert_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        "ix_alert_open_site",
        "alert",
        ["site_id", "role"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "uq_alert_open_cause",
        "alert",
        ["client_id", "cause"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "client_condition",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("noted_on", sa.Date(), nullable=False),
        sa.Column("noted_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('hiv', 'hepatitis_b', 'hepatitis_c', 'tuberculosis')", name=op.f("ck_client_condition_kind")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_condition_client_id")),
        sa.ForeignKeyConstraint(["noted_by"], ["account.id"], name=op.f("fk_client_condition_noted_by")),
        sa.PrimaryKeyConstraint("client_id", "kind", name=op.f("pk_client_condition")),
    )
    op.create_table(
        "client_index",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_index_client_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_client_index_site_id")),
        sa.PrimaryKeyConstraint("client_id", "digest", "kind", name=op.f("pk_client_index")),
    )
    op.create_index(op.f("ix_client_index_site_id_digest"), "client_index", ["site_id", "digest"], unique=False)
    op.create_table(
        "episode",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("enrolled_by", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("client_id"), "="),
            (sa.text("daterange(began_on, ended_on, '[)')"), "&&"),
            using="gist",
            name="episode_no_overlap",
        ),
        sa.CheckConstraint("(ended_on IS NULL) = (exit_reason IS NULL)", name=op.f("ck_episode_exit_has_reason")),
        sa.CheckConstraint("ended_on >= began_on", name=op.f("ck_episode_ends_after_it_began")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_episode_client_id")),
        sa.ForeignKeyConstraint(["enrolled_by"], ["account.id"], name=op.f("fk_episode_enrolled_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_episode_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episode")),
    )
    op.create_index(op.f("ix_episode_client_id"), "episode", ["client_id"], unique=False)
    op.create_index(op.f("ix_episode_site_id"), "episode", ["site_id"], unique=False)
    op.create_table(
        "lot",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("book_id", sa.Uuid(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("strength", sa.Numeric(precision=7, scale=3), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("bottled", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_lot_balance_not_negative")),
        sa.CheckConstraint("bottled BETWEEN 0 AND balance", name=op.f("ck_lot_bottled_is_there")),
        sa.CheckConstraint("strength > 0", name=op.f("ck_lot_strength")),
        sa.ForeignKeyConstraint(["book_id"], ["register_book.id"], name=op.f("fk_lot_book_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_lot_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint("site_id", "batch", name=op.f("uq_lot_site_id_batch")),
    )
    op.create_index(op.f("ix_lot_book_id"), "lot", ["book_id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("policy_version_id", sa.Uuid(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("inputs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inputs_sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_assessment_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_assessment_episode_id")),
        sa.ForeignKeyConstraint(["made_by"], ["account.id"], name=op.f("fk_assessment_made_by")),
        sa.ForeignKeyConstraint(
            ["policy_version_id"], ["policy_version.id"], name=op.f("fk_assessment_policy_version_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_assessment_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index(op.f("ix_assessment_client_id_on_day"), "assessment", ["client_id", "on_day"], unique=False)
    op.create_table(
        "dose_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("portions", postgresql.ARRAY(sa.Numeric(precision=7, scale=2)), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ordered_by", sa.Uuid(), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("episode_id"), "="),
            (sa.column("days"), "&&"),
            where=sa.text("voided_at IS NULL"),
            using="gist",
            name="dose_order_no_overlap",
        ),
        sa.CheckConstraint(
            "end_reason IN ('superseded', 'stopped', 'as_written', 'exit')", name=op.f("ck_dose_order_end_reason")
        ),
        sa.CheckConstraint("(end_reason IS NULL) = (ended_at IS NULL)", name=op.f("ck_dose_order_end_has_moment")),
        sa.CheckConstraint("NOT isempty(days) AND NOT lower_inf(days)", name=op.f("ck_dose_order_days")),
        sa.CheckConstraint("cardinality(portions) BETWEEN 1 AND 4", name=op.f("ck_dose_order_portions")),
        sa.CheckConstraint("mg > 0", name=op.f("ck_dose_order_mg")),
        sa.CheckConstraint("upper_inf(days) OR end_reason IS NOT NULL", name=op.f("ck_dose_order_end_has_reason")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_dose_order_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_dose_order_episode_id")),
        sa.ForeignKeyConstraint(["ordered_by"], ["account.id"], name=op.f("fk_dose_order_ordered_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_dose_order_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose_order")),
    )
    op.create_index(op.f("ix_dose_order_client_id"), "dose_order", ["client_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_hold_has_reason")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_hold_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_hold_episode_id")),
        sa.ForeignKeyConstraint(["placed_by"], ["account.id"], name=op.f("fk_hold_placed_by")),
        sa.ForeignKeyConstraint(["released_by"], ["account.id"], name=op.f("fk_hold_released_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_client_id"), "hold", ["client_id"], unique=False)
    op.create_table(
        "pickup",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("collect_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('prepared', 'collected', 'unclaimed', 'cancelled')", name=op.f("ck_pickup_state")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_pickup_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_pickup_episode_id")),
        sa.ForeignKeyConstraint(["prepared_by"], ["account.id"], name=op.f("fk_pickup_prepared_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pickup_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pickup")),
    )
    op.create_index(op.f("ix_pickup_site_id_collect_on"), "pickup", ["site_id", "collect_on"], unique=False)
    op.create_index(
        "uq_pickup_open",
        "pickup",
        ["client_id", "collect_on"],
        unique=True,
        postgresql_where=sa.text("state = 'prepared'"),
    )
    op.create_table(
        "register_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("book_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("consumed_ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("taken_home_ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("balance", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("lot_balance", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("supply_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'corrected') = (corrects_id IS NOT NULL)", name=op.f("ck_register_line_corrects_a_line")
        ),
        sa.CheckConstraint("(kind = 'note') = (ml = 0)", name=op.f("ck_register_line_moves_or_notes")),
        sa.CheckConstraint(
            "kind <> 'destroyed' OR second_id IS NOT NULL", name=op.f("ck_register_line_destroyed_by_two")
        ),
        sa.CheckConstraint(
            "kind <> 'supplied' OR supply_id IS NOT NULL", name=op.f("ck_register_line_supplied_to_somebody")
        ),
        sa.CheckConstraint(
            "kind IN ('received', 'supplied') OR reason <> ''", name=op.f("ck_register_line_has_reason")
        ),
        sa.CheckConstraint(
            "kind IN ('received', 'supplied', 'corrected', 'counted', 'destroyed', 'note')",
            name=op.f("ck_register_line_kind"),
        ),
        sa.CheckConstraint("second_id <> account_id", name=op.f("ck_register_line_two_are_two")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_register_line_account_id")),
        sa.ForeignKeyConstraint(["book_id"], ["register_book.id"], name=op.f("fk_register_line_book_id")),
        sa.ForeignKeyConstraint(["corrects_id"], ["register_line.id"], name=op.f("fk_register_line_corrects_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_register_line_lot_id")),
        sa.ForeignKeyConstraint(["second_id"], ["account.id"], name=op.f("fk_register_line_second_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_line")),
        sa.UniqueConstraint("book_id", "seq", name=op.f("uq_register_line_book_id_seq")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_register_line_corrects_id")),
    )
    op.create_index(op.f("ix_register_line_book_id_dose_day"), "register_line", ["book_id", "dose_day"], unique=False)
    op.create_index(op.f("ix_register_line_lot_id"), "register_line", ["lot_id"], unique=False)
    op.create_index(op.f("ix_register_line_supply_id"), "register_line", ["supply_id"], unique=False)
    op.create_table(
        "stock_count",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("measured", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("difference", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("difference = 0 OR reason <> ''", name=op.f("ck_stock_count_difference_has_reason")),
        sa.CheckConstraint("difference = measured - expected", name=op.f("ck_stock_count_difference")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_stock_count_account_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_stock_count_lot_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_stock_count_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_count")),
    )
    op.create_index(op.f("ix_stock_count_site_id_dose_day"), "stock_count", ["site_id", "dose_day"], unique=False)
    op.create_table(
        "day_outcome",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("portion", sa.SmallInteger(), nullable=False),
        sa.Column("portions", sa.SmallInteger(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("ordered_mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("given_mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('observed', 'take_home', 'missed', 'held')", name=op.f("ck_day_outcome_outcome")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_day_outcome_client_id")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_day_outcome_episode_id")),
        sa.ForeignKeyConstraint(["order_id"], ["dose_order.id"], name=op.f("fk_day_outcome_order_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_day_outcome_site_id")),
        sa.PrimaryKeyConstraint("client_id", "dose_day", "portion", name=op.f("pk_day_outcome")),
    )
    op.create_index(op.f("ix_day_outcome_site_id_dose_day"), "day_outcome", ["site_id", "dose_day"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("assessment_id", sa.Uuid(), nullable=False),
        sa.Column("days", postgresql.DATERANGE(), nullable=False),
        sa.Column("per_supply", sa.SmallInteger(), nullable=False),
        sa.Column("per_week", sa.SmallInteger(), nullable=True),
        sa.Column("closed_days_apart", sa.Boolean(), nullable=False),
        sa.Column("differs", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("episode_id"), "="),
            (sa.column("days"), "&&"),
            where=sa.text("voided_at IS NULL"),
            using="gist",
            name="decision_no_overlap",
        ),
        sa.CheckConstraint("NOT differs OR reason <> ''", name=op.f("ck_decision_difference_has_reason")),
        sa.CheckConstraint("per_supply BETWEEN 0 AND 28", name=op.f("ck_decision_per_supply")),
        sa.CheckConstraint("per_week BETWEEN 0 AND 7", name=op.f("ck_decision_per_week")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_decision_assessment_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_decision_client_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["account.id"], name=op.f("fk_decision_decided_by")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_decision_episode_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_decision_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_client_id"), "decision", ["client_id"], unique=False)
    op.create_table(
        "pickup_pass",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("pickup_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", postgresql.BYTEA(), nullable=False),
        sa.Column("code_digest", postgresql.BYTEA(), nullable=False),
        sa.Column("issued_by", sa.Uuid(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("end_reason IN ('redeemed', 'revoked', 'expired')", name=op.f("ck_pickup_pass_end_reason")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_pickup_pass_end_has_reason")),
        sa.ForeignKeyConstraint(["issued_by"], ["account.id"], name=op.f("fk_pickup_pass_issued_by")),
        sa.ForeignKeyConstraint(["pickup_id"], ["pickup.id"], name=op.f("fk_pickup_pass_pickup_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pickup_pass_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pickup_pass")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_pickup_pass_token_digest")),
    )
    op.create_index(op.f("ix_pickup_pass_pickup_id"), "pickup_pass", ["pickup_id"], unique=False)
    op.create_index(
        "uq_pickup_pass_live_code",
        "pickup_pass",
        ["site_id", "code_digest"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "supply",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("episode_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("pickup_id", sa.Uuid(), nullable=True),
        sa.Column("identified_by", sa.Text(), nullable=False),
        sa.Column("observation", sa.Text(), nullable=False),
        sa.Column("second_look", sa.Text(), nullable=False),
        sa.Column("dispensed_by", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "identified_by IN ('photo', 'second_identifier', 'import')", name=op.f("ck_supply_identified_by")
        ),
        sa.CheckConstraint("origin IN ('counter', 'import')", name=op.f("ck_supply_origin")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_supply_client_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_supply_decision_id")),
        sa.ForeignKeyConstraint(["dispensed_by"], ["account.id"], name=op.f("fk_supply_dispensed_by")),
        sa.ForeignKeyConstraint(["episode_id"], ["episode.id"], name=op.f("fk_supply_episode_id")),
        sa.ForeignKeyConstraint(["pickup_id"], ["pickup.id"], name=op.f("fk_supply_pickup_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_supply_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply")),
        sa.UniqueConstraint("site_id", "key", name=op.f("uq_supply_site_id_key")),
    )
    op.create_index(op.f("ix_supply_client_id_at"), "supply", ["client_id", "at"], unique=False)
    op.create_index(op.f("ix_supply_site_id_dose_day"), "supply", ["site_id", "dose_day"], unique=False)
    op.create_index(
        "uq_supply_pickup", "supply", ["pickup_id"], unique=True, postgresql_where=sa.text("voided_at IS NULL")
    )
    op.create_table(
        "dose",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("supply_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("portion", sa.SmallInteger(), nullable=False),
        sa.Column("portions", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("lot_id", sa.Uuid(), nullable=True),
        sa.Column("closed_day", sa.Boolean(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('observed', 'take_home')", name=op.f("ck_dose_kind")),
        sa.CheckConstraint("mg > 0", name=op.f("ck_dose_mg")),
        sa.CheckConstraint("portion BETWEEN 1 AND portions AND portions BETWEEN 1 AND 4", name=op.f("ck_dose_portion")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_dose_client_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_dose_lot_id")),
        sa.ForeignKeyConstraint(["order_id"], ["dose_order.id"], name=op.f("fk_dose_order_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_dose_site_id")),
        sa.ForeignKeyConstraint(["supply_id"], ["supply.id"], name=op.f("fk_dose_supply_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose")),
    )
    op.create_index(op.f("ix_dose_site_id_dose_day"), "dose", ["site_id", "dose_day"], unique=False)
    op.create_index(op.f("ix_dose_supply_id"), "dose", ["supply_id"], unique=False)
    op.create_index(
        "uq_dose_covers_once",
        "dose",
        ["client_id", "dose_day", "portion"],
        unique=True,
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    op.create_table(
        "bottle",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("pickup_id", sa.Uuid(), nullable=True),
        sa.Column("dose_id", sa.Uuid(), nullable=True),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("portion", sa.SmallInteger(), nullable=False),
        sa.Column("portions", sa.SmallInteger(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("packed_by", sa.Uuid(), nullable=False),
        sa.Column("packed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'handed_over') = (dose_id IS NOT NULL)", name=op.f("ck_bottle_handed_over_is_a_dose")
        ),
        sa.CheckConstraint("state IN ('prepared', 'handed_over', 'back_in_stock')", name=op.f("ck_bottle_state")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_bottle_client_id")),
        sa.ForeignKeyConstraint(["dose_id"], ["dose.id"], name=op.f("fk_bottle_dose_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_bottle_lot_id")),
        sa.ForeignKeyConstraint(["order_id"], ["dose_order.id"], name=op.f("fk_bottle_order_id")),
        sa.ForeignKeyConstraint(["packed_by"], ["account.id"], name=op.f("fk_bottle_packed_by")),
        sa.ForeignKeyConstraint(["pickup_id"], ["pickup.id"], name=op.f("fk_bottle_pickup_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_bottle_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bottle")),
        sa.UniqueConstraint("serial", name=op.f("uq_bottle_serial")),
    )
    op.create_index(op.f("ix_bottle_client_id_dose_day"), "bottle", ["client_id", "dose_day"], unique=False)
    op.create_index(op.f("ix_bottle_pickup_id"), "bottle", ["pickup_id"], unique=False)
    op.create_index(
        "ix_bottle_prepared", "bottle", ["lot_id"], unique=False, postgresql_where=sa.text("state = 'prepared'")
    )
    op.create_index("uq_bottle_dose", "bottle", ["dose_id"], unique=True)

    op.create_foreign_key("fk_register_line_supply_id", "register_line", "supply", ["supply_id"], ["id"])
    for statement in GUARDS:
        op.execute(statement)
