"""What leaves the programme with a client's name is on a register of its own."""

from alembic import op

revision = "0037_disclosures"
down_revision = "0035_episodes"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE release (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    account_id UUID NOT NULL,
    what TEXT NOT NULL,
    ground TEXT NOT NULL,
    authority_sealed BYTEA NOT NULL,
    recipient_sealed BYTEA NOT NULL,
    reason_sealed BYTEA NOT NULL,
    CONSTRAINT pk_release PRIMARY KEY (id),
    CONSTRAINT ck_release_ground CHECK (ground IN ('consent', 'research', 'audit')),
    CONSTRAINT ck_release_says_what CHECK (what <> ''),
    CONSTRAINT fk_release_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_release_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);
CREATE INDEX ix_release_site_id_at ON release (site_id, at);
CREATE TABLE disclosure (
    release_id UUID NOT NULL,
    client_id UUID NOT NULL,
    CONSTRAINT pk_disclosure PRIMARY KEY (release_id, client_id),
    CONSTRAINT fk_disclosure_release_id FOREIGN KEY(release_id) REFERENCES release (id),
    CONSTRAINT fk_disclosure_client_id FOREIGN KEY(client_id) REFERENCES client (id)
);
CREATE INDEX ix_disclosure_client_id ON disclosure (client_id);
"""

# What was given out cannot be taken back, nor can it be unsaid.
_GUARDS = "\n".join(
    f"""
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""
    for table in ("release", "disclosure")
)


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute("DROP TABLE disclosure; DROP TABLE release")
