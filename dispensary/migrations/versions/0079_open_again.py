"""What was entered in error about care is taken back: an entry counts nowhere, and what was closed is open again."""

from alembic import op

from dispensary.migrations.walls import walled_by_both

revision = "0079_open_again"
down_revision = "0078_wanted"
branch_labels = None
depends_on = None

BEFORE = ("naloxone_kit", "naloxone_use", "outreach_contact")
TABLES = ("life_status", "group_meeting", "group_attendance", "contact_note", "legal_status")

_TABLE = """
CREATE TABLE entry_taken_back (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    referral_id UUID,
    home_visit_id UUID,
    session_id UUID,
    plan_id UUID,
    goal_id UUID,
    was TEXT NOT NULL,
    was_on DATE,
    said_at TIMESTAMP WITH TIME ZONE,
    said_by UUID,
    note_id UUID,
    back_at TIMESTAMP WITH TIME ZONE NOT NULL,
    back_by UUID NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT pk_entry_taken_back PRIMARY KEY (id),
    CONSTRAINT ck_entry_taken_back_of_one_thing
        CHECK (num_nonnulls(referral_id, home_visit_id, session_id, plan_id, goal_id) = 1),
    CONSTRAINT ck_entry_taken_back_was CHECK (was <> ''),
    CONSTRAINT ck_entry_taken_back_said_before CHECK (said_at <= back_at),
    CONSTRAINT ck_entry_taken_back_said_at_a_moment CHECK ((said_at IS NULL) = (goal_id IS NOT NULL)),
    CONSTRAINT ck_entry_taken_back_why CHECK (why IN ('twice', 'mistaken', 'another', 'never')),
    CONSTRAINT fk_entry_taken_back_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_entry_taken_back_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_entry_taken_back_referral_id FOREIGN KEY(referral_id) REFERENCES referral (id),
    CONSTRAINT fk_entry_taken_back_home_visit_id FOREIGN KEY(home_visit_id) REFERENCES home_visit (id),
    CONSTRAINT fk_entry_taken_back_session_id FOREIGN KEY(session_id) REFERENCES plan_session (id),
    CONSTRAINT fk_entry_taken_back_plan_id FOREIGN KEY(plan_id) REFERENCES session_plan (id),
    CONSTRAINT fk_entry_taken_back_goal_id FOREIGN KEY(goal_id) REFERENCES client_goal (id),
    CONSTRAINT fk_entry_taken_back_note_id FOREIGN KEY(note_id) REFERENCES contact_note (id),
    CONSTRAINT fk_entry_taken_back_said_by FOREIGN KEY(said_by) REFERENCES account (id),
    CONSTRAINT fk_entry_taken_back_back_by FOREIGN KEY(back_by) REFERENCES account (id),
    CONSTRAINT uq_entry_taken_back_referral_id_said_at UNIQUE (referral_id, said_at),
    CONSTRAINT uq_entry_taken_back_home_visit_id_said_at UNIQUE (home_visit_id, said_at),
    CONSTRAINT uq_entry_taken_back_session_id_said_at UNIQUE (session_id, said_at),
    CONSTRAINT uq_entry_taken_back_plan_id_said_at UNIQUE (plan_id, said_at)
);
CREATE INDEX ix_entry_taken_back_client_id ON entry_taken_back (client_id);
CREATE INDEX ix_entry_taken_back_site_id ON entry_taken_back (site_id);
CREATE INDEX ix_entry_taken_back_goal_id ON entry_taken_back (goal_id);
CREATE INDEX ix_entry_taken_back_note_id ON entry_taken_back (note_id);
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON entry_taken_back
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON entry_taken_back
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""

# What was closed is open again where a row says what stood there, since when, and who takes it back; nothing else of it
# changes with it.
_OPENED = """
    IF TG_OP = 'UPDATE' AND OLD.{said} IS NOT NULL AND NEW.{said} IS NULL
        AND (to_jsonb(NEW) - '{{{columns}}}'::text[]) = (to_jsonb(OLD) - '{{{columns}}}'::text[])
        AND EXISTS (SELECT FROM entry_taken_back b WHERE b.{of} = OLD.id AND b.said_at = OLD.{said}{was})
    THEN
        RETURN NEW;
    END IF;"""
_REFERRAL = _OPENED.format(
    of="referral_id",
    said="closed_at",
    columns="outcome,attended_on,closed_at,closed_by",
    was=" AND b.was = OLD.outcome",
)
_PLAN = _OPENED.format(of="plan_id", said="ended_at", columns="ended_at,ended_by", was="")
_SESSION = _OPENED.format(
    of="session_id", said="marked_at", columns="state,marked_at,marked_by", was=" AND b.was = OLD.state"
)
_VISIT = _OPENED.format(
    of="home_visit_id", said="ended_at", columns="state,note_id,ended_at,ended_by", was=" AND b.was = OLD.state"
)

_GUARDS = """
CREATE OR REPLACE FUNCTION referral_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{referral}
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
CREATE OR REPLACE FUNCTION session_plan_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{plan}
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR (to_jsonb(NEW) - '{{ended_at,ended_by}}'::text[]) <> (to_jsonb(OLD) - '{{ended_at,ended_by}}'::text[])
    THEN
        RAISE EXCEPTION 'a plan of sessions is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION plan_session_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{session}
    IF TG_OP = 'DELETE'
        OR (to_jsonb(NEW) - '{{on_day,at_time,state,marked_at,marked_by}}'::text[])
            <> (to_jsonb(OLD) - '{{on_day,at_time,state,marked_at,marked_by}}'::text[])
        OR (OLD.state <> 'planned' AND (NEW.state = 'planned' OR NEW.on_day <> OLD.on_day))
    THEN
        RAISE EXCEPTION 'a session is moved while it is planned, and its mark is corrected and never removed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION home_visit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{visit}
    IF TG_OP = 'DELETE' OR OLD.state <> 'planned'
        OR (NEW.id, NEW.site_id, NEW.client_id, NEW.purpose, NEW.planned_by, NEW.planned_at)
            IS DISTINCT FROM
            (OLD.id, OLD.site_id, OLD.client_id, OLD.purpose, OLD.planned_by, OLD.planned_at)
        OR NEW.state <> 'planned' AND (NEW.on_day, NEW.visitor_id) IS DISTINCT FROM (OLD.on_day, OLD.visitor_id)
        OR NOT coalesce((SELECT n.client_id = NEW.client_id FROM contact_note n WHERE n.id = NEW.note_id), true)
    THEN
        RAISE EXCEPTION 'a visit is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# A goal that is closed stays so, unless a row says who takes that back.
