"""What is said of one client in releases, holds, demands and texts that come in lies under that client's own key.

Older rows are carried over by `dispensary keys reseal`, beside whoever works; an erasure does not wait for it.
"""

from alembic import op

revision = "0052b_own_words"
down_revision = "0052_index_keys"
branch_labels = None
depends_on = None

# A release is only ever added to: this one step says of each whose it is, from the clients who stand on it.
_TABLES = """
ALTER TABLE inbound ADD COLUMN recipient_id UUID, DROP CONSTRAINT ck_inbound_wiped,
    ADD CONSTRAINT ck_inbound_wiped
        CHECK (wiped_at IS NULL OR (phone_sealed = '' AND body_sealed = '' AND recipient_id IS NULL));
CREATE INDEX ix_inbound_recipient_id ON inbound (recipient_id) WHERE recipient_id IS NOT NULL;
ALTER TABLE release ADD COLUMN client_id UUID,
    ADD CONSTRAINT fk_release_client_id FOREIGN KEY (client_id) REFERENCES client (id);
ALTER TABLE release DISABLE TRIGGER never_changed;
UPDATE release SET client_id = alone.client_id
FROM (SELECT release_id, min(client_id::text)::uuid AS client_id FROM disclosure GROUP BY 1 HAVING count(*) = 1) alone
WHERE alone.release_id = release.id;
ALTER TABLE release ENABLE TRIGGER never_changed;
CREATE INDEX ix_release_client_id ON release (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX ix_release_legal_demand_id ON release (legal_demand_id) WHERE legal_demand_id IS NOT NULL;
"""

_SEALED_ANEW = """
CREATE OR REPLACE FUNCTION only_sealed_anew(was jsonb, became jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
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
        IF octet_length(before) < 33 OR get_byte(before, 0) <> 1 THEN
            RETURN false;
        END IF;
        CONTINUE WHEN octet_length(after) = octet_length(before) AND get_byte(after, 0) = 1
            AND substring(after FROM 1 FOR 5) <> substring(before FROM 1 FOR 5);
{own}
        RETURN false;
    END LOOP;
    RETURN true;
END $$;
"""
# Under a client's own key its head is twelve bytes longer, and names a client who has, or had, one.
_OWN = """
        CONTINUE WHEN octet_length(after) = octet_length(before) + 12 AND get_byte(after, 0) = 2
            AND EXISTS (SELECT FROM client_key
                WHERE client_id = CAST(encode(substring(after FROM 2 FOR 16), 'hex') AS uuid));
"""

# A demand that told nothing of a client goes when its site's period for records is over, and no earlier.
_DEMANDS = """
CREATE FUNCTION demand_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE demand uuid := CASE TG_TABLE_NAME WHEN 'legal_demand' THEN OLD.id
    ELSE CAST(to_jsonb(OLD) ->> 'demand_id' AS uuid) END;
BEGIN
    IF NOT EXISTS (
        SELECT FROM legal_demand d JOIN site s ON s.id = d.site_id WHERE d.id = demand
        AND d.received_at < now() - make_interval(years => s.keep_years)
        AND NOT EXISTS (SELECT FROM release r WHERE r.legal_demand_id = d.id)
    ) THEN
        RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'never_changed';
    END IF;
    RETURN OLD;
END $$;
""" + "\n".join(
    f"""
DROP TRIGGER never_changed ON {table};
CREATE TRIGGER never_changed BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER demand_stays BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION demand_stays();
"""
    for table in ("legal_demand", "legal_demand_step")
)


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_SEALED_ANEW.replace("{own}", _OWN))
    op.execute(_DEMANDS)


def downgrade() -> None:
    for table in ("legal_demand", "legal_demand_step"):
        op.execute(f"""
DROP TRIGGER never_changed ON {table};
DROP TRIGGER demand_stays ON {table};
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed();
""")
    op.execute("DROP FUNCTION demand_stays()")
    op.execute(_SEALED_ANEW.replace("{own}", ""))
    op.execute("""
ALTER TABLE release DROP COLUMN client_id;
DROP INDEX ix_release_legal_demand_id;
ALTER TABLE inbound DROP CONSTRAINT ck_inbound_wiped,
    ADD CONSTRAINT ck_inbound_wiped CHECK (wiped_at IS NULL OR (phone_sealed = '' AND body_sealed = '')),
    DROP COLUMN recipient_id;
""")
