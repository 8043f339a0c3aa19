"""Results of tests, other treatments and medicines, what is due when; an alert knows its rule, evidence and readers."""

from alembic import op

revision = "0025_health"
down_revision = "0024_phone_line"
branch_labels = None
depends_on = None

_MORE_COLUMNS = """
ALTER TABLE alert
    ADD COLUMN rule TEXT NOT NULL DEFAULT '',
    ADD COLUMN evidence JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN advice TEXT NOT NULL DEFAULT '',
    ADD COLUMN read_at TIMESTAMPTZ,
    ADD COLUMN read_by UUID,
    ADD COLUMN raised_at TIMESTAMPTZ,
    ADD COLUMN escalated_at TIMESTAMPTZ,
    ADD COLUMN escalated_to TEXT NOT NULL DEFAULT '',
    ADD COLUMN dismissed BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE alert
    ALTER COLUMN rule DROP DEFAULT, ALTER COLUMN evidence DROP DEFAULT, ALTER COLUMN advice DROP DEFAULT,
    ALTER COLUMN escalated_to DROP DEFAULT, ALTER COLUMN dismissed DROP DEFAULT,
    ADD CONSTRAINT ck_alert_dismissed_is_resolved CHECK (NOT dismissed OR resolved_at IS NOT NULL),
    ADD CONSTRAINT ck_alert_read_by_somebody CHECK ((read_at IS NULL) = (read_by IS NULL)),
    ADD CONSTRAINT fk_alert_read_by FOREIGN KEY (read_by) REFERENCES account (id);
CREATE INDEX ix_alert_of_rule ON alert (client_id, cause, opened_at);

ALTER TABLE client_condition ADD COLUMN ended_on DATE;
ALTER TABLE client_condition DROP CONSTRAINT ck_client_condition_kind;
ALTER TABLE client_condition
    ADD CONSTRAINT ck_client_condition_kind
        CHECK (kind IN ('hiv', 'hepatitis_b', 'hepatitis_c', 'tuberculosis', 'pregnancy')),
    ADD CONSTRAINT ck_client_condition_ends_after_it_was_noted CHECK (ended_on >= noted_on);
"""

