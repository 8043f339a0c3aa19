"""What is checked of a row as it arrives from a site apart, written anew (first in apart_guards).

The same tables exist at both ends, and at both rows arrive past all other triggers: at the centre the satellite's as it
sends them, at the satellite's server the centre's with a cut. What a double cover means is judged at the centre alone.
At the satellite a dose of the centre for a day that was covered there stays without covering: nothing blocks by it,
since nobody there could lift it.
"""

from __future__ import annotations

from dispensary.migrations.apart_guards import ALERTS, DOSES

COLUMNS = """
ALTER TABLE site_apart ADD COLUMN heard_at TIMESTAMPTZ;
ALTER TABLE pickup ADD COLUMN twice BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE flag_answer ADD COLUMN twice BOOLEAN NOT NULL DEFAULT false;
DROP INDEX uq_pickup_open;
CREATE UNIQUE INDEX uq_pickup_open ON pickup (client_id, collect_on)
    WHERE state IN ('prepared', 'out') AND NOT twice;
DROP INDEX uq_flag_answer_said;
CREATE UNIQUE INDEX uq_flag_answer_said ON flag_answer (flag_id) WHERE said AND NOT twice;
"""
COLUMNS_GONE = """
DROP INDEX uq_pickup_open;
DROP INDEX uq_flag_answer_said;
ALTER TABLE pickup DROP COLUMN twice;
ALTER TABLE flag_answer DROP COLUMN twice;
ALTER TABLE site_apart DROP COLUMN heard_at;
CREATE UNIQUE INDEX uq_pickup_open ON pickup (client_id, collect_on) WHERE state IN ('prepared', 'out');
CREATE UNIQUE INDEX uq_flag_answer_said ON flag_answer (flag_id) WHERE said;
"""

# One alert for a cause and a client, while it is open and after it was resolved; what was handed over after that is
# told anew, once for a day.
TOLD = """
CREATE FUNCTION told_at_home(the_client uuid, the_cause text, again text, the_severity text, the_role text,
    the_sentence text, the_evidence jsonb, the_details jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE home uuid := (SELECT site_id FROM client WHERE id = the_client); entry audit_entry%ROWTYPE;
BEGIN
    INSERT INTO alert (id, site_id, client_id, cause, severity, role, sentence, opened_at, resolution, rule, evidence,
        advice, escalated_to, dismissed)
    VALUES (md5(the_cause || the_client || again)::uuid, home, the_client, the_cause, the_severity, the_role,
        the_sentence, now(), '', '', the_evidence, '', '', false)
    ON CONFLICT DO NOTHING;
    IF FOUND AND NOT EXISTS (SELECT FROM site_apart WHERE site_id = home AND until IS NULL) THEN
        entry.site_id := home;
        entry.at := now();
        entry.act := 'found another dose while apart';
        entry.subject := 'client';
        entry.subject_id := the_client;
        entry.details := (jsonb_build_object('cause', the_cause) || the_details)::text;
        PERFORM chained(entry);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION alert_of_arrival(about dose, the_cause text, the_sentence text, the_evidence jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE handed_over timestamptz := (SELECT at FROM supply WHERE id = about.supply_id); again text := '';
BEGIN
    IF EXISTS (SELECT FROM alert WHERE id = md5(the_cause || about.client_id)::uuid AND resolved_at < handed_over) THEN
        again := about.dose_day::text;
    END IF;
    PERFORM told_at_home(about.client_id, the_cause, again, 'urgent', 'doctor', the_sentence, the_evidence,
        jsonb_build_object('dose', about.id, 'supply', about.supply_id));
END $$;
"""

