"""The cascade of tuberculosis: screened, signs, tested, found, treated."""

from __future__ import annotations

from dispensary.evaluation.known import IN_CARE, RESULTS, TREATMENTS
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH care AS ({IN_CARE}),
    result AS (
        SELECT r.client_id, r.analyte, r.choice, r.taken_on
        FROM ({RESULTS}) AS r JOIN care ON care.client_id = r.client_id
        WHERE r.taken_on >= :from_day AND r.taken_on <= care.on_day AND r.analyte IN ('tb_screen', 'tb_test')
    ), judged AS (
        SELECT care.client_id,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'tb_screen') AS screened,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'tb_screen'
                AND r.choice = 'signs') AS signs,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'tb_test') AS tested,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'tb_test'
                AND r.choice = 'positive') AS found,
            EXISTS (SELECT 1 FROM ({TREATMENTS}) AS t WHERE t.client_id = care.client_id AND t.kind = 'tb'
                AND t.started_on >= :from_day AND t.started_on <= care.on_day) AS treated,
            EXISTS (SELECT 1 FROM ({TREATMENTS}) AS t WHERE t.client_id = care.client_id AND t.kind = 'tb'
                AND t.started_on < :from_day AND coalesce(t.stopped_on > :from_day, true)) AS already
        FROM care
    )
    SELECT 'in_care' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator
    FROM judged WHERE NOT already
    UNION ALL SELECT 'screened', client_id, CASE WHEN screened THEN 1 ELSE 0 END, 1 FROM judged WHERE NOT already
    UNION ALL SELECT 'signs', client_id, CASE WHEN signs THEN 1 ELSE 0 END, 1 FROM judged WHERE NOT already AND screened
    UNION ALL SELECT 'tested', client_id, CASE WHEN tested THEN 1 ELSE 0 END, 1
    FROM judged WHERE NOT already AND screened AND signs
    UNION ALL SELECT 'found', client_id, CASE WHEN found THEN 1 ELSE 0 END, 1
    FROM judged WHERE NOT already AND screened AND signs AND tested
    UNION ALL SELECT 'treated', client_id, CASE WHEN treated THEN 1 ELSE 0 END, 1
    FROM judged WHERE NOT already AND screened AND signs AND tested AND found
    UNION ALL SELECT 'all_treated', client_id, 1, NULL FROM judged WHERE NOT already AND treated
    UNION ALL SELECT 'already', client_id, 1, NULL FROM judged WHERE already
"""

MEASURE = Measure(
    key="tb-cascade",
    title="Tuberculosis: from screening to treatment",
    version="1",
    source="Takehome, after PEPFAR MER 2.6.1 (TX_TB) for all clients in care",
    says="Clients with a running episode on the last day of the period and no treatment of tuberculosis at its first:"
    " screened in the period, with signs, tested, found, treatment begun. Who was treated on other grounds than a"
    " positive test after signs is in the last figure alone.",
    numerator="clients who reached the step",
    denominator="clients who reached the step before it",
    indicators=(
        Indicator("in_care", "clients in care, not in treatment of tuberculosis before", Figure.COUNT),
        Indicator("screened", "asked for signs, of those in care", of="in_care"),
        Indicator("signs", "with signs, of those asked", of="screened"),
        Indicator("tested", "tested, of those with signs", of="signs"),
        Indicator("found", "tuberculosis found, of those tested", of="tested"),
        Indicator("treated", "began treatment, of those found", of="found"),
        Indicator("all_treated", "began treatment in the period, on whatever grounds", Figure.COUNT),
    ),
    query=QUERY,
    exclusions=(Exclusion("already", "clients in treatment of tuberculosis when the period began"),),
    strata=EVERY_STRATUM,
)
