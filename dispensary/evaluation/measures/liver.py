"""Liver tests of clients with hepatitis: due, done, late."""

from __future__ import annotations

from dispensary.evaluation.known import IN_CARE, RESULTS
from dispensary.evaluation.measure import Figure, Indicator, Measure, Relation, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH due AS (
        SELECT care.client_id, care.on_day, min(c.noted_on) AS since
        FROM ({IN_CARE}) AS care
        JOIN client_condition c ON c.client_id = care.client_id AND c.kind IN ('hepatitis_b', 'hepatitis_c')
            AND c.noted_on <= care.on_day AND coalesce(c.ended_on > care.on_day, true)
        GROUP BY care.client_id, care.on_day
    ), judged AS (
        SELECT due.client_id, CASE
            WHEN last.on_day >= CAST(due.on_day - make_interval(months => :every_months) AS date) THEN 'done'
            WHEN due.since >= due.on_day THEN 'not_yet' ELSE 'late' END AS what
        FROM due
        LEFT JOIN LATERAL (
            SELECT max(r.taken_on) AS on_day FROM ({RESULTS}) AS r
            WHERE r.client_id = due.client_id AND r.analyte = 'alt' AND r.taken_on <= due.on_day
        ) AS last ON true
    )
    SELECT 'watched' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator FROM judged
    UNION ALL SELECT 'done', client_id, CASE WHEN what = 'done' THEN 1 ELSE 0 END, 1 FROM judged
    UNION ALL SELECT 'late', client_id, CASE WHEN what = 'late' THEN 1 ELSE 0 END, 1 FROM judged
    UNION ALL SELECT 'not_yet', client_id, CASE WHEN what = 'not_yet' THEN 1 ELSE 0 END, 1 FROM judged
"""

MEASURE = Measure(
    key="liver",
    title="Liver tests with hepatitis B or C",
    version="1",
    source="Takehome; twice a year as at Harapan (UNODC/UNAIDS booklet 3, 2022)",
    says="Clients with a running episode and a noted hepatitis B or C on the last day of the period: whether ALT was"
    " taken within the interval, or is late: it is due from the day on which the condition was noted, as on the"
    " health lists.",
    numerator="clients",
    denominator="clients with hepatitis in care",
    indicators=(
        Indicator("watched", "clients with hepatitis in care", Figure.COUNT),
        Indicator("done", "tested within the interval, of all", of="watched"),
        Indicator("late", "late, of all", of="watched"),
        Indicator("not_yet", "noted on that very day and not tested yet, of all", of="watched"),
    ),
    query=QUERY,
    parameters=(Whole("every_months", "Within how many months a test is to be taken.", 6, 1, 24),),
    strata=EVERY_STRATUM,
    relations=(Relation(("watched",), ("done", "late", "not_yet")),),
)