NOT_KNOWN = """
CREATE FUNCTION alerts_of_what_was_not_known(about dose, the_supply supply, code text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given text := told_of_hand_over(about.supply_id, about.mg, about.kind);
    evidence jsonb := jsonb_build_object('supplies', jsonb_build_array(about.supply_id));
    the_cause text; what text;
BEGIN
    FOR the_cause, what IN
        SELECT 'older order: ' || o.id, 'by an order that had been changed or ended' FROM dose_order o
        WHERE o.id = about.order_id AND (o.voided_at <= the_supply.at
            OR (o.ended_at <= the_supply.at AND NOT o.days @> about.dose_day))
        UNION ALL SELECT 'older hold: ' || h.id, 'while a prescriber held it' FROM hold h
        WHERE h.client_id = about.client_id AND h.days @> about.dose_day AND h.placed_at <= the_supply.at
            AND coalesce(h.released_at > the_supply.at, true)
        UNION ALL SELECT 'older decision: ' || c.id, 'by a take-home decision that had been taken back' FROM decision c
        WHERE c.id = the_supply.decision_id AND about.kind = 'take_home' AND (c.voided_at <= the_supply.at
            OR (the_supply.dose_day >= upper(c.days) AND EXISTS (SELECT FROM decision later
                WHERE later.episode_id = c.episode_id AND later.decided_at <= the_supply.at
                AND lower(later.days) = upper(c.days))))
        UNION ALL SELECT 'older block: ' || e.id, 'before a wrong dose had been reviewed' FROM dose_exception e
        WHERE e.client_id = about.client_id AND e.blocks AND e.dose_day <= about.dose_day
            AND e.recorded_at <= the_supply.at AND coalesce(e.closed_at > the_supply.at, true)
        UNION ALL SELECT 'older reduction: ' || r.id, 'above what had been agreed by telephone' FROM reduction r
        WHERE r.client_id = about.client_id AND r.from_day <= about.dose_day AND r.recorded_at <= the_supply.at
            AND coalesce(r.ended_at > the_supply.at, true)
            AND r.mg < about.mg + (SELECT coalesce(sum(d.mg), 0) FROM dose d WHERE d.client_id = about.client_id
                AND d.dose_day = about.dose_day AND d.voided_at IS NULL)
        UNION ALL SELECT 'older flag: ' || f.id, 'against a flag that stops it' FROM stop_flag f
        WHERE f.client_id = about.client_id AND (f.kind = 'stop_dose'
                OR (f.kind = 'stop_bottles' AND about.kind = 'take_home'))
            AND (f.days @> about.dose_day OR f.days @> the_supply.dose_day) AND f.set_at <= the_supply.at
            AND coalesce(f.cleared_at > the_supply.at, true)
    LOOP
        PERFORM alert_of_arrival(about, the_cause, format('Given while %s was apart, %s: %s.', code, what, given),
            evidence);
    END LOOP;
END $$;
"""

