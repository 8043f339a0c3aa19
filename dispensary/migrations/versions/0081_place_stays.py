"""The place of the directory stays with a referral, whatever becomes of it and whoever takes that back."""

from alembic import op

revision = "0081_place_stays"
down_revision = "0083_own_care"
branch_labels = None
depends_on = None

# As 0079 has it, with the condition on the place that 0058d put in.
_KEPT = """
CREATE OR REPLACE FUNCTION referral_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL
        AND (to_jsonb(NEW) - '{{outcome,attended_on,closed_at,closed_by}}'::text[])
            = (to_jsonb(OLD) - '{{outcome,attended_on,closed_at,closed_by}}'::text[])
        AND EXISTS (SELECT FROM entry_taken_back b WHERE b.referral_id = OLD.id AND b.said_at = OLD.closed_at
            AND b.was = OLD.outcome)
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.service, NEW.place, NEW.sent_on, NEW.sent_at, NEW.sent_by)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.service, OLD.place, OLD.sent_on, OLD.sent_at, OLD.sent_by)
        OR NEW.ask_on <> OLD.ask_on{centre}
    THEN
        RAISE EXCEPTION 'a referral is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(_KEPT.format(centre=" OR NEW.centre_id IS DISTINCT FROM OLD.centre_id"))


def downgrade() -> None:
    op.execute(_KEPT.format(centre=""))
