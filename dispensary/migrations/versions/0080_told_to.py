"""A consent names whom it lets hear, beside who sent them; after its last day PostgreSQL lets nobody be told."""

from alembic import op

revision = "0080_told_to"
down_revision = "0088_full_returns"
branch_labels = None
depends_on = None

# A program of before knows one name for both: a consent that it writes is for whoever sent them, as it reads it, and it
# tells nobody by one that names another. Whoever is named goes with all that names somebody.
_FOLLOWS = """
CREATE FUNCTION consent_to_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.closed_at IS NOT NULL OR (NEW.consent_at IS DISTINCT FROM OLD.consent_at
        AND NEW.consent_to_sealed IS NOT DISTINCT FROM OLD.consent_to_sealed)
    THEN
        NEW.consent_to_sealed := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER consent_to_follows BEFORE UPDATE ON intake FOR EACH ROW
    WHEN (OLD.consent_to_sealed IS NOT NULL OR NEW.consent_to_sealed IS NOT NULL)
    EXECUTE FUNCTION consent_to_follows();
"""

_KEPT = """
CREATE OR REPLACE FUNCTION intake_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.number, NEW.route, NEW.came_on, NEW.taken_by, NEW.taken_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.number, OLD.route, OLD.came_on, OLD.taken_by, OLD.taken_at)
        OR (NEW.closed_at IS NULL AND NEW.words_sealed IS DISTINCT FROM OLD.words_sealed)
        OR (NEW.consent_at IS NOT DISTINCT FROM OLD.consent_at
            AND (NEW.consent_days, NEW.consent_signed, NEW.consent_until, NEW.consent_by)
                IS DISTINCT FROM (OLD.consent_days, OLD.consent_signed, OLD.consent_until, OLD.consent_by))
{to}        OR (NEW.consent_at IS NOT DISTINCT FROM OLD.consent_at AND OLD.consent_ended_at IS NOT NULL
            AND (NEW.consent_ended_how, NEW.consent_ended_by, NEW.consent_ended_at)
                IS DISTINCT FROM (OLD.consent_ended_how, OLD.consent_ended_by, OLD.consent_ended_at))
    THEN
        RAISE EXCEPTION 'an intake is closed once; until then its name and its consent are put right, and nothing else'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION intake_is_told_with_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM intake i JOIN release r ON r.id = NEW.release_id AND r.site_id = i.site_id{site}
        WHERE i.id = NEW.intake_id AND i.consent_sealed IS NOT NULL AND i.closed_at IS NULL
            AND i.consent_ended_at IS NULL AND (i.consent_days OR NOT r.kinds @> '["attendance"]'){until}
            AND r.ground = 'consent')
    THEN
        RAISE EXCEPTION 'whoever sent somebody is told nothing without their consent'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_TO = """        OR (NEW.closed_at IS NULL AND NEW.consent_at IS NOT DISTINCT FROM OLD.consent_at
            AND NEW.consent_to_sealed IS DISTINCT FROM OLD.consent_to_sealed)
"""
# The day of a telling is the dose day of its site, as everywhere.
_UNTIL = """
            AND (i.consent_until IS NULL
                OR CAST((r.at AT TIME ZONE s.zone) - CAST(s.day_starts AS interval) AS date) <= i.consent_until)
            AND (i.consent_to_sealed IS NULL OR NEW.consent_at = i.consent_at)"""


def upgrade() -> None:
    op.execute("""
ALTER TABLE intake ADD COLUMN consent_to_sealed BYTEA,
    DROP CONSTRAINT ck_intake_consent_names_whom,
    ADD CONSTRAINT ck_intake_consent_names_whom
        CHECK (consent_sealed IS NULL OR num_nonnulls(referrer_sealed, consent_to_sealed) > 0),
    ADD CONSTRAINT ck_intake_consent_to_with_consent CHECK (consent_to_sealed IS NULL OR consent_sealed IS NOT NULL);
ALTER TABLE intake_release ADD COLUMN consent_at TIMESTAMP WITH TIME ZONE
""")
    op.execute(_FOLLOWS)
    op.execute(_KEPT.format(to=_TO, site="\n        JOIN site s ON s.id = i.site_id", until=_UNTIL))


def downgrade() -> None:
    op.execute("DROP TRIGGER consent_to_follows ON intake; DROP FUNCTION consent_to_follows()")
    op.execute(_KEPT.format(to="", site="", until=""))
    op.execute("""
ALTER TABLE intake_release DROP COLUMN consent_at;
ALTER TABLE intake DROP COLUMN consent_to_sealed,
    ADD CONSTRAINT ck_intake_consent_names_whom CHECK (consent_sealed IS NULL OR referrer_sealed IS NOT NULL) NOT VALID
""")
