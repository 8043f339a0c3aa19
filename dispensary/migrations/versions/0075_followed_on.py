"""Whoever stays away is followed up again after a site's days, until somebody decides that nobody does."""

from alembic import op

revision = "0075_followed_on"
down_revision = "0074_works_with"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
ALTER TABLE follow_up_setting ADD COLUMN again_days SMALLINT NOT NULL DEFAULT 7,
    ADD CONSTRAINT ck_follow_up_setting_again_days CHECK (again_days BETWEEN 1 AND 60);
ALTER TABLE contact_note ADD COLUMN stops BOOLEAN NOT NULL DEFAULT false;
""")


def downgrade() -> None:
    op.execute("ALTER TABLE contact_note DROP COLUMN stops; ALTER TABLE follow_up_setting DROP COLUMN again_days")
