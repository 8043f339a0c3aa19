"""The second factor: authenticators, recovery codes, passkeys, who is half signed in, and who must have one."""

from alembic import op

revision = "0041_second_factor"
down_revision = "0046_legal_holds"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE second_factor (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    secret_sealed BYTEA NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL,
    confirmed_at TIMESTAMPTZ,
    last_step BIGINT NOT NULL,
    CONSTRAINT pk_second_factor PRIMARY KEY (id),
    CONSTRAINT fk_second_factor_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT ck_second_factor_confirmed_by_a_code CHECK ((confirmed_at IS NULL) = (last_step = 0))
);
CREATE UNIQUE INDEX uq_second_factor_confirmed ON second_factor (account_id) WHERE confirmed_at IS NOT NULL;
CREATE UNIQUE INDEX uq_second_factor_begun ON second_factor (account_id) WHERE confirmed_at IS NULL;

CREATE TABLE recovery_code (
    account_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT pk_recovery_code PRIMARY KEY (account_id, digest),
    CONSTRAINT fk_recovery_code_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE half_sign_in (
    token_digest BYTEA NOT NULL,
    account_id UUID NOT NULL,
    presented_digest BYTEA NOT NULL,
    began_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_half_sign_in PRIMARY KEY (token_digest),
    CONSTRAINT fk_half_sign_in_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);
CREATE INDEX ix_half_sign_in_account_id ON half_sign_in (account_id);

CREATE TABLE factor_setting (
    site_id UUID NOT NULL,
    demand TEXT NOT NULL,
    grace_days SMALLINT NOT NULL,
    demanded_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_factor_setting PRIMARY KEY (site_id),
    CONSTRAINT fk_factor_setting_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT ck_factor_setting_demand CHECK (demand IN ('optional', 'administrators', 'all')),
    CONSTRAINT ck_factor_setting_grace_days CHECK (grace_days BETWEEN 0 AND 60)
);

CREATE TABLE factor_reset (
    account_id UUID NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    by_account UUID,
    known_at TIMESTAMPTZ,
    CONSTRAINT pk_factor_reset PRIMARY KEY (account_id),
    CONSTRAINT fk_factor_reset_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_factor_reset_by_account FOREIGN KEY (by_account) REFERENCES account (id)
);

CREATE TABLE passkey_holder (
    account_id UUID NOT NULL,
    handle BYTEA NOT NULL,
    CONSTRAINT pk_passkey_holder PRIMARY KEY (account_id),
    CONSTRAINT fk_passkey_holder_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT uq_passkey_holder_handle UNIQUE (handle),
    CONSTRAINT ck_passkey_holder_handle CHECK (length(handle) = 64)
);

CREATE TABLE passkey (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    name TEXT NOT NULL,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT pk_passkey PRIMARY KEY (id),
    CONSTRAINT fk_passkey_account_id FOREIGN KEY (account_id) REFERENCES passkey_holder (account_id),
    CONSTRAINT uq_passkey_credential_id UNIQUE (credential_id),
    CONSTRAINT ck_passkey_sign_count CHECK (sign_count >= 0),
    CONSTRAINT ck_passkey_name CHECK (name <> '')
);
CREATE INDEX ix_passkey_account_id ON passkey (account_id);

CREATE TABLE passkey_challenge (
    digest BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    account_id UUID,
    address_index BYTEA NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_passkey_challenge PRIMARY KEY (digest),
    CONSTRAINT fk_passkey_challenge_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT ck_passkey_challenge_purpose CHECK (purpose IN ('sign in', 'register', 'prove')),
    CONSTRAINT ck_passkey_challenge_account CHECK ((purpose = 'sign in') = (account_id IS NULL))
);
CREATE INDEX ix_passkey_challenge_address_index_ends_at ON passkey_challenge (address_index, ends_at);
"""

# What proves once proves no second time, whoever asks: a step is not accepted again, a used code stays used, and a
# device that signs with a lower count than before is a copy.
_GUARDS = """
CREATE FUNCTION factor_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.account_id <> OLD.account_id OR NEW.last_step < OLD.last_step
        OR (OLD.confirmed_at IS NOT NULL
            AND (NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at OR NEW.last_step = OLD.last_step
                AND NEW.secret_sealed = OLD.secret_sealed))
    THEN
        RAISE EXCEPTION 'a step of an authenticator is accepted once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER factor_goes_forward BEFORE UPDATE ON second_factor
    FOR EACH ROW EXECUTE FUNCTION factor_goes_forward();

CREATE FUNCTION recovery_code_is_used_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.used_at IS NOT NULL OR NEW.used_at IS NULL OR (NEW.account_id, NEW.digest) <> (OLD.account_id, OLD.digest)
    THEN
        RAISE EXCEPTION 'a recovery code is used once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER recovery_code_is_used_once BEFORE UPDATE ON recovery_code
    FOR EACH ROW EXECUTE FUNCTION recovery_code_is_used_once();

CREATE FUNCTION passkey_counts_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sign_count < OLD.sign_count OR (NEW.sign_count = OLD.sign_count AND OLD.sign_count > 0)
        OR (NEW.id, NEW.account_id, NEW.credential_id, NEW.public_key)
            <> (OLD.id, OLD.account_id, OLD.credential_id, OLD.public_key)
    THEN
        RAISE EXCEPTION 'the count of a passkey goes forward' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER passkey_counts_forward BEFORE UPDATE ON passkey
    FOR EACH ROW EXECUTE FUNCTION passkey_counts_forward();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        "DROP TABLE passkey_challenge, passkey, passkey_holder, factor_reset, factor_setting, half_sign_in,"
        " recovery_code, second_factor"
    )
    op.execute("DROP FUNCTION factor_goes_forward, recovery_code_is_used_once, passkey_counts_forward")
