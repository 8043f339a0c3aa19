"""What never breaks about who collects: agents within a consent, carriers who carry, nothing out that nobody has.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.safe import Check

AGENTS = (
    Check(
        16,
        "supply {id} of client {client_id} was collected by an agent {wrong}",
        """
        SELECT id, client_id, wrong FROM (
            SELECT s.id, s.client_id, CASE
                WHEN c.id IS NULL OR (c.client_id, c.agent_id) IS DISTINCT FROM (s.client_id, s.agent_id)
                    THEN 'whom the client did not authorise'
                WHEN c.agreed_at IS NULL OR c.agreed_at > s.at THEN 'to whom no prescriber had agreed'
                WHEN c.revoked_at <= s.at THEN 'whose consent was revoked'
                WHEN NOT s.dose_day BETWEEN c.signed_on AND c.last_day THEN 'outside the days of the consent'
                WHEN extract(year FROM c.signed_on) - a.birth_year < 18 THEN 'under 18'
                WHEN NOT s.id_provided THEN 'who showed no document'
                WHEN (SELECT count(*) FROM dose d WHERE d.supply_id = s.id AND d.voided_at IS NULL) > c.most_bottles
                    THEN 'with more bottles than were consented to'
            END AS wrong
            FROM supply s LEFT JOIN agent_consent c ON c.id = s.agent_consent_id LEFT JOIN agent a ON a.id = s.agent_id
            WHERE s.collected_by = 'agent' AND s.voided_at IS NULL) AS judged
        WHERE wrong IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        16,
        "consent {agent_consent_id} of client {client_id} was for one collection, and was used {times} times",
        """
        SELECT s.agent_consent_id, s.client_id, count(*) AS times FROM supply s
        JOIN agent_consent c ON c.id = s.agent_consent_id AND c.scope = 'once'
        WHERE s.voided_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        16,
        "supply {id} of client {client_id} was collected by the {collected_by}, and a dose of it was observed",
        """
        SELECT DISTINCT s.id, s.client_id, s.collected_by FROM supply s
        LEFT JOIN dose d ON d.supply_id = s.id AND d.voided_at IS NULL AND d.kind = 'observed'
        LEFT JOIN extra_dose x ON x.supply_id = s.id AND x.voided_at IS NULL
        WHERE s.collected_by <> 'client' AND s.voided_at IS NULL AND (d.id IS NOT NULL OR x.id IS NOT NULL) ORDER BY 1
        """,
    ),
)

CARRYING = (
    Check(
        16,
        "pickup {id} of client {client_id} is {state}, and {carried} carry it",
        """
        SELECT p.id, p.client_id, p.state, count(c.id) AS carried
        FROM pickup p LEFT JOIN carrying c ON c.pickup_id = p.id AND c.state = 'out'
        GROUP BY p.id HAVING (p.state = 'out') <> (count(c.id) = 1) AND (p.state = 'out' OR count(c.id) > 0) ORDER BY 1
        """,
    ),
    Check(
        16,
        "{carrying} of client {client_id} went out with {bottles} bottles, and {out} are out",
        """
        SELECT c.id AS carrying, c.client_id, c.bottles, count(b.id) AS out
        FROM carrying c LEFT JOIN bottle b ON b.pickup_id = c.pickup_id AND b.state IN ('out', 'lost')
        WHERE c.state = 'out' GROUP BY c.id HAVING count(b.id) <> c.bottles ORDER BY 1
        """,
    ),
    Check(
        16,
        "bottle {serial} of client {client_id} is out, and nobody carries it",
        """
        SELECT b.serial, b.client_id FROM bottle b WHERE b.state = 'out'
            AND NOT EXISTS (SELECT 1 FROM carrying c WHERE c.pickup_id = b.pickup_id AND c.state = 'out') ORDER BY 1
        """,
    ),
    Check(
        16,
        "supply {id} of client {client_id} was handed over by a carrier who did not carry it",
        """
        SELECT s.id, s.client_id FROM supply s WHERE s.collected_by = 'carrier' AND s.voided_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM carrying c WHERE c.pickup_id = s.pickup_id AND c.client_id = s.client_id
                AND c.state = 'delivered' AND c.carrier_id = s.dispensed_by) ORDER BY 1
        """,
    ),
)

COLLECTING = (*AGENTS, *CARRYING)
