"""The triggers of the safe: what PostgreSQL refuses of lots, transfers, parts of a dose, counts and bottles."""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

# Only these columns wake it: a dose, which moves the balance alone, pays nothing for it.
LOTS = f"""
CREATE FUNCTION lot_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.site_id, NEW.book_id, NEW.batch, NEW.strength, NEW.expires_on) IS DISTINCT FROM
       (OLD.site_id, OLD.book_id, OLD.batch, OLD.strength, OLD.expires_on)
       OR (OLD.opened_at IS NOT NULL AND (NEW.opened_at, NEW.opened_by)
           IS DISTINCT FROM (OLD.opened_at, OLD.opened_by)) THEN
        RAISE EXCEPTION 'a lot stays what it says, and is opened once' {_REFUSE} 'lot_is_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lot_is_kept BEFORE UPDATE OF site_id, book_id, batch, strength, expires_on, opened_at, opened_by ON lot
    FOR EACH ROW EXECUTE FUNCTION lot_is_kept();

CREATE FUNCTION poured_lot_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE lot SET opened_at = NEW.at, opened_by = NEW.account_id WHERE id = NEW.lot_id AND opened_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER poured_lot_is_open AFTER INSERT ON register_line
    FOR EACH ROW WHEN (NEW.kind = 'supplied') EXECUTE FUNCTION poured_lot_is_open();

CREATE FUNCTION bottled_lot_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE lot SET opened_at = NEW.packed_at, opened_by = NEW.packed_by WHERE id = NEW.lot_id AND opened_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER bottled_lot_is_open AFTER INSERT ON bottle FOR EACH ROW EXECUTE FUNCTION bottled_lot_is_open();
"""

# What is on its way is in nobody's balance: the lines at both ends say exactly what the transfer says, each once.
TRANSFERS = f"""
CREATE FUNCTION transfer_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'in_transit' OR NOT EXISTS (SELECT 1 FROM lot WHERE id = NEW.from_lot_id
        AND (site_id, batch, strength, expires_on) = (NEW.from_site_id, NEW.batch, NEW.strength, NEW.expires_on)) THEN
        RAISE EXCEPTION 'a transfer begins with a lot of its own site' {_REFUSE} 'transfer_is_true';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transfer_begins BEFORE INSERT ON stock_transfer FOR EACH ROW EXECUTE FUNCTION transfer_begins();

CREATE FUNCTION transfer_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'in_transit'
       OR to_jsonb(NEW) - '{{state,settled_by,settled_at,to_lot_id,measured_ml,reason}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{state,settled_by,settled_at,to_lot_id,measured_ml,reason}}'::text[] THEN
        RAISE EXCEPTION 'a transfer is received or taken back, once' {_REFUSE} 'transfer_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transfer_settles_once BEFORE UPDATE OR DELETE ON stock_transfer
    FOR EACH ROW EXECUTE FUNCTION transfer_settles_once();

CREATE FUNCTION transfer_line_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_transfer stock_transfer%ROWTYPE; the_lot lot%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_transfer FROM stock_transfer WHERE id = NEW.transfer_id FOR NO KEY UPDATE;
    SELECT * INTO STRICT the_lot FROM lot WHERE id = NEW.lot_id;
    IF the_transfer.state <> 'in_transit' THEN
        RAISE EXCEPTION 'a transfer is received or taken back, once' {_REFUSE} 'transfer_settles_once';
    END IF;
    IF NOT (CASE NEW.kind
        WHEN 'sent' THEN NEW.lot_id = the_transfer.from_lot_id AND NEW.ml = -the_transfer.ml
        WHEN 'received' THEN NEW.ml = the_transfer.ml
            AND (the_lot.site_id, the_lot.batch, the_lot.strength, the_lot.expires_on) = (the_transfer.to_site_id,
                the_transfer.batch, the_transfer.strength, the_transfer.expires_on)
        WHEN 'counted' THEN the_lot.site_id = the_transfer.to_site_id
        WHEN 'corrected' THEN EXISTS (SELECT 1 FROM register_line WHERE id = NEW.corrects_id AND kind = 'sent'
            AND transfer_id = NEW.transfer_id)
        ELSE false END) THEN
        RAISE EXCEPTION 'the line says another thing than its transfer' {_REFUSE} 'transfer_is_true';
    END IF;
    RETURN NEW;
END $$;
-- Before register_line_moves_balance, by its name: the transfer is locked before the lot.
CREATE TRIGGER a_transfer_is_locked BEFORE INSERT ON register_line
    FOR EACH ROW WHEN (NEW.transfer_id IS NOT NULL) EXECUTE FUNCTION transfer_line_is_true();

CREATE FUNCTION transfer_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE now_is stock_transfer%ROWTYPE; kinds text[]; off numeric;
BEGIN
    SELECT * INTO STRICT now_is FROM stock_transfer WHERE id = NEW.id;
    SELECT array_agg(kind ORDER BY kind), coalesce(sum(ml) FILTER (WHERE kind = 'counted'), 0)
        INTO kinds, off FROM register_line WHERE transfer_id = NEW.id;
    IF NOT (CASE now_is.state
        WHEN 'in_transit' THEN kinds = '{{sent}}'
        WHEN 'taken_back' THEN kinds = '{{corrected,sent}}'
        ELSE kinds IN ('{{received,sent}}', '{{counted,received,sent}}') AND off = now_is.measured_ml - now_is.ml
            AND EXISTS (SELECT 1 FROM register_line WHERE transfer_id = NEW.id AND kind = 'received'
                AND lot_id = now_is.to_lot_id) END) THEN
        RAISE EXCEPTION 'a transfer and its lines say the same' {_REFUSE} 'transfer_is_whole';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER transfer_is_whole AFTER INSERT OR UPDATE ON stock_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION transfer_is_whole();
"""

