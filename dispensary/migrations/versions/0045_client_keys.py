"""Keys that can be exchanged: a fingerprint of each, a key of its own for each client, and erasures.

What is only ever added to may be sealed anew under another key, and changed in no other way.
"""

from alembic import op

revision = "0045_client_keys"
down_revision = "0044_looks"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE vault_key (
    name TEXT NOT NULL,
    print BYTEA NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_vault_key PRIMARY KEY (name),
    CONSTRAINT ck_vault_key_print CHECK (octet_length(print) = 8)
);
CREATE TABLE client_key (
    client_id UUID NOT NULL,
    wrapped_sealed BYTEA,
    erased_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_client_key PRIMARY KEY (client_id),
    CONSTRAINT ck_client_key_gone_when_erased CHECK ((wrapped_sealed IS NULL) = (erased_at IS NOT NULL)),
    CONSTRAINT fk_client_key_client_id FOREIGN KEY(client_id) REFERENCES client (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_client_key_erased ON client_key (erased_at) WHERE erased_at IS NOT NULL;
CREATE TABLE erasure (
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    ground TEXT NOT NULL,
    authority_sealed BYTEA NOT NULL,
    account_id UUID NOT NULL,
    second_id UUID NOT NULL,
    CONSTRAINT pk_erasure PRIMARY KEY (client_id),
    CONSTRAINT ck_erasure_ground CHECK (ground IN ('period_ended', 'request', 'order')),
    CONSTRAINT ck_erasure_by_two CHECK (account_id <> second_id),
    CONSTRAINT fk_erasure_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_erasure_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_erasure_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_erasure_second_id FOREIGN KEY(second_id) REFERENCES account (id)
);
CREATE INDEX ix_erasure_site_id_at ON erasure (site_id, at);
"""

# Only fields that are sealed change, only while a unit says that it seals anew, and each stays a sealed field of the
# same length under another key: AES-GCM adds as much to the same words under any key. Another guard that lets nothing
# change is asked WHEN NOT only_sealed_anew(...), so that nothing else of it is stated anew.
_SEALED_ANEW = """
CREATE FUNCTION only_sealed_anew(was jsonb, became jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE name text; before bytea; after bytea;
BEGIN
    IF current_setting('takehome.sealing_anew', true) IS DISTINCT FROM 'on' THEN
        RETURN false;
    END IF;
    FOR name IN SELECT key FROM jsonb_each(was) LOOP
        IF was -> name IS NOT DISTINCT FROM became -> name THEN
            CONTINUE;
        END IF;
        IF name NOT LIKE '%\\_sealed' OR was ->> name IS NULL OR became ->> name IS NULL THEN
            RETURN false;
        END IF;
        before := decode(substr(was ->> name, 3), 'hex');
        after := decode(substr(became ->> name, 3), 'hex');
        IF octet_length(after) <> octet_length(before) OR octet_length(after) < 33
           OR get_byte(after, 0) <> 1 OR get_byte(before, 0) <> 1
           OR substring(after FROM 1 FOR 5) = substring(before FROM 1 FOR 5) THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END $$;
CREATE OR REPLACE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'never_changed';
END $$;
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON erasure FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON erasure FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
DROP TRIGGER legal_hold_is_kept ON legal_hold;
CREATE TRIGGER legal_hold_is_kept BEFORE UPDATE ON legal_hold FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION legal_hold_is_kept();
CREATE TRIGGER legal_hold_stays BEFORE DELETE ON legal_hold FOR EACH ROW EXECUTE FUNCTION legal_hold_is_kept();
DROP TRIGGER watch_is_ended_once ON watched_record;
CREATE TRIGGER watch_is_ended_once BEFORE UPDATE ON watched_record FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION watch_is_ended_once();

CREATE FUNCTION client_key_goes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.erased_at IS NOT NULL OR NEW.client_id <> OLD.client_id
       OR (NEW.erased_at IS NULL AND octet_length(NEW.wrapped_sealed) <> octet_length(OLD.wrapped_sealed)) THEN
        RAISE EXCEPTION 'a client''s key is wrapped anew or goes, once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'client_key_goes_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_key_goes_once BEFORE UPDATE OR DELETE ON client_key
    FOR EACH ROW EXECUTE FUNCTION client_key_goes_once();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON client_key FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_SEALED_ANEW)


def downgrade() -> None:
    op.execute("""
DROP TABLE erasure, client_key, vault_key;
DROP FUNCTION client_key_goes_once();
CREATE OR REPLACE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'never_changed';
END $$;
DROP TRIGGER legal_hold_is_kept ON legal_hold;
DROP TRIGGER legal_hold_stays ON legal_hold;
CREATE TRIGGER legal_hold_is_kept BEFORE UPDATE OR DELETE ON legal_hold
    FOR EACH ROW EXECUTE FUNCTION legal_hold_is_kept();
DROP TRIGGER watch_is_ended_once ON watched_record;
CREATE TRIGGER watch_is_ended_once BEFORE UPDATE ON watched_record
    FOR EACH ROW EXECUTE FUNCTION watch_is_ended_once();
DROP FUNCTION only_sealed_anew(jsonb, jsonb);
""")
