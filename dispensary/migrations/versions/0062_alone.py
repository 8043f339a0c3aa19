"""A site may have a server of its own: which, since when, and what is checked of its rows as they arrive."""

from alembic import op

from dispensary.migrations.apart_guards import GONE, GUARDS
from dispensary.migrations.walls import open_to_all_sites

revision = "0062_alone"
down_revision = "0063_lost_texts"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE site_apart (
    site_id UUID NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    known_at TIMESTAMP WITH TIME ZONE NOT NULL,
    whole BOOLEAN NOT NULL,
    warn_after SMALLINT,
    until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_site_apart PRIMARY KEY (site_id, since),
    CONSTRAINT ck_site_apart_goes_forward CHECK (known_at >= since AND until >= since),
    CONSTRAINT ck_site_apart_warn_after CHECK (warn_after BETWEEN 1 AND 60),
    CONSTRAINT fk_site_apart_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE UNIQUE INDEX uq_site_apart_now ON site_apart (site_id) WHERE until IS NULL;
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(open_to_all_sites("site_apart"))
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for guard in GONE:
        op.execute(guard)
    op.execute("DROP TABLE site_apart")
