"""Consents, and what the register of disclosures says of one client's information."""

from alembic import op

revision = "0046b_consents"
down_revision = "0042_entry"
branch_labels = None
depends_on = None

_KINDS = """kinds <@ '["presence", "attendance", "doses", "results", "whole"]'::jsonb"""
_TABLES = f"""
CREATE TABLE consent (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    kinds JSONB NOT NULL,
    recipient_kind TEXT NOT NULL,
    recipient_sealed BYTEA NOT NULL,
    purpose_sealed BYTEA NOT NULL,
    from_day DATE NOT NULL,
    until_day DATE,
    until_event_sealed BYTEA,
    signed TEXT NOT NULL,
    signature_sealed BYTEA NOT NULL,
    taken_by UUID NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by UUID,
    revoked_how TEXT,
    CONSTRAINT pk_consent PRIMARY KEY (id),
    CONSTRAINT ck_consent_kinds CHECK (jsonb_array_length(kinds) > 0 AND {_KINDS}),
    CONSTRAINT ck_consent_recipient_kind CHECK (recipient_kind IN
        ('court', 'treatment', 'social', 'family', 'employer', 'lawyer', 'other')),
    CONSTRAINT ck_consent_ends CHECK ((until_day IS NULL) <> (until_event_sealed IS NULL)),
    CONSTRAINT ck_consent_ends_after_it_begins CHECK (until_day >= from_day),
    CONSTRAINT ck_consent_signed CHECK (signed IN ('paper', 'screen')),
    CONSTRAINT ck_consent_revoked_how CHECK (revoked_how IN ('said', 'written', 'event')),
    CONSTRAINT ck_consent_revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)
        AND (revoked_at IS NULL) = (revoked_how IS NULL)),
    CONSTRAINT fk_consent_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_consent_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_consent_taken_by FOREIGN KEY(taken_by) REFERENCES account (id),
    CONSTRAINT fk_consent_revoked_by FOREIGN KEY(revoked_by) REFERENCES account (id)
);
CREATE INDEX ix_consent_client_id_taken_at ON consent (client_id, taken_at);

ALTER TABLE release
    ADD COLUMN kinds JSONB NOT NULL DEFAULT '[]',
    ADD COLUMN consent_id UUID,
    ADD COLUMN notice TEXT NOT NULL DEFAULT '',
    ADD COLUMN key UUID,
    DROP CONSTRAINT ck_release_ground,
    ADD CONSTRAINT ck_release_ground CHECK (ground IN ('consent', 'research', 'audit', 'emergency')),
    ADD CONSTRAINT ck_release_consent_is_its_ground CHECK (consent_id IS NULL OR ground = 'consent'),
    ADD CONSTRAINT ck_release_emergency_says_which CHECK (ground <> 'emergency' OR jsonb_array_length(kinds) > 0),
    ADD CONSTRAINT ck_release_kinds CHECK ({_KINDS}),
    ADD CONSTRAINT fk_release_consent_id FOREIGN KEY(consent_id) REFERENCES consent (id);
CREATE UNIQUE INDEX uq_release_key ON release (key) WHERE key IS NOT NULL;

CREATE TABLE release_note (
    release_id UUID NOT NULL,
    words_sealed BYTEA NOT NULL,
    written_by UUID NOT NULL,
    written_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_release_note PRIMARY KEY (release_id),
    CONSTRAINT fk_release_note_release_id FOREIGN KEY(release_id) REFERENCES release (id),
    CONSTRAINT fk_release_note_written_by FOREIGN KEY(written_by) REFERENCES account (id)
);
CREATE TABLE disclosure_notice (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    shipped TEXT NOT NULL,
    words TEXT NOT NULL,
    source TEXT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_disclosure_notice PRIMARY KEY (id),
    CONSTRAINT ck_disclosure_notice_shipped_or_own CHECK ((shipped = '') <> (words = '')),
    CONSTRAINT fk_disclosure_notice_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_disclosure_notice_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
CREATE INDEX ix_disclosure_notice_site_id_set_at ON disclosure_notice (site_id, set_at);
"""

_KEPT = """
CREATE FUNCTION consent_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
        OR (to_jsonb(NEW) - 'revoked_at' - 'revoked_by' - 'revoked_how')
            IS DISTINCT FROM (to_jsonb(OLD) - 'revoked_at' - 'revoked_by' - 'revoked_how')
    THEN
        RAISE EXCEPTION 'a consent is revoked once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER consent_is_kept BEFORE UPDATE OR DELETE ON consent FOR EACH ROW EXECUTE FUNCTION consent_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON consent FOR EACH STATEMENT EXECUTE FUNCTION never_changed();

-- The consent is locked, so that one that is being revoked at this moment is waited for.
CREATE FUNCTION disclosure_is_covered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given release;
    agreed consent;
    on_day date;
BEGIN
    SELECT * INTO given FROM release WHERE id = NEW.release_id;
    IF given.consent_id IS NULL THEN
        IF given.ground = 'consent' AND jsonb_array_length(given.kinds) > 0 THEN
            RAISE EXCEPTION 'what is told of one client by consent names the consent'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO agreed FROM consent WHERE id = given.consent_id FOR SHARE;
    SELECT ((given.at AT TIME ZONE site.zone) - site.day_starts)::date INTO on_day FROM site WHERE id = given.site_id;
    IF agreed.client_id <> NEW.client_id
        OR agreed.revoked_at IS NOT NULL
        OR on_day < agreed.from_day
        OR on_day > agreed.until_day
        OR jsonb_array_length(given.kinds) = 0
        OR NOT (agreed.kinds ? 'whole' OR given.kinds <@ (agreed.kinds || '["presence"]'::jsonb))
    THEN
        RAISE EXCEPTION 'the consent does not cover this disclosure'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'disclosure_is_covered';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disclosure_is_covered BEFORE INSERT ON disclosure
    FOR EACH ROW EXECUTE FUNCTION disclosure_is_covered();
""" + "\n".join(
    f"""
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""
    for table in ("release_note", "disclosure_notice")
)


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_KEPT)


def downgrade() -> None:
    op.execute(
        """DROP TRIGGER disclosure_is_covered ON disclosure; DROP FUNCTION disclosure_is_covered();
        DROP TABLE release_note; DROP TABLE disclosure_notice;
        ALTER TABLE release DROP COLUMN kinds, DROP COLUMN consent_id, DROP COLUMN notice, DROP COLUMN key,
            DROP CONSTRAINT ck_release_ground,
            ADD CONSTRAINT ck_release_ground CHECK (ground IN ('consent', 'research', 'audit')) NOT VALID;
        DROP TABLE consent; DROP FUNCTION consent_is_kept();"""
    )
