"""Acts on the queue that are done once under their key, and where a closure sent the bookings of its days."""

from alembic import op

revision = "0023_moved"
down_revision = "0022_slots"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE queue_act (
    place_id UUID NOT NULL,
    key UUID NOT NULL,
    act TEXT NOT NULL,
    visit_id UUID NOT NULL,
    done_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_queue_act PRIMARY KEY (place_id, key, act),
    CONSTRAINT fk_queue_act_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT fk_queue_act_visit_id FOREIGN KEY (visit_id) REFERENCES visit (id)
);
CREATE TRIGGER tr_queue_act_never_changed BEFORE UPDATE OR DELETE ON queue_act
    FOR EACH ROW EXECUTE FUNCTION never_changed();

CREATE TABLE closure_case (
    id UUID NOT NULL,
    place_id UUID NOT NULL,
    closure_id UUID NOT NULL,
    booking_id UUID NOT NULL,
    state TEXT NOT NULL,
    settled_at TIMESTAMPTZ,
    moved_to UUID,
    restored_at TIMESTAMPTZ,
    CONSTRAINT pk_closure_case PRIMARY KEY (id),
    CONSTRAINT fk_closure_case_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT fk_closure_case_booking_id FOREIGN KEY (booking_id) REFERENCES booking (id),
    CONSTRAINT fk_closure_case_moved_to FOREIGN KEY (moved_to) REFERENCES booking (id),
    CONSTRAINT uq_closure_case_closure_id_booking_id UNIQUE (closure_id, booking_id),
    CONSTRAINT ck_closure_case_state CHECK (state IN ('open', 'moved', 'beside', 'asked', 'gone')),
    CONSTRAINT ck_closure_case_settled CHECK ((state = 'open') = (settled_at IS NULL)),
    CONSTRAINT ck_closure_case_moved CHECK ((state = 'moved') = (moved_to IS NOT NULL)),
    CONSTRAINT ck_closure_case_restored CHECK (restored_at IS NULL OR state IN ('moved', 'beside'))
);
CREATE INDEX ix_closure_case_open ON closure_case (place_id) WHERE state = 'open';
CREATE INDEX ix_closure_case_booking_id ON closure_case (booking_id);

CREATE FUNCTION closure_case_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.place_id, NEW.closure_id, NEW.booking_id)
        IS DISTINCT FROM (OLD.place_id, OLD.closure_id, OLD.booking_id)
        OR (OLD.state <> 'open' AND (NEW.state, NEW.settled_at, NEW.moved_to)
            IS DISTINCT FROM (OLD.state, OLD.settled_at, OLD.moved_to))
        OR (OLD.restored_at IS NOT NULL AND NEW.restored_at IS DISTINCT FROM OLD.restored_at)
    THEN
        RAISE EXCEPTION 'what came of a booking whose day was closed is settled once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_closure_case_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_closure_case_settles_once BEFORE UPDATE OR DELETE ON closure_case
    FOR EACH ROW EXECUTE FUNCTION closure_case_settles_once();

-- Whoever was booked on a closed day until now was told so, or stands on the front desk's list.
INSERT INTO closure_case (id, place_id, closure_id, booking_id, state, settled_at)
SELECT gen_random_uuid(), c.place_id, c.id, b.id, 'asked', b.changed_at FROM closure c
JOIN booking b ON b.place_id = c.place_id AND b.day BETWEEN c.first_day AND c.last_day AND b.state = 'booked';

CREATE FUNCTION closure_has_cases() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM closure c JOIN booking b ON b.place_id = c.place_id
        AND b.day BETWEEN c.first_day AND c.last_day AND b.state = 'booked'
        WHERE c.id = NEW.id
        AND NOT EXISTS (SELECT FROM closure_case o WHERE o.closure_id = c.id AND o.booking_id = b.id))
    THEN
        RAISE EXCEPTION 'a day is not closed while nobody sees to its bookings'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_closure_has_cases';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tr_closure_has_cases AFTER INSERT OR UPDATE ON closure
    FOR EACH ROW EXECUTE FUNCTION closure_has_cases();
"""


def upgrade() -> None:
    op.execute(_TABLES)


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_closure_has_cases ON closure")
    op.execute("DROP FUNCTION closure_has_cases()")
    op.execute("DROP TABLE queue_act, closure_case")
    op.execute("DROP FUNCTION closure_case_settles_once()")
