"""What PostgreSQL itself refuses of held places, limits, standing bookings and offers."""

from __future__ import annotations

SHARES = """
CREATE FUNCTION shares_fit(capacity integer, booked integer, held jsonb, held_booked jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((SELECT sum(value::integer) FROM jsonb_each_text(held)), 0) <= capacity
        AND booked - coalesce((SELECT sum(value::integer) FROM jsonb_each_text(held_booked)), 0)
            BETWEEN 0 AND capacity - coalesce((SELECT sum(value::integer) FROM jsonb_each_text(held)), 0)
        AND NOT EXISTS (SELECT FROM jsonb_each_text(held) WHERE value::integer < 0 OR key !~ '^[a-z][a-z-]{0,19}$')
        AND NOT EXISTS (SELECT FROM jsonb_each_text(held_booked) taken
            WHERE taken.value::integer NOT BETWEEN 0 AND coalesce((held ->> taken.key)::integer, 0))
$$;
"""

BOOKINGS = """
CREATE FUNCTION booking_within_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE most integer; rule standing%ROWTYPE; clock time;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.share, NEW.given, NEW.standing_id) IS DISTINCT FROM (OLD.share, OLD.given, OLD.standing_id) THEN
            RAISE EXCEPTION 'a booking is moved by making another, never rewritten'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_booking_within_rules';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.moved_from IS NOT NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.standing_id IS NOT NULL THEN
        SELECT * INTO rule FROM standing WHERE id = NEW.standing_id;
        SELECT (NEW.starts_at AT TIME ZONE zone)::time INTO clock FROM place WHERE id = NEW.place_id;
        IF (rule.holder_id, rule.place_id, rule.weekday, rule.at) IS DISTINCT FROM
                (NEW.holder_id, NEW.place_id, (extract(isodow FROM NEW.day) - 1)::smallint, clock)
            OR NEW.day < rule.from_day OR NEW.day >= rule.until_day
            OR (NEW.day >= rule.paused_from AND (rule.paused_until IS NULL OR NEW.day < rule.paused_until))
            OR EXISTS (SELECT FROM standing_skip WHERE standing_id = rule.id AND day = NEW.day)
        THEN
            RAISE EXCEPTION 'the standing booking does not say so'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_booking_follows_standing';
        END IF;
        RETURN NEW;
    END IF;
    SELECT most_open INTO most FROM booking_rule WHERE place_id = NEW.place_id;
    IF most IS NOT NULL THEN
        -- Two bookings of one holder at the same moment are counted one after the other.
        PERFORM pg_advisory_xact_lock(7301444, hashtext(NEW.holder_id::text));
        IF (SELECT count(*) FROM booking WHERE holder_id = NEW.holder_id AND place_id = NEW.place_id
                AND state = 'booked' AND standing_id IS NULL AND starts_at > NEW.made_at) >= most THEN
            RAISE EXCEPTION 'as many bookings are open as one person may have'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_booking_within_limit';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_booking_within_rules BEFORE INSERT OR UPDATE ON booking
    FOR EACH ROW EXECUTE FUNCTION booking_within_rules();
"""

OFFERS = """
CREATE FUNCTION offer_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR (NEW.id, NEW.wait_id, NEW.place_id, NEW.holder_id, NEW.starts_at, NEW.share, NEW.made_at,
            NEW.expires_at) IS DISTINCT FROM (OLD.id, OLD.wait_id, OLD.place_id, OLD.holder_id, OLD.starts_at,
            OLD.share, OLD.made_at, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'an offer is answered once, and never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_offer_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_offer_settles_once BEFORE UPDATE ON offer FOR EACH ROW EXECUTE FUNCTION offer_settles_once();

CREATE FUNCTION wait_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'waiting' OR (NEW.id, NEW.place_id, NEW.holder_id, NEW.day, NEW.asked_at)
            IS DISTINCT FROM (OLD.id, OLD.place_id, OLD.holder_id, OLD.day, OLD.asked_at)
    THEN
        RAISE EXCEPTION 'a wish for a place is settled once, and keeps its turn'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_wait_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_wait_settles_once BEFORE UPDATE ON wait FOR EACH ROW EXECUTE FUNCTION wait_settles_once();
"""