# One counter gives a day's doses, and each server knows of one counter. What was given twice was swallowed twice: the
# later one to arrive is a dose in error, under an exception as every wrong dose; a bottle covers nothing and is told.
ARRIVES = """
CREATE OR REPLACE FUNCTION dose_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other dose%ROWTYPE; the_supply supply%ROWTYPE; there site%ROWTYPE; about uuid; day_over boolean;
    comes_whole boolean := (SELECT whole FROM site_apart WHERE site_id = NEW.site_id AND until IS NULL);
BEGIN
    IF NEW.voided_at IS NOT NULL OR comes_whole IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO the_supply FROM supply WHERE id = NEW.supply_id;
    SELECT * INTO STRICT there FROM site WHERE id = NEW.site_id;
    IF comes_whole AND the_supply.origin <> 'import' THEN
        PERFORM alerts_of_what_was_not_known(NEW, the_supply, there.code);
    END IF;
    SELECT * INTO other FROM dose WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day AND voided_at IS NULL
        AND (portion = NEW.portion OR portions <> NEW.portions) ORDER BY portion LIMIT 1;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    IF NOT comes_whole THEN
        NEW.voided_at := now();
        RETURN NEW;
    END IF;
    PERFORM alert_of_arrival(NEW, format('covered twice: %s, portion %s', NEW.dose_day, NEW.portion),
        format('Two doses for %s, given while %s was apart: %s; %s.', NEW.dose_day, there.code,
            told_of_hand_over(other.supply_id, other.mg, other.kind),
            told_of_hand_over(NEW.supply_id, NEW.mg, NEW.kind)),
        jsonb_build_object('supplies', jsonb_build_array(other.supply_id, NEW.supply_id)));
    IF NEW.kind = 'take_home' THEN
        NEW.voided_at := now();
        RETURN NEW;
    END IF;
    about := md5('twice' || NEW.id)::uuid;
    -- On the day itself no further dose leaves before a prescriber has looked, as after every wrong dose. When the
    -- day is over, nothing is withheld for it: the alert stays.
    day_over := NEW.dose_day < ((now() AT TIME ZONE there.zone) - (there.day_starts - time '00:00'))::date;
    INSERT INTO dose_exception (id, site_id, client_id, dose_day, kind, details, said, blocks, recorded_by,
        recorded_at, closed_at, outcome)
    VALUES (about, NEW.site_id, NEW.client_id, NEW.dose_day, 'wrong_dose', jsonb_build_object(
            'given_mg', (other.mg + NEW.mg)::text, 'ordered_mg', other.mg::text, 'intoxicated', false,
            'happened', format('given at two sites while %s was apart', there.code), 'dose', NEW.id),
        '', true, the_supply.dispensed_by, now(), CASE WHEN day_over THEN now() END,
        CASE WHEN day_over THEN 'found after the day was over, when ' || there.code || ' was joined' ELSE '' END)
    ON CONFLICT DO NOTHING;
    INSERT INTO extra_dose (id, supply_id, exception_id, site_id, client_id, dose_day, kind, mg, ml, lot_id)
    VALUES (md5('extra' || NEW.id)::uuid, NEW.supply_id, about, NEW.site_id, NEW.client_id, NEW.dose_day,
        'in_error', NEW.mg, NEW.ml, NEW.lot_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- What covers nothing because another dose does goes on covering nothing, as long as that is so.
CREATE FUNCTION dose_stays_void() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dose WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day AND voided_at IS NULL
            AND (portion = NEW.portion OR portions <> NEW.portions) AND id <> NEW.id) THEN
        NEW.voided_at := OLD.voided_at;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_stays_void BEFORE UPDATE ON dose FOR EACH ROW
    WHEN (OLD.voided_at IS NOT NULL AND NEW.voided_at IS NULL) EXECUTE FUNCTION dose_stays_void();

CREATE OR REPLACE FUNCTION dose_part_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dose WHERE id = NEW.dose_id) THEN
        RETURN NEW;
    END IF;
    UPDATE dose_exception SET details = jsonb_set(details, '{lots}', coalesce(details -> 'lots', '[]')
            || jsonb_build_object('lot', NEW.lot_id, 'mg', NEW.mg, 'ml', NEW.ml))
        WHERE id = md5('twice' || NEW.dose_id)::uuid
        AND NOT coalesce(details -> 'lots', '[]') @> jsonb_build_array(jsonb_build_object('lot', NEW.lot_id));
    RETURN NULL;
END $$;

-- A prescriber's review at the centre stays, whatever the satellite still writes on what it had not heard was closed.
CREATE OR REPLACE FUNCTION dose_exception_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.dose_id IS NOT NULL AND NOT EXISTS (SELECT FROM dose WHERE id = NEW.dose_id) THEN
        NEW.details := NEW.details || jsonb_build_object('dose', NEW.dose_id);
        NEW.dose_id := NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL THEN
            NEW.closed_by := OLD.closed_by;
            NEW.closed_at := OLD.closed_at;
            NEW.outcome := OLD.outcome;
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

# What is open once for a client and was done at both: both stay, and the second says so.
ONCE = """
CREATE FUNCTION pickup_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE other pickup%ROWTYPE;
BEGIN
    IF NEW.state NOT IN ('prepared', 'out') THEN
        RETURN NEW;
    END IF;
    SELECT * INTO other FROM pickup WHERE client_id = NEW.client_id AND collect_on = NEW.collect_on
        AND state IN ('prepared', 'out') AND NOT twice AND id <> NEW.id;
    NEW.twice := FOUND;
    IF FOUND AND TG_OP = 'INSERT' AND EXISTS (SELECT FROM site_apart WHERE site_id = NEW.site_id AND whole
            AND until IS NULL) THEN
        PERFORM told_at_home(NEW.client_id, format('prepared twice: %s', NEW.collect_on), '', 'warning', 'pharmacist',
            format('Bottles to be collected on %s are prepared at %s and at %s: one of them goes back into stock.',
                NEW.collect_on, (SELECT code FROM site WHERE id = other.site_id),
                (SELECT code FROM site WHERE id = NEW.site_id)),
            jsonb_build_object('pickups', jsonb_build_array(other.id, NEW.id)), jsonb_build_object('pickup', NEW.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pickup_arrives BEFORE INSERT OR UPDATE ON pickup FOR EACH ROW EXECUTE FUNCTION pickup_arrives();

CREATE FUNCTION flag_answer_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.twice := NEW.said AND EXISTS (SELECT FROM flag_answer WHERE flag_id = NEW.flag_id AND said AND NOT twice
        AND id <> NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER flag_answer_arrives BEFORE INSERT ON flag_answer FOR EACH ROW EXECUTE FUNCTION flag_answer_arrives();

-- Corrections of a day count up; what both wrote stands one after the other, and the same one once.
CREATE FUNCTION day_correction_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM day_correction c WHERE c.client_id = NEW.client_id AND c.dose_day = NEW.dose_day
            AND c.portion = NEW.portion AND to_jsonb(c) - 'no' = to_jsonb(NEW) - 'no') THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM day_correction WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day
            AND portion = NEW.portion AND no = NEW.no) THEN
        NEW.no := (SELECT 1 + max(no) FROM day_correction WHERE client_id = NEW.client_id
            AND dose_day = NEW.dose_day AND portion = NEW.portion);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER day_correction_arrives BEFORE INSERT ON day_correction
    FOR EACH ROW EXECUTE FUNCTION day_correction_arrives();

CREATE FUNCTION standing_skip_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM standing_skip WHERE standing_id = NEW.standing_id AND day = NEW.day) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER standing_skip_arrives BEFORE INSERT ON standing_skip
    FOR EACH ROW EXECUTE FUNCTION standing_skip_arrives();

