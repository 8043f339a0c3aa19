"""For how many years a site keeps the record of somebody who has left; a consent may be sealed anew."""

from alembic import op

revision = "0050_erasing"
down_revision = "0046b_consents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""ALTER TABLE site ADD COLUMN keep_years SMALLINT,
        ADD CONSTRAINT ck_site_keep_years CHECK (keep_years BETWEEN 1 AND 100)""")
    op.execute("""DROP TRIGGER consent_is_kept ON consent;
        CREATE TRIGGER consent_is_kept BEFORE UPDATE ON consent FOR EACH ROW
            WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION consent_is_kept();
        CREATE TRIGGER consent_stays BEFORE DELETE ON consent FOR EACH ROW EXECUTE FUNCTION consent_is_kept();""")


def downgrade() -> None:
    op.execute("""DROP TRIGGER consent_stays ON consent;
        DROP TRIGGER consent_is_kept ON consent;
        CREATE TRIGGER consent_is_kept BEFORE UPDATE OR DELETE ON consent
            FOR EACH ROW EXECUTE FUNCTION consent_is_kept();
        ALTER TABLE site DROP COLUMN keep_years""")
