"""The triggers of a site with a server of its own: what is checked of a row as it arrives by logical replication.

They fire for replicated rows alone (ENABLE REPLICA), where all others are silent: what the satellite's guards judged is
not judged again by what the centre knows today. What they look for is what one server cannot have seen: a day that
the other one covered. Nothing that arrives is refused but a chain that does not fit; nothing is lost.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

# Another server's chain is never written here: its own entry about the client comes there when the rows are joined.
AT_HOME = """
DO $$
DECLARE source text := pg_get_functiondef('audit_entry_at_home()'::regprocedure);
BEGIN
    IF position('IF home <> NEW.site_id {was}' IN source) = 0 THEN
        RAISE EXCEPTION 'audit_entry_at_home is not as it was';
    END IF;
    EXECUTE replace(source, 'IF home <> NEW.site_id {was}', 'IF home <> NEW.site_id {becomes}');
END $$
"""
IS_HERE = """THEN"""
NOT_APART = """AND NOT EXISTS (SELECT FROM site_apart a WHERE a.site_id = home AND a.until IS NULL) THEN"""

WRITTEN = f"""
CREATE FUNCTION written_on_another_server() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written on another server', TG_TABLE_NAME {_REFUSE} 'written_elsewhere';
END $$;
"""
"""Refuses a row of whoever writes elsewhere. Which rows those are is said where a site is lent (dispensary/apart)."""

LINKS = f"""
CREATE FUNCTION link_of(previous bytea, e audit_entry) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(previous || convert_to(concat_ws('|',
        e.site_id, e.seq, (extract(epoch FROM e.at) * 1000000)::bigint, coalesce(e.account_id::text, ''),
        e.act, e.subject, coalesce(e.subject_id::text, ''), e.details), 'UTF8'))
$$;

CREATE FUNCTION chained(e audit_entry) RETURNS void LANGUAGE plpgsql AS $$
DECLARE chain audit_chain%ROWTYPE;
BEGIN
    SELECT * INTO STRICT chain FROM audit_chain WHERE site_id = e.site_id FOR UPDATE;
    e.seq := chain.length + 1;
    e.previous := chain.head;
    e.hash := link_of(chain.head, e);
    UPDATE audit_chain SET length = e.seq, head = e.hash WHERE site_id = e.site_id;
    INSERT INTO audit_entry SELECT (e).*;
END $$;

CREATE FUNCTION audit_entry_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before bytea; home uuid; copy audit_entry%ROWTYPE;
BEGIN
    IF EXISTS (SELECT FROM site_apart WHERE site_id = NEW.site_id AND whole AND until IS NULL) THEN
        SELECT hash INTO before FROM audit_entry WHERE site_id = NEW.site_id AND seq = NEW.seq - 1;
        IF NEW.seq = 1 THEN
            before := sha256(convert_to(NEW.site_id::text, 'UTF8'));
        END IF;
        IF before IS NULL OR NEW.previous <> before OR NEW.hash <> link_of(before, NEW) THEN
            RAISE EXCEPTION 'audit entry % of site % does not fit the chain', NEW.seq, NEW.site_id
                {_REFUSE} 'audit_entry_fits';
        END IF;
        -- What another site does for a client stands in the chain of home too: here, when it is known here.
        SELECT site_id INTO home FROM client WHERE id = NEW.subject_id AND NEW.subject = 'client';
        IF home <> NEW.site_id AND NOT EXISTS (SELECT FROM site_apart WHERE site_id = home AND until IS NULL) THEN
            copy := NEW;
            copy.site_id := home;
            copy.details := (NEW.details::jsonb
                || jsonb_build_object('at_site', (SELECT code FROM site WHERE id = NEW.site_id)))::text;
            PERFORM chained(copy);
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_arrives BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_arrives();
"""

# What a satellite wrote it has written: a line that was changed there afterwards, by a hand past its guards, stays out.
_WRITTEN_ONCE = ("audit_entry", "register_line", "stock_count")
AS_IT_CAME = f"""
CREATE FUNCTION stays_as_it_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM site_apart WHERE whole AND until IS NULL) THEN
        RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME {_REFUSE} 'never_changed';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""

