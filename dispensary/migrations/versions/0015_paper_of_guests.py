"""What home gave on paper while its client was a guest elsewhere is written down as what it was: given in error."""

from alembic import op

from dispensary.migrations.guards import _REFUSE

revision = "0015_paper_of_guests"
down_revision = "0014_failed_jobs"
branch_labels = None
depends_on = None

# A dose stands under a guard of its own: such a supply can hold nothing that covers a day.
_SUPPLY = """
CREATE OR REPLACE FUNCTION supply_at_its_site() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE home uuid; there uuid;
BEGIN
    SELECT site_id INTO home FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT site_of_day(NEW.client_id, NEW.dose_day) INTO there;
    IF there <> NEW.site_id {but} THEN
        RAISE EXCEPTION 'another site gives the doses of this day' {refuse} 'dose_at_its_site';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(_SUPPLY.format(but="AND (NEW.origin <> 'outage' OR NEW.site_id <> home)", refuse=_REFUSE))


def downgrade() -> None:
    op.execute(_SUPPLY.format(but="", refuse=_REFUSE))