_TABLES = """
CREATE TABLE laboratory (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT pk_laboratory PRIMARY KEY (id),
    CONSTRAINT uq_laboratory_site_id_name UNIQUE (site_id, name),
    CONSTRAINT ck_laboratory_name CHECK (name <> ''),
    CONSTRAINT fk_laboratory_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);

CREATE TABLE laboratory_limit (
    laboratory_id UUID NOT NULL,
    analyte TEXT NOT NULL,
    sex TEXT NOT NULL,
    lower NUMERIC(16, 6),
    upper NUMERIC(16, 6),
    CONSTRAINT pk_laboratory_limit PRIMARY KEY (laboratory_id, analyte, sex),
    CONSTRAINT ck_laboratory_limit_sex CHECK (sex IN ('', 'male', 'female')),
    CONSTRAINT ck_laboratory_limit_upper_is_above_zero CHECK (upper > 0),
    CONSTRAINT ck_laboratory_limit_has_a_limit CHECK (lower IS NOT NULL OR upper IS NOT NULL),
    CONSTRAINT ck_laboratory_limit_lower_is_below_upper CHECK (lower < upper),
    CONSTRAINT fk_laboratory_limit_laboratory_id FOREIGN KEY(laboratory_id) REFERENCES laboratory (id)
);

CREATE TABLE health_result (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    analyte TEXT NOT NULL,
    taken_on DATE NOT NULL,
    number NUMERIC(16, 6),
    comparator TEXT NOT NULL,
    choice TEXT,
    lower NUMERIC(16, 6),
    upper NUMERIC(16, 6),
    laboratory_id UUID,
    panel UUID NOT NULL,
    formula TEXT NOT NULL,
    typed TEXT NOT NULL,
    source TEXT NOT NULL,
    source_key TEXT NOT NULL,
    replaces UUID,
    reason TEXT NOT NULL,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entered_by UUID,
    CONSTRAINT pk_health_result PRIMARY KEY (id),
    CONSTRAINT ck_health_result_comparator CHECK (comparator IN ('', '<', '>')),
    CONSTRAINT ck_health_result_source CHECK (source IN ('hand', 'csv', 'fhir', 'hl7')),
    CONSTRAINT ck_health_result_one_value CHECK (num_nonnulls(number, choice) < 2),
    CONSTRAINT ck_health_result_has_value CHECK (num_nonnulls(number, choice) = 1 OR replaces IS NOT NULL),
    CONSTRAINT ck_health_result_correction_has_reason CHECK ((replaces IS NULL) = (reason = '')),
    CONSTRAINT ck_health_result_formula CHECK (formula IN ('', 'Bazett', 'Fridericia')),
    CONSTRAINT uq_health_result_replaces UNIQUE (replaces),
    CONSTRAINT uq_health_result_client_id_source_key UNIQUE (client_id, source_key),
    CONSTRAINT fk_health_result_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_health_result_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_health_result_laboratory_id FOREIGN KEY(laboratory_id) REFERENCES laboratory (id),
    CONSTRAINT fk_health_result_replaces FOREIGN KEY(replaces) REFERENCES health_result (id),
    CONSTRAINT fk_health_result_entered_by FOREIGN KEY(entered_by) REFERENCES account (id)
);
CREATE INDEX ix_health_result_client_id_analyte_taken_on ON health_result (client_id, analyte, taken_on);
CREATE INDEX ix_health_result_site_id_taken_on ON health_result (site_id, taken_on);

CREATE TABLE treatment (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    kind TEXT NOT NULL,
    started_on DATE NOT NULL,
    stopped_on DATE,
    stop_reason TEXT NOT NULL,
    entered_by UUID,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_treatment PRIMARY KEY (id),
    CONSTRAINT ck_treatment_kind CHECK (kind IN ('art', 'tb', 'hcv')),
    CONSTRAINT ck_treatment_stops_after_it_started CHECK (stopped_on >= started_on),
    CONSTRAINT ck_treatment_stop_has_reason CHECK ((stopped_on IS NULL) = (stop_reason = '')),
    CONSTRAINT fk_treatment_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_treatment_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_treatment_entered_by FOREIGN KEY(entered_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_treatment_running ON treatment (client_id, kind) WHERE stopped_on IS NULL;

CREATE TABLE medication (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    treatment_id UUID,
    substance TEXT NOT NULL,
    name TEXT NOT NULL,
    started_on DATE NOT NULL,
    stopped_on DATE,
    stop_reason TEXT NOT NULL,
    entered_by UUID,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_medication PRIMARY KEY (id),
    CONSTRAINT ck_medication_substance CHECK (substance <> ''),
    CONSTRAINT ck_medication_stops_after_it_started CHECK (stopped_on >= started_on),
    CONSTRAINT ck_medication_stop_has_reason CHECK ((stopped_on IS NULL) = (stop_reason = '')),
    CONSTRAINT fk_medication_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_medication_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_medication_treatment_id FOREIGN KEY(treatment_id) REFERENCES treatment (id),
    CONSTRAINT fk_medication_entered_by FOREIGN KEY(entered_by) REFERENCES account (id)
);
CREATE INDEX ix_medication_treatment_id ON medication (treatment_id);
CREATE UNIQUE INDEX uq_medication_running ON medication (client_id, name) WHERE stopped_on IS NULL;

CREATE TABLE refill (
    id UUID NOT NULL,
    medication_id UUID NOT NULL,
    on_day DATE NOT NULL,
    days SMALLINT NOT NULL,
    observed BOOLEAN NOT NULL,
    supply_id UUID,
    source_key TEXT NOT NULL,
    given_by UUID,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voided_at TIMESTAMP WITH TIME ZONE,
    void_reason TEXT NOT NULL,
    CONSTRAINT pk_refill PRIMARY KEY (id),
    CONSTRAINT ck_refill_days CHECK (days BETWEEN 1 AND 366),
    CONSTRAINT ck_refill_observed_is_of_a_day CHECK (NOT observed OR days = 1),
    CONSTRAINT uq_refill_medication_id_source_key UNIQUE (medication_id, source_key),
    CONSTRAINT fk_refill_medication_id FOREIGN KEY(medication_id) REFERENCES medication (id),
    CONSTRAINT fk_refill_supply_id FOREIGN KEY(supply_id) REFERENCES supply (id),
    CONSTRAINT fk_refill_given_by FOREIGN KEY(given_by) REFERENCES account (id)
);
CREATE INDEX ix_refill_medication_id_on_day ON refill (medication_id, on_day);

CREATE TABLE scheduled_look (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    medication_id UUID NOT NULL,
    moment TEXT NOT NULL,
    on_day DATE NOT NULL,
    why TEXT NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    done_by UUID,
    found TEXT NOT NULL,
    CONSTRAINT pk_scheduled_look PRIMARY KEY (id),
    CONSTRAINT uq_scheduled_look_medication_id_moment_on_day UNIQUE (medication_id, moment, on_day),
    CONSTRAINT ck_scheduled_look_moment CHECK (moment IN ('start', 'stop')),
    CONSTRAINT ck_scheduled_look_done_says_what_was_found CHECK ((done_at IS NULL) = (found = '')),
    CONSTRAINT fk_scheduled_look_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_scheduled_look_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_scheduled_look_medication_id FOREIGN KEY(medication_id) REFERENCES medication (id),
    CONSTRAINT fk_scheduled_look_done_by FOREIGN KEY(done_by) REFERENCES account (id)
);
CREATE INDEX ix_scheduled_look_open ON scheduled_look (site_id, on_day) WHERE done_at IS NULL;

CREATE TABLE due_setting (
    site_id UUID NOT NULL,
    rule TEXT NOT NULL,
    every_months SMALLINT,
    ignored BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    set_by UUID,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_due_setting PRIMARY KEY (site_id, rule),
    CONSTRAINT ck_due_setting_every_months CHECK (every_months BETWEEN 1 AND 120),
    CONSTRAINT ck_due_setting_says_something CHECK (every_months IS NOT NULL OR ignored),
    CONSTRAINT fk_due_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_due_setting_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);

CREATE TABLE test_due (
    client_id UUID NOT NULL,
    test TEXT NOT NULL,
    site_id UUID NOT NULL,
    due_on DATE NOT NULL,
    rule TEXT NOT NULL,
    judged_on DATE NOT NULL,
    CONSTRAINT pk_test_due PRIMARY KEY (client_id, test),
    CONSTRAINT fk_test_due_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_test_due_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE INDEX ix_test_due_site_id_due_on ON test_due (site_id, due_on);

CREATE TABLE health_setting (
    site_id UUID NOT NULL,
    viral_load_version TEXT NOT NULL,
    adherence_percent SMALLINT NOT NULL,
    urgent_hours SMALLINT NOT NULL,
    warning_hours SMALLINT NOT NULL,
    set_by UUID,
    set_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_health_setting PRIMARY KEY (site_id),
    CONSTRAINT ck_health_setting_adherence_percent CHECK (adherence_percent BETWEEN 50 AND 100),
    CONSTRAINT ck_health_setting_hours CHECK (urgent_hours BETWEEN 1 AND 720 AND warning_hours BETWEEN 1 AND 2160),
    CONSTRAINT fk_health_setting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_health_setting_set_by FOREIGN KEY(set_by) REFERENCES account (id)
);
"""

