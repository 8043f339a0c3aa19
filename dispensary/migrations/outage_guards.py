"""The triggers of what is entered from paper after an outage: what a dose may do that no dose at the counter may.

Four functions of earlier migrations are written anew, each with one more condition and all of its others. A dose of a
closed day passes with its late entry and the correction of that day. Bottles that nobody had allowed pass where their
late entry says so. A dose that was given before a flag was set, or before anybody knew that an earlier one was wrong,
is not held up by it.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

DOSES = f"""
CREATE OR REPLACE FUNCTION dose_within_order() RETURNS trigger LANGUAGE plpgsql AS $$
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
               AND portion = NEW.portion) AND NOT EXISTS (
            SELECT 1 FROM supply s JOIN late_entry e ON e.supply_id = s.id
            JOIN day_correction c ON c.supply_id = s.id AND c.client_id = NEW.client_id
                AND c.dose_day = NEW.dose_day AND c.portion = NEW.portion
            WHERE s.id = NEW.supply_id AND s.origin = 'outage' AND c.outcome = NEW.kind AND c.given_mg = NEW.mg) THEN
        RAISE EXCEPTION 'the dose day is closed' {_REFUSE} 'dose_day_open';
    END IF;
    RETURN NEW;
END $$;
"""

REDUCTIONS = f"""
CREATE OR REPLACE FUNCTION dose_within_reduction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE agreed reduction%ROWTYPE; so_far numeric;
BEGIN
    SELECT * INTO agreed FROM reduction
        WHERE client_id = NEW.client_id AND ended_at IS NULL AND from_day <= NEW.dose_day;
    IF FOUND THEN
        SELECT coalesce(sum(mg), 0) INTO so_far FROM dose
            WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day AND voided_at IS NULL;
        IF so_far + NEW.mg > agreed.mg THEN
            RAISE EXCEPTION 'more than was agreed with the prescriber' {_REFUSE} 'dose_not_above_reduction';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM dose_exception x WHERE x.client_id = NEW.client_id AND x.blocks AND x.closed_at IS NULL
               AND x.dose_day <= NEW.dose_day AND NOT EXISTS (SELECT 1 FROM supply s JOIN late_entry e
                   ON e.supply_id = s.id WHERE s.id = NEW.supply_id AND s.origin = 'outage'
                   AND s.at <= x.recorded_at)) THEN
        RAISE EXCEPTION 'a prescriber reviews first' {_REFUSE} 'dose_not_blocked';
    END IF;
    RETURN NEW;
END $$;
"""

TAKE_HOME = f"""
CREATE OR REPLACE FUNCTION take_home_within_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_supply supply%ROWTYPE; allowed decision%ROWTYPE; carried int; that_week int; longest int;
BEGIN
    SELECT * INTO STRICT the_supply FROM supply WHERE id = NEW.supply_id;
    IF the_supply.origin = 'import' OR NEW.kind <> 'take_home' THEN
        RETURN NULL;
    END IF;
    IF the_supply.origin = 'outage'
       AND EXISTS (SELECT 1 FROM late_entry WHERE supply_id = the_supply.id AND beyond_decision) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO allowed FROM decision WHERE id = the_supply.decision_id AND client_id = NEW.client_id
        AND voided_at IS NULL AND days @> the_supply.dose_day;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no take-home decision in force' {_REFUSE} 'take_home_decided';
    END IF;
    IF allowed.weekdays IS NOT NULL AND NOT (NEW.closed_day AND allowed.closed_days_apart)
       AND NOT (extract(isodow FROM NEW.dose_day)::int - 1) = ANY (allowed.weekdays) THEN
        RAISE EXCEPTION 'not a day of the weekly pattern' {_REFUSE} 'take_home_weekday';
    END IF;
    -- What is in hand counts, whichever supply it came with: two supplies never add up to more than was decided. Only
    -- what was handed over by that day counts, since a unit of work that writes many supplies is judged at its end. By
    -- the day, not by the moment: of two at once, the one that began first may be the one that is written last.
    SELECT count(DISTINCT d.dose_day) INTO carried FROM dose d JOIN supply s ON s.id = d.supply_id
        WHERE d.client_id = NEW.client_id AND d.kind = 'take_home' AND d.dose_day >= the_supply.dose_day
        AND s.dose_day <= the_supply.dose_day AND d.voided_at IS NULL
        AND NOT (d.closed_day AND allowed.closed_days_apart);
    IF carried > allowed.per_supply AND NOT (NEW.closed_day AND allowed.closed_days_apart) THEN
        RAISE EXCEPTION 'more take-home than decided' {_REFUSE} 'take_home_per_supply';
    END IF;
    IF allowed.per_week IS NOT NULL THEN
        SELECT count(DISTINCT d.dose_day) INTO that_week FROM dose d JOIN supply s ON s.id = d.supply_id
            WHERE d.client_id = NEW.client_id AND d.kind = 'take_home' AND d.voided_at IS NULL
            AND d.dose_day >= date_trunc('week', NEW.dose_day)::date
            AND d.dose_day < date_trunc('week', NEW.dose_day)::date + 7
            AND s.dose_day <= the_supply.dose_day AND NOT (d.closed_day AND allowed.closed_days_apart);
        IF that_week > allowed.per_week THEN
            RAISE EXCEPTION 'more take-home in a week than decided' {_REFUSE} 'take_home_per_week';
        END IF;
    END IF;
    IF allowed.consecutive IS NOT NULL THEN
        -- Days in a row with a bottle, from the hand-over on; closed days kept apart join a run and do not count in it.
        -- The bottle of such a day is judged by its own run, since it may be what joins two.
        SELECT coalesce(max(n), 0) INTO longest FROM (
            SELECT count(*) FILTER (WHERE counts) AS n FROM (
                SELECT dose_day, counts, dose_day - (row_number() OVER (ORDER BY dose_day))::int AS run FROM (
                    SELECT d.dose_day, bool_or(NOT (d.closed_day AND allowed.closed_days_apart)) AS counts
                    FROM dose d JOIN supply s ON s.id = d.supply_id
                    WHERE d.client_id = NEW.client_id AND d.kind = 'take_home' AND d.voided_at IS NULL
                    AND d.dose_day >= the_supply.dose_day AND s.dose_day <= the_supply.dose_day
                    GROUP BY d.dose_day) AS each_day) AS runs
            GROUP BY run HAVING NOT (NEW.closed_day AND allowed.closed_days_apart) OR bool_or(dose_day = NEW.dose_day)
        ) AS lengths;
        IF longest > allowed.consecutive THEN
            RAISE EXCEPTION 'more take-home days in a row than decided' {_REFUSE} 'take_home_consecutive';
        END IF;
    END IF;
    RETURN NULL;
