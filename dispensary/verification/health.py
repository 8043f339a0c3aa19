"""Health: a correction is of the same client and test, whoever entered it is known, a refill is of what was taken."""

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
        WHERE r.voided_at IS NULL AND (r.on_day < m.started_on OR r.on_day >= m.stopped_on) ORDER BY 1
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
)
