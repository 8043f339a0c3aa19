"""Sessions: how many were agreed, and to how many their client came."""

from __future__ import annotations

from dispensary.evaluation.known import SESSIONS
from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH met AS (
        SELECT s.client_id, p.plan AS schedule, s.state
        FROM ({SESSIONS}) AS s JOIN session_plan p ON p.id = s.plan_id JOIN person ON person.client_id = s.client_id
        WHERE p.begun_at <= :as_of AND s.on_day >= :from_day AND s.on_day < :until_day AND s.on_day <= person.on_day
    )
    SELECT 'agreed' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, schedule
    FROM met WHERE state <> 'called_off'
    UNION ALL SELECT 'attended', client_id, CASE WHEN state = 'attended' THEN 1 ELSE 0 END, 1, schedule
    FROM met WHERE state IN ('attended', 'not_attended')
    UNION ALL SELECT 'unknown', client_id, CASE WHEN state = 'planned' THEN 1 ELSE 0 END, 1, schedule
    FROM met WHERE state <> 'called_off'
"""

MEASURE = Measure(
    key="sessions",
    title="Sessions",
    version="1",
    source="Takehome",
    says="Sessions whose day lies in the period, as it stands now: how many were agreed and not called off, to how many"
    " of those that were marked their client came, and of how many nobody has said it. A session that was moved counts"
    " on the day to which it was moved.",
    numerator="sessions",
    denominator="sessions of the period",
    indicators=(
        Indicator("agreed", "sessions that were agreed", Figure.COUNT, unit="sessions", people=False),
        Indicator("attended", "sessions to which they came, of those that were marked", people=False),
        Indicator("unknown", "sessions that nobody has marked, of those that were agreed", people=False),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("schedule", "The schedule that the session belongs to."),),
)
