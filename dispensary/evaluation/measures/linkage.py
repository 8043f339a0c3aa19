"""Testing and linkage: from the offer of a test to treatment, for HIV, hepatitis C, hepatitis B and tuberculosis."""

from __future__ import annotations

from dispensary.evaluation.known import REFERRALS, RESULTS, TREATMENTS, stood
from dispensary.evaluation.linking import tests, went
from dispensary.evaluation.measure import Figure, Indicator, Measure, OwnStratum
from dispensary.evaluation.strata import EVERY_STRATUM

# What was found once counts as found; a later step stands for those before it, whoever wrote which of them down.
QUERY = f"""
    WITH step AS (
        SELECT l.client_id, l.disease, l.step, l.on_day, CAST(NULL AS boolean) AS positive
        FROM linkage_step l
        WHERE {stood("l")}
        UNION ALL
        SELECT r.client_id, r.disease, 'tested', r.taken_on, r.positive
        FROM ({tests(RESULTS)}) AS r WHERE r.analyte <> 'viral_load'
        UNION ALL
        SELECT f.client_id, f.disease, f.step, f.attended_on, NULL
        FROM ({went(REFERRALS, RESULTS, TREATMENTS)}) AS f
        UNION ALL
        SELECT t.client_id, CASE t.kind WHEN 'art' THEN 'hiv' ELSE t.kind END, 'on_treatment', t.started_on, NULL
        FROM ({TREATMENTS}) AS t
    ), reached AS (
        SELECT step.client_id, disease,
            bool_or(step IN ('offered', 'declined', 'tested')) AS offered,
            bool_or(step = 'tested') AS tested,
            bool_or(step = 'result_given') AS told,
            bool_or(positive) AS positive,
            bool_or(positive IS NOT NULL) AS resulted,
            bool_or(step IN ('linked', 'on_treatment')) AS linked,
            bool_or(step = 'on_treatment') AS treated
        FROM step JOIN person ON person.client_id = step.client_id
        WHERE step.on_day >= :from_day AND step.on_day < :until_day AND step.on_day <= person.today
        GROUP BY step.client_id, disease
    )
    SELECT 'offered' AS indicator, client_id, 1 AS numerator, CAST(NULL AS integer) AS denominator, disease
    FROM reached WHERE offered
    UNION ALL SELECT 'tested', client_id, CASE WHEN tested THEN 1 ELSE 0 END, 1, disease FROM reached WHERE offered
    UNION ALL SELECT 'told', client_id, CASE WHEN told THEN 1 ELSE 0 END, 1, disease FROM reached WHERE tested
    UNION ALL SELECT 'positive', client_id, CASE WHEN positive THEN 1 ELSE 0 END, 1, disease
    FROM reached WHERE tested AND resulted
    UNION ALL SELECT 'linked', client_id, CASE WHEN linked THEN 1 ELSE 0 END, 1, disease
    FROM reached WHERE tested AND positive
    UNION ALL SELECT 'treated', client_id, CASE WHEN treated THEN 1 ELSE 0 END, 1, disease
    FROM reached WHERE tested AND positive AND linked
    UNION ALL SELECT 'linked_all', client_id, 1, NULL, disease FROM reached WHERE linked
"""

MEASURE = Measure(
    key="linkage",
    title="Testing and linkage",
    version="2",
    source="Takehome, after the counts of UNODC/UNAIDS booklet 3, 2022 (tested, linked to care)",
    says="Of clients and diseases, by steps taken in the period: a test was offered or done, done, told, found what it"
    " looks for; of those, linked to the place that treats it, and on treatment. Results, attended referrals and"
    " treatments on record count as the steps that they are. Going for a test is a test, and links nobody: an attended"
    " referral for hepatitis C or tuberculosis links whoever was known to have it when they were sent, by the last test"
    " with a result, a condition, a treatment that ran; one for ART always does. A client who was tested for two"
    " diseases counts for each: split it by the disease to count people.",
    numerator="clients and diseases that reached the step in the period",
    denominator="clients and diseases that reached the step before it in the period",
    indicators=(
        Indicator("offered", "tests offered or done", Figure.COUNT, unit="tests", people=False),
        Indicator("tested", "tested, of those offered", people=False),
        Indicator("told", "told the result, of those tested", people=False),
        Indicator("positive", "found what the test looks for, of those tested with a result on record", people=False),
        Indicator("linked", "linked to care, of those in whom it was found", people=False),
        Indicator("treated", "on treatment, of those who were linked", people=False),
        Indicator(
            "linked_all", "linked to care or on treatment in the period", Figure.COUNT, unit="links", people=False
        ),
    ),
    query=QUERY,
    strata=EVERY_STRATUM,
    own_strata=(OwnStratum("disease", "HIV, hepatitis C, hepatitis B, tuberculosis."),),
)
