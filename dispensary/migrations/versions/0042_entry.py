"""How accounts come, sleep and break glass: invitations, sealed codes, and tokens for programs."""

from alembic import op

revision = "0042_entry"
down_revision = "0045_client_keys"
branch_labels = None
depends_on = None

# Whoever has an account has chosen or was given a password long ago: all of them count as accepted.
_ACCEPTED = """
ALTER TABLE account ADD COLUMN accepted_at TIMESTAMP WITH TIME ZONE;
UPDATE account SET accepted_at = made_at;
"""

_TABLES = """
CREATE TABLE entry_setting (
    site_id UUID NOT NULL,
    invited_days SMALLINT NOT NULL,
    dormant_days SMALLINT NOT NULL,
    glass_hours SMALLINT NOT NULL,
    CONSTRAINT pk_entry_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_entry_setting_invited_days CHECK (invited_days BETWEEN 1 AND 30),
    CONSTRAINT ck_entry_setting_dormant_days CHECK (dormant_days BETWEEN 7 AND 366),
    CONSTRAINT ck_entry_setting_glass_hours CHECK (glass_hours BETWEEN 1 AND 12),
    CONSTRAINT fk_entry_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE TABLE invitation (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    site_id UUID NOT NULL,
    kind TEXT NOT NULL,
    code_digest BYTEA NOT NULL,
    made_by UUID,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by UUID,
    CONSTRAINT pk_invitation PRIMARY KEY (id),
    CONSTRAINT ck_invitation_kind CHECK (kind IN ('first', 'again')),
    CONSTRAINT ck_invitation_expires CHECK (expires_at > made_at AND expires_at <= made_at + interval '31 days'),
    CONSTRAINT ck_invitation_used_in_time CHECK (used_at < expires_at),
    CONSTRAINT ck_invitation_one_end CHECK (used_at IS NULL OR revoked_at IS NULL),
    CONSTRAINT fk_invitation_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_invitation_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_invitation_made_by FOREIGN KEY(made_by) REFERENCES account (id),
    CONSTRAINT fk_invitation_revoked_by FOREIGN KEY(revoked_by) REFERENCES account (id),
    CONSTRAINT uq_invitation_code_digest UNIQUE (code_digest)
);
CREATE UNIQUE INDEX uq_invitation_open ON invitation (account_id) WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE TABLE break_glass (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    code_digest BYTEA NOT NULL,
    made_by UUID,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    replaced_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE,
    opened_for UUID,
    opened_with UUID,
    ends_at TIMESTAMP WITH TIME ZONE,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    acknowledged_by UUID,
    acknowledged_words TEXT NOT NULL,
    CONSTRAINT pk_break_glass PRIMARY KEY (id),
    CONSTRAINT ck_break_glass_opened_by_two CHECK (opened_for <> opened_with),
    CONSTRAINT ck_break_glass_opened_whole CHECK (num_nulls(opened_at, opened_for, opened_with, ends_at) IN (0, 4)),
    CONSTRAINT ck_break_glass_ends CHECK (ends_at >= opened_at AND ends_at <= opened_at + interval '12 hours'),
    CONSTRAINT ck_break_glass_one_end CHECK (opened_at IS NULL OR replaced_at IS NULL),
    CONSTRAINT ck_break_glass_acknowledged CHECK ((acknowledged_at IS NULL) = (acknowledged_words = '')
        AND (acknowledged_at IS NULL) = (acknowledged_by IS NULL)
        AND (acknowledged_at IS NULL OR opened_at IS NOT NULL)),
    CONSTRAINT fk_break_glass_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_break_glass_made_by FOREIGN KEY(made_by) REFERENCES account (id),
    CONSTRAINT fk_break_glass_opened_for FOREIGN KEY(opened_for) REFERENCES account (id),
    CONSTRAINT fk_break_glass_opened_with FOREIGN KEY(opened_with) REFERENCES account (id),
    CONSTRAINT fk_break_glass_acknowledged_by FOREIGN KEY(acknowledged_by) REFERENCES account (id),
    CONSTRAINT uq_break_glass_code_digest UNIQUE (code_digest)
);
CREATE UNIQUE INDEX uq_break_glass_sealed ON break_glass (site_id) WHERE replaced_at IS NULL AND opened_at IS NULL;
CREATE INDEX ix_break_glass_opened_for ON break_glass (opened_for, ends_at) WHERE opened_at IS NOT NULL;
CREATE INDEX ix_break_glass_alarm ON break_glass (site_id)
    WHERE opened_at IS NOT NULL AND acknowledged_at IS NULL;
CREATE TABLE api_token (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    site_id UUID NOT NULL,
    name TEXT NOT NULL,
    token_digest BYTEA NOT NULL,
    scopes JSONB NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by UUID,
    CONSTRAINT pk_api_token PRIMARY KEY (id),
    CONSTRAINT ck_api_token_name CHECK (name <> ''),
    CONSTRAINT ck_api_token_scopes CHECK (jsonb_typeof(scopes) = 'array' AND scopes <> '[]'),
    CONSTRAINT ck_api_token_expires CHECK (expires_at > made_at AND expires_at <= made_at + interval '367 days'),
    CONSTRAINT fk_api_token_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_api_token_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_api_token_revoked_by FOREIGN KEY(revoked_by) REFERENCES account (id),
    CONSTRAINT uq_api_token_token_digest UNIQUE (token_digest)
);
CREATE INDEX ix_api_token_account_id ON api_token (account_id);
CREATE INDEX ix_api_token_site_id ON api_token (site_id);
"""

