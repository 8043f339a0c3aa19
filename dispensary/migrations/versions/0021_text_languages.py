"""A language of texts that nobody has checked is written only where the site has accepted it."""

import sqlalchemy as sa
from alembic import op

revision = "0021_text_languages"
down_revision = "0020_outbox"
branch_labels = None
depends_on = None

# The house of texts knows recipients and no sites: it asks this, and whoever owns recipients answers.
_LANGUAGE = """
CREATE FUNCTION language_to_write(recipient uuid, asked text, checked text[]) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT CASE
            WHEN asked = ANY (checked) OR EXISTS (
                SELECT FROM text_language t WHERE t.site_id = s.id AND t.language = asked) THEN asked
            WHEN s.language = ANY (checked) OR EXISTS (
                SELECT FROM text_language t WHERE t.site_id = s.id AND t.language = s.language) THEN s.language
            ELSE 'en' END
         FROM client c JOIN site s ON s.id = c.site_id WHERE c.id = recipient),
        asked)
$$;
"""


def upgrade() -> None:
    op.create_table(
        "text_language",
        sa.Column("site_id", sa.Uuid(), sa.ForeignKey("site.id", name="fk_text_language_site_id"), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column(
            "accepted_by", sa.Uuid(), sa.ForeignKey("account.id", name="fk_text_language_accepted_by"), nullable=True
        ),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "language", name="pk_text_language"),
    )
    # A clinic that is at work goes on writing as it did: what its clients read until now it has accepted by that.
    op.execute(
        "INSERT INTO text_language (site_id, language, accepted_at) "
        "SELECT DISTINCT c.site_id, k.language, now() FROM contact k JOIN client c ON c.id = k.recipient_id "
        "WHERE k.language IN ('ms', 'zh_Hans')"
    )
    op.execute(_LANGUAGE)


def downgrade() -> None:
    op.execute("DROP FUNCTION language_to_write(uuid, text, text[])")
    op.drop_table("text_language")
