"""What must hold of bottles, of voided supplies and of corrected days, as questions to the tables."""

from __future__ import annotations

from dispensary.verification.safe import Check

BOTTLES = (
    Check(
        17,
        "bottle {serial} is {state}, and its record ends with {last}",
        """
        SELECT b.serial, b.state, coalesce((SELECT e.state FROM bottle_event e WHERE e.bottle_id = b.id
            ORDER BY e.seq DESC LIMIT 1), 'nothing') AS last
        FROM bottle b WHERE b.state IS DISTINCT FROM (SELECT e.state FROM bottle_event e WHERE e.bottle_id = b.id
            ORDER BY e.seq DESC LIMIT 1) ORDER BY 1
        """,
    ),
    Check(
        17,
        "the record of bottle {serial} has line {seq} after line {before}",
        """
        SELECT b.serial, e.seq, e.before FROM (
            SELECT bottle_id, seq, lag(seq, 1, 0::smallint) OVER (PARTITION BY bottle_id ORDER BY seq) AS before
            FROM bottle_event) AS e JOIN bottle b ON b.id = e.bottle_id
        WHERE e.seq <> e.before + 1 ORDER BY 1, 2
        """,
    ),
    Check(
        17,
        "bottle {serial} came back {how}, and is said to be {state}",
        """
        SELECT b.serial, CASE WHEN r.is_full THEN 'full' ELSE 'empty' END AS how, b.state
        FROM bottle_return r JOIN bottle b ON b.id = r.bottle_id
        WHERE CASE WHEN r.is_full THEN b.state NOT IN ('returned_full', 'destroyed', 'back_in_stock')
            ELSE b.state <> 'returned_empty' END ORDER BY 1
        """,
    ),
    Check(
        17,
        "bottle {serial} is {state}, and nobody wrote down that it came back",
        """
        SELECT b.serial, b.state FROM bottle b LEFT JOIN bottle_return r ON r.bottle_id = b.id
        WHERE r.id IS NULL AND (b.state IN ('returned_empty', 'returned_full', 'destroyed')
            OR (b.state = 'back_in_stock' AND b.dose_id IS NOT NULL)) ORDER BY 1
        """,
    ),
    Check(
        18,
        "supply {id} is void, and {wrong}",
        """
        SELECT id, wrong FROM (
            SELECT s.id, CASE
                WHEN v.supply_id IS NULL THEN 'nobody said why'
                WHEN EXISTS (SELECT 1 FROM dose d WHERE d.supply_id = s.id AND d.voided_at IS NULL)
                    THEN 'a dose of it still stands'
                WHEN EXISTS (SELECT 1 FROM extra_dose x WHERE x.supply_id = s.id AND x.voided_at IS NULL)
                    THEN 'an extra dose of it still stands'
                WHEN EXISTS (SELECT 1 FROM register_line l WHERE l.supply_id = s.id
                    AND l.kind IN ('supplied', 'corrected') GROUP BY l.lot_id HAVING sum(l.ml) <> 0)
                    THEN 'a lot was not credited with what it gave'
                WHEN EXISTS (SELECT 1 FROM bottle b JOIN dose d ON d.id = b.dose_id WHERE d.supply_id = s.id
                    AND b.state <> 'void') THEN 'a bottle of it is somewhere'
            END AS wrong
            FROM supply s LEFT JOIN supply_void v ON v.supply_id = s.id WHERE s.voided_at IS NOT NULL) AS judged
        WHERE wrong IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        18,
        "supply {supply_id} was voided, and stands",
        """
        SELECT v.supply_id FROM supply_void v JOIN supply s ON s.id = v.supply_id WHERE s.voided_at IS NULL ORDER BY 1
        """,
    ),
    Check(
        6,
        "portion {portion} of {dose_day} of client {client_id} was corrected to {outcome}, and the client {has}",
        """
        SELECT k.client_id, k.dose_day, k.portion, k.outcome, CASE WHEN d.id IS NULL THEN 'has no such dose'
            ELSE 'has a dose' END AS has
        FROM day_as_known k LEFT JOIN dose d ON d.client_id = k.client_id AND d.dose_day = k.dose_day
            AND d.portion = k.portion AND d.voided_at IS NULL
        WHERE k.corrected_at IS NOT NULL AND (d.id IS NULL) = (k.outcome IN ('observed', 'take_home')) ORDER BY 1, 2, 3
        """,
    ),
)
