"""A call at a window is told to every server that listens, so that its screens show it at once."""

from alembic import op

revision = "0064_calls_heard"
down_revision = "0061b_surveys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Calls alone: PostgreSQL commits what notifies one after the other, and a dose has nothing to say to a screen.
    op.execute("""
CREATE FUNCTION call_is_heard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('calls', NEW.place_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER tr_visit_call_is_heard AFTER UPDATE ON visit FOR EACH ROW
    WHEN (NEW.ended_at IS NULL AND (NEW.calls, NEW.at_window) IS DISTINCT FROM (OLD.calls, OLD.at_window))
    EXECUTE FUNCTION call_is_heard();
""")


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_visit_call_is_heard ON visit; DROP FUNCTION call_is_heard()")
