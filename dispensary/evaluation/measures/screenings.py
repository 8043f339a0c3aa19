"""Screenings: how many were asked by which instrument, and how many came to more than low."""

from __future__ import annotations

from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = """
    WITH asked AS (
        SELECT s.client_id, s.instrument, count(c.band) FILTER (WHERE c.band <> '') AS banded,
            coalesce(bool_or(c.band NOT IN ('', 'none', 'low', 'minimal', 'negative')), false) AS more
        FROM screening s JOIN person ON person.client_id = s.client_id
            LEFT JOIN screening_score c ON c.screening_id = s.id
        WHERE s.recorded_at <= :as_of AND (s.voided_at IS NULL OR s.voided_at > :as_of)
            AND s.taken_on >= :from_day AND s.taken_on < :until_day
        GROUP BY s.id, s.client_id, s.instrument
    )
    SELECT 'screenings' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, instrument
    FROM asked
    UNION ALL SELECT 'more_than_low', client_id, CASE WHEN more THEN 1 ELSE 0 END, 1, instrument
    FROM asked WHERE banded > 0
"""

MEASURE = Measure(
    key="screenings",
    title="Screenings",
    version="1",
    source="Takehome",
    says="Screenings that were taken in the period and not taken back, by which instrument; and of those that have"
    " bands how many came to more than the lowest, for ASSIST with any substance. Who was asked twice counts twice.",
    numerator="screenings",
    denominator="screenings of the period that have a band",
    indicators=(
        Indicator("screenings", "screenings taken", Figure.COUNT, unit="screenings", people=False),
        Indicator("more_than_low", "screenings that came to more than low, of those that have a band", people=False),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("instrument", "Which instrument was asked."),),
)
