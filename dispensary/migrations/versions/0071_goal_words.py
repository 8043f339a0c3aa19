"""What a client says of a goal as it goes, in their own words."""

from alembic import op

from dispensary.migrations.walls import walled_by_client

revision = "0071_goal_words"
down_revision = "0070_taken_back"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE goal_word (
    id UUID NOT NULL,
    goal_id UUID NOT NULL,
    client_id UUID NOT NULL,
    words_sealed BYTEA NOT NULL,
    said_on DATE NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_goal_word PRIMARY KEY (id),
    CONSTRAINT fk_goal_word_goal_id FOREIGN KEY(goal_id) REFERENCES client_goal (id),
    CONSTRAINT fk_goal_word_client_id FOREIGN KEY(client_id) REFERENCES client (id),
    CONSTRAINT fk_goal_word_noted_by FOREIGN KEY(noted_by) REFERENCES account (id)
);
CREATE INDEX ix_goal_word_client_id ON goal_word (client_id);
CREATE INDEX ix_goal_word_goal_id ON goal_word (goal_id);
CREATE TRIGGER never_changed BEFORE UPDATE ON goal_word
    FOR EACH ROW WHEN (NOT only_sealed_anew(to_jsonb(OLD), to_jsonb(NEW))) EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_removed BEFORE DELETE ON goal_word
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON goal_word
    FOR EACH STATEMENT EXECUTE FUNCTION never_changed()""")
    op.execute(walled_by_client("goal_word"))


def downgrade() -> None:
    op.execute("DROP TABLE goal_word")
