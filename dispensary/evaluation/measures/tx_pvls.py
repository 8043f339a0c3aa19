"""TX_PVLS: of those on ART with a viral load in the last twelve months, the share whose last one is suppressed."""

from __future__ import annotations

from dispensary.evaluation.known import RESULTS
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure, Whole
from dispensary.evaluation.measures.tx import ART_STATUS, STATUS_PARAMETERS
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    {ART_STATUS}, on_art AS (
        SELECT client_id, day,
            CAST(first_started + make_interval(months => :months_on_art) AS date) <= day AS long_enough
        FROM status WHERE which = 'after' AND current
    ), judged AS (
        SELECT on_art.client_id, long_enough, last.number, last.comparator
        FROM on_art
        LEFT JOIN LATERAL (
            SELECT r.number, r.comparator FROM ({RESULTS}) AS r
            WHERE r.client_id = on_art.client_id AND r.analyte = 'viral_load' AND r.taken_on <= on_art.day
                AND r.taken_on > CAST(on_art.day - make_interval(months => :within_months) AS date)
            ORDER BY r.taken_on DESC, r.number DESC LIMIT 1
        ) AS last ON true
    )
    SELECT 'eligible' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM judged WHERE long_enough
    UNION ALL SELECT 'tested', client_id, CASE WHEN number IS NULL THEN 0 ELSE 1 END, 1 FROM judged WHERE long_enough
    UNION ALL SELECT 'suppressed', client_id,
        CASE WHEN number < :suppressed_below OR comparator = '<' AND number <= :suppressed_below THEN 1 ELSE 0 END, 1
    FROM judged WHERE long_enough AND number IS NOT NULL
    UNION ALL SELECT 'too_short', client_id, 1, NULL FROM judged WHERE NOT long_enough
"""

MEASURE = Measure(
    key="tx-pvls",
    title="Viral load suppressed (TX_PVLS)",
    version="1",
    source="PEPFAR Monitoring, Evaluation and Reporting 2.6.1 (FY23): TX_PVLS",
    says="Clients in TX_CURR who have been on ART for three months or longer: whether a viral load was taken in the"
    " last twelve months, and whether the most recent one is suppressed. A result reported as less than the bound is.",
    numerator="clients whose last viral load is suppressed",
    denominator="clients with a viral load in the last twelve months",
    indicators=(
        Indicator("eligible", "clients on ART for long enough", Figure.COUNT),
        Indicator("tested", "clients with a viral load, of those on ART for long enough", of="eligible"),
        Indicator("suppressed", "clients whose last viral load is suppressed, of those with one", of="tested"),
    ),
    query=QUERY,
    parameters=(
        Whole("suppressed_below", "Suppressed is less than so many copies/mL.", 1000, 20, 10000),
        Whole("within_months", "How many months back a viral load counts.", 12, 1, 36),
        Whole("months_on_art", "For how many months somebody is to have been on ART.", 3, 0, 24),
        *STATUS_PARAMETERS,
    ),
    exclusions=(Exclusion("too_short", "clients on ART for too short a time"),),
    strata=tuple(key for key in EVERY_STRATUM if key != "art"),
)