END $$;
"""

STOPS = f"""
CREATE OR REPLACE FUNCTION dose_within_stops() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE against text;
BEGIN
    SELECT f.kind INTO against FROM stop_flag f
        JOIN supply s ON s.id = NEW.supply_id AND s.origin <> 'import'
        LEFT JOIN late_entry e ON e.supply_id = s.id AND s.origin = 'outage'
        WHERE f.client_id = NEW.client_id AND f.cleared_at IS NULL
        AND (e.supply_id IS NULL OR (f.set_at <= s.at AND NOT (f.kind = 'stop_bottles' AND e.beyond_decision)))
        AND (f.kind = 'stop_dose' OR (f.kind = 'stop_bottles' AND NEW.kind = 'take_home'))
        AND (f.days @> NEW.dose_day OR f.days @> s.dose_day)
        ORDER BY f.kind LIMIT 1;
    IF against = 'stop_dose' THEN
        RAISE EXCEPTION 'a prescriber stops the dose' {_REFUSE} 'dose_not_stopped';
    ELSIF against IS NOT NULL THEN
        RAISE EXCEPTION 'no bottle is carried home' {_REFUSE} 'bottles_not_stopped';
    END IF;
    RETURN NEW;
END $$;
"""

# What was written on paper says so, and nothing else does.
LATE = f"""
CREATE FUNCTION late_entry_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM supply WHERE id = NEW.supply_id AND site_id = NEW.site_id AND origin = 'outage'
                   AND at <= NEW.recorded_at) THEN
        RAISE EXCEPTION 'a late entry is of a supply on paper, here and before now' {_REFUSE} 'late_entry_is_true';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER late_entry_is_true BEFORE INSERT ON late_entry FOR EACH ROW EXECUTE FUNCTION late_entry_is_true();

CREATE FUNCTION supply_on_paper_is_marked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM late_entry WHERE supply_id = NEW.id) THEN
        RAISE EXCEPTION 'a supply from paper says who entered it, and when' {_REFUSE} 'supply_on_paper_is_marked';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER supply_on_paper_is_marked AFTER INSERT OR UPDATE OF origin ON supply
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.origin = 'outage')
    EXECUTE FUNCTION supply_on_paper_is_marked();
"""

GUARDS = (
    DOSES,
    REDUCTIONS,
    TAKE_HOME,
    STOPS,
    LATE,
    "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON late_entry FOR EACH ROW EXECUTE FUNCTION never_changed()",
    "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON late_entry FOR EACH STATEMENT EXECUTE FUNCTION never_changed()",
)
