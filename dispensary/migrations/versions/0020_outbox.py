"""A text knows its place, its zone and what it cost; quiet hours, a price cap and an end of what is kept can be set."""

from alembic import op

revision = "0020_outbox"
down_revision = "0019_queue"
branch_labels = None
depends_on = None

# A text that stands here already belongs to the site of its client. One that nobody is known by keeps UTC: it is over.
UP = """
ALTER TABLE contact ADD COLUMN place_id UUID;
UPDATE contact SET place_id = client.site_id FROM client WHERE client.id = contact.recipient_id;

ALTER TABLE message
    ADD COLUMN place_id UUID,
    ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC',
    ADD COLUMN is_reply BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN sent_at TIMESTAMPTZ,
    ADD COLUMN charged_on DATE,
    ADD COLUMN charge NUMERIC(12, 4),
    ADD COLUMN wiped_at TIMESTAMPTZ;
UPDATE message SET place_id = client.site_id, zone = site.zone
FROM client JOIN site ON site.id = client.site_id WHERE client.id = message.recipient_id;
UPDATE message SET is_reply = true WHERE starts_with(reason_key, 'reply:');
UPDATE message SET sent_at = changed_at WHERE state IN ('sent', 'delivered', 'undelivered');
ALTER TABLE message
    ALTER COLUMN zone DROP DEFAULT,
    ALTER COLUMN is_reply DROP DEFAULT,
    ADD CONSTRAINT ck_message_charged CHECK ((charged_on IS NULL) = (charge IS NULL)),
    ADD CONSTRAINT ck_message_wiped CHECK (wiped_at IS NULL OR (next_attempt_at IS NULL AND recipient_id IS NULL
        AND phone_sealed = '' AND phone_index = '' AND body_sealed = ''));
CREATE INDEX ix_message_created_at ON message (created_at);
CREATE INDEX ix_message_charged ON message (place_id, charged_on) WHERE charged_on IS NOT NULL;

ALTER TABLE inbound
    ADD COLUMN wiped_at TIMESTAMPTZ,
    ADD CONSTRAINT ck_inbound_wiped CHECK (wiped_at IS NULL OR (phone_sealed = '' AND body_sealed = ''));
CREATE INDEX ix_inbound_kept ON inbound (received_at) WHERE wiped_at IS NULL;

CREATE TABLE text_rules (
    place_id UUID NOT NULL,
    quiet_from TIME,
    quiet_until TIME,
    price NUMERIC(10, 4),
    currency TEXT NOT NULL,
    cap NUMERIC(12, 2),
    keep_days SMALLINT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_text_rules PRIMARY KEY (place_id),
    CONSTRAINT ck_text_rules_quiet CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    CONSTRAINT ck_text_rules_money CHECK (price >= 0 AND cap >= 0),
    CONSTRAINT ck_text_rules_cap CHECK (cap IS NULL OR price IS NOT NULL),
    CONSTRAINT ck_text_rules_keep_days CHECK (keep_days BETWEEN 7 AND 3650)
);
CREATE TABLE gateway_pace (
    gateway TEXT NOT NULL,
    free_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_gateway_pace PRIMARY KEY (gateway)
);

-- What a message is, is written once; wiping it takes the words of its reason too, and nothing is unwiped.
CREATE OR REPLACE FUNCTION message_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND message_rank(NEW.state) <= message_rank(OLD.state) THEN
        RAISE EXCEPTION 'a message does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_message_goes_forward';
    END IF;
    IF (NEW.id, NEW.kind, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.kind, OLD.created_at)
        OR (NEW.reason_key <> OLD.reason_key AND (NEW.wiped_at IS NULL OR OLD.wiped_at IS NOT NULL))
        OR (OLD.provider_id IS NOT NULL AND NEW.provider_id IS DISTINCT FROM OLD.provider_id)
        OR (OLD.wiped_at IS NOT NULL AND NEW.wiped_at IS DISTINCT FROM OLD.wiped_at)
    THEN
        RAISE EXCEPTION 'what a message is, and the id the gateway gave it, are written once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tr_message_goes_forward';
    END IF;
    RETURN NEW;
END $$;
"""

DOWN = """
CREATE OR REPLACE FUNCTION message_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP TABLE gateway_pace, text_rules;
ALTER TABLE inbound DROP COLUMN wiped_at;
ALTER TABLE message DROP COLUMN place_id, DROP COLUMN zone, DROP COLUMN is_reply, DROP COLUMN sent_at,
    DROP COLUMN charged_on, DROP COLUMN charge, DROP COLUMN wiped_at;
DROP INDEX ix_message_created_at;
ALTER TABLE contact DROP COLUMN place_id;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
