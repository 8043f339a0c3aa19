"""Somebody who is no client yet agrees that whoever sent them hears of it, takes that back, and is called rightly."""

from alembic import op

revision = "0076_intake_consents"
down_revision = "0075_followed_on"
branch_labels = None
depends_on = None

# A consent as it was written before said that they came, and on which days, on paper, until it is closed.
_COLUMNS = """
ALTER TABLE intake
    ADD COLUMN consent_days BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN consent_signed TEXT,
    ADD COLUMN consent_until DATE,
    ADD COLUMN consent_by UUID,
    ADD COLUMN consent_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN consent_ended_how TEXT,
    ADD COLUMN consent_ended_by UUID,
    ADD COLUMN consent_ended_at TIMESTAMP WITH TIME ZONE;
UPDATE intake SET consent_days = true, consent_signed = 'paper', consent_by = taken_by, consent_at = taken_at
    WHERE consent_sealed IS NOT NULL;
ALTER TABLE intake
    ADD CONSTRAINT fk_intake_consent_by FOREIGN KEY (consent_by) REFERENCES account (id),
    ADD CONSTRAINT fk_intake_consent_ended_by FOREIGN KEY (consent_ended_by) REFERENCES account (id),
    ADD CONSTRAINT ck_intake_consent_signed CHECK (consent_signed IN ('paper', 'screen')),
    ADD CONSTRAINT ck_intake_consent_ended_how CHECK (consent_ended_how IN ('said', 'written', 'event')),
    ADD CONSTRAINT ck_intake_consent_of_somebody
        CHECK (num_nonnulls(consent_signed, consent_by, consent_at) = (CASE WHEN consent_at IS NULL THEN 0 ELSE 3 END)),
    ADD CONSTRAINT ck_intake_consent_ended_by_somebody
        CHECK (num_nonnulls(consent_ended_how, consent_ended_by, consent_ended_at)
            = (CASE WHEN consent_ended_at IS NULL THEN 0 ELSE 3 END)),
    ADD CONSTRAINT ck_intake_consent_ends_after_it_was_given CHECK (consent_ended_at IS NULL OR consent_at IS NOT NULL),
    ADD CONSTRAINT ck_intake_consent_says_where
        CHECK (outcome <> '' OR (consent_sealed IS NULL) = (consent_at IS NULL)),
    ADD CONSTRAINT ck_intake_consent_names_whom
        CHECK (consent_sealed IS NULL OR referrer_sealed IS NOT NULL);
"""

_BEFORE = """
CREATE OR REPLACE FUNCTION intake_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.site_id, NEW.number, NEW.route, NEW.came_on, NEW.taken_by, NEW.taken_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.number, OLD.route, OLD.came_on, OLD.taken_by, OLD.taken_at)
    THEN
        RAISE EXCEPTION 'an intake is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION intake_is_told_with_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM intake i JOIN release r ON r.id = NEW.release_id AND r.site_id = i.site_id
        WHERE i.id = NEW.intake_id AND i.consent_sealed IS NOT NULL AND i.closed_at IS NULL AND r.ground = 'consent')
    THEN
        RAISE EXCEPTION 'whoever sent somebody is told nothing without their consent'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# While it is open, what they are called and what they agreed to can be put right. An end stays an end: only another
# consent, of a later moment, comes after it.
_NOW = """
CREATE OR REPLACE FUNCTION intake_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.number, NEW.route, NEW.came_on, NEW.taken_by, NEW.taken_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.number, OLD.route, OLD.came_on, OLD.taken_by, OLD.taken_at)
        OR (NEW.closed_at IS NULL AND NEW.words_sealed IS DISTINCT FROM OLD.words_sealed)
        OR (NEW.consent_at IS NOT DISTINCT FROM OLD.consent_at
            AND (NEW.consent_days, NEW.consent_signed, NEW.consent_until, NEW.consent_by)
                IS DISTINCT FROM (OLD.consent_days, OLD.consent_signed, OLD.consent_until, OLD.consent_by))
        OR (NEW.consent_at IS NOT DISTINCT FROM OLD.consent_at AND OLD.consent_ended_at IS NOT NULL
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
    IF NOT EXISTS (SELECT FROM intake i JOIN release r ON r.id = NEW.release_id AND r.site_id = i.site_id
        WHERE i.id = NEW.intake_id AND i.consent_sealed IS NOT NULL AND i.closed_at IS NULL
            AND i.consent_ended_at IS NULL AND (i.consent_days OR NOT r.kinds @> '["attendance"]')
            AND r.ground = 'consent')
    THEN
        RAISE EXCEPTION 'whoever sent somebody is told nothing without their consent'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# A program of before knows of a consent where its paper is, and no more: it is read as it was then.
_OF_BEFORE = """
CREATE FUNCTION consent_of_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.consent_days := true;
    NEW.consent_signed := 'paper';
    NEW.consent_by := NEW.taken_by;
    NEW.consent_at := NEW.taken_at;
    RETURN NEW;
END $$;
CREATE TRIGGER consent_of_before BEFORE INSERT ON intake FOR EACH ROW
    WHEN (NEW.consent_sealed IS NOT NULL AND NEW.consent_at IS NULL) EXECUTE FUNCTION consent_of_before();
"""


def upgrade() -> None:
    op.execute(_NOW)
    op.execute(_COLUMNS)
    op.execute(_OF_BEFORE)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.execute("DROP TRIGGER consent_of_before ON intake; DROP FUNCTION consent_of_before()")
    op.execute("""
ALTER TABLE intake DROP CONSTRAINT ck_intake_consent_names_whom, DROP CONSTRAINT ck_intake_consent_says_where,
    DROP COLUMN consent_days, DROP COLUMN consent_signed, DROP COLUMN consent_until, DROP COLUMN consent_by,
    DROP COLUMN consent_at, DROP COLUMN consent_ended_how, DROP COLUMN consent_ended_by, DROP COLUMN consent_ended_at
""")
