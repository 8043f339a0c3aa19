"""Visits at home: how many were agreed, at how many somebody was met, and of how many nobody has said it."""

from __future__ import annotations

from dispensary.evaluation.known import VISITS
from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH gone AS (
        SELECT v.client_id, v.purpose, v.on_day, person.on_day AS last_day, v.state
        FROM ({VISITS}) AS v JOIN person ON person.client_id = v.client_id
        WHERE v.on_day >= :from_day AND v.on_day < :until_day
            AND v.on_day <= person.on_day
    ), agreed AS (
        SELECT * FROM gone WHERE state <> 'called_off'
    )
    SELECT 'agreed' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, purpose FROM agreed
    UNION ALL SELECT 'met', client_id, CASE WHEN state = 'done' THEN 1 ELSE 0 END, 1, purpose FROM agreed
    WHERE state IN ('done', 'not_met')
    UNION ALL SELECT 'unknown', client_id, CASE WHEN state = 'planned' THEN 1 ELSE 0 END, 1, purpose FROM agreed
    UNION ALL SELECT 'called_off', client_id, CASE WHEN state = 'called_off' THEN 1 ELSE 0 END, 1, purpose FROM gone
    UNION ALL SELECT 'people', client_id, 1, NULL, min(purpose) FROM agreed WHERE state = 'done' GROUP BY client_id
"""

MEASURE = Measure(
    key="home-visits",
    title="Visits at home",
    version="1",
    source="Takehome",
    says="Visits at clients' homes, by their consent, whose day lies in the period, as it stands now: how many were not"
    " called off, at how many of those that are written down the client was met, and of how many nobody has said it"
    " though the day has come. A visit that was moved counts on the day to which it was moved.",
    numerator="visits, or clients",
    denominator="visits of the period",
    indicators=(
        Indicator("agreed", "visits that were not called off", Figure.COUNT, unit="visits", people=False),
        Indicator("met", "visits at which the client was met, of those that are written down", people=False),
        Indicator("unknown", "visits of which nobody has said it, of those that were not called off", people=False),
        Indicator("called_off", "visits that were called off, of all", people=False),
        Indicator("people", "clients who were met at home", Figure.COUNT),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("purpose", "To look in, to bring doses, since they stopped coming, or another."),),
)
