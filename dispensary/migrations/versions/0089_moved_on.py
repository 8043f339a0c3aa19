"""Whoever moves to another site is looked after by nobody of the one before, also where an older program moves them.

An older program knows one of those who look after a client, and ends that one alone.
"""

from alembic import op

revision = "0089_moved_on"
down_revision = "0083b_given_outside"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # At the end of the unit: a newer program has ended them by then, and said who did it.
    op.execute("""
CREATE FUNCTION nobody_of_the_site_before() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE looked_after SET ended_at = clock_timestamp() WHERE client_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER nobody_of_the_site_before AFTER UPDATE OF site_id ON client
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.site_id IS DISTINCT FROM NEW.site_id)
    EXECUTE FUNCTION nobody_of_the_site_before()""")


def downgrade() -> None:
    op.execute("DROP TRIGGER nobody_of_the_site_before ON client; DROP FUNCTION nobody_of_the_site_before()")
