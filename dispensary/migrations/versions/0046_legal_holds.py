"""Legal holds: while one stands, nothing of the client is wiped or erased."""

from alembic import op

revision = "0046_legal_holds"
down_revision = "0040_referrals"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE legal_hold (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    reason_sealed BYTEA NOT NULL,
    authority_sealed BYTEA NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lifted_by UUID,
    lifted_at TIMESTAMP WITH TIME ZONE,
    lift_reason_sealed BYTEA,
    CONSTRAINT pk_legal_hold PRIMARY KEY (id),
    CONSTRAINT ck_legal_hold_lifted_by_somebody CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)
        AND (lifted_at IS NULL) = (lift_reason_sealed IS NULL)),
    CONSTRAINT ck_legal_hold_lifted_after_set CHECK (lifted_at >= set_at),
    CONSTRAINT fk_legal_hold_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_legal_hold_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_legal_hold_set_by FOREIGN KEY(set_by) REFERENCES account (id),
    CONSTRAINT fk_legal_hold_lifted_by FOREIGN KEY(lifted_by) REFERENCES account (id)
);
CREATE INDEX ix_legal_hold_standing ON legal_hold (client_id) WHERE lifted_at IS NULL;
CREATE INDEX ix_legal_hold_client_id ON legal_hold (client_id);
CREATE INDEX ix_legal_hold_site_id_set_at ON legal_hold (site_id, set_at);
"""

# A hold is lifted once. A text of somebody whose record is held keeps its words, whatever asks to wipe it.
_GUARDS = """
CREATE FUNCTION legal_hold_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.reason_sealed, NEW.authority_sealed, NEW.set_by, NEW.set_at)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.reason_sealed, OLD.authority_sealed, OLD.set_by, OLD.set_at)
    THEN
        RAISE EXCEPTION 'a legal hold is lifted once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER legal_hold_is_kept BEFORE UPDATE OR DELETE ON legal_hold
    FOR EACH ROW EXECUTE FUNCTION legal_hold_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON legal_hold
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();

CREATE FUNCTION held_text_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM legal_hold WHERE client_id = OLD.recipient_id AND lifted_at IS NULL) THEN
        RAISE EXCEPTION 'this text belongs to a record under a legal hold'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER held_text_is_kept BEFORE UPDATE OF wiped_at ON message
    FOR EACH ROW WHEN (OLD.wiped_at IS NULL AND NEW.wiped_at IS NOT NULL AND OLD.recipient_id IS NOT NULL)
    EXECUTE FUNCTION held_text_is_kept();
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        """DROP TRIGGER held_text_is_kept ON message; DROP FUNCTION held_text_is_kept();
        DROP TABLE legal_hold; DROP FUNCTION legal_hold_is_kept();"""
    )
