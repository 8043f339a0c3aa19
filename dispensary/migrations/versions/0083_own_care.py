"""Schedules, offers and pathways of a programme's own, beside those that come with the program."""

from alembic import op

from dispensary.migrations.walls import open_to_all_sites

revision = "0083_own_care"
down_revision = "0085_by_client"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE care_document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    words TEXT NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_care_document PRIMARY KEY (kind, key),
    CONSTRAINT ck_care_document_kind CHECK (kind IN ('plan', 'offer', 'pathway')),
    CONSTRAINT ck_care_document_key CHECK (key <> '')
);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON care_document
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON care_document
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(open_to_all_sites("care_document"))


def downgrade() -> None:
    op.execute("DROP TABLE care_document")
