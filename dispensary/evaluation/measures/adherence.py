"""Adherence to methadone: dose days covered of those ordered, by client and month."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.measure import Amount, Exclusion, Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM
from dispensary.evaluation.summed import MONTHS

QUERY = f"""
    WITH month AS MATERIALIZED (
        SELECT client_id, CASE WHEN :split_by_month THEN to_char(month, 'YYYY-MM') END AS month, ordered, covered,
            held, open
        FROM ({MONTHS}) AS months
    ), together AS MATERIALIZED (
        SELECT client_id, month, sum(ordered) AS ordered, sum(covered) AS covered, sum(held) AS held,
            sum(open) AS open, count(*) FILTER (WHERE ordered > 0) AS months,
            count(*) FILTER (WHERE ordered > 0 AND 100 * covered >= :good_percent * ordered) AS good
        FROM month GROUP BY client_id, month
    )
    SELECT 'pdc' AS indicator, client_id, covered AS numerator, ordered AS denominator, month
    FROM together WHERE ordered > 0
    UNION ALL SELECT 'good', client_id, good, months, month FROM together WHERE months > 0
    UNION ALL SELECT 'held', client_id, held, NULL, month FROM together WHERE held > 0
    UNION ALL SELECT 'open', client_id, open, NULL, month FROM together WHERE open > 0
    UNION ALL SELECT 'client_month', client_id, CAST(covered AS numeric) / ordered, NULL, month
    FROM month WHERE ordered > 0
"""

MEASURE = Measure(
    key="adherence",
    title="Doses taken of those ordered (PDC)",
    version="1",
    source="Takehome; proportion of days covered as in Pharmacy Quality Alliance, by dose day instead of fills",
    says="Distinct dose days of which the client had every portion, swallowed at the counter or carried home, over the"
    " closed dose days with an order in force. A held day is in neither; a bottle that came back full does not count.",
    numerator="closed dose days that were covered",
    denominator="closed dose days with an order in force and no portion held",
    indicators=(
        Indicator("pdc", "days covered of days ordered", people=False),
        Indicator("good", "months of a client that were covered at least so much, of all their months", people=False),
        Indicator("median", "share of days covered, by client and month", Figure.MEDIAN, rows="client_month"),
    ),
    query=QUERY,
    parameters=(
        Amount("good_percent", "From how many per cent a month counts as good.", Decimal(95), Decimal(1), Decimal(100)),
    ),
    exclusions=(
        Exclusion("held", "dose days with a held portion"),
        Exclusion("open", "dose days with a dose that were not closed by the as-of moment"),
    ),
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("month", "Calendar month."),),
)
