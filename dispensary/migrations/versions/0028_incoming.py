"""Results come in by file: how a laboratory writes them, and what was done with each file."""

from alembic import op

revision = "0028_incoming"
down_revision = "0027_wishes"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE result_mapping (
    laboratory_id UUID NOT NULL,
    document JSONB NOT NULL,
    set_by UUID,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_result_mapping PRIMARY KEY (laboratory_id),
    CONSTRAINT fk_result_mapping_laboratory_id FOREIGN KEY(laboratory_id) REFERENCES laboratory (id),
    CONSTRAINT fk_result_mapping_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);

CREATE TABLE result_file (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    laboratory_id UUID NOT NULL,
    format TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    content_sealed BYTEA,
    uploaded_by UUID,
    uploaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_by UUID,
    closed_at TIMESTAMP WITH TIME ZONE,
    taken INTEGER,
    left_out JSONB NOT NULL,
    CONSTRAINT pk_result_file PRIMARY KEY (id),
    CONSTRAINT ck_result_file_format CHECK (format IN ('csv', 'fhir', 'hl7')),
    CONSTRAINT ck_result_file_content_until_closed CHECK ((closed_at IS NULL) = (content_sealed IS NOT NULL)),
    CONSTRAINT ck_result_file_taken_when_closed CHECK (closed_at IS NOT NULL OR taken IS NULL),
    CONSTRAINT ck_result_file_taken CHECK (taken >= 0),
    CONSTRAINT fk_result_file_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_result_file_laboratory_id FOREIGN KEY(laboratory_id) REFERENCES laboratory (id),
    CONSTRAINT fk_result_file_uploaded_by FOREIGN KEY(uploaded_by) REFERENCES account (id),
    CONSTRAINT fk_result_file_closed_by FOREIGN KEY(closed_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_result_file_waiting ON result_file (laboratory_id, digest) WHERE closed_at IS NULL;
CREATE INDEX ix_result_file_site_id_uploaded_at ON result_file (site_id, uploaded_at);
"""

# A file is closed once, and what was written of it then stays.
_GUARDS = """
CREATE FUNCTION result_file_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.laboratory_id, NEW.format, NEW.digest, NEW.uploaded_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.laboratory_id, OLD.format, OLD.digest, OLD.uploaded_at) THEN
        RAISE EXCEPTION 'a file of results is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER result_file_is_kept BEFORE UPDATE OR DELETE ON result_file
    FOR EACH ROW EXECUTE FUNCTION result_file_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON result_file FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute("DROP TABLE result_file, result_mapping; DROP FUNCTION result_file_is_kept();")
