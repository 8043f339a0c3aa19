"""Medicine of other treatments: it falls with the supply that it came with, and a dose is swallowed once a day."""

from __future__ import annotations

from dispensary.verification.safe import Check

REFILLS = (
    Check(
        12,
        "refill {id} stands, and supply {supply_id} that it came with is void",
        """
        SELECT r.id, r.supply_id FROM refill r JOIN supply s ON s.id = r.supply_id
        WHERE s.voided_at IS NOT NULL AND r.voided_at IS NULL ORDER BY 1
        """,
    ),
    Check(
        12,
        "refill {id} came with supply {supply_id}, which is of another client or day",
        """
        SELECT r.id, r.supply_id FROM refill r JOIN supply s ON s.id = r.supply_id
        JOIN medication m ON m.id = r.medication_id
        WHERE (m.client_id, r.on_day) IS DISTINCT FROM (s.client_id, s.dose_day) ORDER BY 1
        """,
    ),
    Check(
        12,
        "a dose of medicine {medication_id} was swallowed here {times} times on {on_day}",
        """
        SELECT medication_id, on_day, count(*) AS times FROM refill WHERE observed AND voided_at IS NULL
        GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
        """,
    ),
    Check(
        12,
        "refill {id} was taken back, and nobody said why",
        "SELECT id FROM refill WHERE voided_at IS NOT NULL AND void_reason = '' ORDER BY 1",
    ),
)
