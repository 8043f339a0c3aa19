"""Referrals: where somebody was sent for what, and what became of it."""

from alembic import op

revision = "0040_referrals"
down_revision = "0039_route"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE referral (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    service TEXT NOT NULL,
    place TEXT NOT NULL,
    sent_on DATE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_by UUID NOT NULL,
    ask_on DATE NOT NULL,
    outcome TEXT NOT NULL,
    attended_on DATE,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by UUID,
    CONSTRAINT pk_referral PRIMARY KEY (id),
    CONSTRAINT ck_referral_service CHECK (service IN ('hiv_test', 'art', 'hepatitis_c', 'tuberculosis', 'sti',
        'mental_health', 'hospital', 'legal_aid', 'support_group', 'vocational')),
    CONSTRAINT ck_referral_place CHECK (place <> ''),
    CONSTRAINT ck_referral_outcome CHECK (outcome IN ('', 'attended', 'not_attended', 'withdrawn')),
    CONSTRAINT ck_referral_closed_with_outcome CHECK ((outcome = '') = (closed_at IS NULL)),
    CONSTRAINT ck_referral_closed_by_somebody CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
    CONSTRAINT ck_referral_attended_on_a_day CHECK ((outcome = 'attended') = (attended_on IS NOT NULL)),
    CONSTRAINT ck_referral_attended_after_sent CHECK (attended_on >= sent_on),
    CONSTRAINT fk_referral_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_referral_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_referral_sent_by FOREIGN KEY(sent_by) REFERENCES account (id),
    CONSTRAINT fk_referral_closed_by FOREIGN KEY(closed_by) REFERENCES account (id)
);
CREATE INDEX ix_referral_client_id_sent_on ON referral (client_id, sent_on);
CREATE INDEX ix_referral_site_id ON referral (site_id);
CREATE UNIQUE INDEX uq_referral_open ON referral (client_id, service, lower(place)) WHERE closed_at IS NULL;
"""

# What was sent stays as it was sent; it is closed once.
_GUARD = """
CREATE FUNCTION referral_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.service, NEW.place, NEW.sent_on, NEW.sent_at, NEW.sent_by)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.service, OLD.place, OLD.sent_on, OLD.sent_at, OLD.sent_by)
        OR NEW.ask_on <> OLD.ask_on
    THEN
        RAISE EXCEPTION 'a referral is closed once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER referral_is_kept BEFORE UPDATE OR DELETE ON referral
    FOR EACH ROW EXECUTE FUNCTION referral_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON referral
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_GUARD)


def downgrade() -> None:
    op.execute("DROP TABLE referral; DROP FUNCTION referral_is_kept();")
