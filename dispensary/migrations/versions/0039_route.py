"""How somebody came to a stay in treatment, where it was asked."""

from alembic import op

revision = "0039_route"
down_revision = "0038_facts"
branch_labels = None
depends_on = None

_ROUTES = "'self', 'family', 'outreach', 'hospital', 'court', 'police', 'transfer', 'other'"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE episode ADD COLUMN entry_route TEXT,"
        f" ADD CONSTRAINT ck_episode_entry_route CHECK (entry_route IN ({_ROUTES}))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE episode DROP COLUMN entry_route")
