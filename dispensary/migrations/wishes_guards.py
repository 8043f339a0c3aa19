"""What PostgreSQL itself refuses of texts that nobody asked for, and of questions after a visit and their answers."""

from __future__ import annotations

WANTED = """
CREATE FUNCTION text_group(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN kind IN ('booking_confirmed', 'booking_moved', 'booking_dropped', 'regular_set', 'regular_ended',
            'regular_paused') THEN 'bookings'
        WHEN kind = 'booking_reminder' THEN 'reminder'
        WHEN kind = 'missed_today' THEN 'missed'
        WHEN kind = 'review_due' THEN 'reviews'
        WHEN kind = 'news' THEN 'news'
        WHEN kind IN ('feedback_visit', 'feedback_wait') THEN 'feedback'
    END
$$;

-- The house of texts knows recipients and no clients: it asks this, and whoever owns recipients answers.
CREATE FUNCTION wants_text(recipient uuid, kind text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN text_group(kind) IS NULL THEN true ELSE coalesce(
        (SELECT wanted FROM text_wish WHERE client_id = recipient AND word = text_group(kind)),
        text_group(kind) IN ('bookings', 'reminder')) END
$$;

CREATE FUNCTION message_is_wanted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT wants_text(NEW.recipient_id, NEW.kind) THEN
        RAISE EXCEPTION 'the recipient has not asked for texts of this kind'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_message_is_wanted';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_message_is_wanted BEFORE INSERT ON message FOR EACH ROW
    WHEN (NOT NEW.is_reply AND NEW.recipient_id IS NOT NULL) EXECUTE FUNCTION message_is_wanted();
"""

FEEDBACK = """
CREATE FUNCTION feedback_is_rare() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.client_id <> OLD.client_id OR NEW.asked_at < OLD.asked_at
        OR (NEW.asked_at > OLD.asked_at AND NEW.asked_at < OLD.asked_at + interval '30 days')
        OR (NEW.asked_at = OLD.asked_at AND NEW.open_until IS NOT NULL
            AND NEW.open_until IS DISTINCT FROM OLD.open_until)
    THEN
        RAISE EXCEPTION 'somebody is asked once in thirty days, and answers once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_feedback_is_rare';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_feedback_is_rare BEFORE UPDATE ON feedback_question
    FOR EACH ROW EXECUTE FUNCTION feedback_is_rare();

CREATE FUNCTION feedback_answer_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.wait IS NOT NULL OR NEW.wait IS NULL OR (NEW.id, NEW.site_id, NEW.month, NEW.visit, NEW.waited)
        IS DISTINCT FROM (OLD.id, OLD.site_id, OLD.month, OLD.visit, OLD.waited)
    THEN
        RAISE EXCEPTION 'an answer stands; only the second is added to the first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_feedback_answer_stands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_feedback_answer_stands BEFORE UPDATE ON feedback_answer
    FOR EACH ROW EXECUTE FUNCTION feedback_answer_stands();
"""
