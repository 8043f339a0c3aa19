"""Medicine of other treatments at the counter: it falls with its supply, and a dose is swallowed once a day."""

from alembic import op

revision = "0030_refills"
down_revision = "0029_longer"
branch_labels = None
depends_on = None

# A treatment of which doses were swallowed here is one of which they are. Of two on a day the first stands.
_COLUMNS = """
ALTER TABLE treatment ADD COLUMN observed BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE treatment ALTER COLUMN observed DROP DEFAULT;
UPDATE treatment SET observed = true WHERE id IN (
    SELECT m.treatment_id FROM medication m JOIN refill r ON r.medication_id = m.id
    WHERE r.observed AND r.voided_at IS NULL);
UPDATE refill SET voided_at = now(), void_reason = 'written down twice for the day'
WHERE observed AND voided_at IS NULL AND EXISTS (
    SELECT FROM refill first WHERE first.medication_id = refill.medication_id AND first.on_day = refill.on_day
    AND first.observed AND first.voided_at IS NULL AND (first.given_at, first.id) < (refill.given_at, refill.id));
UPDATE refill SET voided_at = now(), void_reason = 'its hand-over was void'
WHERE voided_at IS NULL AND supply_id IN (SELECT id FROM supply WHERE voided_at IS NOT NULL);
CREATE UNIQUE INDEX uq_refill_observed_once ON refill (medication_id, on_day) WHERE observed AND voided_at IS NULL;
CREATE INDEX ix_refill_supply_id ON refill (supply_id) WHERE supply_id IS NOT NULL;
ALTER TABLE refill ADD CONSTRAINT ck_refill_void_has_reason CHECK ((voided_at IS NULL) = (void_reason = ''));
"""

# The row of the supply is held while a refill of it is written, so that voiding it waits, and then finds the refill.
_GUARDS = """
CREATE FUNCTION refill_of_its_supply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.supply_id IS DISTINCT FROM OLD.supply_id THEN
            RAISE EXCEPTION 'a refill stays with the supply that it came with'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refill_of_its_supply';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.supply_id IS NOT NULL THEN
        PERFORM 1 FROM supply s JOIN medication m ON m.id = NEW.medication_id AND m.client_id = s.client_id
        WHERE s.id = NEW.supply_id AND s.voided_at IS NULL FOR SHARE OF s;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a refill comes with a supply of the same client that stands'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refill_of_its_supply';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refill_of_its_supply BEFORE INSERT OR UPDATE ON refill
    FOR EACH ROW EXECUTE FUNCTION refill_of_its_supply();

CREATE FUNCTION refills_fall_with_supply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM refill WHERE supply_id = NEW.id AND voided_at IS NULL) THEN
        RAISE EXCEPTION 'the refills that came with a supply fall with it'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refills_fall_with_supply';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refills_fall_with_supply AFTER UPDATE OF voided_at ON supply
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.voided_at IS NOT NULL)
    EXECUTE FUNCTION refills_fall_with_supply();
"""


def upgrade() -> None:
    op.execute(_COLUMNS)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        """
        DROP TRIGGER refills_fall_with_supply ON supply;
        DROP TRIGGER refill_of_its_supply ON refill;
        DROP FUNCTION refills_fall_with_supply, refill_of_its_supply;
        DROP INDEX ix_refill_supply_id, uq_refill_observed_once;
        ALTER TABLE refill DROP CONSTRAINT ck_refill_void_has_reason;
        ALTER TABLE treatment DROP COLUMN observed;
        """
    )
