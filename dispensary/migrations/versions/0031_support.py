"""Adherence support is on record; what was said of a medicine's start is over when it has stopped."""

from alembic import op

revision = "0031_support"
down_revision = "0030_refills"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE adherence_support (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    on_day DATE NOT NULL,
    kind TEXT NOT NULL,
    note TEXT NOT NULL,
    source_key TEXT NOT NULL,
    given_by UUID,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voided_at TIMESTAMP WITH TIME ZONE,
    voided_by UUID,
    void_reason TEXT NOT NULL,
    CONSTRAINT pk_adherence_support PRIMARY KEY (id),
    CONSTRAINT uq_adherence_support_client_id_source_key UNIQUE (client_id, source_key),
    CONSTRAINT ck_adherence_support_kind CHECK (kind IN ('counselling', 'peer', 'reminders', 'together')),
    CONSTRAINT ck_adherence_support_taken_back_with_reason CHECK ((voided_at IS NULL) = (void_reason = '')),
    CONSTRAINT ck_adherence_support_taken_back_by_somebody CHECK (voided_at IS NOT NULL OR voided_by IS NULL),
    CONSTRAINT fk_adherence_support_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_adherence_support_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_adherence_support_given_by FOREIGN KEY(given_by) REFERENCES account (id),
    CONSTRAINT fk_adherence_support_voided_by FOREIGN KEY(voided_by) REFERENCES account (id)
);
CREATE INDEX ix_adherence_support_client_id_on_day ON adherence_support (client_id, on_day);
CREATE INDEX ix_adherence_support_site_id ON adherence_support (site_id);
"""

# Support is never changed; it can be taken back, once.
_GUARDS = """
CREATE FUNCTION support_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR NEW.voided_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.on_day, NEW.kind, NEW.note, NEW.source_key, NEW.given_at)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.on_day, OLD.kind, OLD.note, OLD.source_key, OLD.given_at)
        OR NEW.given_by IS DISTINCT FROM OLD.given_by THEN
        RAISE EXCEPTION 'support is taken back once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER support_is_kept BEFORE UPDATE OR DELETE ON adherence_support
    FOR EACH ROW EXECUTE FUNCTION support_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON adherence_support
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

# From now on this is done when the medicine stops; what stopped before is caught up with.
_OVER = """
UPDATE alert SET resolved_at = greatest(opened_at, now()), resolution = 'The medicine was stopped.'
FROM medication
WHERE alert.resolved_at IS NULL AND alert.cause = 'start ' || medication.id AND medication.stopped_on IS NOT NULL
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)
    op.execute(_OVER)


def downgrade() -> None:
    op.execute("DROP TABLE adherence_support; DROP FUNCTION support_is_kept();")