# What was measured and what was handed over is never changed; a refill can be voided, once.
_GUARDS = """
CREATE FUNCTION refill_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL OR NEW.voided_at IS NULL
        OR (NEW.id, NEW.medication_id, NEW.on_day, NEW.days, NEW.observed, NEW.source_key, NEW.given_at)
            IS DISTINCT FROM
            (OLD.id, OLD.medication_id, OLD.on_day, OLD.days, OLD.observed, OLD.source_key, OLD.given_at) THEN
        RAISE EXCEPTION 'a refill is voided once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refill_is_kept BEFORE UPDATE OR DELETE ON refill FOR EACH ROW EXECUTE FUNCTION refill_is_kept();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON health_result
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON health_result FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON refill FOR EACH STATEMENT EXECUTE FUNCTION never_changed();

CREATE FUNCTION correction_is_of_the_same() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.replaces IS NOT NULL AND NOT EXISTS (
        SELECT FROM health_result WHERE id = NEW.replaces AND client_id = NEW.client_id AND analyte = NEW.analyte
    ) THEN
        RAISE EXCEPTION 'a result is corrected by one of the same client and test'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER correction_is_of_the_same BEFORE INSERT ON health_result
    FOR EACH ROW EXECUTE FUNCTION correction_is_of_the_same();
"""


def upgrade() -> None:
    op.execute(_MORE_COLUMNS)
    op.execute(_TABLES)
    op.execute(_GUARDS)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE health_setting, test_due, due_setting, scheduled_look, refill, medication, treatment, health_result,
            laboratory_limit, laboratory;
        DROP FUNCTION correction_is_of_the_same();
        DROP FUNCTION refill_is_kept();
        DELETE FROM client_condition WHERE kind = 'pregnancy';
        ALTER TABLE client_condition DROP CONSTRAINT ck_client_condition_kind,
            DROP CONSTRAINT ck_client_condition_ends_after_it_was_noted, DROP COLUMN ended_on;
        ALTER TABLE client_condition
            ADD CONSTRAINT ck_client_condition_kind
                CHECK (kind IN ('hiv', 'hepatitis_b', 'hepatitis_c', 'tuberculosis'));
        DROP INDEX ix_alert_of_rule;
        ALTER TABLE alert DROP CONSTRAINT ck_alert_dismissed_is_resolved, DROP CONSTRAINT ck_alert_read_by_somebody,
            DROP COLUMN rule, DROP COLUMN evidence, DROP COLUMN advice, DROP COLUMN read_at, DROP COLUMN read_by,
            DROP COLUMN raised_at, DROP COLUMN escalated_at, DROP COLUMN escalated_to, DROP COLUMN dismissed;
        """
    )
