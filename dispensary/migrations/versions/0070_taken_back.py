"""Kits, uses that were told of and contacts outside that were entered in error are taken back once, for a reason."""

from alembic import op

revision = "0070_taken_back"
down_revision = "0069_told_anew"
branch_labels = None
depends_on = None

TABLES = ("naloxone_kit", "naloxone_use", "outreach_contact")

# What was said stays as it was said; a row is taken back once, and what is left of its lot follows in the same unit.
_GUARDS = """
CREATE FUNCTION taken_back_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR NEW.voided_at IS NULL
        OR (to_jsonb(NEW) - '{voided_at,voided_by,void_reason}'::text[])
            <> (to_jsonb(OLD) - '{voided_at,voided_by,void_reason}'::text[])
    THEN
        RAISE EXCEPTION 'this is taken back once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_ADDS_UP = """
CREATE OR REPLACE FUNCTION naloxone_lot_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM naloxone_lot l WHERE l.id = {lot} AND l.left_over <> l.received - l.discarded
            - (SELECT coalesce(sum(kits), 0) FROM naloxone_kit k WHERE k.lot_id = l.id{stands})
    ) THEN
        RAISE EXCEPTION 'what is left of a lot of kits is what came less what was given and put away'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    op.execute(_GUARDS)
    for table in TABLES:
        op.execute(f"""
            ALTER TABLE {table}
                ADD COLUMN voided_at TIMESTAMP WITH TIME ZONE,
                ADD COLUMN voided_by UUID,
                ADD COLUMN void_reason TEXT,
                ADD CONSTRAINT ck_{table}_taken_back_whole
                    CHECK (num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)),
                ADD CONSTRAINT ck_{table}_void_reason CHECK (void_reason IN ('twice', 'mistaken', 'never')),
                ADD CONSTRAINT fk_{table}_voided_by FOREIGN KEY(voided_by) REFERENCES account (id);
            DROP TRIGGER never_changed ON {table};
            CREATE TRIGGER taken_back_once BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION taken_back_once()""")
    lot = "coalesce(to_jsonb(NEW) ->> 'lot_id', to_jsonb(NEW) ->> 'id')::uuid"
    op.execute(_ADDS_UP.format(lot=lot, stands=" AND k.voided_at IS NULL"))
    op.execute("""
        CREATE CONSTRAINT TRIGGER naloxone_lot_adds_up AFTER UPDATE ON naloxone_kit
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION naloxone_lot_adds_up()""")


def downgrade() -> None:
    op.execute("DROP TRIGGER naloxone_lot_adds_up ON naloxone_kit")
    op.execute(_ADDS_UP.format(lot="NEW.id", stands=""))
    for table in TABLES:
        op.execute(f"""
            DROP TRIGGER taken_back_once ON {table};
            ALTER TABLE {table} DROP COLUMN voided_at, DROP COLUMN voided_by, DROP COLUMN void_reason;
            CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed()""")
    op.execute("DROP FUNCTION taken_back_once")
