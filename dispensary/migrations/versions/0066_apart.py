"""What both servers did for one client and day stays in both, and what neither could know is told at the centre."""

from alembic import op

from dispensary.migrations.apart_arrivals import ANEW, AS_BEFORE

revision = "0066_apart"
down_revision = "0064_calls_heard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in ANEW:
        op.execute(statement)


def downgrade() -> None:
    for statement in AS_BEFORE:
        op.execute(statement)
