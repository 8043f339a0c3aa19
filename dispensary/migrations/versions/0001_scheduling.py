"""Time at a place: hours, closures, slots, bookings, tickets and visits."""

from alembic import op

revision = "0001_scheduling"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE place (
    id UUID NOT NULL,
    zone TEXT NOT NULL,
    lead_minutes SMALLINT NOT NULL,
    horizon_days SMALLINT NOT NULL,
    CONSTRAINT pk_place PRIMARY KEY (id),
    CONSTRAINT ck_place_lead CHECK (lead_minutes BETWEEN 0 AND 20160),
    CONSTRAINT ck_place_horizon CHECK (horizon_days BETWEEN 1 AND 400)
);

CREATE TABLE opening (
    id UUID NOT NULL,
    place_id UUID NOT NULL,
    weekday SMALLINT NOT NULL,
    opens TIME NOT NULL,
    closes TIME NOT NULL,
    slot_minutes SMALLINT NOT NULL,
    capacity SMALLINT NOT NULL,
    windows SMALLINT NOT NULL,
    from_day DATE NOT NULL,
    until_day DATE,
    CONSTRAINT pk_opening PRIMARY KEY (id),
    CONSTRAINT fk_opening_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_opening_weekday CHECK (weekday BETWEEN 0 AND 6),
    CONSTRAINT ck_opening_closes_after_it_opens CHECK (closes > opens),
    CONSTRAINT ck_opening_slot_minutes CHECK (slot_minutes BETWEEN 1 AND 1440),
    CONSTRAINT ck_opening_capacity CHECK (capacity >= 1),
    CONSTRAINT ck_opening_windows CHECK (windows >= 1),
    CONSTRAINT ck_opening_until_after_from CHECK (until_day >= from_day),
    CONSTRAINT ex_opening_no_overlap EXCLUDE USING gist (
        place_id WITH =,
        weekday WITH =,
        daterange(from_day, until_day) WITH &&,
        int4range(extract(epoch FROM opens)::integer, extract(epoch FROM closes)::integer) WITH &&
    )
);

CREATE TABLE closure (
    id UUID NOT NULL,
    place_id UUID NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_closure PRIMARY KEY (id),
    CONSTRAINT fk_closure_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_closure_last_after_first CHECK (last_day >= first_day)
);
CREATE INDEX ix_closure_place_id_first_day ON closure (place_id, first_day);

CREATE TABLE slot (
    place_id UUID NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    day DATE NOT NULL,
    capacity SMALLINT NOT NULL,
    booked SMALLINT NOT NULL,
    CONSTRAINT pk_slot PRIMARY KEY (place_id, starts_at),
    CONSTRAINT fk_slot_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_slot_within_capacity CHECK (booked >= 0 AND booked <= capacity),
    CONSTRAINT ck_slot_ends_after_it_starts CHECK (ends_at > starts_at)
);
CREATE INDEX ix_slot_place_id_day ON slot (place_id, day);

CREATE TABLE booking (
    id UUID NOT NULL,
    holder_id UUID NOT NULL,
    place_id UUID NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    day DATE NOT NULL,
    state VARCHAR(10) NOT NULL,
    channel TEXT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    moved_from UUID,
    CONSTRAINT pk_booking PRIMARY KEY (id),
    CONSTRAINT fk_booking_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT fk_booking_place_id_starts_at FOREIGN KEY (place_id, starts_at) REFERENCES slot (place_id, starts_at),
    CONSTRAINT fk_booking_moved_from FOREIGN KEY (moved_from) REFERENCES booking (id),
    CONSTRAINT uq_booking_moved_from UNIQUE (moved_from),
    CONSTRAINT ck_booking_state CHECK (state IN ('booked', 'dropped', 'moved', 'arrived', 'missed'))
);
CREATE UNIQUE INDEX uq_booking_one_a_day ON booking (holder_id, place_id, day)
    WHERE state IN ('booked', 'arrived', 'missed');
