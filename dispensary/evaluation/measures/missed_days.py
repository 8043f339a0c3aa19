"""Missed days before and after the first take-home dose, each client against themselves."""

from __future__ import annotations

from dispensary.evaluation.measure import Exclusion, Indicator, Measure, Whole
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import FIRST_HOME, days_in_span

QUERY = f"""
    WITH chosen AS (
        SELECT client_id, first_home FROM ({FIRST_HOME}) AS began
        WHERE first_home >= :from_day AND first_home < :until_day
    ), day AS (
        SELECT span.client_id, each.dose_day < span.first_home AS before, each.held, each.covered
        FROM (
            SELECT client_id, first_home, first_home - :window_days AS from_day, first_home + :window_days AS until_day
            FROM chosen
        ) AS span
        CROSS JOIN LATERAL ({days_in_span()}) AS each
        WHERE each.closed
    ), counted AS (
        SELECT client_id, count(*) FILTER (WHERE before) AS days_before,
            count(*) FILTER (WHERE before AND NOT covered) AS missed_before,
            count(*) FILTER (WHERE NOT before) AS days_after,
            count(*) FILTER (WHERE NOT before AND NOT covered) AS missed_after
        FROM day WHERE NOT held GROUP BY client_id
    )
    SELECT 'before' AS indicator, client_id, missed_before AS numerator, days_before AS denominator
    FROM counted WHERE least(days_before, days_after) >= :least_days
    UNION ALL SELECT 'after', client_id, missed_after, days_after
    FROM counted WHERE least(days_before, days_after) >= :least_days
    UNION ALL SELECT 'fewer', client_id,
        CASE WHEN missed_after * days_before < missed_before * days_after THEN 1 ELSE 0 END, 1
    FROM counted WHERE least(days_before, days_after) >= :least_days
    UNION ALL SELECT 'too_few', chosen.client_id, 1, NULL
    FROM chosen LEFT JOIN counted USING (client_id)
    WHERE coalesce(least(days_before, days_after), 0) < :least_days
"""

MEASURE = Measure(
    key="missed-days",
    title="Missed days before and after take-home",
    version="1",
    source="Takehome",
    says="For clients whose first take-home dose was for a day in the period: the share of their ordered dose days that"
    " they missed in so many days before that day and in as many from it on. Each client is compared with themselves;"
    " those who were given bottles were chosen for it, so that the difference is not what take-home alone did.",
    numerator="closed dose days that were not wholly covered",
    denominator="closed dose days with an order in force and no portion held",
    indicators=(
        Indicator("before", "days missed of days ordered, before", people=False),
        Indicator("after", "days missed of days ordered, from the first take-home day on", people=False),
        Indicator("fewer", "clients who missed a smaller share afterwards, of all compared"),
    ),
    query=QUERY,
    parameters=(
        Whole("window_days", "How many days before and after are compared.", 90, 7, 730),
        Whole("least_days", "Fewer ordered days on either side are too few to compare.", 30, 1, 730),
    ),
    exclusions=(Exclusion("too_few", "clients with too few ordered days before or after"),),
    strata=EVERY_STRATUM,
)
