"""The triggers of stop flags: who may set one and who may clear it, and that nothing leaves against a live one."""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

# Of a stop of doses prescribers alone dispose; of the others whoever treats. A flag whose owner is not there any more
# would stand for ever: a prescriber of the site then clears it.
OWNED = f"""
CREATE FUNCTION works_here_as(who uuid, place uuid, roles text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM role_grant g JOIN account a ON a.id = g.account_id AND a.left_at IS NULL
                   WHERE (who IS NULL OR g.account_id = who) AND g.site_id = place AND g.role = ANY (roles))
$$;

CREATE FUNCTION stop_flag_is_set() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE disposes text[] := CASE NEW.kind WHEN 'stop_dose' THEN '{{doctor}}' ELSE '{{doctor,pharmacist,nurse}}' END;
BEGIN
    IF NOT works_here_as(NEW.set_by, NEW.site_id, disposes) THEN
        RAISE EXCEPTION 'this account may not set such a flag' {_REFUSE} 'stop_flag_set_by';
    END IF;
    IF NEW.owner_role <> ALL (disposes) OR NOT works_here_as(NEW.owner_id, NEW.site_id, disposes) THEN
        RAISE EXCEPTION 'a flag has an owner who may clear it' {_REFUSE} 'stop_flag_owner';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stop_flag_is_set BEFORE INSERT ON stop_flag FOR EACH ROW EXECUTE FUNCTION stop_flag_is_set();

CREATE FUNCTION stop_flag_is_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE disposes text[];
BEGIN
    IF TG_OP = 'DELETE' OR OLD.cleared_at IS NOT NULL
       OR to_jsonb(NEW) - '{{cleared_by,cleared_at,clear_reason}}'::text[] IS DISTINCT FROM
          to_jsonb(OLD) - '{{cleared_by,cleared_at,clear_reason}}'::text[] THEN
        RAISE EXCEPTION 'a flag is cleared once and never rewritten' {_REFUSE} 'never_changed';
    END IF;
    disposes := CASE OLD.kind WHEN 'stop_dose' THEN '{{doctor}}' ELSE '{{doctor,pharmacist,nurse}}' END;
    IF NEW.cleared_by IS NULL OR NOT coalesce(NEW.cleared_by = OLD.owner_id, false)
       AND NOT coalesce(works_here_as(NEW.cleared_by, OLD.site_id, ARRAY[OLD.owner_role]), false)
       AND (works_here_as(OLD.owner_id, OLD.site_id, CASE WHEN OLD.owner_role IS NULL THEN disposes
                                                          ELSE ARRAY[OLD.owner_role] END)
            OR NOT works_here_as(NEW.cleared_by, OLD.site_id, '{{doctor}}')) THEN
        RAISE EXCEPTION 'its owner alone clears a flag' {_REFUSE} 'stop_flag_cleared_by';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stop_flag_is_cleared BEFORE UPDATE OR DELETE ON stop_flag
    FOR EACH ROW EXECUTE FUNCTION stop_flag_is_cleared();
"""

# By their names these run after the triggers that wait for the client's row: a flag that is set at the same moment is
# seen, or waits itself. What was swallowed in error is a fact and is written down whatever stands against it.
HELD_AGAINST = f"""
CREATE FUNCTION dose_within_stops() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE against text;
BEGIN
    SELECT f.kind INTO against FROM stop_flag f
        JOIN supply s ON s.id = NEW.supply_id AND s.origin <> 'import'
        WHERE f.client_id = NEW.client_id AND f.cleared_at IS NULL
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
CREATE TRIGGER dose_within_stops BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_within_stops();

CREATE FUNCTION extra_dose_within_stops() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind <> 'in_error' AND EXISTS (SELECT 1 FROM stop_flag WHERE client_id = NEW.client_id
            AND cleared_at IS NULL AND kind = 'stop_dose' AND days @> NEW.dose_day) THEN
        RAISE EXCEPTION 'a prescriber stops the dose' {_REFUSE} 'dose_not_stopped';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extra_dose_within_stops BEFORE INSERT ON extra_dose
    FOR EACH ROW EXECUTE FUNCTION extra_dose_within_stops();

CREATE FUNCTION bottle_within_stops() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM stop_flag f LEFT JOIN pickup p ON p.id = NEW.pickup_id
               WHERE f.client_id = NEW.client_id AND f.cleared_at IS NULL AND f.kind <> 'say_first'
               AND (f.days @> NEW.dose_day OR coalesce(f.days @> p.collect_on, false))) THEN
        RAISE EXCEPTION 'no bottle is prepared' {_REFUSE} 'bottles_not_stopped';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_within_stops BEFORE INSERT ON bottle FOR EACH ROW WHEN (NEW.state = 'prepared')
    EXECUTE FUNCTION bottle_within_stops();
"""

GUARDS = (
    "CREATE TRIGGER a_client_is_locked BEFORE INSERT ON stop_flag FOR EACH ROW EXECUTE FUNCTION one_at_a_time()",
    OWNED,
    HELD_AGAINST,
    "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON flag_answer FOR EACH ROW EXECUTE FUNCTION never_changed()",
    *(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        for table in ("stop_flag", "flag_answer")
    ),
)