PARTS = f"""
CREATE FUNCTION dose_parts_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_dose dose%ROWTYPE; n int; strengths int; mg_of numeric; ml_of numeric; own boolean; here boolean;
BEGIN
    SELECT * INTO STRICT the_dose FROM dose WHERE id = NEW.dose_id;
    SELECT count(*), count(DISTINCT lot.strength), sum(p.mg), sum(p.ml), bool_or(p.lot_id = the_dose.lot_id),
            bool_and(lot.site_id = the_dose.site_id)
        INTO n, strengths, mg_of, ml_of, own, here
        FROM dose_part p JOIN lot ON lot.id = p.lot_id WHERE p.dose_id = NEW.dose_id;
    IF the_dose.kind <> 'observed' OR n < 2 OR NOT own OR NOT here
       OR (mg_of, ml_of) IS DISTINCT FROM (the_dose.mg, the_dose.ml) THEN
        RAISE EXCEPTION 'the parts of a dose add up to it' {_REFUSE} 'dose_parts_add_up';
    END IF;
    IF strengths > 1
       AND NOT EXISTS (SELECT 1 FROM stock_setting WHERE site_id = the_dose.site_id AND mix_strengths) THEN
        RAISE EXCEPTION 'the site mixes no strengths' {_REFUSE} 'dose_parts_strengths';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER dose_parts_add_up AFTER INSERT ON dose_part
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dose_parts_add_up();
"""

COUNTS = f"""
CREATE FUNCTION shortage_is_investigated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM investigation WHERE count_id = NEW.id AND ml = -NEW.difference) THEN
        RAISE EXCEPTION 'a shortage beyond the tolerance is investigated' {_REFUSE} 'shortage_is_investigated';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER shortage_is_investigated AFTER INSERT ON stock_count
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.judged = 'beyond' AND NEW.difference < 0)
    EXECUTE FUNCTION shortage_is_investigated();

CREATE FUNCTION investigation_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
       OR to_jsonb(NEW) - '{{closed_by,closed_at,found}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{closed_by,closed_at,found}}'::text[] THEN
        RAISE EXCEPTION 'an investigation is closed once, never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER investigation_is_kept BEFORE UPDATE OR DELETE ON investigation
    FOR EACH ROW EXECUTE FUNCTION investigation_is_kept();
"""

# A bottle for a client's day and portion is in one place: two would be two doses in one pocket.
LIVE = "('prepared', 'checked', 'out', 'handed_over', 'recalled')"
BOTTLES = f"""
CREATE FUNCTION bottle_in_one_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM bottle b LEFT JOIN dose d ON d.id = b.dose_id
               WHERE b.client_id = NEW.client_id AND b.dose_day = NEW.dose_day AND b.portion = NEW.portion
               AND b.state IN {LIVE} AND d.voided_at IS NULL) THEN
        RAISE EXCEPTION 'there is a bottle for this day and portion' {_REFUSE} 'bottle_in_one_place';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_in_one_place BEFORE INSERT ON bottle
    FOR EACH ROW WHEN (NEW.state IN {LIVE}) EXECUTE FUNCTION bottle_in_one_place();
"""

# Nothing that was written down is changed or removed: a correction is another row.
KEPT = ("delivery", "destruction", "dose_part")
NEVER_EMPTIED = (*KEPT, "stock_transfer", "investigation")

GUARDS = (
    LOTS,
    TRANSFERS,
    PARTS,
    COUNTS,
    BOTTLES,
    *(
        f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
    *(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        for table in NEVER_EMPTIED
    ),
)
