"""The triggers of the first clinic migration: what must hold is refused by PostgreSQL before any code is asked.

Each refusal carries a constraint name, by which the services tell a person what was wrong.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

AUDIT = """
CREATE FUNCTION audit_chain_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_chain (site_id, length, head) VALUES (NEW.id, 0, sha256(convert_to(NEW.id::text, 'UTF8')));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_chain_begins AFTER INSERT ON site FOR EACH ROW EXECUTE FUNCTION audit_chain_begins();

CREATE FUNCTION audit_entry_joins_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE chain audit_chain%ROWTYPE;
BEGIN
    SELECT * INTO STRICT chain FROM audit_chain WHERE site_id = NEW.site_id FOR UPDATE;
    NEW.seq := chain.length + 1;
    NEW.previous := chain.head;
    NEW.hash := sha256(chain.head || convert_to(concat_ws('|',
        NEW.site_id, NEW.seq, (extract(epoch FROM NEW.at) * 1000000)::bigint, coalesce(NEW.account_id::text, ''),
        NEW.act, NEW.subject, coalesce(NEW.subject_id::text, ''), NEW.details), 'UTF8'));
    UPDATE audit_chain SET length = NEW.seq, head = NEW.hash WHERE site_id = NEW.site_id;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_joins_chain BEFORE INSERT ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_joins_chain();
"""

# Nothing that was written down is changed or removed: a correction is another row.
KEPT = ("audit_entry", "register_line", "stock_count", "day_outcome", "policy_version", "assessment")
NEVER_CHANGED = f"""
CREATE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME {_REFUSE} 'never_changed';
END $$;
"""

REGISTER = f"""
CREATE FUNCTION register_line_moves_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_lot lot%ROWTYPE; corrected register_line%ROWTYPE;
BEGIN
    UPDATE lot SET balance = balance + NEW.ml WHERE id = NEW.lot_id RETURNING * INTO STRICT the_lot;
    IF the_lot.book_id <> NEW.book_id THEN
        RAISE EXCEPTION 'the lot belongs to another book' {_REFUSE} 'register_line_lot_in_book';
    END IF;
    IF NEW.kind = 'supplied' AND the_lot.expires_on < NEW.dose_day THEN
        RAISE EXCEPTION 'the lot has expired' {_REFUSE} 'register_line_lot_expired';
    END IF;
    IF NEW.corrects_id IS NOT NULL THEN
        SELECT * INTO STRICT corrected FROM register_line WHERE id = NEW.corrects_id;
        IF corrected.lot_id <> NEW.lot_id OR corrected.ml <> -NEW.ml OR corrected.kind = 'corrected' THEN
            RAISE EXCEPTION 'a correction is a counter-entry to the same lot'
                {_REFUSE} 'register_line_counter_entry';
        END IF;
    END IF;
    NEW.lot_balance := the_lot.balance;
    UPDATE register_book SET balance = balance + NEW.ml, lines = lines + 1 WHERE id = NEW.book_id
        RETURNING balance, lines INTO STRICT NEW.balance, NEW.seq;
    RETURN NEW;
END $$;
CREATE TRIGGER register_line_moves_balance BEFORE INSERT ON register_line
    FOR EACH ROW EXECUTE FUNCTION register_line_moves_balance();

CREATE FUNCTION balance_moves_by_register_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2
       AND (to_jsonb(NEW) -> 'balance', to_jsonb(NEW) -> 'bottled', to_jsonb(NEW) -> 'lines')
       IS DISTINCT FROM (to_jsonb(OLD) -> 'balance', to_jsonb(OLD) -> 'bottled', to_jsonb(OLD) -> 'lines') THEN
        RAISE EXCEPTION 'a balance moves by a register line alone' {_REFUSE} 'balance_by_register';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER balance_moves_by_register_alone BEFORE UPDATE ON lot
    FOR EACH ROW EXECUTE FUNCTION balance_moves_by_register_alone();
CREATE TRIGGER balance_moves_by_register_alone BEFORE UPDATE ON register_book
    FOR EACH ROW EXECUTE FUNCTION balance_moves_by_register_alone();

