"""The triggers of flexible dosing: what must hold of orders, reductions, extra doses, returns and decisions.

They take the place of functions of the first clinic migration, or stand beside them.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

ORDERS = f"""
CREATE OR REPLACE FUNCTION dose_order_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(part) FROM unnest(NEW.portions) AS part) <> NEW.mg
       OR EXISTS (SELECT 1 FROM unnest(NEW.portions) AS part WHERE part IS NULL OR part <= 0) THEN
        RAISE EXCEPTION 'portions add up to the day''s dose' {_REFUSE} 'dose_order_portions_add_up';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.episode_id, NEW.client_id, NEW.mg, NEW.portions, NEW.places, NEW.plan_id,
        lower(NEW.days), NEW.ordered_by) IS DISTINCT FROM (OLD.episode_id, OLD.client_id, OLD.mg, OLD.portions,
        OLD.places, OLD.plan_id, lower(OLD.days), OLD.ordered_by) THEN
        RAISE EXCEPTION 'an order is superseded, never rewritten' {_REFUSE} 'dose_order_rewritten';
    END IF;
    RETURN NEW;
END $$;
"""

# A dose waits for the client's row, and so does what a dose must not pass by: whichever comes second sees the other.
LOCKED = ("reduction", "dose_exception", "hold")
ONE_AT_A_TIME = """
CREATE FUNCTION one_at_a_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
"""

# Taken with a dose: less than the order was agreed by telephone, and it holds for the whole day's portions together.
# And no dose leaves while one that went wrong has not been reviewed.
REDUCTIONS = f"""
CREATE FUNCTION dose_within_reduction() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF EXISTS (SELECT 1 FROM dose_exception WHERE client_id = NEW.client_id AND blocks AND closed_at IS NULL
               AND dose_day <= NEW.dose_day) THEN
        RAISE EXCEPTION 'a prescriber reviews first' {_REFUSE} 'dose_not_blocked';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_within_reduction BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_within_reduction();

CREATE FUNCTION reduction_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
       OR to_jsonb(NEW) - '{{ended_at,ended_by_order}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{ended_at,ended_by_order}}'::text[] THEN
        RAISE EXCEPTION 'a reduction ends once and is never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reduction_is_kept BEFORE UPDATE OR DELETE ON reduction
    FOR EACH ROW EXECUTE FUNCTION reduction_is_kept();
"""

EXTRA = f"""
CREATE FUNCTION extra_dose_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE about dose_exception%ROWTYPE;
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO STRICT about FROM dose_exception WHERE id = NEW.exception_id FOR SHARE;
    IF (about.client_id, about.dose_day, about.site_id) IS DISTINCT FROM (NEW.client_id, NEW.dose_day, NEW.site_id)
       OR about.kind <> (CASE NEW.kind
            WHEN 'replacement' THEN 'vomited' WHEN 'top_up' THEN 'top_up' ELSE 'wrong_dose' END) THEN
        RAISE EXCEPTION 'an extra dose belongs to its exception' {_REFUSE} 'extra_dose_exception';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM supply WHERE id = NEW.supply_id AND client_id = NEW.client_id
                   AND site_id = NEW.site_id AND dose_day = NEW.dose_day) THEN
        RAISE EXCEPTION 'an extra dose is of a supply to the same client that day' {_REFUSE} 'extra_dose_supply';
    END IF;
    IF NEW.kind = 'replacement' AND (about.closed_at IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM dose WHERE id = about.dose_id AND voided_at IS NULL)) THEN
        RAISE EXCEPTION 'what is given again answers an open exception about a dose' {_REFUSE} 'extra_dose_exception';
    END IF;
    IF NEW.kind <> 'in_error' THEN
        IF about.allowed_mg IS NULL OR NEW.mg > about.allowed_mg
           OR (NEW.kind = 'replacement' AND NEW.mg > (SELECT mg FROM dose WHERE id = about.dose_id)) THEN
            RAISE EXCEPTION 'more than the prescriber allowed' {_REFUSE} 'extra_dose_allowed';
        END IF;
        IF NEW.kind = 'replacement' AND EXISTS (SELECT 1 FROM extra_dose x
                JOIN dose_exception other ON other.id = x.exception_id AND other.dose_id = about.dose_id
                WHERE x.client_id = NEW.client_id AND x.kind = 'replacement' AND x.voided_at IS NULL
                AND x.exception_id <> NEW.exception_id) THEN
            RAISE EXCEPTION 'a dose is replaced once' {_REFUSE} 'extra_dose_once';
        END IF;
        IF EXISTS (SELECT 1 FROM dose_exception WHERE client_id = NEW.client_id AND blocks AND closed_at IS NULL
                   AND dose_day <= NEW.dose_day) THEN
            RAISE EXCEPTION 'a prescriber reviews first' {_REFUSE} 'dose_not_blocked';
        END IF;
        IF EXISTS (SELECT 1 FROM hold WHERE client_id = NEW.client_id AND released_at IS NULL
                   AND days @> NEW.dose_day) THEN
            RAISE EXCEPTION 'the prescriber holds the dose' {_REFUSE} 'dose_not_held';
        END IF;
        IF EXISTS (SELECT 1 FROM day_outcome WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day) THEN
            RAISE EXCEPTION 'the dose day is closed' {_REFUSE} 'dose_day_open';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extra_dose_allowed BEFORE INSERT ON extra_dose
    FOR EACH ROW EXECUTE FUNCTION extra_dose_allowed();

