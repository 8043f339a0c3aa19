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


REGISTER = (
    Check(
        3,
        "line {seq} of book {book_id} says {balance} mL after {ml} mL on {before} mL",
        """
        SELECT book_id, seq, balance, ml, before FROM (
            SELECT book_id, seq, balance, ml, lag(balance, 1, 0.000) OVER (PARTITION BY book_id ORDER BY seq) AS before
            FROM register_line) AS line
        WHERE balance <> before + ml OR balance < 0 ORDER BY 1, 2
        """,
    ),
    Check(
        3,
        "line {seq} of book {book_id} says {lot_balance} mL in lot {lot_id} after {ml} mL on {before} mL",
        """
        SELECT book_id, seq, lot_id, lot_balance, ml, before FROM (
            SELECT book_id, seq, lot_id, lot_balance, ml,
                lag(lot_balance, 1, 0.000) OVER (PARTITION BY lot_id ORDER BY seq) AS before
            FROM register_line) AS line
        WHERE lot_balance <> before + ml OR lot_balance < 0 ORDER BY 1, 2
        """,
    ),
    Check(
        3,
        "book {book_id} has line {seq} after line {before}",
        """
        SELECT book_id, seq, before FROM (
            SELECT book_id, seq, lag(seq, 1, 0::bigint) OVER (PARTITION BY book_id ORDER BY seq) AS before
            FROM register_line) AS line
        WHERE seq <> before + 1 ORDER BY 1, 2
        """,
    ),
    Check(
        3,
        "book {id} holds {balance} mL in {lines} lines; its lines add up to {added} mL in {counted}",
        """
        SELECT b.id, b.balance, b.lines, coalesce(sum(l.ml), 0) AS added, count(l.id) AS counted
        FROM register_book b LEFT JOIN register_line l ON l.book_id = b.id
        GROUP BY b.id HAVING b.balance <> coalesce(sum(l.ml), 0) OR b.lines <> count(l.id) OR b.balance < 0 ORDER BY 1
        """,
    ),
    Check(
        3,
        "lot {batch} holds {balance} mL; its lines add up to {added} mL",
        """
        SELECT lot.batch, lot.balance, coalesce(sum(l.ml), 0) AS added
        FROM lot LEFT JOIN register_line l ON l.lot_id = lot.id
        GROUP BY lot.id HAVING lot.balance <> coalesce(sum(l.ml), 0) OR lot.balance < 0 ORDER BY 1
        """,
    ),
    Check(
        3,
        "lot {batch} promises {bottled} mL of {balance} mL in prepared bottles, which hold {prepared} mL",
        """
        SELECT lot.batch, lot.bottled, lot.balance, coalesce(sum(b.ml), 0) AS prepared
        FROM lot LEFT JOIN bottle b ON b.lot_id = lot.id AND b.state IN ('prepared', 'checked', 'out')
        GROUP BY lot.id HAVING lot.bottled <> coalesce(sum(b.ml), 0) OR lot.bottled > lot.balance ORDER BY 1
        """,
    ),
    Check(
        3,
        "line {seq} of book {book_id} is about a lot of another book",
        """
        SELECT l.seq, l.book_id FROM register_line l JOIN lot ON lot.id = l.lot_id WHERE lot.book_id <> l.book_id
        ORDER BY 2, 1
        """,
    ),
    Check(
        3,
        "line {seq} of book {book_id} corrects line {corrected}, and is not its counter-entry",
        """
        SELECT l.seq, l.book_id, o.seq AS corrected
        FROM register_line l LEFT JOIN register_line o ON o.id = l.corrects_id
        WHERE l.kind = 'corrected'
          AND (o.id IS NULL OR o.lot_id <> l.lot_id OR o.ml <> -l.ml OR o.kind = 'corrected') ORDER BY 2, 1
        """,
    ),
    Check(
        3,
        "supply {supply_id} took {drawn} mL from lot {lot_id} by the register and {poured} mL by its doses",
        """
        WITH written AS (
            SELECT coalesce(l.supply_id, o.supply_id) AS supply_id, l.lot_id, -sum(l.ml) AS drawn,
                coalesce(sum(l.consumed_ml) FILTER (WHERE l.kind = 'supplied' AND by.id IS NULL), 0) AS consumed,
                coalesce(sum(l.taken_home_ml) FILTER (WHERE l.kind = 'supplied' AND by.id IS NULL), 0) AS taken_home
            FROM register_line l LEFT JOIN register_line o ON o.id = l.corrects_id
            LEFT JOIN register_line by ON by.corrects_id = l.id
            WHERE l.kind IN ('supplied', 'corrected') AND coalesce(l.supply_id, o.supply_id) IS NOT NULL
            GROUP BY 1, 2
        ), left_the_safe AS (
            -- A dose that was undone never left it; a bottle that came back full, or was lost, did.
            SELECT d.supply_id, d.lot_id, d.kind, d.ml FROM dose d
            WHERE d.voided_at IS NULL
                OR EXISTS (SELECT 1 FROM bottle b WHERE b.dose_id = d.id AND b.state <> 'void')
            UNION ALL
            SELECT x.supply_id, x.lot_id, 'observed', x.ml FROM extra_dose x WHERE x.voided_at IS NULL
        ), given AS (
            SELECT d.supply_id, d.lot_id, sum(d.ml) AS poured,
                coalesce(sum(d.ml) FILTER (WHERE d.kind = 'observed'), 0) AS consumed,
                coalesce(sum(d.ml) FILTER (WHERE d.kind = 'take_home'), 0) AS taken_home
            FROM left_the_safe d JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import'
            GROUP BY 1, 2
        )
        SELECT coalesce(written.supply_id, given.supply_id) AS supply_id,
            coalesce(written.lot_id, given.lot_id) AS lot_id,
            coalesce(written.drawn, 0) AS drawn, coalesce(given.poured, 0) AS poured
        FROM written FULL JOIN given ON given.supply_id = written.supply_id AND given.lot_id = written.lot_id
        JOIN supply s ON s.id = coalesce(written.supply_id, given.supply_id)
        WHERE (coalesce(written.drawn, 0), coalesce(written.consumed, 0), coalesce(written.taken_home, 0))
              <> (coalesce(given.poured, 0), coalesce(given.consumed, 0), coalesce(given.taken_home, 0))
          AND s.voided_at IS NULL
        ORDER BY 1, 2
        """,
    ),
)


PASSES = (
    Check(
        9,
        "pass {id} was redeemed, and its pickup {pickup_id} is {state}",
        """
        SELECT t.id, t.pickup_id, p.state FROM pickup_pass t JOIN pickup p ON p.id = t.pickup_id
        WHERE t.end_reason = 'redeemed' AND p.state <> 'collected' ORDER BY 1
        """,
    ),
    Check(
        9,
        "pickup {pickup_id} was opened by {times} passes",
        """
        SELECT pickup_id, count(*) AS times FROM pickup_pass WHERE end_reason = 'redeemed'
        GROUP BY pickup_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        9,
        "pickup {id} is {state} and was handed over in {supplies} supplies",
        """
        SELECT p.id, p.state, count(s.id) AS supplies
        FROM pickup p LEFT JOIN supply s ON s.pickup_id = p.id
        GROUP BY p.id HAVING (p.state = 'collected') <> (count(s.id) > 0)
            OR count(s.id) FILTER (WHERE s.voided_at IS NULL) > 1 OR bool_or(s.client_id <> p.client_id) ORDER BY 1
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
