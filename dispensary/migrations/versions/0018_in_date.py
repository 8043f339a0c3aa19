"""Nothing is poured or bottled from a lot that will have expired on the day on which it is taken."""

from alembic import op

revision = "0018_in_date"
down_revision = "0017_carried"
branch_labels = None
depends_on = None

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT = 'lot_in_date'"

# What was given on paper, and what was swallowed in error, are facts: they are written down whatever the lot says.
_GUARDS = f"""
CREATE FUNCTION lot_expires_before(the_lot uuid, the_supply uuid, the_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM lot JOIN supply s ON s.id = the_supply AND s.origin = 'counter'
                   WHERE lot.id = the_lot AND lot.expires_on < greatest(the_day, s.dose_day))
$$;

CREATE FUNCTION dose_of_lot_in_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF lot_expires_before(NEW.lot_id, NEW.supply_id, NEW.dose_day) THEN
        RAISE EXCEPTION 'the lot has expired on the day on which it is taken' {_REFUSE};
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_of_lot_in_date BEFORE INSERT ON dose FOR EACH ROW WHEN (NEW.lot_id IS NOT NULL)
    EXECUTE FUNCTION dose_of_lot_in_date();
CREATE TRIGGER dose_of_lot_in_date BEFORE INSERT ON extra_dose FOR EACH ROW WHEN (NEW.kind <> 'in_error')
    EXECUTE FUNCTION dose_of_lot_in_date();

CREATE FUNCTION dose_part_of_lot_in_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM dose WHERE id = NEW.dose_id AND lot_expires_before(NEW.lot_id, supply_id, dose_day)) THEN
        RAISE EXCEPTION 'the lot has expired on the day on which it is taken' {_REFUSE};
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_part_of_lot_in_date BEFORE INSERT ON dose_part
    FOR EACH ROW EXECUTE FUNCTION dose_part_of_lot_in_date();

CREATE FUNCTION bottle_of_lot_in_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM lot WHERE id = NEW.lot_id AND expires_on < NEW.dose_day) THEN
        RAISE EXCEPTION 'the lot has expired on the day on which it is taken' {_REFUSE};
    END IF;
    RETURN NEW;
END $$;
-- A bottle that is handed over at once is a dose already.
CREATE TRIGGER bottle_of_lot_in_date BEFORE INSERT ON bottle FOR EACH ROW WHEN (NEW.state = 'prepared')
    EXECUTE FUNCTION bottle_of_lot_in_date();
"""
_AWAY = """
DROP TRIGGER bottle_of_lot_in_date ON bottle;
DROP TRIGGER dose_part_of_lot_in_date ON dose_part;
DROP TRIGGER dose_of_lot_in_date ON extra_dose;
DROP TRIGGER dose_of_lot_in_date ON dose;
DROP FUNCTION bottle_of_lot_in_date(), dose_part_of_lot_in_date(), dose_of_lot_in_date(),
    lot_expires_before(uuid, uuid, date);
"""


def upgrade() -> None:
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(_AWAY)
