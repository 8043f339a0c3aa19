"""Feedback: what people said of their visit and of the wait, in answers that belong to nobody."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum

# An answer is kept without its day: a month counts once it is over, and lies wholly in the period.
QUERY = """
    WITH said AS (
        SELECT f.id AS client_id, f.site_id, to_char(f.month, 'YYYY-MM') AS month, f.visit, f.wait,
            coalesce(CAST(f.waited AS text), 'unknown') AS waited
        FROM feedback_answer f
        JOIN site_day ON site_day.site_id = f.site_id
        WHERE f.month >= :from_day AND f.month + interval '1 month' <= least(CAST(:until_day AS date), site_day.today)
    )
    SELECT 'answers' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, month, waited,
        site_id
    FROM said
    UNION ALL SELECT 'good', client_id, CASE WHEN visit = 1 THEN 1 ELSE 0 END, 1, month, waited, site_id FROM said
    UNION ALL SELECT 'poor', client_id, CASE WHEN visit = 3 THEN 1 ELSE 0 END, 1, month, waited, site_id FROM said
    UNION ALL SELECT 'of_wait', client_id, 1, NULL, month, waited, site_id FROM said WHERE wait IS NOT NULL
    UNION ALL SELECT 'short', client_id, CASE WHEN wait = 1 THEN 1 ELSE 0 END, 1, month, waited, site_id
    FROM said WHERE wait IS NOT NULL
    UNION ALL SELECT 'too_long', client_id, CASE WHEN wait = 3 THEN 1 ELSE 0 END, 1, month, waited, site_id
    FROM said WHERE wait IS NOT NULL
"""

MEASURE = Measure(
    key="feedback",
    title="Feedback after a visit",
    version="1",
    source="Takehome; the two questions after a visit",
    says="Of the answers to the two questions after a visit: how many called the visit good or poor, and the wait short"
    " or too long. Answers are kept without a name and without their day, so that only whole months that are over"
    " count.",
    numerator="answers",
    denominator="answers to the first question; for the wait, to the second",
    indicators=(
        Indicator("answers", "answers to the first question", Figure.COUNT, unit="answers"),
        Indicator("good", "visits called good, of the answers", of="answers"),
        Indicator("poor", "visits called poor, of the answers", of="answers"),
        Indicator("of_wait", "answers to the second question", Figure.COUNT, unit="answers"),
        Indicator("short", "waits called short, of the answers to that", of="of_wait"),
        Indicator("too_long", "waits called too long, of the answers to that", of="of_wait"),
    ),
    query=QUERY,
    strata=("site",),
    own_strata=(
        OwnStratum("month", "Calendar month."),
        OwnStratum("waited", "How long they had waited, from so many minutes, in whole tens; 60 is an hour and more."),
    ),
    nameless=True,
)