ALERTS = """
CREATE FUNCTION told_of_hand_over(the_supply uuid, mg numeric, kind text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s mg %s at %s on %s', trim_scale(mg),
        CASE kind WHEN 'take_home' THEN 'in a bottle' ELSE 'taken' END, site.code,
        to_char(s.at AT TIME ZONE site.zone, 'YYYY-MM-DD HH24:MI'))
    FROM supply s JOIN site ON site.id = s.site_id WHERE s.id = the_supply
$$;

CREATE FUNCTION alert_of_arrival(about dose, the_cause text, the_sentence text, the_evidence jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE home uuid := (SELECT site_id FROM client WHERE id = about.client_id); entry audit_entry%ROWTYPE;
BEGIN
    INSERT INTO alert (id, site_id, client_id, cause, severity, role, sentence, opened_at, resolution, rule, evidence,
        advice, escalated_to, dismissed)
    VALUES (md5(the_cause || about.client_id)::uuid, home, about.client_id, the_cause, 'urgent', 'doctor', the_sentence,
        now(), '', '', the_evidence, '', '', false)
    ON CONFLICT DO NOTHING;
    IF FOUND AND NOT EXISTS (SELECT FROM site_apart WHERE site_id = home AND until IS NULL) THEN
        entry.site_id := home;
        entry.at := now();
        entry.act := 'found another dose while apart';
        entry.subject := 'client';
        entry.subject_id := about.client_id;
        entry.details := jsonb_build_object('cause', the_cause, 'dose', about.id, 'supply', about.supply_id)::text;
        PERFORM chained(entry);
    END IF;
END $$;
"""

# One counter gives a day's doses, and each server knows of one counter. What was given twice was swallowed twice: the
# later one to arrive is a dose in error, under an exception as every wrong dose; a bottle covers nothing and is told.
DOSES = """
CREATE FUNCTION dose_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other dose%ROWTYPE; the_supply supply%ROWTYPE; the_order dose_order%ROWTYPE; there site%ROWTYPE;
    about uuid; day_over boolean;
BEGIN
    IF NEW.voided_at IS NOT NULL OR NOT EXISTS (SELECT FROM site_apart WHERE site_id = NEW.site_id AND until IS NULL)
    THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO the_supply FROM supply WHERE id = NEW.supply_id;
    SELECT * INTO STRICT there FROM site WHERE id = NEW.site_id;
    SELECT * INTO other FROM dose WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day AND voided_at IS NULL
        AND (portion = NEW.portion OR portions <> NEW.portions) ORDER BY portion LIMIT 1;
    IF FOUND THEN
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
            CASE WHEN day_over THEN 'found after the day was over, when ' || there.code || ' was joined' ELSE '' END);
        INSERT INTO extra_dose (id, supply_id, exception_id, site_id, client_id, dose_day, kind, mg, ml, lot_id)
        VALUES (md5('extra' || NEW.id)::uuid, NEW.supply_id, about, NEW.site_id, NEW.client_id, NEW.dose_day,
            'in_error', NEW.mg, NEW.ml, NEW.lot_id);
        RETURN NULL;
    END IF;
    SELECT * INTO the_order FROM dose_order WHERE id = NEW.order_id;
    IF the_supply.origin <> 'import' AND (the_order.voided_at <= the_supply.at OR (the_order.ended_at <= the_supply.at
            AND NOT the_order.days @> NEW.dose_day)
        OR EXISTS (SELECT FROM hold WHERE client_id = NEW.client_id AND days @> NEW.dose_day
            AND placed_at <= the_supply.at AND coalesce(released_at > the_supply.at, true))) THEN
        PERFORM alert_of_arrival(NEW, format('older order: %s, portion %s', NEW.dose_day, NEW.portion),
            format('Given while %s was apart, by an order that had been changed or held: %s.', there.code,
                told_of_hand_over(NEW.supply_id, NEW.mg, NEW.kind)),
            jsonb_build_object('supplies', jsonb_build_array(NEW.supply_id)));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_arrives BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_arrives();

CREATE FUNCTION dose_part_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dose WHERE id = NEW.dose_id) THEN
        RETURN NEW;
    END IF;
    UPDATE dose_exception SET details = jsonb_set(details, '{lots}', coalesce(details -> 'lots', '[]')
            || jsonb_build_object('lot', NEW.lot_id, 'mg', NEW.mg, 'ml', NEW.ml))
        WHERE id = md5('twice' || NEW.dose_id)::uuid;
    RETURN NULL;
END $$;
CREATE TRIGGER dose_part_arrives BEFORE INSERT ON dose_part FOR EACH ROW EXECUTE FUNCTION dose_part_arrives();

CREATE FUNCTION dose_exception_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.dose_id IS NOT NULL AND NOT EXISTS (SELECT FROM dose WHERE id = NEW.dose_id) THEN
        NEW.details := NEW.details || jsonb_build_object('dose', NEW.dose_id);
        NEW.dose_id := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_exception_arrives BEFORE INSERT OR UPDATE ON dose_exception
    FOR EACH ROW EXECUTE FUNCTION dose_exception_arrives();

CREATE FUNCTION supply_void_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE extra_dose SET voided_at = NEW.voided_at WHERE supply_id = NEW.id AND kind = 'in_error'
        AND voided_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER supply_void_arrives AFTER UPDATE ON supply FOR EACH ROW
    WHEN (OLD.voided_at IS NULL AND NEW.voided_at IS NOT NULL) EXECUTE FUNCTION supply_void_arrives();
"""