CREATE FUNCTION balance_begins_at_zero() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.balance <> 0 THEN
        RAISE EXCEPTION 'a balance begins at zero' {_REFUSE} 'balance_by_register';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER balance_begins_at_zero BEFORE INSERT ON lot
    FOR EACH ROW EXECUTE FUNCTION balance_begins_at_zero();
CREATE TRIGGER balance_begins_at_zero BEFORE INSERT ON register_book
    FOR EACH ROW EXECUTE FUNCTION balance_begins_at_zero();
"""

ORDERS = f"""
CREATE FUNCTION dose_order_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(part) FROM unnest(NEW.portions) AS part) <> NEW.mg
       OR EXISTS (SELECT 1 FROM unnest(NEW.portions) AS part WHERE part IS NULL OR part <= 0) THEN
        RAISE EXCEPTION 'portions add up to the day''s dose' {_REFUSE} 'dose_order_portions_add_up';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.episode_id, NEW.client_id, NEW.mg, NEW.portions, lower(NEW.days), NEW.ordered_by)
       IS DISTINCT FROM (OLD.episode_id, OLD.client_id, OLD.mg, OLD.portions, lower(OLD.days), OLD.ordered_by) THEN
        RAISE EXCEPTION 'an order is superseded, never rewritten' {_REFUSE} 'dose_order_rewritten';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_order_adds_up BEFORE INSERT OR UPDATE ON dose_order
    FOR EACH ROW EXECUTE FUNCTION dose_order_adds_up();

CREATE FUNCTION dose_orders_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (
            SELECT days, end_reason, lead(lower(days)) OVER (ORDER BY lower(days)) AS next_from
            FROM dose_order WHERE episode_id = NEW.episode_id AND voided_at IS NULL
        ) AS chain
        WHERE end_reason = 'superseded' AND next_from IS DISTINCT FROM upper(days)
    ) THEN
        RAISE EXCEPTION 'a superseded order is followed by the next without a gap' {_REFUSE} 'dose_order_gap';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER dose_orders_follow AFTER INSERT OR UPDATE ON dose_order
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dose_orders_follow();
"""

DOSES = f"""
CREATE FUNCTION dose_within_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_order dose_order%ROWTYPE;
BEGIN
    -- One at a time for a client: two doses at once see each other, and an order is not changed meanwhile.
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO STRICT the_order FROM dose_order WHERE id = NEW.order_id;
    IF the_order.client_id <> NEW.client_id OR the_order.voided_at IS NOT NULL
       OR NOT the_order.days @> NEW.dose_day THEN
        RAISE EXCEPTION 'no order in force for this dose day' {_REFUSE} 'dose_order_in_force';
    END IF;
    IF NEW.portions <> cardinality(the_order.portions) OR NEW.mg > the_order.portions[NEW.portion] THEN
        RAISE EXCEPTION 'more than the order' {_REFUSE} 'dose_not_above_order';
    END IF;
    IF EXISTS (SELECT 1 FROM dose WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day
               AND voided_at IS NULL AND portions <> NEW.portions) THEN
        RAISE EXCEPTION 'the day is covered in other portions' {_REFUSE} 'uq_dose_covers_once';
    END IF;
    IF EXISTS (SELECT 1 FROM hold WHERE client_id = NEW.client_id AND released_at IS NULL
               AND days @> NEW.dose_day) THEN
        RAISE EXCEPTION 'the prescriber holds the dose' {_REFUSE} 'dose_not_held';
    END IF;
    IF EXISTS (SELECT 1 FROM day_outcome WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day
               AND portion = NEW.portion) THEN
        RAISE EXCEPTION 'the dose day is closed' {_REFUSE} 'dose_day_open';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_within_order BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_within_order();

CREATE FUNCTION dose_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR (NEW.id, NEW.supply_id, NEW.client_id, NEW.order_id,
        NEW.dose_day, NEW.portion, NEW.portions, NEW.kind, NEW.mg, NEW.ml, NEW.lot_id, NEW.closed_day)
       IS DISTINCT FROM (OLD.id, OLD.supply_id, OLD.client_id, OLD.order_id,
        OLD.dose_day, OLD.portion, OLD.portions, OLD.kind, OLD.mg, OLD.ml, OLD.lot_id, OLD.closed_day) THEN
        RAISE EXCEPTION 'a dose is voided once, never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_is_kept BEFORE UPDATE OR DELETE ON dose FOR EACH ROW EXECUTE FUNCTION dose_is_kept();

