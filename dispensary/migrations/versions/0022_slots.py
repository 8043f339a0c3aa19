"""Held places, limits on open bookings, standing bookings, and the waiting list with its offers."""

from alembic import op

from dispensary.migrations.slots_guards import BOOKINGS, OFFERS, SHARES

revision = "0022_slots"
down_revision = "0021_text_languages"
branch_labels = None
depends_on = None

_MORE_COLUMNS = """
ALTER TABLE opening ADD COLUMN held JSONB NOT NULL DEFAULT '{}';
ALTER TABLE opening ALTER COLUMN held DROP DEFAULT;
ALTER TABLE opening ADD CONSTRAINT ck_opening_held CHECK (shares_fit(capacity, 0, held, '{}'::jsonb));

ALTER TABLE slot ADD COLUMN held JSONB NOT NULL DEFAULT '{}', ADD COLUMN held_booked JSONB NOT NULL DEFAULT '{}';
ALTER TABLE slot ALTER COLUMN held DROP DEFAULT, ALTER COLUMN held_booked DROP DEFAULT;
ALTER TABLE slot ADD CONSTRAINT ck_slot_shares CHECK (shares_fit(capacity, booked, held, held_booked));

ALTER TABLE booking ADD COLUMN share TEXT NOT NULL DEFAULT '', ADD COLUMN given BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN standing_id UUID;
ALTER TABLE booking ALTER COLUMN share DROP DEFAULT, ALTER COLUMN given DROP DEFAULT;
ALTER TABLE booking ADD CONSTRAINT ck_booking_given_is_held CHECK (share <> '' OR NOT given),
    ADD CONSTRAINT fk_booking_standing_id FOREIGN KEY (standing_id) REFERENCES standing (id);
CREATE INDEX ix_booking_standing ON booking (standing_id) WHERE standing_id IS NOT NULL;
"""

