"""Take-home: how many carry doses home, how many of the days, and for how many days at once."""

from __future__ import annotations

from dispensary.evaluation.known import GIVEN, IN_CARE
from dispensary.evaluation.measure import Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import MONTHS

QUERY = f"""
    WITH dosed AS (
        SELECT client_id, sum(dosed) AS days, sum(carried) AS carried FROM ({MONTHS}) AS months
        WHERE dosed > 0 GROUP BY client_id
    )
    SELECT 'allowed' AS indicator, care.client_id, CASE WHEN EXISTS (
            SELECT 1 FROM decision d WHERE d.client_id = care.client_id AND d.days @> care.on_day AND d.per_supply > 0
                AND d.decided_at <= :as_of AND (d.voided_at IS NULL OR d.voided_at > :as_of)
        ) THEN 1 ELSE 0 END AS numerator, 1 AS denominator
    FROM ({IN_CARE}) AS care
    UNION ALL SELECT 'users', client_id, CASE WHEN carried > 0 THEN 1 ELSE 0 END, 1 FROM dosed
    UNION ALL SELECT 'days', client_id, carried, days FROM dosed
    UNION ALL SELECT 'length', client_id, count(DISTINCT dose_day), NULL
    FROM ({GIVEN}) AS given
    WHERE kind = 'take_home' AND dose_day >= :from_day AND dose_day < :until_day
    GROUP BY client_id, supply_id
"""

MEASURE = Measure(
    key="take-home",
    title="Take-home doses",
    version="1",
    source="Takehome",
    says="Clients whom a decision in force lets carry doses home on the last day of the period; clients who had a"
    " take-home dose for a day of the period; the share of their dose days that was taken at home; and for how many"
    " days of the period a hand-over had bottles.",
    numerator="clients, or dose days, with take-home",
    denominator="clients with a running episode; clients with a dose in the period; dose days with a dose",
    indicators=(
        Indicator("allowed", "clients who may carry doses home, of those with a running episode"),
        Indicator("users", "clients with a take-home dose in the period, of those with a dose"),
        Indicator("days", "dose days taken at home, of those with a dose", people=False),
        Indicator(
            "length_median", "days of bottles at one hand-over, in the middle", Figure.MEDIAN, "days", rows="length"
        ),
        Indicator(
            "length_p95", "days of bottles that 95 in 100 hand-overs do not exceed", Figure.P95, "days", rows="length"
        ),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
)
