"""Nobody is written to who has died, and nobody is planned to be visited; a visit that is planned can be moved."""

from alembic import op

revision = "0073_leaving"
down_revision = "0072_roles_at_once"
branch_labels = None
depends_on = None

_WANTS = """
CREATE OR REPLACE FUNCTION wants_text(recipient uuid, kind text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT {alive}CASE WHEN text_group(kind) IS NULL THEN true ELSE coalesce(
        (SELECT wanted FROM text_wish WHERE client_id = recipient AND word = text_group(kind)),
        text_group(kind) IN ('bookings', 'reminder')) END
$$;
"""

# What the last stay says counts: who was written down as dead in error begins a new one, and is alive again.
_DIED = """
CREATE FUNCTION has_died(who uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT exit_reason = 'died' FROM episode WHERE client_id = who
        ORDER BY began_on DESC, id DESC LIMIT 1), false)
$$;
"""

_WANTED = """
CREATE OR REPLACE FUNCTION visit_is_wanted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {died}IF NOT coalesce((SELECT agreed FROM visit_wish WHERE client_id = NEW.client_id
        ORDER BY noted_at DESC, id DESC LIMIT 1), false)
    THEN
        RAISE EXCEPTION 'nobody is visited who has not agreed to it' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
_NOBODY_DEAD = """IF has_died(NEW.client_id) THEN
        RAISE EXCEPTION 'nobody is visited who has died' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    """

_KEPT = """
CREATE OR REPLACE FUNCTION home_visit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'planned'
        OR (NEW.id, NEW.site_id, NEW.client_id, NEW.purpose, NEW.planned_by, NEW.planned_at)
            IS DISTINCT FROM
            (OLD.id, OLD.site_id, OLD.client_id, OLD.purpose, OLD.planned_by, OLD.planned_at)
        OR {moved}(NEW.on_day, NEW.visitor_id) IS DISTINCT FROM (OLD.on_day, OLD.visitor_id)
        OR NOT coalesce((SELECT n.client_id = NEW.client_id FROM contact_note n WHERE n.id = NEW.note_id), true)
    THEN
        RAISE EXCEPTION 'a visit is ended once and never changed otherwise'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(_DIED)
    op.execute(_WANTS.format(alive="NOT has_died(recipient) AND "))
    op.execute(_WANTED.format(died=_NOBODY_DEAD))
    op.execute(_KEPT.format(moved="NEW.state <> 'planned' AND "))
    op.execute(
        """CREATE TRIGGER visit_is_still_wanted BEFORE UPDATE OF on_day ON home_visit
        FOR EACH ROW WHEN (NEW.on_day <> OLD.on_day) EXECUTE FUNCTION visit_is_wanted()"""
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER visit_is_still_wanted ON home_visit")
    op.execute(_KEPT.format(moved=""))
    op.execute(_WANTED.format(died=""))
    op.execute(_WANTS.format(alive=""))
    op.execute("DROP FUNCTION has_died")
