"""Bottles reported lost, stolen or damaged; a second check before handing over; bottles called back at random."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_losses"
down_revision = "0012_outage"
branch_labels = None
depends_on = None

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

_GUARDS = f"""
CREATE FUNCTION bottle_report_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What was told stays as it was told; and once: what was decided.
    IF TG_OP = 'DELETE' OR OLD.decided_at IS NOT NULL
       OR to_jsonb(NEW) - '{{decision,said,decided_by,decided_at}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{decision,said,decided_by,decided_at}}'::text[] THEN
        RAISE EXCEPTION 'a report is kept, and decided once' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_report_is_kept BEFORE UPDATE OR DELETE ON bottle_report
    FOR EACH ROW EXECUTE FUNCTION bottle_report_is_kept();

CREATE FUNCTION reported_bottle_is_lost() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF the_bottle.state <> 'lost' OR the_bottle.dose_id IS NULL
       OR the_bottle.client_id IS DISTINCT FROM (SELECT client_id FROM bottle_report WHERE id = NEW.report_id) THEN
        RAISE EXCEPTION 'a report is about bottles that the client had' {_REFUSE} 'reported_bottle_is_lost';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reported_bottle_is_lost BEFORE INSERT ON reported_bottle
    FOR EACH ROW EXECUTE FUNCTION reported_bottle_is_lost();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON reported_bottle
    FOR EACH ROW EXECUTE FUNCTION never_changed();

CREATE FUNCTION bottle_is_checked_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF NEW.state = 'checked' AND (NEW.account_id IS NULL OR NEW.account_id = the_bottle.packed_by) THEN
        RAISE EXCEPTION 'whoever packed a bottle does not check it' {_REFUSE} 'bottle_checked_by_another';
    END IF;
    IF NEW.state IN ('handed_over', 'out') AND the_bottle.state = 'prepared' AND EXISTS (SELECT 1 FROM packing_setting
       WHERE site_id = the_bottle.site_id AND second_check) THEN
        RAISE EXCEPTION 'a bottle is checked before it leaves' {_REFUSE} 'bottle_checked_first';
    END IF;
    RETURN NEW;
END $$;
-- Before bottle_event_moves_bottle, by its name: it looks at the state that the bottle comes from.
CREATE TRIGGER bottle_event_checked BEFORE INSERT ON bottle_event
    FOR EACH ROW WHEN (NEW.state IN ('checked', 'handed_over', 'out')) EXECUTE FUNCTION bottle_is_checked_by_another();
"""


def upgrade() -> None:
    _new_tables()
    op.alter_column("recall", "called_by", existing_type=sa.Uuid(), nullable=True)
    op.execute(_GUARDS)


def _new_tables() -> None:
    op.create_table(
        "bottle_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("police_number", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by IS NULL)"
            " AND (decision IS NULL) = (said = '')",
            name=op.f("ck_bottle_report_decided_whole"),
        ),
        sa.CheckConstraint("decision IN ('stays', 'given_again')", name=op.f("ck_bottle_report_decision")),
        sa.CheckConstraint("told <> ''", name=op.f("ck_bottle_report_told")),
        sa.CheckConstraint("what IN ('lost', 'stolen', 'damaged')", name=op.f("ck_bottle_report_what")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_bottle_report_client_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["account.id"], name=op.f("fk_bottle_report_decided_by")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_bottle_report_recorded_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_bottle_report_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bottle_report")),
        sa.UniqueConstraint("site_id", "key", name=op.f("uq_bottle_report_site_id_key")),
    )
    op.create_index(op.f("ix_bottle_report_client_id"), "bottle_report", ["client_id"], unique=False)
    op.create_index(
        "ix_bottle_report_open",
        "bottle_report",
        ["site_id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "reported_bottle",
        sa.Column("bottle_id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["bottle_id"], ["bottle.id"], name=op.f("fk_reported_bottle_bottle_id")),
        sa.ForeignKeyConstraint(["report_id"], ["bottle_report.id"], name=op.f("fk_reported_bottle_report_id")),
        sa.PrimaryKeyConstraint("bottle_id", name=op.f("pk_reported_bottle")),
    )
    op.create_index(op.f("ix_reported_bottle_report_id"), "reported_bottle", ["report_id"], unique=False)
    op.create_table(
        "packing_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("second_check", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_packing_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_packing_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_packing_setting")),
    )
    op.create_table(
        "recall_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("from_bottles", sa.SmallInteger(), nullable=False),
        sa.Column("per_year", sa.SmallInteger(), nullable=False),
        sa.Column("within_days", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source <> ''", name=op.f("ck_recall_setting_source")),
        sa.CheckConstraint("from_bottles BETWEEN 1 AND 28", name=op.f("ck_recall_setting_from_bottles")),
        sa.CheckConstraint("per_year BETWEEN 1 AND 12", name=op.f("ck_recall_setting_per_year")),
        sa.CheckConstraint("within_days BETWEEN 1 AND 7", name=op.f("ck_recall_setting_within_days")),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_recall_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_recall_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_recall_setting")),
    )
