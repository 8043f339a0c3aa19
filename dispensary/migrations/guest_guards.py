"""The triggers of guest stays: who may verify one, and at which site a dose day's doses are handed over.

A stay and a dose both wait for the client's row, so that whichever comes second sees the other.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

_MOVES = (
    "'{from_day,days,bottles,verified_by,verified_at,confirmed,refused_by,refused_at,refusal,ended_by,ended_at,"
    "ended_on,end_reason}'::text[]"
)
STAYS = f"""
CREATE TRIGGER a_client_is_locked BEFORE INSERT OR UPDATE ON guest_stay
    FOR EACH ROW EXECUTE FUNCTION one_at_a_time();

CREATE FUNCTION guest_stay_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE answered_by uuid := NULL; verified boolean := NEW.verified_at IS NOT NULL;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.home_site_id <> (SELECT site_id FROM client WHERE id = NEW.client_id) THEN
            RAISE EXCEPTION 'home is the site whose client it is' {_REFUSE} 'guest_stay_home';
        END IF;
        answered_by := coalesce(NEW.verified_by, NEW.refused_by);
    ELSE
        IF to_jsonb(NEW) - {_MOVES} IS DISTINCT FROM to_jsonb(OLD) - {_MOVES}
           OR ((OLD.verified_at IS NOT NULL OR OLD.refused_at IS NOT NULL) AND (NEW.from_day, NEW.bottles,
               NEW.verified_by, NEW.verified_at, NEW.confirmed, NEW.refused_by, NEW.refused_at, NEW.refusal)
               IS DISTINCT FROM (OLD.from_day, OLD.bottles, OLD.verified_by, OLD.verified_at, OLD.confirmed,
               OLD.refused_by, OLD.refused_at, OLD.refusal))
           OR (NEW.verified_at IS NULL AND (NEW.from_day, NEW.bottles) IS DISTINCT FROM (OLD.from_day, OLD.bottles))
           OR NEW.from_day < OLD.from_day
           OR OLD.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a stay is answered once and ended once' {_REFUSE} 'never_changed';
        END IF;
        IF OLD.verified_at IS NULL AND OLD.refused_at IS NULL THEN
            answered_by := coalesce(NEW.verified_by, NEW.refused_by);
        END IF;
        verified := verified AND OLD.verified_at IS NULL;
    END IF;
    IF answered_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM role_grant WHERE account_id = answered_by
            AND site_id = NEW.home_site_id AND role IN ('pharmacist', 'doctor')) THEN
        RAISE EXCEPTION 'home answers for its client' {_REFUSE} 'guest_stay_answered_by_home';
    END IF;
    -- A closed day has its outcomes already, or belongs to nobody's close.
    IF verified AND EXISTS (SELECT 1 FROM day_close WHERE site_id IN (NEW.home_site_id, NEW.guest_site_id)
            AND dose_day >= NEW.from_day) THEN
        RAISE EXCEPTION 'a day of the stay is closed' {_REFUSE} 'guest_stay_days_open';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guest_stay_is_true BEFORE INSERT OR UPDATE ON guest_stay
    FOR EACH ROW EXECUTE FUNCTION guest_stay_is_true();
CREATE TRIGGER never_changed BEFORE DELETE ON guest_stay FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON guest_stay FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

# One site gives the doses of a day: the guest site on the days of a verified stay, home on all others. Both for the day
# on which something is handed over and for the day that a dose is for.
DOSES = f"""
CREATE FUNCTION site_of_day(the_client uuid, the_day date) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT guest_site_id FROM guest_stay
                     WHERE client_id = the_client AND verified_at IS NOT NULL AND days @> the_day),
                    (SELECT site_id FROM client WHERE id = the_client));
$$;

CREATE FUNCTION supply_at_its_site() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE there uuid;
BEGIN
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT site_of_day(NEW.client_id, NEW.dose_day) INTO there;
    IF there <> NEW.site_id THEN
        RAISE EXCEPTION 'another site gives the doses of this day' {_REFUSE} 'dose_at_its_site';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER supply_at_its_site BEFORE INSERT ON supply FOR EACH ROW WHEN (NEW.origin <> 'import')
    EXECUTE FUNCTION supply_at_its_site();

CREATE FUNCTION dose_at_its_site() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_supply supply%ROWTYPE; there uuid;
BEGIN
    SELECT * INTO STRICT the_supply FROM supply WHERE id = NEW.supply_id;
    IF the_supply.origin = 'import' THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    SELECT site_of_day(NEW.client_id, NEW.dose_day) INTO there;
    IF there <> the_supply.site_id THEN
        RAISE EXCEPTION 'another site gives the doses of this day' {_REFUSE} 'dose_at_its_site';
    END IF;
    IF NEW.kind = 'take_home' AND EXISTS (SELECT 1 FROM guest_stay WHERE client_id = NEW.client_id
            AND verified_at IS NOT NULL AND days @> NEW.dose_day AND NOT bottles) THEN
        RAISE EXCEPTION 'home allowed no bottles there' {_REFUSE} 'guest_observed_only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_at_its_site BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_at_its_site();
"""

# What another site sees of a client or does for them stands in the chain of home too, in the same unit of work. Both
# chains are locked in one order, whichever site it is.
AUDIT = """
CREATE FUNCTION a_home_is_locked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM (
        SELECT site_id FROM audit_chain WHERE site_id = NEW.site_id
            OR site_id = (SELECT site_id FROM client WHERE id = NEW.subject_id) ORDER BY site_id FOR UPDATE
    ) AS both_chains;
    RETURN NEW;
END $$;
CREATE TRIGGER a_home_is_locked BEFORE INSERT ON audit_entry FOR EACH ROW WHEN (NEW.subject = 'client')
    EXECUTE FUNCTION a_home_is_locked();

CREATE FUNCTION audit_entry_at_home() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE home uuid;
BEGIN
    SELECT site_id INTO home FROM client WHERE id = NEW.subject_id;
    IF home <> NEW.site_id THEN
        INSERT INTO audit_entry (site_id, seq, at, account_id, act, subject, subject_id, details, previous, hash)
        VALUES (home, 0, NEW.at, NEW.account_id, NEW.act, NEW.subject, NEW.subject_id,
            (NEW.details::jsonb || jsonb_build_object('at_site', (SELECT code FROM site WHERE id = NEW.site_id)))::text,
            '', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entry_at_home AFTER INSERT ON audit_entry FOR EACH ROW WHEN (NEW.subject = 'client')
    EXECUTE FUNCTION audit_entry_at_home();
"""

GUARDS = (STAYS, DOSES, AUDIT)
