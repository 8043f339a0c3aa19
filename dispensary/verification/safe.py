"""What never breaks in the safe and over the counter: supplies, bottles, the register, pickups and their passes.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One question. The sentence is filled from the columns of each row that is found."""

    invariant: int
    sentence: str
    sql: str


SUPPLIES = (
    Check(
        2,
        "supply {id} answered {answered} doses and has {recorded}",
        """
        SELECT id, answered, recorded FROM (
            SELECT s.id,
                (SELECT count(*) FROM dose d WHERE d.supply_id = s.id)
                + (SELECT count(*) FROM extra_dose x WHERE x.supply_id = s.id) AS recorded,
                CASE jsonb_typeof(s.answer -> 'doses')
                    WHEN 'array' THEN jsonb_array_length(s.answer -> 'doses') ELSE 0 END
                + CASE jsonb_typeof(s.answer -> 'extra')
                    WHEN 'array' THEN jsonb_array_length(s.answer -> 'extra') ELSE 0 END AS answered
            FROM supply s WHERE s.origin <> 'import') AS whole
        WHERE recorded = 0 OR answered <> recorded ORDER BY 1
        """,
    ),
    Check(
        2,
        "dose {id} of client {client_id} stands in supply {supply_id} of another client or site",
        """
        SELECT d.id, d.client_id, d.supply_id FROM dose d JOIN supply s ON s.id = d.supply_id
        WHERE d.client_id <> s.client_id OR d.site_id <> s.site_id ORDER BY 1
        """,
    ),
    Check(
        2,
        "bottle {serial} was handed over, and its dose is another client's, day, amount or lot",
        """
        SELECT b.serial FROM bottle b LEFT JOIN dose d ON d.id = b.dose_id
        WHERE b.state NOT IN ('prepared', 'checked', 'out', 'back_in_stock') AND b.dose_id IS NOT NULL
            AND (d.client_id, d.dose_day, d.portion, d.mg, d.ml, d.lot_id, d.kind)
            IS DISTINCT FROM (b.client_id, b.dose_day, b.portion, b.mg, b.ml, b.lot_id, 'take_home') ORDER BY 1
        """,
    ),
    Check(
        2,
        "take-home dose {id} of client {client_id} for {dose_day} has no bottle",
        """
        SELECT d.id, d.client_id, d.dose_day FROM dose d JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import'
        WHERE d.kind = 'take_home' AND NOT EXISTS (SELECT 1 FROM bottle b WHERE b.dose_id = d.id)
            AND NOT (d.voided_at IS NOT NULL AND EXISTS (SELECT 1 FROM bottle_event e WHERE e.dose_id = d.id))
        ORDER BY 1
        """,
    ),
    Check(
        2,
        "bottle {serial} is {bottle_state} in a pickup that is {pickup_state}",
        """
        SELECT b.serial, b.state AS bottle_state, coalesce(p.state, 'not there') AS pickup_state
        FROM bottle b LEFT JOIN pickup p ON p.id = b.pickup_id
        WHERE CASE b.state
            WHEN 'prepared' THEN p.state IS DISTINCT FROM 'prepared'
            WHEN 'checked' THEN p.state IS DISTINCT FROM 'prepared'
            WHEN 'out' THEN p.state IS DISTINCT FROM 'out'
            WHEN 'back_in_stock' THEN p.state IS DISTINCT FROM 'unclaimed' AND p.state IS DISTINCT FROM 'cancelled'
                AND b.dose_id IS NULL
            ELSE p.state IS NOT NULL AND b.dose_id IS NOT NULL AND p.state <> 'collected' END
        ORDER BY 1
        """,
    ),
)


# The view looks by itself every night and after each close, and names what it finds to the counter. On a satellite's
# own server only what concerns its clients is there of other safes, whose lines are the centre's to check.
REGISTER = tuple(
    Check(
        invariant,
        "{sentence}",
        f"""
        SELECT sentence FROM stock_discrepancy d WHERE invariant = {invariant}
            AND NOT EXISTS (SELECT FROM site_apart a WHERE a.site_id = d.site_id AND NOT a.whole AND a.until IS NULL)
        ORDER BY kind, subject
        """,
    )
    for invariant in (1, 3)
)


# A hand-over that was voided leaves its pass redeemed and its pickup prepared anew: each void gives one more of each.
PASSES = (
    Check(
        9,
        "pass {id} was redeemed, and its pickup {pickup_id} is {state}",
        """
        SELECT t.id, t.pickup_id, p.state FROM pickup_pass t JOIN pickup p ON p.id = t.pickup_id
        WHERE t.end_reason = 'redeemed' AND p.state <> 'collected'
            AND NOT EXISTS (SELECT 1 FROM supply s WHERE s.pickup_id = p.id AND s.voided_at IS NOT NULL) ORDER BY 1
        """,
    ),
    Check(
        9,
        "pickup {pickup_id} was opened by {times} passes",
        """
        SELECT t.pickup_id, count(*) AS times FROM pickup_pass t WHERE t.end_reason = 'redeemed'
        GROUP BY t.pickup_id HAVING count(*) > 1
            + (SELECT count(*) FROM supply s WHERE s.pickup_id = t.pickup_id AND s.voided_at IS NOT NULL) ORDER BY 1
        """,
    ),
    Check(
        9,
        "pickup {id} is {state} and was handed over in {supplies} supplies",
        """
        SELECT p.id, p.state, count(s.id) FILTER (WHERE s.voided_at IS NULL) AS supplies
        FROM pickup p LEFT JOIN supply s ON s.pickup_id = p.id
        GROUP BY p.id HAVING (p.state = 'collected')::int <> count(s.id) FILTER (WHERE s.voided_at IS NULL)
            OR bool_or(s.client_id <> p.client_id) ORDER BY 1
        """,
    ),
    Check(
        9,
        "pickup {pickup_id} is {state} and pass {id} still opens it",
        """
        SELECT t.pickup_id, p.state, t.id FROM pickup_pass t JOIN pickup p ON p.id = t.pickup_id
        WHERE t.ended_at IS NULL AND p.state NOT IN ('prepared', 'out') ORDER BY 1, 3
        """,
    ),
)
