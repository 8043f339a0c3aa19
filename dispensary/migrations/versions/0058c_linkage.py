"""Testing and linkage: steps that no other record holds, and after how many days a site is reminded."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site

revision = "0058c_linkage"
down_revision = "0058b_naloxone"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE linkage_step (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    disease TEXT NOT NULL,
    step TEXT NOT NULL,
    on_day DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voided_by UUID,
    voided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_linkage_step PRIMARY KEY (id),
    CONSTRAINT ck_linkage_step_disease CHECK (disease IN ('hiv', 'hcv', 'hbv', 'tb')),
    CONSTRAINT ck_linkage_step_step
        CHECK (step IN ('offered', 'declined', 'tested', 'result_given', 'linked', 'on_treatment')),
    CONSTRAINT ck_linkage_step_voided_by_somebody CHECK ((voided_at IS NULL) = (voided_by IS NULL)),
    CONSTRAINT fk_linkage_step_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_linkage_step_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_linkage_step_noted_by FOREIGN KEY(noted_by) REFERENCES account (id),
    CONSTRAINT fk_linkage_step_voided_by FOREIGN KEY(voided_by) REFERENCES account (id)
);
CREATE INDEX ix_linkage_step_client_id_disease_on_day ON linkage_step (client_id, disease, on_day);
CREATE INDEX ix_linkage_step_site_id ON linkage_step (site_id);
CREATE TABLE care_setting (
    site_id UUID NOT NULL,
    stuck_days SMALLINT NOT NULL,
    lost_days SMALLINT NOT NULL,
    CONSTRAINT pk_care_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_care_setting_stuck_days CHECK (stuck_days BETWEEN 1 AND 365),
    CONSTRAINT ck_care_setting_lost_days CHECK (lost_days BETWEEN 1 AND 365),
    CONSTRAINT fk_care_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
"""

_GUARD = """
CREATE FUNCTION linkage_step_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR NEW.voided_at IS NULL
        OR (NEW.id, NEW.client_id, NEW.site_id, NEW.disease, NEW.step, NEW.on_day, NEW.noted_by, NEW.noted_at)
            IS DISTINCT FROM
            (OLD.id, OLD.client_id, OLD.site_id, OLD.disease, OLD.step, OLD.on_day, OLD.noted_by, OLD.noted_at)
    THEN
        RAISE EXCEPTION 'a step is set aside once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER linkage_step_is_kept BEFORE UPDATE OR DELETE ON linkage_step
    FOR EACH ROW EXECUTE FUNCTION linkage_step_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON linkage_step
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARD)
    op.execute(walled_by_both("linkage_step"))
    op.execute(walled_by_site("care_setting"))


def downgrade() -> None:
    op.execute("DROP TABLE care_setting, linkage_step; DROP FUNCTION linkage_step_is_kept")