CREATE INDEX ix_booking_place_id_day ON booking (place_id, day);
CREATE INDEX ix_booking_place_id_starts_at ON booking (place_id, starts_at);
CREATE INDEX ix_booking_holder_id_starts_at ON booking (holder_id, starts_at);
CREATE INDEX ix_booking_to_come ON booking (starts_at) WHERE state = 'booked';

CREATE TABLE ticket_counter (
    place_id UUID NOT NULL,
    day DATE NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT pk_ticket_counter PRIMARY KEY (place_id, day),
    CONSTRAINT fk_ticket_counter_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_ticket_counter_last CHECK (last >= 0)
);

CREATE TABLE visit (
    id UUID NOT NULL,
    place_id UUID NOT NULL,
    holder_id UUID NOT NULL,
    day DATE NOT NULL,
    ticket INTEGER NOT NULL,
    booking_id UUID,
    at_window SMALLINT,
    arrived_at TIMESTAMPTZ NOT NULL,
    called_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    CONSTRAINT pk_visit PRIMARY KEY (id),
    CONSTRAINT fk_visit_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT fk_visit_booking_id FOREIGN KEY (booking_id) REFERENCES booking (id),
    CONSTRAINT uq_visit_place_id_day_ticket UNIQUE (place_id, day, ticket),
    CONSTRAINT uq_visit_booking_id UNIQUE (booking_id),
    CONSTRAINT ck_visit_ticket CHECK (ticket >= 1),
    CONSTRAINT ck_visit_at_window CHECK (at_window >= 1)
);
CREATE UNIQUE INDEX uq_visit_one_open ON visit (holder_id, place_id, day) WHERE ended_at IS NULL;
CREATE INDEX ix_visit_waiting ON visit (place_id, day)
    WHERE called_at IS NULL AND started_at IS NULL AND ended_at IS NULL;
"""

TRIGGERS = """
CREATE FUNCTION booking_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.holder_id, NEW.place_id, NEW.starts_at, NEW.day, NEW.channel, NEW.made_at, NEW.moved_from)
        IS DISTINCT FROM
        (OLD.id, OLD.holder_id, OLD.place_id, OLD.starts_at, OLD.day, OLD.channel, OLD.made_at, OLD.moved_from)
    THEN
        RAISE EXCEPTION 'a booking is moved by making another, never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_booking_settles_once';
    END IF;
    IF OLD.state <> 'booked' AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'a booking that was settled stays as it is'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_booking_settles_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_booking_settles_once BEFORE UPDATE ON booking
    FOR EACH ROW EXECUTE FUNCTION booking_settles_once();

CREATE FUNCTION visit_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.holder_id, NEW.place_id, NEW.day, NEW.ticket, NEW.booking_id, NEW.arrived_at)
        IS DISTINCT FROM
        (OLD.id, OLD.holder_id, OLD.place_id, OLD.day, OLD.ticket, OLD.booking_id, OLD.arrived_at)
        OR (OLD.called_at IS NOT NULL AND NEW.called_at IS DISTINCT FROM OLD.called_at)
        OR (OLD.started_at IS NOT NULL AND NEW.started_at IS DISTINCT FROM OLD.started_at)
        OR (OLD.ended_at IS NOT NULL AND NEW IS DISTINCT FROM OLD)
        OR (OLD.started_at IS NOT NULL AND NEW.called_at IS DISTINCT FROM OLD.called_at)
    THEN
        RAISE EXCEPTION 'a visit only goes forward: what was stamped stays'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_visit_goes_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_visit_goes_forward BEFORE UPDATE ON visit
    FOR EACH ROW EXECUTE FUNCTION visit_goes_forward();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute("DROP TABLE visit, ticket_counter, booking, slot, closure, opening, place")
    op.execute("DROP FUNCTION booking_settles_once(), visit_goes_forward()")