_TABLES = """
CREATE TABLE booking_rule (
    place_id UUID NOT NULL,
    most_open INTEGER,
    offer_minutes SMALLINT NOT NULL,
    offers_from TIME NOT NULL,
    offers_until TIME NOT NULL,
    CONSTRAINT pk_booking_rule PRIMARY KEY (place_id),
    CONSTRAINT fk_booking_rule_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_booking_rule_most_open CHECK (most_open BETWEEN 1 AND 400),
    CONSTRAINT ck_booking_rule_offer_minutes CHECK (offer_minutes BETWEEN 5 AND 1440),
    CONSTRAINT ck_booking_rule_offers CHECK (offers_until > offers_from)
);

CREATE TABLE standing (
    id UUID NOT NULL,
    holder_id UUID NOT NULL,
    place_id UUID NOT NULL,
    weekday SMALLINT NOT NULL,
    at TIME NOT NULL,
    from_day DATE NOT NULL,
    until_day DATE,
    paused_from DATE,
    paused_until DATE,
    channel TEXT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_standing PRIMARY KEY (id),
    CONSTRAINT fk_standing_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_standing_weekday CHECK (weekday BETWEEN 0 AND 6),
    CONSTRAINT ck_standing_until_after_from CHECK (until_day >= from_day),
    CONSTRAINT ck_standing_pause CHECK (paused_until > paused_from),
    CONSTRAINT ck_standing_pause_begins CHECK (paused_until IS NULL OR paused_from IS NOT NULL),
    CONSTRAINT ex_standing_one_a_weekday EXCLUDE USING gist (
        holder_id WITH =,
        place_id WITH =,
        weekday WITH =,
        daterange(from_day, until_day) WITH &&
    )
);
CREATE INDEX ix_standing_place_id ON standing (place_id);

CREATE TABLE standing_skip (
    standing_id UUID NOT NULL,
    day DATE NOT NULL,
    CONSTRAINT pk_standing_skip PRIMARY KEY (standing_id, day),
    CONSTRAINT fk_standing_skip_standing_id FOREIGN KEY (standing_id) REFERENCES standing (id)
);

CREATE TABLE wait (
    id UUID NOT NULL,
    place_id UUID NOT NULL,
    holder_id UUID NOT NULL,
    day DATE NOT NULL,
    starts_at TIMESTAMPTZ,
    groups TEXT[] NOT NULL,
    channel TEXT NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL,
    settled_at TIMESTAMPTZ,
    CONSTRAINT pk_wait PRIMARY KEY (id),
    CONSTRAINT fk_wait_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT ck_wait_state CHECK (state IN ('waiting', 'met', 'withdrawn', 'over')),
    CONSTRAINT ck_wait_settled CHECK ((state = 'waiting') = (settled_at IS NULL))
);
CREATE UNIQUE INDEX uq_wait_one_a_day ON wait (holder_id, place_id, day) WHERE state = 'waiting';
CREATE INDEX ix_wait_in_line ON wait (place_id, day) WHERE state = 'waiting';

CREATE TABLE offer (
    id UUID NOT NULL,
    wait_id UUID NOT NULL,
    place_id UUID NOT NULL,
    holder_id UUID NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    share TEXT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL,
    settled_at TIMESTAMPTZ,
    booking_id UUID,
    CONSTRAINT pk_offer PRIMARY KEY (id),
    CONSTRAINT fk_offer_wait_id FOREIGN KEY (wait_id) REFERENCES wait (id),
    CONSTRAINT fk_offer_place_id FOREIGN KEY (place_id) REFERENCES place (id),
    CONSTRAINT fk_offer_place_id_starts_at FOREIGN KEY (place_id, starts_at) REFERENCES slot (place_id, starts_at),
    CONSTRAINT fk_offer_booking_id FOREIGN KEY (booking_id) REFERENCES booking (id),
    CONSTRAINT ck_offer_state CHECK (state IN ('open', 'taken', 'declined', 'lapsed', 'withdrawn')),
    CONSTRAINT ck_offer_settled CHECK ((state = 'open') = (settled_at IS NULL)),
    CONSTRAINT ck_offer_taken_is_booked CHECK ((state = 'taken') = (booking_id IS NOT NULL)),
    CONSTRAINT ck_offer_expires CHECK (expires_at > made_at)
);
CREATE UNIQUE INDEX uq_offer_one_open ON offer (holder_id) WHERE state = 'open';
CREATE INDEX ix_offer_open ON offer (place_id, expires_at) WHERE state = 'open';
CREATE INDEX ix_offer_wait_id ON offer (wait_id);
CREATE INDEX ix_offer_place_id_starts_at ON offer (place_id, starts_at);

CREATE TABLE client_group (
    client_id UUID NOT NULL,
    word TEXT NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_client_group PRIMARY KEY (client_id, word),
    CONSTRAINT fk_client_group_client_id FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT fk_client_group_noted_by FOREIGN KEY (noted_by) REFERENCES account (id),
    CONSTRAINT ck_client_group_word CHECK (word IN ('pregnant', 'shift'))
);

CREATE TABLE group_setting (
    site_id UUID NOT NULL,
    new_days SMALLINT NOT NULL,
    CONSTRAINT pk_group_setting PRIMARY KEY (site_id),
    CONSTRAINT fk_group_setting_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT ck_group_setting_new_days CHECK (new_days BETWEEN 0 AND 365)
);
"""


def upgrade() -> None:
    for part in (SHARES, _TABLES, _MORE_COLUMNS, BOOKINGS, OFFERS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE offer, wait, standing_skip, booking_rule, client_group, group_setting")
    op.execute("DROP TRIGGER tr_booking_within_rules ON booking")
    op.execute("ALTER TABLE booking DROP COLUMN share, DROP COLUMN given, DROP COLUMN standing_id")
    op.execute("DROP TABLE standing")
    op.execute("ALTER TABLE slot DROP COLUMN held, DROP COLUMN held_booked")
    op.execute("ALTER TABLE opening DROP COLUMN held")
    op.execute("DROP FUNCTION shares_fit, booking_within_rules, offer_settles_once, wait_settles_once")
