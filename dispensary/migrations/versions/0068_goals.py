"""Steps to goals; how somebody stands with the law, at their home alone; who asks by an instrument without treating."""

from alembic import op

from dispensary.migrations.walls import MINE, walled_by, walled_by_client, walled_through

revision = "0068_goals"
down_revision = "0066_apart"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE goal_step (
    id UUID NOT NULL,
    goal_id UUID NOT NULL,
    client_id UUID NOT NULL,
    place SMALLINT NOT NULL,
    words_sealed BYTEA NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_goal_step PRIMARY KEY (id),
    CONSTRAINT uq_goal_step_goal_id_place UNIQUE (goal_id, place) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_goal_step_place CHECK (place BETWEEN 1 AND 99),
    CONSTRAINT fk_goal_step_goal_id FOREIGN KEY(goal_id) REFERENCES client_goal (id),
    CONSTRAINT fk_goal_step_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_goal_step_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_goal_step_client_id ON goal_step (client_id);
CREATE TABLE goal_step_mark (
    step_id UUID NOT NULL,
    seq SMALLINT NOT NULL,
    done BOOLEAN NOT NULL,
    on_day DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_goal_step_mark PRIMARY KEY (step_id, seq),
    CONSTRAINT ck_goal_step_mark_done_then_taken_back CHECK (done = (seq % 2 = 1) AND seq > 0),
    CONSTRAINT fk_goal_step_mark_step_id FOREIGN KEY(step_id) REFERENCES goal_step (id),
    CONSTRAINT fk_goal_step_mark_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE TABLE legal_status (
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    said_sealed BYTEA NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_legal_status PRIMARY KEY (id),
    CONSTRAINT fk_legal_status_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_legal_status_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_legal_status_client_id ON legal_status (client_id);
ALTER TABLE instrument_setting ADD COLUMN band_told BOOLEAN DEFAULT false NOT NULL;
"""
_AT_HOME = f"SELECT FROM client WHERE client.id = legal_status.client_id AND {MINE.format('client.site_id')}"


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute("""
        CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON goal_step_mark
            FOR EACH ROW EXECUTE FUNCTION never_changed();
        CREATE TRIGGER never_emptied BEFORE TRUNCATE ON goal_step_mark
            FOR EACH STATEMENT EXECUTE FUNCTION never_changed();
        CREATE TRIGGER never_changed BEFORE UPDATE ON legal_status
            FOR EACH ROW WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION never_changed();
        CREATE TRIGGER never_removed BEFORE DELETE ON legal_status
            FOR EACH ROW EXECUTE FUNCTION never_changed();
        CREATE TRIGGER never_emptied BEFORE TRUNCATE ON legal_status
            FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_client("goal_step"))
    op.execute(walled_through("goal_step_mark", "goal_step", "step_id"))
    # A guest site gives doses: how somebody stands with the law is no business of its people.
    op.execute(walled_by("legal_status", f"EXISTS ({_AT_HOME})"))


def downgrade() -> None:
    op.execute("ALTER TABLE instrument_setting DROP COLUMN band_told")
    op.execute("DROP TABLE legal_status, goal_step_mark, goal_step")