# A day is frozen once. Where both closed it, what was handed over corrects what nobody knew of.
DAYS = """
CREATE FUNCTION day_outcome_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE given dose%ROWTYPE; frozen day_outcome%ROWTYPE;
BEGIN
    IF NOT EXISTS (SELECT FROM site_apart WHERE until IS NULL AND NEW.dose_day >= since::date - 1) THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT * INTO given FROM dose WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day
        AND portion = NEW.portion AND voided_at IS NULL;
    SELECT * INTO frozen FROM day_outcome WHERE client_id = NEW.client_id AND dose_day = NEW.dose_day
        AND portion = NEW.portion;
    IF frozen.client_id IS NULL THEN
        IF EXISTS (SELECT FROM site_apart WHERE until IS NULL
                AND site_id = coalesce(given.site_id, site_of_day(NEW.client_id, NEW.dose_day))) THEN
            RETURN NEW;
        END IF;
        RETURN NULL;  -- the close of a site of this server freezes it
    END IF;
    IF given.id IS NOT NULL AND EXISTS (SELECT FROM site_apart WHERE until IS NULL AND site_id = given.site_id)
       AND NOT EXISTS (SELECT FROM day_as_known k WHERE k.client_id = NEW.client_id AND k.dose_day = NEW.dose_day
            AND k.portion = NEW.portion AND k.outcome = given.kind) THEN
        INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason, supply_id, account_id,
            at)
        SELECT NEW.client_id, NEW.dose_day, NEW.portion, 1 + count(c.no), given.kind, given.mg,
            'given at ' || (SELECT code FROM site WHERE id = given.site_id) || ' while it was apart', given.supply_id,
            (SELECT dispensed_by FROM supply WHERE id = given.supply_id), now()
        FROM day_correction c WHERE c.client_id = NEW.client_id AND c.dose_day = NEW.dose_day
            AND c.portion = NEW.portion;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER day_outcome_arrives BEFORE INSERT ON day_outcome FOR EACH ROW EXECUTE FUNCTION day_outcome_arrives();

CREATE FUNCTION facts_are_touched_from_afar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE fact_client SET touched = true WHERE client_id = NEW.client_id AND NOT touched AND NEW.dose_day <= through;
    RETURN NULL;
END $$;
"""

