"""PINs of the phone line: who has one at which number, whom a number is open for, and who moves to another number."""

from alembic import op

from dispensary.migrations.phone_pins_guards import PINS

revision = "0026_phone_pins"
down_revision = "0025_health"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE phone_pin (
    client_id UUID NOT NULL,
    phone_index BYTEA NOT NULL,
    pin_digest BYTEA NOT NULL,
    set_at TIMESTAMPTZ NOT NULL,
    set_by UUID,
    CONSTRAINT pk_phone_pin PRIMARY KEY (client_id),
    CONSTRAINT fk_phone_pin_client_id FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT fk_phone_pin_set_by FOREIGN KEY (set_by) REFERENCES account (id),
    CONSTRAINT uq_phone_pin_client_id_phone_index UNIQUE (client_id, phone_index),
    CONSTRAINT uq_phone_pin_pin_digest UNIQUE (pin_digest)
);

CREATE TABLE pin_gate (
    phone_index BYTEA NOT NULL,
    wrong_at TIMESTAMPTZ[] NOT NULL,
    shut_until TIMESTAMPTZ,
    open_for UUID,
    open_until TIMESTAMPTZ,
    CONSTRAINT pk_pin_gate PRIMARY KEY (phone_index),
    CONSTRAINT fk_pin_gate_open_for_phone_index FOREIGN KEY (open_for, phone_index)
        REFERENCES phone_pin (client_id, phone_index),
    CONSTRAINT ck_pin_gate_wrong CHECK (cardinality(wrong_at) <= 5),
    CONSTRAINT ck_pin_gate_open CHECK ((open_for IS NULL) = (open_until IS NULL)),
    CONSTRAINT ck_pin_gate_shut CHECK (shut_until IS NULL OR open_for IS NULL)
);

CREATE TABLE number_change (
    client_id UUID NOT NULL,
    phone_sealed BYTEA NOT NULL,
    phone_index BYTEA NOT NULL,
    pin_digest BYTEA NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_number_change PRIMARY KEY (client_id),
    CONSTRAINT fk_number_change_client_id FOREIGN KEY (client_id) REFERENCES phone_pin (client_id) ON DELETE CASCADE,
    CONSTRAINT uq_number_change_phone_index UNIQUE (phone_index),
    CONSTRAINT ck_number_change_expires CHECK (expires_at > asked_at)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(PINS)


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_contact_takes_its_pin ON contact")
    op.execute("DROP TABLE number_change, pin_gate, phone_pin")
    op.execute("DROP FUNCTION contact_takes_its_pin, phone_pin_of_its_number")