CREATE FUNCTION dose_replaced_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Else its day could be dosed again, beside what was given in its place.
    IF EXISTS (SELECT 1 FROM extra_dose x JOIN dose_exception e ON e.id = x.exception_id
               WHERE e.dose_id = NEW.id AND x.kind = 'replacement' AND x.voided_at IS NULL) THEN
        RAISE EXCEPTION 'the dose was swallowed, and given again' {_REFUSE} 'dose_replaced_stands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_replaced_stands BEFORE UPDATE ON dose FOR EACH ROW
    WHEN (OLD.voided_at IS NULL AND NEW.voided_at IS NOT NULL) EXECUTE FUNCTION dose_replaced_stands();

CREATE FUNCTION extra_dose_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL
       OR to_jsonb(NEW) - 'voided_at' IS DISTINCT FROM to_jsonb(OLD) - 'voided_at' THEN
        RAISE EXCEPTION 'an extra dose is voided once, never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extra_dose_is_kept BEFORE UPDATE OR DELETE ON extra_dose
    FOR EACH ROW EXECUTE FUNCTION extra_dose_is_kept();

CREATE FUNCTION dose_exception_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.dose_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM dose WHERE id = NEW.dose_id
            AND client_id = NEW.client_id AND site_id = NEW.site_id AND dose_day = NEW.dose_day) THEN
        RAISE EXCEPTION 'an exception is about a dose of its own client and day' {_REFUSE} 'dose_exception_dose';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_exception_is_true BEFORE INSERT ON dose_exception
    FOR EACH ROW EXECUTE FUNCTION dose_exception_is_true();

CREATE FUNCTION dose_exception_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Once: who was called and what they allowed; and once: how it ended. What was seen stays as it was written.
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL
       OR to_jsonb(NEW) - '{{prescriber_id,said,allowed_mg,closed_by,closed_at,outcome}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{prescriber_id,said,allowed_mg,closed_by,closed_at,outcome}}'::text[]
       OR ((OLD.prescriber_id IS NOT NULL OR OLD.said <> '') AND (NEW.prescriber_id, NEW.said, NEW.allowed_mg)
           IS DISTINCT FROM (OLD.prescriber_id, OLD.said, OLD.allowed_mg)) THEN
        RAISE EXCEPTION 'an exception is answered once and closed once' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_exception_is_kept BEFORE UPDATE OR DELETE ON dose_exception
    FOR EACH ROW EXECUTE FUNCTION dose_exception_is_kept();
"""

RETURNS = f"""
CREATE FUNCTION bottle_return_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF the_bottle.state <> 'handed_over' OR (the_bottle.client_id, the_bottle.dose_day)
       IS DISTINCT FROM (NEW.client_id, NEW.dose_day) THEN
        RAISE EXCEPTION 'only a bottle that was handed over comes back' {_REFUSE} 'bottle_return_handed_over';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_return_is_true BEFORE INSERT ON bottle_return
    FOR EACH ROW EXECUTE FUNCTION bottle_return_is_true();
"""

TAKE_HOME = f"""
CREATE OR REPLACE FUNCTION take_home_within_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_supply supply%ROWTYPE; allowed decision%ROWTYPE; carried int; that_week int; longest int;
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

# Nothing that was written down is changed or removed: a correction is another row.
KEPT = ("bottle_return", "dose_plan")

# What ends, is answered or is voided once cannot be emptied either.
NEVER_EMPTIED = (*KEPT, "reduction", "extra_dose", "dose_exception")

GUARDS = (
    ORDERS,
    ONE_AT_A_TIME,
    *(
        f"CREATE TRIGGER a_client_is_locked BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION one_at_a_time()"
        for table in LOCKED
    ),
    REDUCTIONS,
    EXTRA,
    RETURNS,
    TAKE_HOME,
    *(
        f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION never_changed()"
        for table in KEPT
    ),
    *(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        for table in NEVER_EMPTIED
    ),
)
