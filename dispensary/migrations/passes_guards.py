"""The triggers about who collects: no agent beyond a client's consent, nobody who does not carry, no dose by either.

Each refusal carries a constraint name, by which the services tell a person what was wrong.
"""

from __future__ import annotations

_REFUSE = "USING ERRCODE = 'check_violation', CONSTRAINT ="

CONSENT = f"""
CREATE FUNCTION agent_consent_within_bounds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE the_agent agent%ROWTYPE; months int;
BEGIN
    SELECT * INTO STRICT the_agent FROM agent WHERE id = NEW.agent_id;
    IF the_agent.client_id <> NEW.client_id OR the_agent.site_id <> NEW.site_id THEN
        RAISE EXCEPTION 'an agent collects for the client who named them' {_REFUSE} 'agent_of_client';
    END IF;
    IF extract(year FROM NEW.signed_on) - the_agent.birth_year < 18 THEN
        RAISE EXCEPTION 'nobody under 18 collects' {_REFUSE} 'agent_adult';
    END IF;
    SELECT agent_months INTO months FROM pass_setting WHERE site_id = NEW.site_id;
    IF NEW.scope = 'until' AND NEW.last_day > NEW.signed_on + make_interval(months => coalesce(months, 0)) THEN
        RAISE EXCEPTION 'longer than the site allows' {_REFUSE} 'agent_consent_length';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agent_consent_within_bounds BEFORE INSERT ON agent_consent
    FOR EACH ROW EXECUTE FUNCTION agent_consent_within_bounds();

CREATE FUNCTION agent_consent_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.id, NEW.site_id, NEW.client_id, NEW.agent_id, NEW.scope, NEW.signed_on, NEW.last_day,
        NEW.most_bottles, NEW.recorded_by, NEW.recorded_at)
       IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.client_id, OLD.agent_id, OLD.scope, OLD.signed_on, OLD.last_day,
        OLD.most_bottles, OLD.recorded_by, OLD.recorded_at)
       OR (OLD.agreed_at IS NOT NULL AND (NEW.agreed_at, NEW.agreed_by) IS DISTINCT FROM (OLD.agreed_at, OLD.agreed_by))
       OR (OLD.revoked_at IS NOT NULL AND (NEW.revoked_at, NEW.revoked_by, NEW.revoked_why, NEW.agreed_at)
           IS DISTINCT FROM (OLD.revoked_at, OLD.revoked_by, OLD.revoked_why, OLD.agreed_at)) THEN
        RAISE EXCEPTION 'a consent is agreed to and revoked, once, never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agent_consent_is_kept BEFORE UPDATE OR DELETE ON agent_consent
    FOR EACH ROW EXECUTE FUNCTION agent_consent_is_kept();

CREATE FUNCTION agent_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an agent is noted anew, never rewritten' {_REFUSE} 'never_changed';
END $$;
CREATE TRIGGER agent_is_kept BEFORE UPDATE OF id, site_id, client_id, birth_year OR DELETE ON agent
    FOR EACH ROW EXECUTE FUNCTION agent_is_kept();
"""

