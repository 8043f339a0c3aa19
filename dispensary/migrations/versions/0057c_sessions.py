"""Plans of sessions, and their sessions."""

from alembic import op

from dispensary.migrations.walls import walled_by_both

revision = "0057c_sessions"
down_revision = "0057b_offers"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE session_plan (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    plan TEXT NOT NULL,
    minutes SMALLINT NOT NULL,
    begun_by UUID NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by UUID,
    CONSTRAINT pk_session_plan PRIMARY KEY (id),
    CONSTRAINT ck_session_plan_minutes CHECK (minutes BETWEEN 5 AND 240),
    CONSTRAINT ck_session_plan_ended_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT fk_session_plan_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_session_plan_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_session_plan_begun_by FOREIGN KEY(begun_by) REFERENCES account (id),
    CONSTRAINT fk_session_plan_ended_by FOREIGN KEY(ended_by) REFERENCES account (id)
);
CREATE INDEX ix_session_plan_client_id ON session_plan (client_id);
CREATE INDEX ix_session_plan_site_id ON session_plan (site_id);
CREATE TABLE plan_session (
    id UUID NOT NULL,
    plan_id UUID NOT NULL,
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    seq SMALLINT NOT NULL,
    on_day DATE NOT NULL,
    at_time TIME WITHOUT TIME ZONE,
    state TEXT NOT NULL,
    marked_at TIMESTAMP WITH TIME ZONE,
    marked_by UUID,
    CONSTRAINT pk_plan_session PRIMARY KEY (id),
    CONSTRAINT ck_plan_session_state CHECK (state IN ('planned', 'attended', 'not_attended', 'called_off')),
    CONSTRAINT ck_plan_session_marked_at_a_moment CHECK ((state = 'planned') = (marked_at IS NULL)),
    CONSTRAINT ck_plan_session_marked_by_somebody CHECK ((marked_at IS NULL) = (marked_by IS NULL)),
    CONSTRAINT uq_plan_session_plan_id_seq UNIQUE (plan_id, seq),
    CONSTRAINT fk_plan_session_plan_id FOREIGN KEY(plan_id) REFERENCES session_plan (id),
    CONSTRAINT fk_plan_session_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_plan_session_site_id FOREIGN KEY(site_id) REFERENCES site (id),
    CONSTRAINT fk_plan_session_marked_by FOREIGN KEY(marked_by) REFERENCES account (id)
);
CREATE INDEX ix_plan_session_client_id_on_day ON plan_session (client_id, on_day);
CREATE INDEX ix_plan_session_site_id_on_day ON plan_session (site_id, on_day);
"""

# A plan is ended once. A session's day moves while it is planned; a mark is corrected to another, and never removed.
_GUARDS = """
CREATE FUNCTION session_plan_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
        OR (to_jsonb(NEW) - '{ended_at,ended_by}'::text[]) <> (to_jsonb(OLD) - '{ended_at,ended_by}'::text[])
    THEN
        RAISE EXCEPTION 'a plan of sessions is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER session_plan_is_kept BEFORE UPDATE OR DELETE ON session_plan
    FOR EACH ROW EXECUTE FUNCTION session_plan_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON session_plan FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
CREATE FUNCTION plan_session_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        OR (to_jsonb(NEW) - '{on_day,at_time,state,marked_at,marked_by}'::text[])
            <> (to_jsonb(OLD) - '{on_day,at_time,state,marked_at,marked_by}'::text[])
        OR (OLD.state <> 'planned' AND (NEW.state = 'planned' OR NEW.on_day <> OLD.on_day))
    THEN
        RAISE EXCEPTION 'a session is moved while it is planned, and its mark is corrected and never removed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_session_is_kept BEFORE UPDATE OR DELETE ON plan_session
    FOR EACH ROW EXECUTE FUNCTION plan_session_is_kept();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON plan_session FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_GUARDS)
    op.execute(walled_by_both("session_plan"))
    op.execute(walled_by_both("plan_session"))


def downgrade() -> None:
    op.execute(
        "DROP TABLE plan_session; DROP FUNCTION plan_session_is_kept();"
        "DROP TABLE session_plan; DROP FUNCTION session_plan_is_kept();"
    )
