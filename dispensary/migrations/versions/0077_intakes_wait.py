"""Whoever came from outside and is heard no more of: after how many days that is long, and what is let go at night."""

from alembic import op

revision = "0077_intakes_wait"
down_revision = "0076_intake_consents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
ALTER TABLE care_setting ADD COLUMN intake_days SMALLINT DEFAULT 14 NOT NULL,
    ADD CONSTRAINT ck_care_setting_intake_days CHECK (intake_days BETWEEN 1 AND 365);
ALTER TABLE intake DROP CONSTRAINT ck_intake_outcome, DROP CONSTRAINT ck_intake_closed_by_somebody,
    ADD CONSTRAINT ck_intake_outcome
        CHECK (outcome IN ('', 'enrolled', 'elsewhere', 'not_wanted', 'not_reached', 'lapsed')),
    ADD CONSTRAINT ck_intake_closed_by_somebody CHECK ((closed_by IS NULL) = (outcome IN ('', 'lapsed')))
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE care_setting DROP COLUMN intake_days;
ALTER TABLE intake DROP CONSTRAINT ck_intake_outcome, DROP CONSTRAINT ck_intake_closed_by_somebody,
    ADD CONSTRAINT ck_intake_outcome CHECK (outcome IN ('', 'enrolled', 'elsewhere', 'not_wanted', 'not_reached')),
    ADD CONSTRAINT ck_intake_closed_by_somebody CHECK ((closed_at IS NULL) = (closed_by IS NULL))
""")