-- A bottle that both were told of stands under the report that was here first; the other stays with its words.
CREATE FUNCTION reported_bottle_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM reported_bottle WHERE bottle_id = NEW.bottle_id) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reported_bottle_arrives BEFORE INSERT ON reported_bottle
    FOR EACH ROW EXECUTE FUNCTION reported_bottle_arrives();
"""
# How far a satellite is known, which every counter that may have its clients before it has to say.
HEARD = """
CREATE FUNCTION site_is_heard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE site_apart SET heard_at = NEW.at WHERE site_id = NEW.site_id AND whole AND until IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER site_is_heard AFTER INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION site_is_heard();
"""
NEW_ARRIVALS = (
    ("dose_stays_void", "dose"),
    ("pickup_arrives", "pickup"),
    ("flag_answer_arrives", "flag_answer"),
    ("day_correction_arrives", "day_correction"),
    ("standing_skip_arrives", "standing_skip"),
    ("reported_bottle_arrives", "reported_bottle"),
    ("site_is_heard", "audit_entry"),
)

ANEW = (
    COLUMNS,
    TOLD,
    NOT_KNOWN,
    ARRIVES,
    ONCE,
    HEARD,
    *(f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {name}" for name, table in NEW_ARRIVALS),
)
AS_BEFORE = (
    *(f"DROP TRIGGER {name} ON {table}" for name, table in NEW_ARRIVALS),
    *(f"DROP FUNCTION {name}()" for name, _ in NEW_ARRIVALS),
    "DROP FUNCTION alerts_of_what_was_not_known(dose, supply, text)",
    *(text.replace("CREATE ", "CREATE OR REPLACE ") for text in (ALERTS, DOSES)),
    *(
        f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {name}"
        for name, table in (
            ("dose_arrives", "dose"),
            ("dose_part_arrives", "dose_part"),
            ("dose_exception_arrives", "dose_exception"),
            ("supply_void_arrives", "supply"),
        )
    ),
    "DROP FUNCTION told_at_home(uuid, text, text, text, text, text, jsonb, jsonb)",
    COLUMNS_GONE,
)
