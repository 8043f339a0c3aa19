"""A reminder that asks for ten more minutes is a reminder: whoever wants none gets none of these either."""

from alembic import op

revision = "0029_longer"
down_revision = "0028_incoming"
branch_labels = None
depends_on = None

_GROUPS = """
CREATE OR REPLACE FUNCTION text_group(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN kind IN ('booking_confirmed', 'booking_moved', 'booking_dropped', 'regular_set', 'regular_ended',
            'regular_paused') THEN 'bookings'
        WHEN kind {reminders} THEN 'reminder'
        WHEN kind = 'missed_today' THEN 'missed'
        WHEN kind = 'review_due' THEN 'reviews'
        WHEN kind = 'news' THEN 'news'
        WHEN kind IN ('feedback_visit', 'feedback_wait') THEN 'feedback'
    END
$$
"""


def upgrade() -> None:
    op.execute(_GROUPS.format(reminders="IN ('booking_reminder', 'booking_reminder_longer')"))


def downgrade() -> None:
    op.execute(_GROUPS.format(reminders="= 'booking_reminder'"))
