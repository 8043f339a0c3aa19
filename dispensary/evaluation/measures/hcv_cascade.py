"""The cascade of hepatitis C: antibody, RNA, treated, finished, assessed, cured."""

from __future__ import annotations

from dispensary.evaluation.known import IN_CARE, RESULTS, TREATMENTS
from dispensary.evaluation.measure import Exclusion, Figure, Indicator, Measure, Whole
from dispensary.evaluation.strata import EVERY_STRATUM

QUERY = f"""
    WITH care AS ({IN_CARE}),
    result AS (
        SELECT r.*, care.on_day FROM ({RESULTS}) AS r JOIN care ON care.client_id = r.client_id
        WHERE r.taken_on <= care.on_day AND r.analyte IN ('hcv_antibody', 'hcv_rna', 'hcv_rna_test')
    ), rna AS (
        SELECT client_id, taken_on, CASE WHEN analyte = 'hcv_rna_test' THEN choice = 'positive'
            ELSE comparator <> '<' AND number > 0 END AS found
        FROM result WHERE analyte <> 'hcv_antibody' AND choice IS DISTINCT FROM 'indeterminate'
    ), treated AS (
        SELECT DISTINCT ON (t.client_id) t.client_id, t.started_on,
            CASE WHEN t.stopped_on <= care.on_day THEN t.stopped_on END AS stopped_on, care.on_day
        FROM ({TREATMENTS}) AS t JOIN care ON care.client_id = t.client_id
        WHERE t.kind = 'hcv' AND t.started_on <= care.on_day
        ORDER BY t.client_id, t.started_on DESC
    ), assessed AS (
        SELECT treated.client_id, bool_and(NOT rna.found) AS cured
        FROM treated
        JOIN rna ON rna.client_id = treated.client_id
            AND rna.taken_on >= treated.stopped_on + 7 * :svr_from_weeks
            AND rna.taken_on <= treated.stopped_on + 7 * :svr_until_weeks
        GROUP BY treated.client_id
    ), judged AS (
        SELECT care.client_id,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'hcv_antibody') AS tested,
            EXISTS (SELECT 1 FROM result r WHERE r.client_id = care.client_id AND r.analyte = 'hcv_antibody'
                AND r.choice = 'positive') AS positive,
            EXISTS (SELECT 1 FROM rna WHERE rna.client_id = care.client_id) AS rna_tested,
            EXISTS (SELECT 1 FROM rna WHERE rna.client_id = care.client_id AND rna.found) AS rna_found,
            treated.client_id IS NOT NULL AS treated,
            coalesce(treated.stopped_on - treated.started_on >= 7 * :course_weeks, false) AS finished,
            coalesce(treated.on_day >= treated.stopped_on + 7 * :svr_from_weeks, false) AS time_is_up,
            assessed.cured
        FROM care
        LEFT JOIN treated ON treated.client_id = care.client_id
        LEFT JOIN assessed ON assessed.client_id = care.client_id
    )
    SELECT 'in_care' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator FROM judged
    UNION ALL SELECT 'antibody', client_id, CASE WHEN tested THEN 1 ELSE 0 END, 1 FROM judged
    UNION ALL SELECT 'positive', client_id, CASE WHEN positive THEN 1 ELSE 0 END, 1 FROM judged WHERE tested
    UNION ALL SELECT 'rna', client_id, CASE WHEN rna_tested THEN 1 ELSE 0 END, 1 FROM judged WHERE positive
    UNION ALL SELECT 'rna_found', client_id, CASE WHEN rna_found THEN 1 ELSE 0 END, 1
    FROM judged WHERE positive AND rna_tested
    UNION ALL SELECT 'treated', client_id, CASE WHEN treated THEN 1 ELSE 0 END, 1
    FROM judged WHERE positive AND rna_tested AND rna_found
    UNION ALL SELECT 'finished', client_id, CASE WHEN finished THEN 1 ELSE 0 END, 1
    FROM judged WHERE positive AND rna_tested AND rna_found AND treated
    UNION ALL SELECT 'due', client_id, CASE WHEN time_is_up THEN 1 ELSE 0 END, 1
    FROM judged WHERE positive AND rna_tested AND rna_found AND treated AND finished
    UNION ALL SELECT 'assessed', client_id, CASE WHEN cured IS NULL THEN 0 ELSE 1 END, 1
    FROM judged WHERE positive AND rna_tested AND rna_found AND treated AND finished AND time_is_up
    UNION ALL SELECT 'cured', client_id, CASE WHEN cured THEN 1 ELSE 0 END, 1
    FROM judged WHERE positive AND rna_tested AND rna_found AND treated AND finished AND time_is_up
        AND cured IS NOT NULL
    UNION ALL SELECT 'outside', client_id, 1, NULL
    FROM judged WHERE treated AND NOT (positive AND rna_tested AND rna_found)
"""

MEASURE = Measure(
    key="hcv-cascade",
    title="Hepatitis C: from antibody to cure",
    version="1",
    source="Takehome, after WHO 2022 (HEP.2, HEP.4, HEP.6, HEP.7)",
    says="Clients with a running episode on the last day of the period, by all that is on record until then: tested"
    " for the antibody, found, tested for RNA, found, treated, finished, due for the test of cure, assessed, cured."
    " The last treatment counts. The record has no word for a finished course: one that lasted as many weeks as the"
    " shortest course is. Cured is a test without RNA within the weeks of the parameters, and none with it.",
    numerator="clients who reached the step",
    denominator="clients who reached the step before it",
    indicators=(
        Indicator("in_care", "clients in care", Figure.COUNT),
        Indicator("antibody", "tested for the antibody, of those in care", of="in_care"),
        Indicator("positive", "antibody found, of those tested", of="antibody"),
        Indicator("rna", "tested for RNA, of those with the antibody", of="positive"),
        Indicator("rna_found", "RNA found, of those tested", of="rna"),
        Indicator("treated", "began treatment, of those with RNA", of="rna_found"),
        Indicator("finished", "finished it, of those who began", of="treated"),
        Indicator("due", "test of cure is due, of those who finished", of="finished"),
        Indicator("assessed", "cure assessed, of those due", of="due"),
        Indicator("cured", "cured, of those assessed", of="assessed"),
    ),
    query=QUERY,
    parameters=(
        Whole(
            "course_weeks", "A course of at least so many weeks is finished; the shortest in use has eight.", 8, 1, 52
        ),
        Whole("svr_from_weeks", "From how many weeks after the end the test of cure counts.", 12, 4, 52),
        Whole("svr_until_weeks", "Until how many weeks after the end it counts.", 24, 4, 520),
    ),
    exclusions=(
        Exclusion("outside", "clients treated of whom no positive antibody and RNA are on record: not in the steps"),
    ),
    strata=EVERY_STRATUM,
)