CREATE FUNCTION take_home_within_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_supply supply%ROWTYPE; allowed decision%ROWTYPE; carried int; that_week int;
BEGIN
    SELECT * INTO STRICT the_supply FROM supply WHERE id = NEW.supply_id;
    IF the_supply.origin = 'import' OR NEW.kind <> 'take_home' THEN
        RETURN NULL;
    END IF;
    SELECT * INTO allowed FROM decision WHERE id = the_supply.decision_id AND client_id = NEW.client_id
        AND voided_at IS NULL AND days @> the_supply.dose_day;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no take-home decision in force' {_REFUSE} 'take_home_decided';
    END IF;
    -- What is in hand counts, whichever supply it came with: two supplies never add up to more than was decided. Only
    -- what was handed over by then counts, since a unit of work that writes many supplies is judged at its end.
    SELECT count(DISTINCT d.dose_day) INTO carried FROM dose d JOIN supply s ON s.id = d.supply_id
        WHERE d.client_id = NEW.client_id AND d.kind = 'take_home' AND d.dose_day >= the_supply.dose_day
        AND s.at <= the_supply.at AND d.voided_at IS NULL AND NOT (d.closed_day AND allowed.closed_days_apart);
    IF carried > allowed.per_supply AND NOT (NEW.closed_day AND allowed.closed_days_apart) THEN
        RAISE EXCEPTION 'more take-home than decided' {_REFUSE} 'take_home_per_supply';
    END IF;
    IF allowed.per_week IS NOT NULL THEN
        SELECT count(DISTINCT d.dose_day) INTO that_week FROM dose d JOIN supply s ON s.id = d.supply_id
            WHERE d.client_id = NEW.client_id AND d.kind = 'take_home' AND d.voided_at IS NULL
            AND d.dose_day >= date_trunc('week', NEW.dose_day)::date
            AND d.dose_day < date_trunc('week', NEW.dose_day)::date + 7
            AND s.at <= the_supply.at AND NOT (d.closed_day AND allowed.closed_days_apart);
        IF that_week > allowed.per_week THEN
            RAISE EXCEPTION 'more take-home in a week than decided' {_REFUSE} 'take_home_per_week';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER take_home_within_decision AFTER INSERT ON dose
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'take_home')
    EXECUTE FUNCTION take_home_within_decision();

CREATE FUNCTION bottle_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'prepared' OR (NEW.id, NEW.serial, NEW.client_id, NEW.order_id, NEW.lot_id,
        NEW.dose_day, NEW.portion, NEW.mg, NEW.ml) IS DISTINCT FROM (OLD.id, OLD.serial, OLD.client_id, OLD.order_id,
        OLD.lot_id, OLD.dose_day, OLD.portion, OLD.mg, OLD.ml) THEN
        RAISE EXCEPTION 'a bottle is handed over or goes back, once' {_REFUSE} 'bottle_moves_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_moves_forward BEFORE UPDATE OR DELETE ON bottle
    FOR EACH ROW EXECUTE FUNCTION bottle_moves_forward();

CREATE FUNCTION bottle_fills_from_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state = 'prepared' THEN
        UPDATE lot SET bottled = bottled + NEW.ml WHERE id = NEW.lot_id;
    ELSIF TG_OP = 'UPDATE' AND OLD.state = 'prepared' AND NEW.state <> 'prepared' THEN
        UPDATE lot SET bottled = bottled - OLD.ml WHERE id = OLD.lot_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER bottle_fills_from_lot AFTER INSERT OR UPDATE ON bottle
    FOR EACH ROW EXECUTE FUNCTION bottle_fills_from_lot();
"""

GUARDS = (
    AUDIT,
    NEVER_CHANGED,
    *(
        f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
    *(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
    REGISTER,
    ORDERS,
    DOSES,
)
