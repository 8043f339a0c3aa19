"""What a client wanted and nobody has begun: somebody notes that it was seen to, or that they want it no more."""

from alembic import op

revision = "0078_wanted"
down_revision = "0077_intakes_wait"
branch_labels = None
depends_on = None

_BEFORE = """
CREATE OR REPLACE FUNCTION offer_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL OR NEW.answered_at IS NULL
        OR (to_jsonb(NEW) - '{answer,answered_at,answered_by}'::text[])
            <> (to_jsonb(OLD) - '{answer,answered_at,answered_by}'::text[])
    THEN
        RAISE EXCEPTION 'an offer is answered once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_NOW = """
CREATE OR REPLACE FUNCTION offer_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.answered_at IS NULL AND NEW.answered_at IS NOT NULL
        AND (to_jsonb(NEW) - '{answer,answered_at,answered_by}'::text[])
            = (to_jsonb(OLD) - '{answer,answered_at,answered_by}'::text[])
    THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.answer = 'accepted' AND OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL
        AND (to_jsonb(NEW) - '{settled_how,settled_at,settled_by}'::text[])
            = (to_jsonb(OLD) - '{settled_how,settled_at,settled_by}'::text[])
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an offer is answered once, what was wanted is settled once, and neither is changed otherwise'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def upgrade() -> None:
    op.execute("""
ALTER TABLE service_offer
    ADD COLUMN settled_how TEXT,
    ADD COLUMN settled_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN settled_by UUID,
    ADD CONSTRAINT fk_service_offer_settled_by FOREIGN KEY (settled_by) REFERENCES account (id),
    ADD CONSTRAINT ck_service_offer_settled_how CHECK (settled_how IN ('seen_to', 'not_wanted')),
    ADD CONSTRAINT ck_service_offer_settled_by_somebody
        CHECK (num_nonnulls(settled_how, settled_at, settled_by) = (CASE WHEN settled_at IS NULL THEN 0 ELSE 3 END)),
    ADD CONSTRAINT ck_service_offer_settled_where_wanted CHECK (settled_at IS NULL OR answer = 'accepted')
""")
    op.execute(_NOW)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.execute("ALTER TABLE service_offer DROP COLUMN settled_how, DROP COLUMN settled_at, DROP COLUMN settled_by")
