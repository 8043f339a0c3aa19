"""PRV.13: of those who began in the period, the share who stayed for at least six months."""

from __future__ import annotations

from dispensary.evaluation.measure import Choice, Exclusion, Indicator, Measure, Whole
from dispensary.evaluation.retention import DEFAULT_GAP, LONGEST_GAP
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import STAYS

QUERY = f"""
    WITH started AS (
        SELECT client_id, exit_reason, today,
            least(last_day + 1, greatest(coalesce(ended_on, last_day + 1), first_day + 1)) AS ends,
            next_day IS NULL AND ended_on IS NULL AND today - last_day - 1 <= :gap_days AS going_on,
            CAST(first_day + make_interval(months => :months) AS date) AS due
        FROM ({STAYS}) AS stays
        WHERE number = 1 AND first_day >= :from_day AND first_day < :until_day
    ), judged AS (
        SELECT client_id, CASE
            WHEN due > today THEN 'too_young'
            WHEN exit_reason = 'transferred' AND ends < due AND :transferred = 'excluded' THEN 'transferred'
            WHEN ends >= due OR going_on THEN 'retained' ELSE 'left' END AS what
        FROM started
    )
    SELECT 'retained' AS indicator, client_id, CASE WHEN what = 'retained' THEN 1 ELSE 0 END AS numerator,
        1 AS denominator
    FROM judged WHERE what IN ('retained', 'left')
    UNION ALL SELECT what, client_id, 1, NULL FROM judged WHERE what NOT IN ('retained', 'left')
"""

MEASURE = Measure(
    key="prv-13",
    title="Six months after the start (PRV.13)",
    version="1",
    source="WHO, Consolidated guidelines on person-centred HIV strategic information, 2022: PRV.13, OAMT minimum"
    " duration, by its prose: its published logic counts the six months from the end of the period",
    says="Of the clients whose first stay began in the period, the share who were still in it six calendar months after"
    " their own first dose. Who began too late for that to be known by the as-of moment is left out, also when they"
    " have left already, so that nobody counts before the time is up.",
    numerator="clients of the cohort who stayed for at least six months",
    denominator="clients whose first stay began in the period, six months ago or longer",
    indicators=(Indicator("retained", "clients who stayed six months, of those who began"),),
    query=QUERY,
    parameters=(
        Whole("months", "For how many calendar months they are to have stayed.", 6, 1, 60),
        Whole(
            "gap_days", "A stay goes on over at most so many whole days without a dose.", DEFAULT_GAP, 1, LONGEST_GAP
        ),
        Choice(
            "transferred",
            "What becomes of those who were transferred before the time was up.",
            "left",
            {"left": "they count as not retained", "excluded": "they are left out and counted apart"},
        ),
    ),
    exclusions=(
        Exclusion("too_young", "clients who began too late for six months to be over"),
        Exclusion("transferred", "clients who were transferred before six months were over, where one asks so"),
    ),
    strata=EVERY_STRATUM,
)
