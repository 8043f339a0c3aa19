"""Naloxone: lots of kits, kits that were given, what was said to the offer, and uses as they were told."""

from alembic import op

from dispensary.migrations.walls import walled_by, walled_by_both, walled_by_site

revision = "0058b_naloxone"
down_revision = "0055d_doubles"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE naloxone_lot (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    batch TEXT NOT NULL,
    product TEXT NOT NULL,
    expires_on DATE NOT NULL,
    received INTEGER NOT NULL,
    left_over INTEGER NOT NULL,
    discarded INTEGER NOT NULL,
    received_by UUID NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_naloxone_lot PRIMARY KEY (id),
    CONSTRAINT uq_naloxone_lot_site_id_batch UNIQUE (site_id, batch),
    CONSTRAINT ck_naloxone_lot_received CHECK (received BETWEEN 1 AND 100000),
    CONSTRAINT ck_naloxone_lot_left_over CHECK (left_over BETWEEN 0 AND received),
    CONSTRAINT ck_naloxone_lot_discarded CHECK (discarded BETWEEN 0 AND received - left_over),
    CONSTRAINT ck_naloxone_lot_named CHECK (batch <> '' AND product <> ''),
    CONSTRAINT fk_naloxone_lot_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_naloxone_lot_received_by FOREIGN KEY(received_by) REFERENCES account (id)
);
CREATE TABLE naloxone_kit (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    lot_id UUID NOT NULL,
    client_id UUID,
    to_whom TEXT NOT NULL,
    code_digest BYTEA,
    kits SMALLINT NOT NULL,
    trained BOOLEAN NOT NULL,
    given_on DATE NOT NULL,
    given_by UUID NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_naloxone_kit PRIMARY KEY (id),
    CONSTRAINT ck_naloxone_kit_to_whom CHECK (to_whom IN ('client', 'peer', 'family', 'community')),
    CONSTRAINT ck_naloxone_kit_a_client_is_known CHECK (to_whom <> 'client' OR client_id IS NOT NULL),
    CONSTRAINT ck_naloxone_kit_kits CHECK (kits BETWEEN 1 AND 100),
    CONSTRAINT fk_naloxone_kit_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_naloxone_kit_lot_id FOREIGN KEY(lot_id) REFERENCES naloxone_lot (id),
    CONSTRAINT fk_naloxone_kit_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_naloxone_kit_given_by FOREIGN KEY(given_by) REFERENCES account (id)
);
CREATE INDEX ix_naloxone_kit_client_id_given_on ON naloxone_kit (client_id, given_on);
CREATE INDEX ix_naloxone_kit_site_id_given_on ON naloxone_kit (site_id, given_on);
CREATE INDEX ix_naloxone_kit_lot_id ON naloxone_kit (lot_id);
CREATE TABLE naloxone_answer (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    answer TEXT NOT NULL,
    said_on DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_naloxone_answer PRIMARY KEY (id),
    CONSTRAINT ck_naloxone_answer_answer CHECK (answer IN ('declined', 'has_one')),
    CONSTRAINT fk_naloxone_answer_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_naloxone_answer_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_naloxone_answer_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_naloxone_answer_client_id_said_on ON naloxone_answer (client_id, said_on);
CREATE TABLE naloxone_use (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    client_id UUID,
    told_by TEXT NOT NULL,
    happened_on DATE NOT NULL,
    kits SMALLINT NOT NULL,
    outcome TEXT NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_naloxone_use PRIMARY KEY (id),
    CONSTRAINT ck_naloxone_use_told_by CHECK (told_by IN ('client', 'peer', 'family', 'community')),
    CONSTRAINT ck_naloxone_use_a_client_is_known CHECK (told_by <> 'client' OR client_id IS NOT NULL),
    CONSTRAINT ck_naloxone_use_kits CHECK (kits BETWEEN 1 AND 20),
    CONSTRAINT ck_naloxone_use_outcome CHECK (outcome IN ('lives', 'died', 'unknown')),
    CONSTRAINT fk_naloxone_use_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_naloxone_use_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_naloxone_use_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_naloxone_use_client_id ON naloxone_use (client_id);
CREATE INDEX ix_naloxone_use_site_id_happened_on ON naloxone_use (site_id, happened_on);
"""

# What is left of a lot is what came less what was given and put away, whoever counts: PostgreSQL holds it at each gift.
_GUARD = """
CREATE FUNCTION naloxone_lot_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.left_over <> NEW.received - NEW.discarded
        - (SELECT coalesce(sum(kits), 0) FROM naloxone_kit WHERE lot_id = NEW.id)
    THEN
        RAISE EXCEPTION 'what is left of a lot of kits is what came less what was given and put away'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER naloxone_lot_adds_up AFTER INSERT OR UPDATE ON naloxone_lot
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION naloxone_lot_adds_up();
CREATE FUNCTION naloxone_kit_is_of_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT site_id FROM naloxone_lot WHERE id = NEW.lot_id) IS DISTINCT FROM NEW.site_id THEN
        RAISE EXCEPTION 'kits are given from a lot of the same site' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM FROM naloxone_lot WHERE id = NEW.lot_id FOR UPDATE;
    RETURN NEW;
END $$;
CREATE TRIGGER naloxone_kit_is_of_lot BEFORE INSERT ON naloxone_kit
    FOR EACH ROW EXECUTE FUNCTION naloxone_kit_is_of_lot();
"""

KEPT = ("naloxone_kit", "naloxone_answer", "naloxone_use")


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARD)
    for table in KEPT:
        op.execute(f"""
            CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed();
            CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_site("naloxone_lot"))
    op.execute(walled_by_both("naloxone_answer"))
    # A gift or a use is a site's own, and a client's where one is named.
    for table in ("naloxone_kit", "naloxone_use"):
        mine = f"{table}.site_id = ANY (desk_sites())"
        ours = f"EXISTS (SELECT FROM client WHERE client.id = {table}.client_id)"
        op.execute(walled_by(table, f"{mine} OR {ours}", added=f"{mine} AND ({table}.client_id IS NULL OR {ours})"))


def downgrade() -> None:
    op.execute("""DROP TABLE naloxone_use, naloxone_answer, naloxone_kit, naloxone_lot;
        DROP FUNCTION naloxone_lot_adds_up, naloxone_kit_is_of_lot""")
