"""PRV.14: the share of those on a maintenance dose who have at least the recommended minimum of methadone."""

from __future__ import annotations

from decimal import Decimal

from dispensary.evaluation.known import EPISODES, ORDERS
from dispensary.evaluation.measure import Amount, Choice, Exclusion, Indicator, Measure, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH ordered AS (
        SELECT person.client_id, o.mg, p.kind, person.on_day - e.began_on AS days_in
        FROM person
        JOIN ({EPISODES}) AS e ON e.client_id = person.client_id AND e.began_on <= person.on_day
            AND coalesce(e.ended_on > person.on_day, true)
        JOIN ({ORDERS}) AS o ON o.episode_id = e.id AND o.from_day <= person.on_day
            AND coalesce(o.until_day > person.on_day, true)
        LEFT JOIN dose_plan p ON p.id = o.plan_id
    ), sorted AS (
        SELECT client_id, mg, CASE
            WHEN kind = 'taper' THEN 'taper'
            WHEN kind = 'induction' OR days_in < :induction_days OR kind = 'titration' AND :titration = 'excluded'
                THEN 'induction'
            ELSE 'maintained' END AS phase
        FROM ordered
    )
    SELECT 'minimum' AS indicator, client_id,
        CASE WHEN mg > :least_mg OR mg = :least_mg AND :boundary = 'from' THEN 1 ELSE 0 END AS numerator,
        1 AS denominator
    FROM sorted WHERE phase = 'maintained'
    UNION ALL SELECT phase, client_id, 1, 1 FROM sorted WHERE phase <> 'maintained'
"""

MEASURE = Measure(
    key="prv-14",
    title="Minimum maintenance dose (PRV.14)",
    version="1",
    source="WHO, Consolidated guidelines on person-centred HIV strategic information, 2022: PRV.14, OAMT minimum dose",
    says="Of the clients with an order in force on the last day of the period who are maintained on their dose, the"
    " share with at least the recommended minimum. The dose is the whole day's order.",
    numerator="clients maintained on at least the minimum dose on the last day of the period",
    denominator="clients with a maintenance dose on that day: neither being inducted nor on reducing doses",
    indicators=(Indicator("minimum", "clients maintained on at least the minimum dose, of those maintained"),),
    query=QUERY,
    parameters=(
        Amount(
            "least_mg",
            "The recommended minimum of methadone in mg a day (WHO: 60).",
            Decimal(60),
            Decimal(1),
            Decimal(500),
        ),
        Choice(
            "boundary",
            "Whether exactly the minimum counts.",
            "from",
            {"from": "it does, as WHO has it", "above": "it does not, as an older indicator of UNAIDS had it"},
        ),
        Whole(
            "induction_days",
            "So many first days of an episode count as induction, where no plan was signed that says so.",
            0,
            0,
            366,
        ),
        Choice(
            "titration",
            "Whether somebody on a signed plan of titration has yet to reach the maintenance dose.",
            "excluded",
            {"excluded": "left out as being inducted", "included": "counted as maintained"},
        ),
    ),
    exclusions=(
        Exclusion("induction", "clients being inducted, yet to reach the maintenance dose"),
        Exclusion("taper", "clients on reducing doses by a signed plan"),
    ),
    strata=EVERY_STRATUM,
)
