"""How high the doses are: the orders in force on the last day of the period, in bands and by their middle."""

from __future__ import annotations

from dispensary.evaluation.known import IN_CARE, ORDERS
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure, Relation
from dispensary.evaluation.strata import EVERY_STRATUM

_BANDS = {
    "below_40": "mg < 40",
    "from_40": "mg >= 40 AND mg < 60",
    "from_60": "mg >= 60 AND mg < 80",
    "from_80": "mg >= 80 AND mg < 100",
    "from_100": "mg >= 100 AND mg <= 120",
    "above_120": "mg > 120",
}
_SAID = {
    "below_40": "below 40 mg",
    "from_40": "40 to below 60 mg",
    "from_60": "60 to below 80 mg",
    "from_80": "80 to below 100 mg",
    "from_100": "100 to 120 mg",
    "above_120": "above 120 mg",
}

QUERY = f"""
    WITH ordered AS (
        SELECT care.client_id, o.mg
        FROM ({IN_CARE}) AS care
        LEFT JOIN ({ORDERS}) AS o ON o.episode_id = care.episode_id AND o.from_day <= care.on_day
            AND coalesce(o.until_day > care.on_day, true)
    )
    SELECT 'ordered' AS indicator, client_id, CAST(1 AS numeric) AS numerator, CAST(NULL AS integer) AS denominator
    FROM ordered WHERE mg IS NOT NULL
    {
    "".join(
        f"UNION ALL SELECT '{key}', client_id, CASE WHEN {within} THEN 1 ELSE 0 END, 1 FROM ordered "
        "WHERE mg IS NOT NULL "
        for key, within in _BANDS.items()
    )
}
    UNION ALL SELECT 'mg', client_id, mg, NULL FROM ordered WHERE mg IS NOT NULL
    UNION ALL SELECT 'mean', client_id, mg, 1 FROM ordered WHERE mg IS NOT NULL
    UNION ALL SELECT 'without', client_id, 1, NULL FROM ordered WHERE mg IS NULL
"""

MEASURE = Measure(
    key="doses",
    title="How high the doses are",
    version="1",
    source="Takehome",
    says="The whole day's order in force on the last day of the period, of everybody with a running episode: in"
    " bands, on average, and in the middle. Induction and taper are in it; PRV.14 leaves them out.",
    numerator="clients with an order within the band; for the mean, mg",
    denominator="clients with an order in force",
    indicators=(
        Indicator("ordered", "clients with an order in force", Figure.COUNT),
        *(Indicator(key, f"clients with {says}, of those with an order", of="ordered") for key, says in _SAID.items()),
        Indicator("mean", "mean order", unit="mg", people=False),
        Indicator("median", "order in the middle", Figure.MEDIAN, unit="mg", rows="mg"),
        Indicator("p95", "order that 95 in 100 do not exceed", Figure.P95, unit="mg", rows="mg"),
    ),
    query=QUERY,
    exclusions=(Exclusion("without", "clients with a running episode and no order in force"),),
    strata=tuple(key for key in EVERY_STRATUM if key != "dose"),
    relations=(Relation(("ordered",), tuple(_SAID)),),
)
