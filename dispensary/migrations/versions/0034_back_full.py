"""A bottle that came back full after its day had closed: its dose is void, and the day is corrected beside its outcome.

Until now the dose of such a day stood, and each reader had to look for the bottle. A dose that was reported vomited and
given again stays as it is: that its bottle is full contradicts it, and `verify` names it.
"""

from alembic import op

revision = "0034_back_full"
down_revision = "0033_quiet"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        WITH back AS (
            SELECT d.id, r.reason, r.recorded_by, r.at
            FROM bottle_return r
            JOIN bottle b ON b.id = r.bottle_id
            JOIN dose d ON d.id = b.dose_id AND d.voided_at IS NULL
            WHERE r.is_full AND NOT EXISTS (
                SELECT 1 FROM extra_dose x JOIN dose_exception e ON e.id = x.exception_id
                WHERE e.dose_id = d.id AND x.kind = 'replacement' AND x.voided_at IS NULL)
        ), uncovered AS (
            UPDATE dose SET voided_at = back.at FROM back WHERE dose.id = back.id
            RETURNING dose.client_id, dose.dose_day, dose.portion, back.reason, back.recorded_by, back.at
        )
        INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason, account_id, at)
        SELECT u.client_id, u.dose_day, u.portion,
            1 + coalesce((SELECT max(c.no) FROM day_correction c WHERE c.client_id = u.client_id
                AND c.dose_day = u.dose_day AND c.portion = u.portion), 0),
            CASE WHEN EXISTS (SELECT 1 FROM hold h WHERE h.client_id = u.client_id AND h.released_at IS NULL
                AND h.days @> u.dose_day) THEN 'held' ELSE 'missed' END,
            0, 'its bottle came back full: ' || u.reason, u.recorded_by, u.at
        FROM uncovered u
        JOIN day_outcome o ON o.client_id = u.client_id AND o.dose_day = u.dose_day AND o.portion = u.portion
        """
    )


def downgrade() -> None:
    """What was learned stays: a correction is never taken away."""
