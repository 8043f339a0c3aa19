"""Jobs that failed are found without reading those that went well: each page asks whether one did."""

import sqlalchemy as sa
from alembic import op

revision = "0014_failed_jobs"
down_revision = "0013_losses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_job_run_began_at", "job_run", ["began_at"], postgresql_where=sa.text("failure <> ''"))


def downgrade() -> None:
    op.drop_index("ix_job_run_began_at", table_name="job_run")