SUPPLY = f"""
CREATE FUNCTION supply_collector_may() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE consent agent_consent%ROWTYPE;
BEGIN
    IF NEW.collected_by = 'carrier' THEN
        IF NOT EXISTS (SELECT 1 FROM carrying WHERE pickup_id = NEW.pickup_id AND client_id = NEW.client_id
                       AND state = 'out' AND carrier_id = NEW.dispensed_by) THEN
            RAISE EXCEPTION 'this pickup is not out with this carrier' {_REFUSE} 'carrier_carries';
        END IF;
        RETURN NEW;
    END IF;
    -- One at a time: two collections by one consent see each other, and it is not revoked meanwhile.
    SELECT * INTO consent FROM agent_consent WHERE id = NEW.agent_consent_id FOR NO KEY UPDATE;
    IF NOT FOUND OR (consent.client_id, consent.agent_id, consent.site_id)
        IS DISTINCT FROM (NEW.client_id, NEW.agent_id, NEW.site_id) THEN
        RAISE EXCEPTION 'the client has not authorised this agent' {_REFUSE} 'agent_of_client';
    END IF;
    IF consent.agreed_at IS NULL OR consent.revoked_at IS NOT NULL
       OR NOT NEW.dose_day BETWEEN consent.signed_on AND consent.last_day THEN
        RAISE EXCEPTION 'no agreed consent is in force' {_REFUSE} 'agent_consent_in_force';
    END IF;
    IF consent.scope = 'once' AND EXISTS (SELECT 1 FROM supply WHERE agent_consent_id = NEW.agent_consent_id
                                          AND voided_at IS NULL) THEN
        RAISE EXCEPTION 'the consent was for one collection' {_REFUSE} 'agent_consent_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER supply_collector_may BEFORE INSERT ON supply
    FOR EACH ROW WHEN (NEW.collected_by <> 'client') EXECUTE FUNCTION supply_collector_may();

CREATE FUNCTION supply_collector_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.collected_by, NEW.agent_id, NEW.agent_consent_id, NEW.id_requested, NEW.id_provided)
       IS DISTINCT FROM (OLD.collected_by, OLD.agent_id, OLD.agent_consent_id, OLD.id_requested, OLD.id_provided) THEN
        RAISE EXCEPTION 'who collected is never rewritten' {_REFUSE} 'never_changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER supply_collector_is_kept
    BEFORE UPDATE OF collected_by, agent_id, agent_consent_id, id_requested, id_provided ON supply
    FOR EACH ROW EXECUTE FUNCTION supply_collector_is_kept();

CREATE FUNCTION dose_of_collector() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE by_whom text; consent uuid; most int;
BEGIN
    SELECT collected_by, agent_consent_id INTO STRICT by_whom, consent FROM supply WHERE id = NEW.supply_id;
    IF by_whom = 'client' THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'extra_dose' OR to_jsonb(NEW) ->> 'kind' <> 'take_home' THEN
        RAISE EXCEPTION 'a dose is observed of the client alone' {_REFUSE} 'observed_of_client';
    END IF;
    IF by_whom = 'agent' THEN
        SELECT most_bottles INTO STRICT most FROM agent_consent WHERE id = consent;
        IF (SELECT count(*) FROM dose WHERE supply_id = NEW.supply_id AND voided_at IS NULL) >= most THEN
            RAISE EXCEPTION 'more bottles than the client consented to' {_REFUSE} 'agent_most_bottles';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dose_of_collector BEFORE INSERT ON dose FOR EACH ROW EXECUTE FUNCTION dose_of_collector();
CREATE TRIGGER dose_of_collector BEFORE INSERT ON extra_dose FOR EACH ROW EXECUTE FUNCTION dose_of_collector();
"""

CARRYING = f"""
CREATE FUNCTION carrying_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
       OR (NEW.id, NEW.site_id, NEW.client_id, NEW.pickup_id, NEW.carrier_id, NEW.bottles, NEW.counted_out_by,
           NEW.counted_out_at)
       IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.client_id, OLD.pickup_id, OLD.carrier_id, OLD.bottles,
           OLD.counted_out_by, OLD.counted_out_at)
       OR (OLD.taken_at IS NOT NULL AND NEW.taken_at IS DISTINCT FROM OLD.taken_at)
       OR (OLD.state = 'out' AND NEW.state NOT IN ('out', 'delivered', 'brought_back'))
       OR (OLD.state = 'counted' AND NEW.state NOT IN ('counted', 'out', 'called_off')) THEN
        RAISE EXCEPTION 'what is carried is answered for, once, and never rewritten' {_REFUSE} 'carrying_goes_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER carrying_goes_forward BEFORE UPDATE OR DELETE ON carrying
    FOR EACH ROW EXECUTE FUNCTION carrying_goes_forward();

CREATE FUNCTION carrying_is_answered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'delivered' AND NOT EXISTS (SELECT 1 FROM supply WHERE pickup_id = NEW.pickup_id
        AND collected_by = 'carrier' AND dispensed_by = NEW.carrier_id) THEN
        RAISE EXCEPTION 'delivered is what a supply says' {_REFUSE} 'carrying_is_answered';
    END IF;
    IF NEW.state = 'out' AND EXISTS (SELECT 1 FROM carrying WHERE id = NEW.id AND state = 'out')
       AND NOT EXISTS (SELECT 1 FROM pickup WHERE id = NEW.pickup_id AND state = 'out') THEN
        RAISE EXCEPTION 'a pickup is out while somebody carries it' {_REFUSE} 'carrying_is_answered';
    END IF;
    IF NEW.ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM pickup WHERE id = NEW.pickup_id AND state = 'out')
       AND NOT EXISTS (SELECT 1 FROM carrying WHERE pickup_id = NEW.pickup_id AND state = 'out') THEN
        RAISE EXCEPTION 'a pickup is out while somebody carries it' {_REFUSE} 'carrying_is_answered';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER carrying_is_answered AFTER INSERT OR UPDATE ON carrying
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION carrying_is_answered();

CREATE FUNCTION pickup_out_is_carried() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM carrying WHERE pickup_id = NEW.id AND state = 'out')
       AND EXISTS (SELECT 1 FROM pickup WHERE id = NEW.id AND state = 'out') THEN
        RAISE EXCEPTION 'a pickup is out while somebody carries it' {_REFUSE} 'carrying_is_answered';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER pickup_out_is_carried AFTER INSERT OR UPDATE ON pickup
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'out') EXECUTE FUNCTION pickup_out_is_carried();
"""

GUARDS = (CONSENT, SUPPLY, CARRYING)