_GOAL = """
CREATE FUNCTION goal_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'open' OR NOT EXISTS (SELECT FROM entry_taken_back b WHERE b.goal_id = OLD.id
        AND b.was = OLD.state AND b.was_on = OLD.closed_on)
    THEN
        RAISE EXCEPTION 'a goal is closed once, and opened again where somebody says why'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER goal_stays_closed BEFORE UPDATE ON client_goal FOR EACH ROW
    WHEN (OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.closed_on IS DISTINCT FROM OLD.closed_on))
    EXECUTE FUNCTION goal_stays_closed();
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(walled_by_both("entry_taken_back"))
    op.execute(_GUARDS.format(referral=_REFERRAL, plan=_PLAN, session=_SESSION, visit=_VISIT))
    op.execute(_GOAL)
    for table in BEFORE:
        op.execute(f"""
            ALTER TABLE {table} DROP CONSTRAINT ck_{table}_void_reason,
                ADD CONSTRAINT ck_{table}_void_reason
                    CHECK (void_reason IN ('twice', 'mistaken', 'another', 'never'))""")
    for table in TABLES:
        op.execute(f"""
            ALTER TABLE {table}
                ADD COLUMN voided_at TIMESTAMP WITH TIME ZONE,
                ADD COLUMN voided_by UUID,
                ADD COLUMN void_reason TEXT,
                ADD CONSTRAINT ck_{table}_taken_back_whole
                    CHECK (num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)),
                ADD CONSTRAINT ck_{table}_void_reason
                    CHECK (void_reason IN ('twice', 'mistaken', 'another', 'never')),
                ADD CONSTRAINT fk_{table}_voided_by FOREIGN KEY(voided_by) REFERENCES account (id);
            DROP TRIGGER never_changed ON {table};
            DROP TRIGGER IF EXISTS never_removed ON {table};
            CREATE TRIGGER taken_back_once BEFORE UPDATE ON {table}
                FOR EACH ROW WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW)))
                EXECUTE FUNCTION taken_back_once();
            CREATE TRIGGER never_removed BEFORE DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed()""")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"""
            DROP TRIGGER taken_back_once ON {table};
            DROP TRIGGER never_removed ON {table};
            ALTER TABLE {table} DROP COLUMN voided_at, DROP COLUMN voided_by, DROP COLUMN void_reason;
            CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION never_changed()""")
    for table in BEFORE:
        op.execute(f"""
            ALTER TABLE {table} DROP CONSTRAINT ck_{table}_void_reason,
                ADD CONSTRAINT ck_{table}_void_reason
                    CHECK (void_reason IN ('twice', 'mistaken', 'never')) NOT VALID""")
    op.execute("DROP TRIGGER goal_stays_closed ON client_goal; DROP FUNCTION goal_stays_closed")
    op.execute(_GUARDS.format(referral="", plan="", session="", visit=""))
    op.execute("DROP TABLE entry_taken_back")
