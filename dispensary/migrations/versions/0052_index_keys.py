"""Index and signing keys that can be exchanged: each pass says which key signed it, and a number moves as a whole.

A digest is 16 bytes under the first index key; under a later one the key's number stands in a byte before them.
"""

from alembic import op

from dispensary.migrations.walls import open_to_all_sites

revision = "0052_index_keys"
down_revision = "0058_followup"
branch_labels = None
depends_on = None

_TABLES = """
UPDATE vault_key SET name = 'i001' WHERE name = 'index';
UPDATE vault_key SET name = 's001' WHERE name = 'signing';
ALTER TABLE pickup_pass ADD COLUMN signed_by TEXT NOT NULL DEFAULT 's001';
ALTER TABLE pickup_pass ALTER COLUMN signed_by DROP DEFAULT;
ALTER TABLE imported_episode DROP CONSTRAINT ck_imported_episode_client_digest,
    ADD CONSTRAINT ck_imported_episode_client_digest CHECK (octet_length(client_digest) IN (16, 17)) NOT VALID;
ALTER TABLE imported_episode VALIDATE CONSTRAINT ck_imported_episode_client_digest;
ALTER TABLE pin_gate DROP CONSTRAINT fk_pin_gate_open_for_phone_index,
    ADD CONSTRAINT fk_pin_gate_open_for_phone_index FOREIGN KEY (open_for, phone_index)
        REFERENCES phone_pin (client_id, phone_index) ON UPDATE CASCADE;
CREATE INDEX ix_phone_pin_phone_index ON phone_pin (phone_index);
CREATE TABLE number_exchange (
    was BYTEA NOT NULL,
    becomes BYTEA NOT NULL,
    CONSTRAINT pk_number_exchange PRIMARY KEY (was, becomes)
);
"""

# All rows of a number go from one digest to another in one statement, whoever's site they are. Two at once find nothing
# left the second time. Where both digests have something, since a program had not seen the newer key yet, they are put
# together: wrong PINs of both count, and nothing is open.
_GUARDS = """
CREATE OR REPLACE FUNCTION contact_takes_its_pin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'DELETE' OR (NEW.phone_index <> OLD.phone_index
            AND current_setting('takehome.number_exchange', true)
                IS DISTINCT FROM encode(OLD.phone_index || NEW.phone_index, 'hex')))
        AND EXISTS (SELECT FROM phone_pin WHERE client_id = OLD.recipient_id)
    THEN
        RAISE EXCEPTION 'their PIN is for the old number: end it first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_contact_takes_its_pin';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;

CREATE FUNCTION number_exchange() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moved pin_gate%ROWTYPE;
BEGIN
    IF NEW.was = NEW.becomes OR NEW.was = '' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('takehome.number_exchange', encode(NEW.was || NEW.becomes, 'hex'), true);
    UPDATE contact SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    PERFORM set_config('takehome.number_exchange', '', true);
    IF EXISTS (SELECT FROM pin_gate WHERE phone_index = NEW.becomes) THEN
        DELETE FROM pin_gate WHERE phone_index = NEW.was RETURNING * INTO moved;
        IF FOUND THEN
            UPDATE pin_gate SET open_for = NULL, open_until = NULL,
                shut_until = greatest(shut_until, moved.shut_until),
                wrong_at = ARRAY(SELECT at FROM unnest(wrong_at || moved.wrong_at) AS at ORDER BY at DESC LIMIT 5)
            WHERE phone_index = NEW.becomes;
        END IF;
    END IF;
    UPDATE phone_pin SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    UPDATE pin_gate SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    DELETE FROM number_change WHERE phone_index = NEW.was
        AND EXISTS (SELECT FROM number_change WHERE phone_index = NEW.becomes);
    UPDATE number_change SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    DELETE FROM conversation WHERE phone_index = NEW.was
        AND EXISTS (SELECT FROM conversation WHERE phone_index = NEW.becomes);
    UPDATE conversation SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    UPDATE message SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    UPDATE inbound SET phone_index = NEW.becomes WHERE phone_index = NEW.was;
    RETURN NULL;
END $$;
CREATE TRIGGER number_exchange BEFORE INSERT ON number_exchange
    FOR EACH ROW EXECUTE FUNCTION number_exchange();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)
    op.execute(open_to_all_sites("number_exchange", added="true"))


def downgrade() -> None:
    op.execute("""
DROP TABLE number_exchange;
DROP FUNCTION number_exchange();
DROP INDEX ix_phone_pin_phone_index;
ALTER TABLE pin_gate DROP CONSTRAINT fk_pin_gate_open_for_phone_index,
    ADD CONSTRAINT fk_pin_gate_open_for_phone_index FOREIGN KEY (open_for, phone_index)
        REFERENCES phone_pin (client_id, phone_index);
ALTER TABLE imported_episode DROP CONSTRAINT ck_imported_episode_client_digest,
    ADD CONSTRAINT ck_imported_episode_client_digest CHECK (octet_length(client_digest) = 16);
ALTER TABLE pickup_pass DROP COLUMN signed_by;
UPDATE vault_key SET name = 'index' WHERE name = 'i001';
UPDATE vault_key SET name = 'signing' WHERE name = 's001';
CREATE OR REPLACE FUNCTION contact_takes_its_pin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'DELETE' OR NEW.phone_index <> OLD.phone_index)
        AND EXISTS (SELECT FROM phone_pin WHERE client_id = OLD.recipient_id)
    THEN
        RAISE EXCEPTION 'their PIN is for the old number: end it first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_contact_takes_its_pin';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
""")
