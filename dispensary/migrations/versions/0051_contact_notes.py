"""Contacts with a client outside the counter, as a peer worker notes them."""

from alembic import op

from dispensary.migrations.walls import walled_by_both

revision = "0051_contact_notes"
down_revision = "0051_entry_walls"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE contact_note (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    account_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    reached BOOLEAN NOT NULL,
    words_sealed BYTEA NOT NULL,
    CONSTRAINT pk_contact_note PRIMARY KEY (id),
    CONSTRAINT fk_contact_note_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_contact_note_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_contact_note_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE INDEX ix_contact_note_client_id_at ON contact_note (client_id, at);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON contact_note FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON contact_note FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(walled_by_both("contact_note"))


def downgrade() -> None:
    op.execute("DROP TABLE contact_note;")
