"""PRV.12: the time that all clients together spent on treatment within the period."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.measure import Amount, Figure, Indicator, Measure, Whole
from dispensary.evaluation.retention import DEFAULT_GAP, LONGEST_GAP
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import STAYS

QUERY = f"""
    WITH spent AS (
        SELECT client_id, sum(greatest(0, least(ends, :until_day) - greatest(first_day, :from_day))) AS days
        FROM (
            SELECT client_id, first_day, CASE
                WHEN ended_on IS NOT NULL THEN least(last_day + 1, greatest(ended_on, first_day + 1))
                WHEN next_day IS NULL AND today - last_day - 1 <= :gap_days THEN greatest(last_day, today) + 1
                ELSE last_day + 1 END AS ends
            FROM ({STAYS}) AS stays
        ) AS stay
        GROUP BY client_id
    )
    SELECT 'people' AS indicator, client_id, CAST(1 AS numeric) AS numerator, CAST(NULL AS integer) AS denominator
    FROM spent WHERE days > 0
    UNION ALL SELECT 'person_days', client_id, days, NULL FROM spent WHERE days > 0
    UNION ALL SELECT 'person_years', client_id, days, NULL FROM spent WHERE days > 0
"""

MEASURE = Measure(
    key="prv-12",
    title="Person-years on treatment (PRV.12)",
    version="1",
    source="WHO, Consolidated guidelines on person-centred HIV strategic information, 2022: PRV.12, total"
    " person-years on OAMT, by its prose: its published line of calculation exchanges the later and the earlier of"
    " two dates",
    says="For each stay the days from its first day, or the first day of the period when that is later, to the day"
    " after its last dose or the end of the period, whichever is earlier. A stay that is going on counts to the as-of"
    " day.",
    numerator="person-time on treatment within the period",
    denominator="none: the person-time of all who depend on opioids is an estimate, which is not in the records",
    indicators=(
        Indicator("people", "clients with a day on treatment", Figure.COUNT),
        Indicator("person_days", "days on treatment", Figure.COUNT, unit="days", people=False),
        Indicator("person_years", "years on treatment", Figure.COUNT, unit="years", people=False, per="days_per_year"),
    ),
    query=QUERY,
    parameters=(
        Whole(
            "gap_days", "A stay goes on over at most so many whole days without a dose.", DEFAULT_GAP, 1, LONGEST_GAP
        ),
        Amount("days_per_year", "How many days are a year.", Decimal("365.25"), Decimal(360), Decimal(366)),
    ),
    strata=EVERY_STRATUM,
)
