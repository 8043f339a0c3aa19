"""The triggers of bottles, of voided supplies and of late corrections: what PostgreSQL refuses of them.

A bottle's state is moved by a line of its own record alone, as a lot's balance is moved by the register alone.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

# From which state a bottle may go to which. The same table is read by people in dispensary/supplies/bottle_rules.py;
# a test compares the two.
MOVES = {
    "prepared": ("checked", "out", "handed_over", "back_in_stock", "lost"),
    "checked": ("out", "handed_over", "back_in_stock", "lost"),
    "out": ("handed_over", "prepared", "back_in_stock", "lost"),
    "handed_over": ("recalled", "returned_empty", "returned_full", "lost", "prepared", "void"),
    "recalled": ("handed_over", "returned_empty", "returned_full", "lost", "prepared", "void"),
    "returned_full": ("destroyed", "back_in_stock"),
    "lost": ("returned_empty", "returned_full"),
}
IN_THE_SAFE = ("prepared", "checked", "out")
"""States in which what is in the bottle still belongs to its lot's balance, promised to somebody."""

_PAIRS = ", ".join(f"('{before}', '{after}')" for before, afters in MOVES.items() for after in afters)
_SAFE = ", ".join(f"'{state}'" for state in IN_THE_SAFE)

BOTTLES = f"""
CREATE OR REPLACE FUNCTION bottle_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.id, NEW.serial, NEW.site_id, NEW.client_id, NEW.order_id, NEW.pickup_id, NEW.lot_id,
        NEW.dose_day, NEW.portion, NEW.portions, NEW.mg, NEW.ml, NEW.packed_by, NEW.packed_at) IS DISTINCT FROM (OLD.id,
        OLD.serial, OLD.site_id, OLD.client_id, OLD.order_id, OLD.pickup_id, OLD.lot_id, OLD.dose_day, OLD.portion,
        OLD.portions, OLD.mg, OLD.ml, OLD.packed_by, OLD.packed_at) OR pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'a bottle moves by its record alone' {_REFUSE} 'bottle_moves_forward';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION bottle_event_moves_bottle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE; so_far int;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id FOR UPDATE;
    SELECT count(*) INTO so_far FROM bottle_event WHERE bottle_id = NEW.bottle_id;
    NEW.seq := so_far + 1;
    IF so_far = 0 THEN
        IF NEW.state <> the_bottle.state THEN
            RAISE EXCEPTION 'a bottle''s record begins as the bottle was packed' {_REFUSE} 'bottle_moves_forward';
        END IF;
        RETURN NEW;
    END IF;
    IF (the_bottle.state, NEW.state) NOT IN ({_PAIRS}) THEN
        RAISE EXCEPTION 'a bottle that is % does not become %', the_bottle.state, NEW.state
            {_REFUSE} 'bottle_moves_forward';
    END IF;
    UPDATE bottle SET state = NEW.state, dose_id = CASE
            WHEN NEW.state = 'prepared' THEN NULL
            WHEN NEW.state = 'handed_over' THEN coalesce(NEW.dose_id, dose_id)
            ELSE dose_id END
        WHERE id = NEW.bottle_id;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_event_moves_bottle BEFORE INSERT ON bottle_event
    FOR EACH ROW EXECUTE FUNCTION bottle_event_moves_bottle();

CREATE FUNCTION bottle_record_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state NOT IN ('prepared', 'handed_over') THEN
        RAISE EXCEPTION 'a bottle is packed first' {_REFUSE} 'bottle_moves_forward';
    END IF;
    INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, dose_id, note)
        VALUES (NEW.id, 1, NEW.state, NEW.packed_at, NEW.packed_by, NEW.dose_id, '');
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION bottle_fills_from_lot() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before numeric := 0; after numeric := 0;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state IN ({_SAFE}) THEN before := OLD.ml; END IF;
    IF NEW.state IN ({_SAFE}) THEN after := NEW.ml; END IF;
    IF before <> after THEN
        UPDATE lot SET bottled = bottled + after - before WHERE id = NEW.lot_id;
    END IF;
    RETURN NULL;
END $$;
-- After bottle_fills_from_lot, by its name: the lot first, as everywhere.
CREATE TRIGGER bottle_record_begins AFTER INSERT ON bottle FOR EACH ROW EXECUTE FUNCTION bottle_record_begins();
"""

