"""Offers, and the pathway that a site follows."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site

revision = "0057b_offers"
down_revision = "0057_screenings"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE pathway_setting (
    site_id UUID NOT NULL,
    pathway TEXT NOT NULL,
    reason TEXT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_pathway_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_pathway_setting_reason CHECK (reason <> ''),
    CONSTRAINT fk_pathway_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_pathway_setting_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
CREATE TABLE service_offer (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    screening_id UUID,
    offer TEXT NOT NULL,
    offered_on DATE NOT NULL,
    offered_by UUID NOT NULL,
    offered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer TEXT NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    answered_by UUID,
    CONSTRAINT pk_service_offer PRIMARY KEY (id),
    CONSTRAINT ck_service_offer_answer CHECK (answer IN ('', 'accepted', 'declined')),
    CONSTRAINT ck_service_offer_answered_at_a_moment CHECK ((answer = '') = (answered_at IS NULL)),
    CONSTRAINT ck_service_offer_answered_to_somebody CHECK ((answered_at IS NULL) = (answered_by IS NULL)),
    CONSTRAINT fk_service_offer_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_service_offer_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_service_offer_screening_id FOREIGN KEY(screening_id) REFERENCES screening (id),
    CONSTRAINT fk_service_offer_offered_by FOREIGN KEY(offered_by) REFERENCES account (id),
    CONSTRAINT fk_service_offer_answered_by FOREIGN KEY(answered_by) REFERENCES account (id)
);
CREATE INDEX ix_service_offer_client_id_offered_on ON service_offer (client_id, offered_on);
CREATE INDEX ix_service_offer_site_id ON service_offer (site_id);
CREATE INDEX ix_service_offer_screening_id ON service_offer (screening_id);
"""

_GUARD = """
CREATE FUNCTION offer_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER offer_is_kept BEFORE UPDATE OR DELETE ON service_offer FOR EACH ROW EXECUTE FUNCTION offer_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON service_offer FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARD)
    op.execute(walled_by_site("pathway_setting"))
    op.execute(walled_by_both("service_offer"))


def downgrade() -> None:
    op.execute("DROP TABLE service_offer; DROP FUNCTION offer_is_kept(); DROP TABLE pathway_setting;")
