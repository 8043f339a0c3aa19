"""Employment: how many of those in care work or study."""

from __future__ import annotations

from dispensary.evaluation.known import IN_CARE, stood
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM, said, said_before

_WORKS = "('employed', 'own', 'daily', 'studying')"

QUERY = f"""
    WITH told AS (
        SELECT care.client_id, {said("employed", "boolean")} AS works
        FROM ({IN_CARE}) AS care JOIN client ON client.id = care.client_id
        {said_before("employed")}
    )
    SELECT 'asked' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM told WHERE works IS NOT NULL
    UNION ALL SELECT 'employed', client_id, CASE WHEN works THEN 1 ELSE 0 END, 1 FROM told WHERE works IS NOT NULL
    UNION ALL SELECT 'into_work', client_id, 1, NULL FROM (
        SELECT DISTINCT l.client_id FROM life_status l JOIN person ON person.client_id = l.client_id
        WHERE l.aspect = 'work' AND l.word IN {_WORKS} AND {stood("l")}
            AND l.from_day >= :from_day AND l.from_day < :until_day
            AND coalesce((SELECT b.word FROM life_status b
                WHERE b.client_id = l.client_id AND b.aspect = 'work' AND {stood("b")}
                    AND b.from_day < :from_day
                ORDER BY b.from_day DESC, b.noted_at DESC LIMIT 1), 'none') NOT IN {_WORKS}
    ) AS began
    UNION ALL SELECT 'not_asked', client_id, 1, NULL FROM told WHERE works IS NULL
"""

MEASURE = Measure(
    key="employment",
    title="Work or study",
    version="1",
    source="Takehome, after the tables of UNODC/UNAIDS booklet 3, 2022",
    says="Of the clients with a running episode on the last day of the period who were asked, the share who work or"
    " study, as they last said by the as-of moment; and clients of whom it is on record that they began to in the"
    " period, and did not before.",
    numerator="clients who work or study",
    denominator="clients in care who were asked",
    indicators=(
        Indicator("asked", "clients in care who were asked", Figure.COUNT),
        Indicator("employed", "clients who work or study, of those asked", of="asked"),
        Indicator("into_work", "clients who began to work or study in the period", Figure.COUNT),
    ),
    query=QUERY,
    exclusions=(Exclusion("not_asked", "clients in care whom nobody asked"),),
    strata=tuple(key for key in EVERY_STRATUM if key != "employed"),
)
