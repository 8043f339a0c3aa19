"""What somebody was given who is no client: a leaflet, a talk, a referral, company on the way. It names nobody."""

from alembic import op

from dispensary.migrations.walls import walled_by_site

revision = "0083b_given_outside"
down_revision = "0081_place_stays"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE intake_service (
    id UUID NOT NULL,
    intake_id UUID NOT NULL,
    site_id UUID NOT NULL,
    given TEXT NOT NULL,
    service TEXT NOT NULL,
    given_on DATE NOT NULL,
    given_by UUID NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voided_at TIMESTAMP WITH TIME ZONE,
    voided_by UUID,
    void_reason TEXT,
    CONSTRAINT pk_intake_service PRIMARY KEY (id),
    CONSTRAINT fk_intake_service_intake_id FOREIGN KEY(intake_id) REFERENCES intake (id),
    CONSTRAINT fk_intake_service_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_intake_service_given_by FOREIGN KEY(given_by) REFERENCES account (id),
    CONSTRAINT fk_intake_service_voided_by FOREIGN KEY(voided_by) REFERENCES account (id),
    CONSTRAINT ck_intake_service_given CHECK (given IN ('leaflet', 'talk', 'referral', 'company')),
    CONSTRAINT ck_intake_service_referred_for CHECK ((given IN ('referral', 'company')) = (service <> '')),
    CONSTRAINT ck_intake_service_taken_back_whole CHECK (num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)),
    CONSTRAINT ck_intake_service_void_reason CHECK (void_reason IN ('twice', 'mistaken', 'another', 'never'))
);
CREATE INDEX ix_intake_service_intake_id ON intake_service (intake_id);
CREATE INDEX ix_intake_service_site_id ON intake_service (site_id);
CREATE TRIGGER taken_back_once BEFORE UPDATE OR DELETE ON intake_service
    FOR EACH ROW EXECUTE FUNCTION taken_back_once();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON intake_service
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_site("intake_service"))


def downgrade() -> None:
    op.execute("DROP TABLE intake_service")