# What ended stays ended: a code is used once, whatever program writes here.
_GUARDS = """
CREATE FUNCTION invitation_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR num_nonnulls(OLD.used_at, OLD.revoked_at) > 0
        OR (NEW.id, NEW.account_id, NEW.site_id, NEW.kind, NEW.code_digest, NEW.made_by, NEW.made_at, NEW.expires_at)
            IS DISTINCT FROM
            (OLD.id, OLD.account_id, OLD.site_id, OLD.kind, OLD.code_digest, OLD.made_by, OLD.made_at, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'an invitation is used or taken back once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invitation_ends_once BEFORE UPDATE OR DELETE ON invitation
    FOR EACH ROW EXECUTE FUNCTION invitation_ends_once();
CREATE FUNCTION glass_breaks_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.replaced_at IS NOT NULL OR OLD.acknowledged_at IS NOT NULL
        OR (NEW.id, NEW.site_id, NEW.code_digest, NEW.made_by, NEW.made_at)
            IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.code_digest, OLD.made_by, OLD.made_at)
        OR (OLD.opened_at IS NOT NULL AND ((NEW.opened_at, NEW.opened_for, NEW.opened_with)
            IS DISTINCT FROM (OLD.opened_at, OLD.opened_for, OLD.opened_with) OR NEW.ends_at > OLD.ends_at))
    THEN
        RAISE EXCEPTION 'a sealed code is opened or replaced once, and its time is never made longer'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER glass_breaks_once BEFORE UPDATE OR DELETE ON break_glass
    FOR EACH ROW EXECUTE FUNCTION glass_breaks_once();
CREATE FUNCTION api_token_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
        OR (NEW.id, NEW.account_id, NEW.site_id, NEW.name, NEW.token_digest, NEW.scopes, NEW.made_at, NEW.expires_at)
            IS DISTINCT FROM
            (OLD.id, OLD.account_id, OLD.site_id, OLD.name, OLD.token_digest, OLD.scopes, OLD.made_at, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'a token is taken back once and never given more'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER api_token_is_kept BEFORE UPDATE OR DELETE ON api_token
    FOR EACH ROW EXECUTE FUNCTION api_token_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON break_glass FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_ACCEPTED)
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        "DROP TABLE api_token, break_glass, invitation, entry_setting; DROP FUNCTION invitation_ends_once(),"
        " glass_breaks_once(), api_token_is_kept(); ALTER TABLE account DROP COLUMN accepted_at"
    )
