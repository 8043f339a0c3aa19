"""What arrives from a satellite after its alert was resolved is told anew, whenever it was handed over.

Until then what was handed over before the alert was resolved, and arrived after that, was told by nothing: whoever
resolved it had not heard of it.
"""

from alembic import op

revision = "0069_told_anew"
down_revision = "0067_moves"
branch_labels = None
depends_on = None

_ALERT = """
CREATE OR REPLACE FUNCTION alert_of_arrival(about dose, the_cause text, the_sentence text, the_evidence jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE {declared}again text := '';
BEGIN
    IF EXISTS (SELECT FROM alert WHERE id = md5(the_cause || about.client_id)::uuid AND resolved_at {resolved}) THEN
        again := about.dose_day::text;
    END IF;
    PERFORM told_at_home(about.client_id, the_cause, again, 'urgent', 'doctor', the_sentence, the_evidence,
        jsonb_build_object('dose', about.id, 'supply', about.supply_id));
END $$
"""


def upgrade() -> None:
    op.execute(_ALERT.format(declared="", resolved="IS NOT NULL"))


def downgrade() -> None:
    when = "handed_over timestamptz := (SELECT at FROM supply WHERE id = about.supply_id); "
    op.execute(_ALERT.format(declared=when, resolved="< handed_over"))
