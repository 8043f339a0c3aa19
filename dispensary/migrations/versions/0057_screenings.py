"""Screenings with their scores, what a site sets of each instrument, and what staff are accredited for."""

from alembic import op

from dispensary.migrations.walls import walled_by_account, walled_by_both, walled_by_site, walled_through

revision = "0057_screenings"
down_revision = "0054c_retention"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE accreditation (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    site_id UUID NOT NULL,
    kind TEXT NOT NULL,
    seen TEXT NOT NULL,
    from_day DATE NOT NULL,
    until_day DATE,
    given_by UUID NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by UUID,
    CONSTRAINT pk_accreditation PRIMARY KEY (id),
    CONSTRAINT ck_accreditation_kind CHECK (kind <> '' AND kind = lower(kind)),
    CONSTRAINT ck_accreditation_ends_after_it_begins CHECK (until_day >= from_day),
    CONSTRAINT ck_accreditation_ended_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT fk_accreditation_account_id FOREIGN KEY(account_id) REFERENCES account (id),
    CONSTRAINT fk_accreditation_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_accreditation_given_by FOREIGN KEY(given_by) REFERENCES account (id),
    CONSTRAINT fk_accreditation_ended_by FOREIGN KEY(ended_by) REFERENCES account (id)
);
CREATE INDEX ix_accreditation_account_id_site_id ON accreditation (account_id, site_id);
CREATE TABLE instrument_setting (
    site_id UUID NOT NULL,
    instrument TEXT NOT NULL,
    used BOOLEAN NOT NULL,
    every_months SMALLINT,
    positive_from SMALLINT,
    roles JSONB NOT NULL,
    accreditation TEXT NOT NULL,
    risk_role TEXT NOT NULL,
    reason TEXT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_instrument_setting PRIMARY KEY (site_id, instrument),
    CONSTRAINT ck_instrument_setting_every_months CHECK (every_months BETWEEN 1 AND 60),
    CONSTRAINT ck_instrument_setting_positive_from CHECK (positive_from BETWEEN 1 AND 20),
    CONSTRAINT ck_instrument_setting_risk_role CHECK (risk_role IN ('doctor', 'nurse', 'pharmacist')),
    CONSTRAINT ck_instrument_setting_reason CHECK (reason <> ''),
    CONSTRAINT fk_instrument_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_instrument_setting_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
CREATE TABLE screening (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    instrument TEXT NOT NULL,
    taken_on DATE NOT NULL,
    taken_by UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answers_sealed BYTEA NOT NULL,
    voided_at TIMESTAMP WITH TIME ZONE,
    voided_by UUID,
    void_reason_sealed BYTEA,
    CONSTRAINT pk_screening PRIMARY KEY (id),
    CONSTRAINT ck_screening_voided_by_somebody CHECK ((voided_at IS NULL) = (voided_by IS NULL)),
    CONSTRAINT ck_screening_voided_with_reason CHECK ((voided_at IS NULL) = (void_reason_sealed IS NULL)),
    CONSTRAINT fk_screening_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_screening_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_screening_taken_by FOREIGN KEY(taken_by) REFERENCES account (id),
    CONSTRAINT fk_screening_voided_by FOREIGN KEY(voided_by) REFERENCES account (id)
);
CREATE INDEX ix_screening_client_id_instrument_taken_on ON screening (client_id, instrument, taken_on);
CREATE INDEX ix_screening_site_id ON screening (site_id);
CREATE TABLE screening_score (
    screening_id UUID NOT NULL,
    part TEXT NOT NULL,
    points SMALLINT NOT NULL,
    band TEXT NOT NULL,
    CONSTRAINT pk_screening_score PRIMARY KEY (screening_id, part),
    CONSTRAINT fk_screening_score_screening_id FOREIGN KEY(screening_id) REFERENCES screening (id)
);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON screening_score
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON screening_score
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

# What was answered stays as it was answered; a screening is taken back once, and an accreditation ended once.
_GUARDS = """
CREATE FUNCTION screening_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR NEW.voided_at IS NULL
        OR (to_jsonb(NEW) - '{voided_at,voided_by,void_reason_sealed}'::text[])
            <> (to_jsonb(OLD) - '{voided_at,voided_by,void_reason_sealed}'::text[])
    THEN
        RAISE EXCEPTION 'a screening is taken back once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER screening_is_kept BEFORE UPDATE ON screening FOR EACH ROW
    WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION screening_is_kept();
CREATE TRIGGER screening_stays BEFORE DELETE ON screening FOR EACH ROW EXECUTE FUNCTION screening_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON screening FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE FUNCTION accreditation_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR (to_jsonb(NEW) - '{ended_at,ended_by}'::text[]) <> (to_jsonb(OLD) - '{ended_at,ended_by}'::text[])
    THEN
        RAISE EXCEPTION 'an accreditation is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accreditation_is_kept BEFORE UPDATE OR DELETE ON accreditation
    FOR EACH ROW EXECUTE FUNCTION accreditation_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON accreditation FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)
    op.execute(walled_by_site("instrument_setting"))
    op.execute(walled_by_account("accreditation"))
    op.execute(walled_by_both("screening"))
    op.execute(walled_through("screening_score", "screening"))


def downgrade() -> None:
    op.execute(
        "DROP TABLE screening_score; DROP TABLE screening; DROP FUNCTION screening_is_kept();"
        "DROP TABLE instrument_setting; DROP TABLE accreditation; DROP FUNCTION accreditation_is_kept();"
    )
