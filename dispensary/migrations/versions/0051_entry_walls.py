"""Invitations and tokens are their person's: whoever closes an account ends them at whichever site they were made."""

from alembic import op

from dispensary.migrations.walls import no_wall, walled_by_account, walled_by_site

revision = "0051_entry_walls"
down_revision = "0046c_legal_demands"
branch_labels = None
depends_on = None

TABLES = ("api_token", "invitation")


def upgrade() -> None:
    for table in TABLES:
        op.execute(no_wall(table))
        op.execute(walled_by_account(table))


def downgrade() -> None:
    for table in TABLES:
        op.execute(no_wall(table))
        op.execute(walled_by_site(table))
