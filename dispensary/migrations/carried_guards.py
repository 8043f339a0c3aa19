"""The triggers of bottles between two pairs of hands: what a report is about, and where a full bottle may go back."""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

# The client had it, or it was out with a carrier when it was lost: nothing else is reported so.
REPORTED = f"""
DROP TRIGGER reported_bottle_is_lost ON reported_bottle;
DROP FUNCTION reported_bottle_is_lost();

CREATE FUNCTION reported_bottle_had_left() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF the_bottle.state <> 'lost'
       OR (the_bottle.dose_id IS NULL AND 'out' IS DISTINCT FROM (SELECT state FROM bottle_event
           WHERE bottle_id = NEW.bottle_id AND state <> 'lost' ORDER BY seq DESC LIMIT 1))
       OR the_bottle.client_id IS DISTINCT FROM (SELECT client_id FROM bottle_report WHERE id = NEW.report_id) THEN
        RAISE EXCEPTION 'a report is about bottles that had left the counter' {_REFUSE} 'reported_bottle_is_lost';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reported_bottle_had_left BEFORE INSERT ON reported_bottle
    FOR EACH ROW EXECUTE FUNCTION reported_bottle_had_left();
"""

# What another site's lot filled is in that site's books: here it can be destroyed, never put into this safe.
RESTOCKED = f"""
CREATE FUNCTION bottle_back_in_its_own_safe() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM bottle_return r JOIN bottle b ON b.id = r.bottle_id JOIN lot l ON l.id = b.lot_id
               WHERE r.bottle_id = NEW.bottle_id AND r.site_id <> l.site_id) THEN
        RAISE EXCEPTION 'a bottle goes back into the safe that filled it alone' {_REFUSE} 'bottle_back_in_its_own_safe';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bottle_back_in_its_own_safe BEFORE INSERT ON bottle_event
    FOR EACH ROW WHEN (NEW.state = 'back_in_stock') EXECUTE FUNCTION bottle_back_in_its_own_safe();
"""

GUARDS = (REPORTED, RESTOCKED)

# As it was before: a report is about a bottle that was handed over.
BEFORE = f"""
DROP TRIGGER bottle_back_in_its_own_safe ON bottle_event;
DROP FUNCTION bottle_back_in_its_own_safe();
DROP TRIGGER reported_bottle_had_left ON reported_bottle;
DROP FUNCTION reported_bottle_had_left();

CREATE FUNCTION reported_bottle_is_lost() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_bottle bottle%ROWTYPE;
BEGIN
    SELECT * INTO STRICT the_bottle FROM bottle WHERE id = NEW.bottle_id;
    IF the_bottle.state <> 'lost' OR the_bottle.dose_id IS NULL
       OR the_bottle.client_id IS DISTINCT FROM (SELECT client_id FROM bottle_report WHERE id = NEW.report_id) THEN
        RAISE EXCEPTION 'a report is about bottles that the client had' {_REFUSE} 'reported_bottle_is_lost';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reported_bottle_is_lost BEFORE INSERT ON reported_bottle
    FOR EACH ROW EXECUTE FUNCTION reported_bottle_is_lost();
"""
