"""Words to a phone and back: contacts, the outbox, what came in, conversations."""

from alembic import op

revision = "0002_notifications"
down_revision = "0001_scheduling"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE contact (
    recipient_id UUID NOT NULL,
    phone_sealed BYTEA NOT NULL,
    phone_index BYTEA NOT NULL,
    language TEXT NOT NULL,
    wording TEXT NOT NULL,
    consented_at TIMESTAMPTZ,
    opted_out_at TIMESTAMPTZ,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (recipient_id),
    CONSTRAINT ck_contact_wording CHECK (wording IN ('covert', 'open'))
);
CREATE INDEX ix_contact_phone_index ON contact (phone_index);

CREATE TABLE message (
    id UUID NOT NULL,
    recipient_id UUID,
    phone_sealed BYTEA NOT NULL,
    phone_index BYTEA NOT NULL,
    kind TEXT NOT NULL,
    reason_key TEXT NOT NULL,
    language TEXT NOT NULL,
    body_sealed BYTEA NOT NULL,
    segments SMALLINT NOT NULL,
    state TEXT NOT NULL,
    attempts SMALLINT NOT NULL,
    next_attempt_at TIMESTAMPTZ,
    claimed_at TIMESTAMPTZ,
    gateway TEXT,
    provider_id TEXT,
    error_code TEXT,
    valid_until TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_message PRIMARY KEY (id),
    CONSTRAINT uq_message_reason_key UNIQUE (reason_key),
    CONSTRAINT uq_message_gateway_provider_id UNIQUE (gateway, provider_id),
    CONSTRAINT ck_message_state CHECK (state IN
        ('queued', 'sending', 'unknown', 'sent', 'delivered', 'undelivered', 'failed', 'expired')),
    CONSTRAINT ck_message_sent CHECK (provider_id IS NOT NULL OR state NOT IN ('sent', 'delivered', 'undelivered')),
    CONSTRAINT ck_message_attempts CHECK (attempts >= 0),
    CONSTRAINT ck_message_segments CHECK (segments >= 1)
);
CREATE INDEX ix_message_due ON message (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_message_phone_index_created_at ON message (phone_index, created_at);
CREATE INDEX ix_message_recipient_id ON message (recipient_id);
CREATE INDEX ix_message_state_changed_at ON message (state, changed_at);

CREATE TABLE inbound (
    id UUID NOT NULL,
    gateway TEXT NOT NULL,
    message_id TEXT NOT NULL,
    phone_sealed BYTEA NOT NULL,
    phone_index BYTEA NOT NULL,
    body_sealed BYTEA NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    outcome TEXT,
    reply_id UUID,
    CONSTRAINT pk_inbound PRIMARY KEY (id),
    CONSTRAINT uq_inbound_gateway_message_id UNIQUE (gateway, message_id),
    CONSTRAINT fk_inbound_reply_id FOREIGN KEY (reply_id) REFERENCES message (id)
);
CREATE INDEX ix_inbound_phone_index_received_at ON inbound (phone_index, received_at);

CREATE TABLE conversation (
    phone_index BYTEA NOT NULL,
    state JSONB NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_conversation PRIMARY KEY (phone_index)
);
"""

TRIGGERS = """
CREATE FUNCTION message_rank(state TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE state WHEN 'queued' THEN 0 WHEN 'sending' THEN 1 WHEN 'unknown' THEN 2 WHEN 'sent' THEN 3 ELSE 4 END
$$;
CREATE FUNCTION message_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND message_rank(NEW.state) <= message_rank(OLD.state) THEN
        RAISE EXCEPTION 'a message does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_message_goes_forward';
    END IF;
    IF (NEW.id, NEW.kind, NEW.reason_key, NEW.created_at) IS DISTINCT FROM
        (OLD.id, OLD.kind, OLD.reason_key, OLD.created_at)
        OR (OLD.provider_id IS NOT NULL AND NEW.provider_id IS DISTINCT FROM OLD.provider_id)
    THEN
        RAISE EXCEPTION 'what a message is, and the id the gateway gave it, are written once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_message_goes_forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tr_message_goes_forward BEFORE UPDATE ON message
    FOR EACH ROW EXECUTE FUNCTION message_goes_forward();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute("DROP TABLE inbound, conversation, message, contact")
    op.execute("DROP FUNCTION message_goes_forward(), message_rank(TEXT)")
