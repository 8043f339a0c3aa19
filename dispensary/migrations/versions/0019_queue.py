"""The queue by a rule that a site sets, calls that are counted, and devices that stand in the waiting room."""

from alembic import op

revision = "0019_queue"
down_revision = "0018_in_date"
branch_labels = None
depends_on = None

_SETTING = """
CREATE TABLE queue_setting (
    place_id UUID NOT NULL,
    walk_in_minutes SMALLINT NOT NULL,
    back_minutes SMALLINT NOT NULL,
    most_skips SMALLINT NOT NULL,
    missed_in_a_row SMALLINT NOT NULL,
    groups JSONB NOT NULL,
    windows JSONB NOT NULL,
    CONSTRAINT pk_queue_setting PRIMARY KEY (place_id),
    CONSTRAINT fk_queue_setting_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_queue_setting_walk_in_minutes CHECK (walk_in_minutes BETWEEN 0 AND 240),
    CONSTRAINT ck_queue_setting_back_minutes CHECK (back_minutes BETWEEN 0 AND 60),
    CONSTRAINT ck_queue_setting_most_skips CHECK (most_skips BETWEEN 1 AND 9),
    CONSTRAINT ck_queue_setting_missed_in_a_row CHECK (missed_in_a_row BETWEEN 1 AND 30)
);
"""

# Whoever was called before had one call, and stands where they were called to; an ended visit takes no more changes,
# so that its columns get their meaning from the default of the statement that adds them and not from an UPDATE.
_VISIT = """
ALTER TABLE visit
    ADD COLUMN group_word TEXT NOT NULL DEFAULT '',
    ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN calls SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN last_called_at TIMESTAMPTZ,
    ADD COLUMN skips SMALLINT NOT NULL DEFAULT 0,
    ADD COLUMN back_at TIMESTAMPTZ,
    ADD COLUMN aside_at TIMESTAMPTZ,
    ADD COLUMN left_unserved BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE visit DISABLE TRIGGER tr_visit_goes_forward;
UPDATE visit SET calls = 1, last_called_at = called_at, at_window = coalesce(at_window, 1) WHERE called_at IS NOT NULL;
ALTER TABLE visit ENABLE TRIGGER tr_visit_goes_forward;
ALTER TABLE visit
    ALTER COLUMN group_word DROP DEFAULT,
    ALTER COLUMN priority DROP DEFAULT,
    ALTER COLUMN calls DROP DEFAULT,
    ALTER COLUMN skips DROP DEFAULT,
    ALTER COLUMN left_unserved DROP DEFAULT,
    ADD CONSTRAINT ck_visit_priority CHECK (priority BETWEEN 0 AND 480),
    ADD CONSTRAINT ck_visit_skips_within_calls CHECK (calls >= 0 AND skips BETWEEN 0 AND calls),
    ADD CONSTRAINT ck_visit_called_when_counted CHECK ((calls > 0) = (last_called_at IS NOT NULL)),
    ADD CONSTRAINT ck_visit_aside_at_no_window CHECK (aside_at IS NULL OR at_window IS NULL),
    ADD CONSTRAINT ck_visit_left_has_ended CHECK (NOT left_unserved OR ended_at IS NOT NULL);
DROP INDEX ix_visit_waiting;
CREATE INDEX ix_visit_waiting ON visit (place_id, day)
    WHERE at_window IS NULL AND started_at IS NULL AND ended_at IS NULL AND aside_at IS NULL;
"""

_CALLS = """
CREATE FUNCTION visit_calls_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.calls < OLD.calls OR NEW.skips < OLD.skips OR NEW.calls > OLD.calls + 1 OR NEW.skips > OLD.skips + 1
        OR (NEW.last_called_at IS DISTINCT FROM OLD.last_called_at AND NEW.calls = OLD.calls)
    THEN
        RAISE EXCEPTION 'calls of a visit are counted, and never taken back'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_visit_calls_are_counted';
    END IF;
    IF OLD.at_window IS NOT NULL AND NEW.at_window IS DISTINCT FROM OLD.at_window AND NEW.at_window IS NOT NULL
        AND NEW.calls = OLD.calls AND OLD.started_at IS NOT NULL
    THEN
        RAISE EXCEPTION 'who is served at one window is not served at another'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_visit_calls_are_counted';
    END IF;
    IF OLD.started_at IS NOT NULL AND (NEW.calls, NEW.skips, NEW.aside_at) IS DISTINCT FROM
        (OLD.calls, OLD.skips, OLD.aside_at)
    THEN
        RAISE EXCEPTION 'who is being served is not called or skipped'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_visit_calls_are_counted';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_visit_calls_are_counted BEFORE UPDATE ON visit
    FOR EACH ROW EXECUTE FUNCTION visit_calls_are_counted();
"""

_DEVICE = """
CREATE TABLE device (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    token_digest BYTEA NOT NULL,
    bound_by UUID,
    bound_at TIMESTAMPTZ NOT NULL,
    ended_by UUID,
    ended_at TIMESTAMPTZ,
    CONSTRAINT pk_device PRIMARY KEY (id),
    CONSTRAINT fk_device_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT fk_device_bound_by FOREIGN KEY (bound_by) REFERENCES account (id),
    CONSTRAINT fk_device_ended_by FOREIGN KEY (ended_by) REFERENCES account (id),
    CONSTRAINT uq_device_token_digest UNIQUE (token_digest),
    CONSTRAINT ck_device_kind CHECK (kind IN ('kiosk', 'screen'))
);
CREATE INDEX ix_device_site_id ON device (site_id) WHERE ended_at IS NULL;
"""


def upgrade() -> None:
    op.execute(_SETTING)
    op.execute(_VISIT)
    op.execute(_CALLS)
    op.execute(_DEVICE)


def downgrade() -> None:
    op.execute("DROP TABLE device, queue_setting")
    op.execute("DROP TRIGGER tr_visit_calls_are_counted ON visit")
    op.execute("DROP FUNCTION visit_calls_are_counted()")
    op.execute("DROP INDEX ix_visit_waiting")
    op.execute("""ALTER TABLE visit DROP COLUMN group_word, DROP COLUMN priority, DROP COLUMN calls,
        DROP COLUMN last_called_at, DROP COLUMN skips, DROP COLUMN back_at, DROP COLUMN aside_at,
        DROP COLUMN left_unserved""")
    op.execute("""CREATE INDEX ix_visit_waiting ON visit (place_id, day)
        WHERE called_at IS NULL AND started_at IS NULL AND ended_at IS NULL""")