RETURNS = f"""
CREATE OR REPLACE FUNCTION bottle_return_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF the_bottle.state NOT IN ('handed_over', 'recalled', 'lost') OR the_bottle.dose_id IS NULL
       OR (the_bottle.client_id, the_bottle.dose_day) IS DISTINCT FROM (NEW.client_id, NEW.dose_day) THEN
        RAISE EXCEPTION 'only a bottle that was handed over comes back' {_REFUSE} 'bottle_return_handed_over';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION bottle_return_is_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT state FROM bottle WHERE id = NEW.bottle_id) NOT IN ('returned_empty', 'returned_full', 'destroyed',
        'back_in_stock') THEN
        RAISE EXCEPTION 'a bottle that came back is said to be elsewhere' {_REFUSE} 'bottle_return_recorded';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bottle_return_is_recorded AFTER INSERT ON bottle_return
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bottle_return_is_recorded();
"""

# A supply is voided once, whole, with its reason; and then nothing of it is left: no dose, no extra dose, and every
# millilitre back in the lot that it came from.
VOIDS = f"""
CREATE FUNCTION supply_is_voided_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.voided_at IS NOT NULL THEN
        RAISE EXCEPTION 'a supply is voided once' {_REFUSE} 'supply_voided_once';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM supply_void WHERE supply_id = NEW.id) THEN
        RAISE EXCEPTION 'a supply is voided with a reason' {_REFUSE} 'supply_voided_whole';
    END IF;
    IF EXISTS (SELECT 1 FROM dose WHERE supply_id = NEW.id AND voided_at IS NULL)
       OR EXISTS (SELECT 1 FROM extra_dose WHERE supply_id = NEW.id AND voided_at IS NULL) THEN
        RAISE EXCEPTION 'a dose of a voided supply still stands' {_REFUSE} 'supply_voided_whole';
    END IF;
    IF EXISTS (SELECT 1 FROM register_line WHERE supply_id = NEW.id AND kind IN ('supplied', 'corrected')
               GROUP BY lot_id HAVING sum(ml) <> 0) THEN
        RAISE EXCEPTION 'a lot was not credited with what it gave' {_REFUSE} 'supply_voided_whole';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER supply_is_voided_whole AFTER UPDATE OF voided_at ON supply
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.voided_at IS DISTINCT FROM OLD.voided_at)
    EXECUTE FUNCTION supply_is_voided_whole();

CREATE FUNCTION supply_void_takes_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM supply WHERE id = NEW.supply_id AND voided_at IS NOT NULL) THEN
        RAISE EXCEPTION 'what is said to be void still stands' {_REFUSE} 'supply_voided_whole';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER supply_void_takes_effect AFTER INSERT ON supply_void
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION supply_void_takes_effect();

CREATE FUNCTION dose_of_void_supply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM supply_void WHERE supply_id = NEW.supply_id) THEN
        RAISE EXCEPTION 'the supply is void' {_REFUSE} 'supply_voided_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_of_void_supply BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_of_void_supply();
"""

# What a closed day says is never rewritten: what was learned afterwards stands beside it, and the last word counts.
CORRECTIONS = """
CREATE VIEW day_as_known AS
SELECT o.client_id, o.dose_day, o.portion, o.portions, o.site_id, o.episode_id, o.order_id, o.ordered_mg,
    coalesce(c.given_mg, o.given_mg) AS given_mg, coalesce(c.outcome, o.outcome) AS outcome, o.frozen_at,
    c.at AS corrected_at
FROM day_outcome o LEFT JOIN (
    SELECT DISTINCT ON (client_id, dose_day, portion) client_id, dose_day, portion, given_mg, outcome, at
    FROM day_correction ORDER BY client_id, dose_day, portion, no DESC
) c ON c.client_id = o.client_id AND c.dose_day = o.dose_day AND c.portion = o.portion;
"""

KEPT = ("bottle_event", "supply_void", "day_correction")
GUARDS = (
    BOTTLES,
    RETURNS,
    VOIDS,
    CORRECTIONS,
    *(
        f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
    *(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
)
