"""KP_MAT: how many completed six months of treatment within the period, whatever became of them afterwards."""

from __future__ import annotations

from dispensary.evaluation.measure import Choice, Exclusion, Figure, Indicator, Measure, Whole
from dispensary.evaluation.retention import DEFAULT_GAP, LONGEST_GAP
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import STAYS

QUERY = f"""
    WITH stay AS (
        SELECT client_id, first_day,
            least(last_day + 1, greatest(coalesce(ended_on, last_day + 1), first_day + 1), :until_day) AS ends,
            CAST(first_day + make_interval(months => :months) AS date) AS completed,
            CAST(greatest(first_day, :from_day) + make_interval(months => :months) AS date) AS completed_inside
        FROM ({STAYS}) AS stays
        WHERE first_day < :until_day
    ), judged AS (
        SELECT client_id, bool_or(CASE :counted WHEN 'inside' THEN completed_inside <= ends ELSE completed <= ends END)
            AS done
        FROM stay WHERE ends > :from_day
        GROUP BY client_id
    )
    SELECT 'on_mat' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator FROM judged WHERE done
    UNION ALL SELECT 'too_short', client_id, 1, NULL FROM judged WHERE NOT done
"""

MEASURE = Measure(
    key="kp-mat",
    title="Six months on treatment (KP_MAT)",
    version="1",
    source="PEPFAR Monitoring, Evaluation and Reporting 2.6.1 (FY23): KP_MAT",
    says="Clients who completed six calendar months of one stay on treatment by the end of the period and were on"
    " treatment in it, also those who left, died or interrupted treatment afterwards. A stay is time with doses without"
    " a longer gap than the parameter has. Who began too late in the period to complete them is not counted.",
    numerator="clients who completed six months on treatment",
    denominator="none",
    indicators=(Indicator("on_mat", "clients who completed six months on treatment", Figure.COUNT),),
    query=QUERY,
    parameters=(
        Whole("months", "How many calendar months are to be completed.", 6, 1, 24),
        Whole(
            "gap_days", "A stay goes on over at most so many whole days without a dose.", DEFAULT_GAP, 1, LONGEST_GAP
        ),
        Choice(
            "counted",
            "Where the six months lie; the guide can be read in both ways.",
            "completed",
            {
                "completed": "they are complete by the end of the period, wherever they began",
                "inside": "all of them lie inside the period",
            },
        ),
    ),
    exclusions=(Exclusion("too_short", "clients on treatment in the period who had not completed six months"),),
    strata=EVERY_STRATUM,
)