# A dose in error is no dose of the day's figure, whatever the satellite counted before it was known to be one.
FIGURES = """
CREATE FUNCTION fact_site_day_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.doses := greatest(0, NEW.doses - (SELECT count(*) FROM supply s JOIN extra_dose x ON x.supply_id = s.id
        JOIN dose_exception e ON e.id = x.exception_id AND e.id = md5('twice' || (e.details ->> 'dose'))::uuid
        WHERE s.site_id = NEW.site_id AND s.dose_day = NEW.dose_day AND x.kind = 'in_error'));
    RETURN NEW;
END $$;
CREATE TRIGGER fact_site_day_arrives BEFORE INSERT OR UPDATE ON fact_site_day
    FOR EACH ROW EXECUTE FUNCTION fact_site_day_arrives();
"""
_DAYS_WRITTEN = (("dose", "INSERT OR UPDATE"), ("day_outcome", "INSERT"), ("day_correction", "INSERT"))

# What is open once for a client and was opened at both: both stay, the second under a name that says where.
ONCE = """
CREATE FUNCTION alert_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.resolved_at IS NULL AND EXISTS (SELECT FROM alert WHERE client_id = NEW.client_id AND cause = NEW.cause
            AND resolved_at IS NULL AND id <> NEW.id) THEN
        NEW.cause := NEW.cause || ', ' || NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER alert_arrives BEFORE INSERT OR UPDATE ON alert FOR EACH ROW EXECUTE FUNCTION alert_arrives();

CREATE FUNCTION task_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.done_at IS NULL AND EXISTS (SELECT FROM task WHERE client_id = NEW.client_id AND kind = NEW.kind
            AND due_on = NEW.due_on AND sentence = NEW.sentence AND done_at IS NULL AND id <> NEW.id) THEN
        NEW.sentence := NEW.sentence || ' (' || (SELECT code FROM site WHERE id = NEW.site_id) || ')';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER task_arrives BEFORE INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION task_arrives();

CREATE FUNCTION refill_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.observed AND NEW.voided_at IS NULL AND EXISTS (SELECT FROM refill WHERE medication_id = NEW.medication_id
            AND on_day = NEW.on_day AND observed AND voided_at IS NULL AND id <> NEW.id) THEN
        NEW.voided_at := now();
        NEW.void_reason := 'taken twice on a day: at another site too, while it was apart';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refill_arrives BEFORE INSERT ON refill FOR EACH ROW EXECUTE FUNCTION refill_arrives();
"""

ARRIVALS = (
    ("audit_entry_arrives", "audit_entry"),
    ("dose_arrives", "dose"),
    ("dose_part_arrives", "dose_part"),
    ("dose_exception_arrives", "dose_exception"),
    ("supply_void_arrives", "supply"),
    ("day_outcome_arrives", "day_outcome"),
    ("fact_site_day_arrives", "fact_site_day"),
    ("alert_arrives", "alert"),
    ("task_arrives", "task"),
    ("refill_arrives", "refill"),
    *(("stays_as_it_came", table) for table in _WRITTEN_ONCE),
    *(("facts_are_touched_from_afar", table) for table, _ in _DAYS_WRITTEN),
)
"""Triggers by their table: each fires for what arrives and for nothing else."""

GUARDS = (
    AT_HOME.format(was=IS_HERE, becomes=NOT_APART),
    WRITTEN,
    LINKS,
    AS_IT_CAME,
    *(
        f"CREATE TRIGGER stays_as_it_came BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION stays_as_it_came()"
        for table in _WRITTEN_ONCE
    ),
    ALERTS,
    DOSES,
    DAYS,
    *(
        f"CREATE TRIGGER facts_are_touched_from_afar AFTER {events} ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION facts_are_touched_from_afar()"
        for table, events in _DAYS_WRITTEN
    ),
    FIGURES,
    ONCE,
    *(f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {name}" for name, table in ARRIVALS),
)
GONE = (
    *(f"DROP TRIGGER {name} ON {table}" for name, table in ARRIVALS),
    *(f"DROP FUNCTION {name}()" for name in dict.fromkeys(name for name, _ in ARRIVALS)),
    "DROP FUNCTION alert_of_arrival(dose, text, text, jsonb)",
    "DROP FUNCTION told_of_hand_over(uuid, numeric, text)",
    "DROP FUNCTION chained(audit_entry)",
    "DROP FUNCTION link_of(bytea, audit_entry)",
    "DROP FUNCTION written_on_another_server() CASCADE",
    AT_HOME.format(was=NOT_APART, becomes=IS_HERE),
)
