"""What results and attended referrals say of the way from a test to treatment, as pieces of SQL.

The care rooms make each client's steps of them as the record is now, and the measure as it was known at a moment.
"""

from __future__ import annotations


def tests(results: str) -> str:
    """Tests of HIV, hepatitis C, hepatitis B and tuberculosis with what they found; nothing where that is not certain.

    `results` has client_id, analyte, taken_on, number, comparator, choice. A viral load is taken of whoever has HIV.
    """
    return f"""
        SELECT r.client_id, r.analyte, CASE WHEN r.analyte IN ('hiv_test', 'viral_load') THEN 'hiv'
                WHEN r.analyte = 'hbsag' THEN 'hbv' WHEN r.analyte = 'tb_test' THEN 'tb' ELSE 'hcv' END AS disease,
            r.taken_on,
            CASE WHEN r.analyte = 'viral_load' THEN true
                WHEN r.analyte = 'hcv_rna' THEN r.comparator <> '<' AND r.number > 0
                WHEN r.choice = 'indeterminate' THEN NULL ELSE r.choice = 'positive' END AS positive
        FROM ({results}) AS r
        WHERE r.analyte IN ('hiv_test', 'viral_load', 'hcv_antibody', 'hcv_rna', 'hcv_rna_test', 'hbsag', 'tb_test')
    """


def went(referrals: str, results: str, treatments: str) -> str:
    """What it was that somebody went where they were sent: a test, or the way to the place that treats it.

    Whoever was sent for a test was tested, and no more, whatever is found there. Whoever was sent for hepatitis C or
    tuberculosis was linked to care where it was known of them on the day on which they were sent: the last test with a
    result had found it, a condition was noted, or a treatment ran, here or as it was brought in. Else nobody knew it,
    and they went to be tested. Nobody is sent for ART of whom HIV is not known. `referrals` has client_id, service,
    sent_on, outcome, attended_on; `treatments` client_id, kind, started_on, stopped_on.
    """
    return f"""
        SELECT f.client_id, meant.disease, f.attended_on, CASE
            WHEN f.service = 'art' THEN 'linked'
            WHEN f.service = 'hiv_test' THEN 'tested'
            WHEN coalesce((SELECT t.positive FROM ({tests(results)}) AS t
                    WHERE t.client_id = f.client_id AND t.disease = meant.disease AND t.taken_on <= f.sent_on
                        AND t.positive IS NOT NULL
                    ORDER BY t.taken_on DESC, t.positive DESC LIMIT 1), false)
                OR EXISTS (SELECT FROM client_condition k WHERE k.client_id = f.client_id AND k.kind = meant.condition
                    AND k.noted_on <= f.sent_on AND coalesce(k.ended_on > f.sent_on, true))
                OR EXISTS (SELECT FROM ({treatments}) AS t WHERE t.client_id = f.client_id AND t.kind = meant.disease
                    AND t.started_on <= f.sent_on AND coalesce(t.stopped_on > f.sent_on, true))
            THEN 'linked' ELSE 'tested' END AS step
        FROM ({referrals}) AS f
        JOIN (VALUES ('art', 'hiv', 'hiv'), ('hiv_test', 'hiv', 'hiv'), ('hepatitis_c', 'hcv', 'hepatitis_c'),
            ('tuberculosis', 'tb', 'tuberculosis')) AS meant (service, disease, condition) ON meant.service = f.service
        WHERE f.outcome = 'attended'
    """
