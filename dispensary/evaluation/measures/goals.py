"""Goals: how many clients have one in their own words, and how many were reached."""

from __future__ import annotations

from dispensary.evaluation.known import GOALS, IN_CARE
from dispensary.evaluation.measure import Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH goal AS ({GOALS})
    SELECT 'in_care' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM ({IN_CARE}) AS care
    UNION ALL SELECT 'with_goal', care.client_id, CASE WHEN EXISTS (
            SELECT 1 FROM goal WHERE goal.client_id = care.client_id AND goal.set_on <= care.on_day
                AND coalesce(goal.closed_on > care.on_day, true)) THEN 1 ELSE 0 END, 1
    FROM ({IN_CARE}) AS care
    UNION ALL SELECT 'set', client_id, 1, NULL FROM goal WHERE set_on >= :from_day AND set_on < :until_day
    UNION ALL SELECT 'reached', client_id, CASE WHEN state = 'reached' THEN 1 ELSE 0 END, 1
    FROM goal WHERE closed_on >= :from_day AND closed_on < :until_day
"""

MEASURE = Measure(
    key="goals",
    title="Goals of their own",
    version="1",
    source="Takehome",
    says="Clients with a running episode on the last day of the period who have an open goal, in their own words; goals"
    " that were set in the period; and of those that were closed in it the share that was reached rather than let go.",
    numerator="clients or goals",
    denominator="clients in care; goals that were closed",
    indicators=(
        Indicator("in_care", "clients with a running episode on the last day", Figure.COUNT),
        Indicator("with_goal", "clients with an open goal, of those in care", of="in_care"),
        Indicator("set", "goals set in the period", Figure.COUNT, unit="goals", people=False),
        Indicator("reached", "goals reached, of those closed in the period", people=False),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
)
