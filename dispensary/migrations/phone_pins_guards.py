"""What PostgreSQL itself refuses of the phone line's PINs: one for another number, a number that goes without it."""

from __future__ import annotations

PINS = """
CREATE FUNCTION phone_pin_of_its_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contact WHERE recipient_id = NEW.client_id AND phone_index = NEW.phone_index FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a PIN is for the number that its client has'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_phone_pin_of_its_number';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_phone_pin_of_its_number BEFORE INSERT OR UPDATE ON phone_pin
    FOR EACH ROW EXECUTE FUNCTION phone_pin_of_its_number();

CREATE FUNCTION contact_takes_its_pin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'DELETE' OR NEW.phone_index <> OLD.phone_index)
        AND EXISTS (SELECT FROM phone_pin WHERE client_id = OLD.recipient_id)
    THEN
        RAISE EXCEPTION 'their PIN is for the old number: end it first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_contact_takes_its_pin';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER tr_contact_takes_its_pin BEFORE UPDATE OR DELETE ON contact
    FOR EACH ROW EXECUTE FUNCTION contact_takes_its_pin();
"""
