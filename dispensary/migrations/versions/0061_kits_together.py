"""Kits given to several people in one unit of work add up as they do one by one.

A deferred trigger runs at the end with the row as each statement left it: the sum of all kits was compared with
what was left after the first of them. The lot is read as it stands then.
"""

from alembic import op

revision = "0061_kits_together"
down_revision = "0056_hot_queries"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE OR REPLACE FUNCTION naloxone_lot_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM naloxone_lot l WHERE l.id = NEW.id AND l.left_over <> l.received - l.discarded
            - (SELECT coalesce(sum(kits), 0) FROM naloxone_kit k WHERE k.lot_id = l.id)
    ) THEN
        RAISE EXCEPTION 'what is left of a lot of kits is what came less what was given and put away'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$""")


def downgrade() -> None:
    op.execute("""
CREATE OR REPLACE FUNCTION naloxone_lot_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.left_over <> NEW.received - NEW.discarded
        - (SELECT coalesce(sum(kits), 0) FROM naloxone_kit WHERE lot_id = NEW.id)
    THEN
        RAISE EXCEPTION 'what is left of a lot of kits is what came less what was given and put away'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$""")
