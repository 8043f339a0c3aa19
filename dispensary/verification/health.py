"""Health: corrections, refills, alerts and days to look are of the client whose they are, and outlive no cause."""

from __future__ import annotations

from dispensary.verification.safe import Check

HEALTH = (
    Check(
        12,
        "result {id} replaces {replaces}, which is of another client or test",
        """
        SELECT r.id, r.replaces FROM health_result r LEFT JOIN health_result o ON o.id = r.replaces
        WHERE r.replaces IS NOT NULL AND (o.client_id, o.analyte) IS DISTINCT FROM (r.client_id, r.analyte) ORDER BY 1
        """,
    ),
    Check(
        12,
        "result {id} was entered, and nobody is written down as having entered it",
        """
        SELECT r.id FROM health_result r WHERE NOT EXISTS (
            SELECT FROM audit_entry a WHERE a.subject_id = r.client_id AND a.at = r.entered_at
            AND a.act IN ('entered results', 'corrected result', 'imported results')) ORDER BY 1
        """,
    ),
    Check(
        12,
        "refill {id} of {on_day} is of a medicine that was not taken then",
        """
        SELECT r.id, r.on_day FROM refill r JOIN medication m ON m.id = r.medication_id
        WHERE r.voided_at IS NULL AND (r.on_day < m.started_on OR (r.observed AND r.on_day >= m.stopped_on)) ORDER BY 1
        """,
    ),
    Check(
        12,
        "support {id} was given, and nobody is written down as having given it",
        """
        SELECT s.id FROM adherence_support s WHERE NOT EXISTS (
            SELECT FROM audit_entry a WHERE a.subject_id = s.client_id AND a.at = s.given_at
            AND a.act = 'gave adherence support') ORDER BY 1
        """,
    ),
    Check(
        12,
        "alert {id} speaks of the start of a medicine that has stopped",
        """
        SELECT a.id FROM alert a JOIN medication m ON a.cause = 'start ' || m.id
        WHERE a.resolved_at IS NULL AND m.stopped_on IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        12,
        "medicine {id} is part of a treatment of another client",
        """
        SELECT m.id FROM medication m JOIN treatment t ON t.id = m.treatment_id WHERE t.client_id <> m.client_id
        ORDER BY 1
        """,
    ),
    Check(
        12,
        "alert {id} of client {client_id} rests on {rests_on}, which is no result or support of theirs",
        """
        SELECT a.id, a.client_id, e.rests_on FROM alert a
        CROSS JOIN LATERAL jsonb_array_elements_text(a.evidence -> 'rests_on') AS e (rests_on)
        LEFT JOIN health_result r ON r.id::text = e.rests_on
        WHERE a.rule IN ('alt', 'tb-alt', 'fib-4', 'apri', 'child-pugh', 'qtc', 'viral-load')
            AND r.client_id IS DISTINCT FROM a.client_id AND NOT (a.rule = 'viral-load' AND EXISTS (
                SELECT FROM adherence_support s WHERE s.id::text = e.rests_on AND s.client_id = a.client_id))
        ORDER BY 1, 3
        """,
    ),
    Check(
        12,
        "the day to look {on_day} of client {client_id} is for a medicine of another client, or one that went on",
        """
        SELECT l.on_day, l.client_id FROM scheduled_look l LEFT JOIN medication m ON m.id = l.medication_id
        WHERE m.client_id IS DISTINCT FROM l.client_id OR (l.moment = 'stop' AND m.stopped_on IS NULL)
        ORDER BY 1, 2
        """,
    ),
    Check(
        12,
        "result file {id} was closed, and nobody is written down as having taken it or put it away",
        """
        SELECT f.id FROM result_file f WHERE f.closed_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM audit_entry a WHERE a.subject_id = f.site_id AND a.at = f.closed_at
            AND a.act IN ('took file of results', 'put file of results away')) ORDER BY 1
        """,
    ),
)
