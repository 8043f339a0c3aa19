"""A site's own questions with nameless answers; group sessions; agreed sessions are reminded of as bookings are."""

from alembic import op

from dispensary.migrations.walls import walled_by_both, walled_by_site, walled_through

revision = "0061b_surveys"
down_revision = "0062_alone"
branch_labels = None
depends_on = None

_SURVEYS = """
CREATE TABLE survey (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    version SMALLINT NOT NULL,
    document TEXT NOT NULL,
    address TEXT NOT NULL,
    opened_by UUID NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_by UUID,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_survey PRIMARY KEY (id),
    CONSTRAINT uq_survey_site_id_version UNIQUE (site_id, version),
    CONSTRAINT ck_survey_closed_by_somebody CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
    CONSTRAINT fk_survey_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_survey_opened_by FOREIGN KEY(opened_by) REFERENCES account (id),
    CONSTRAINT fk_survey_closed_by FOREIGN KEY(closed_by) REFERENCES account (id)
);
CREATE UNIQUE INDEX uq_survey_open ON survey (site_id) WHERE closed_at IS NULL;
CREATE TABLE survey_ticket (
    digest BYTEA NOT NULL,
    survey_id UUID NOT NULL,
    good_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_survey_ticket PRIMARY KEY (digest),
    CONSTRAINT fk_survey_ticket_survey_id FOREIGN KEY(survey_id) REFERENCES survey (id)
);
CREATE INDEX ix_survey_ticket_survey_id ON survey_ticket (survey_id);
CREATE TABLE survey_answer (
    id UUID NOT NULL,
    survey_id UUID NOT NULL,
    month DATE NOT NULL,
    answers JSONB NOT NULL,
    CONSTRAINT pk_survey_answer PRIMARY KEY (id),
    CONSTRAINT ck_survey_answer_month CHECK (extract(day FROM month) = 1),
    CONSTRAINT ck_survey_answer_answers CHECK (jsonb_typeof(answers) = 'object' AND answers <> '{}'),
    CONSTRAINT fk_survey_answer_survey_id FOREIGN KEY(survey_id) REFERENCES survey (id)
);
CREATE INDEX ix_survey_answer_survey_id_month ON survey_answer (survey_id, month);
CREATE FUNCTION survey_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (to_jsonb(NEW) - 'closed_at' - 'closed_by') IS DISTINCT FROM (to_jsonb(OLD) - 'closed_at' - 'closed_by')
    THEN
        RAISE EXCEPTION 'what was asked stands; a survey is closed once'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER survey_is_kept BEFORE UPDATE ON survey FOR EACH ROW EXECUTE FUNCTION survey_is_kept();
CREATE TRIGGER never_removed BEFORE DELETE ON survey FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON survey_answer
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON survey_answer
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

_MEETINGS = """
CREATE TABLE group_meeting (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    on_day DATE NOT NULL,
    about TEXT NOT NULL,
    others SMALLINT NOT NULL,
    led_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_group_meeting PRIMARY KEY (id),
    CONSTRAINT ck_group_meeting_about CHECK (about IN ('support', 'learning', 'family', 'work', 'community')),
    CONSTRAINT ck_group_meeting_others CHECK (others BETWEEN 0 AND 200),
    CONSTRAINT fk_group_meeting_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_group_meeting_led_by FOREIGN KEY(led_by) REFERENCES account (id)
);
CREATE INDEX ix_group_meeting_site_id_on_day ON group_meeting (site_id, on_day);
CREATE TABLE group_attendance (
    meeting_id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    on_day DATE NOT NULL,
    CONSTRAINT pk_group_attendance PRIMARY KEY (meeting_id, client_id),
    CONSTRAINT fk_group_attendance_meeting_id FOREIGN KEY(meeting_id) REFERENCES group_meeting (id),
    CONSTRAINT fk_group_attendance_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_group_attendance_site_id FOREIGN KEY(site_id) REFERENCES site (id)
);
CREATE INDEX ix_group_attendance_client_id_on_day ON group_attendance (client_id, on_day);
CREATE INDEX ix_group_attendance_site_id ON group_attendance (site_id);
"""

_TEXTS = """
CREATE OR REPLACE FUNCTION text_group(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN kind IN ('booking_confirmed', 'booking_moved', 'booking_dropped', 'regular_set', 'regular_ended',
            'regular_paused') THEN 'bookings'
        WHEN kind {reminder} THEN 'reminder'
        WHEN kind IN ('missed_today', 'caring') THEN 'missed'
        WHEN kind = 'review_due' THEN 'reviews'
        WHEN kind = 'news' THEN 'news'
        WHEN kind IN ('feedback_visit', 'feedback_wait') THEN 'feedback'
    END
$$
"""
_BOOKED = "'booking_reminder', 'booking_reminder_longer'"


def upgrade() -> None:
    op.execute(_SURVEYS)
    op.execute(_MEETINGS)
    op.execute(_TEXTS.format(reminder=f"IN ({_BOOKED}, 'meeting_reminder', 'meeting_reminder_day')"))
    for table in ("group_meeting", "group_attendance"):
        op.execute(f"""
            CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed();
            CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_site("survey"))
    op.execute(walled_through("survey_ticket", "survey"))
    op.execute(walled_through("survey_answer", "survey"))
    op.execute(walled_by_site("group_meeting"))
    op.execute(walled_by_both("group_attendance"))


def downgrade() -> None:
    op.execute(_TEXTS.format(reminder=f"IN ({_BOOKED})"))
    op.execute("DROP TABLE group_attendance, group_meeting, survey_answer, survey_ticket, survey")
    op.execute("DROP FUNCTION survey_is_kept")
