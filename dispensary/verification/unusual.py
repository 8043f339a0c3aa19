"""What never breaks when something is not as usual: extra doses, reductions, reviews, returns and recalls.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.apart import not_known
from dispensary.verification.late import JUDGED, KNOWN_THEN
from dispensary.verification.safe import Check

EXTRA = (
    Check(
        5,
        "extra dose {id} of client {client_id} for {dose_day} {wrong}",
        """
        SELECT id, client_id, dose_day, wrong FROM (
            SELECT x.id, x.client_id, x.dose_day, CASE
                WHEN (e.client_id, e.dose_day, e.site_id) IS DISTINCT FROM (x.client_id, x.dose_day, x.site_id)
                    THEN 'belongs to an exception of another client, day or site'
                WHEN (s.client_id, s.site_id) IS DISTINCT FROM (x.client_id, x.site_id)
                    THEN 'stands in a supply of another client or site'
                WHEN e.kind <> (CASE x.kind WHEN 'replacement' THEN 'vomited' WHEN 'top_up' THEN 'top_up'
                    ELSE 'wrong_dose' END) THEN format('is a %s after %s', x.kind, e.kind)
                WHEN x.kind = 'in_error' AND NOT e.blocks THEN 'was given in error, and no review was asked for'
                WHEN x.kind <> 'in_error' AND (e.allowed_mg IS NULL OR e.prescriber_id IS NULL)
                    THEN 'was allowed by nobody'
                WHEN x.kind <> 'in_error' AND x.mg > e.allowed_mg
                    THEN format('is %s mg where %s mg were allowed', x.mg, e.allowed_mg)
                WHEN x.kind = 'replacement' AND x.mg > d.mg
                    THEN format('is %s mg where %s mg were vomited', x.mg, d.mg)
            END AS wrong
            FROM extra_dose x JOIN supply s ON s.id = x.supply_id JOIN dose_exception e ON e.id = x.exception_id
            LEFT JOIN dose d ON d.id = e.dose_id
            WHERE x.voided_at IS NULL) AS judged
        WHERE wrong IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        5,
        "dose {dose_id} of client {client_id} was replaced {times} times",
        """
        SELECT e.dose_id, e.client_id, count(*) AS times
        FROM extra_dose x JOIN dose_exception e ON e.id = x.exception_id
        WHERE x.kind = 'replacement' AND x.voided_at IS NULL
        GROUP BY e.dose_id, e.client_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        5,
        "{kind} exception {id} of client {client_id} is about a dose of another client or day",
        """
        SELECT e.id, e.kind, e.client_id FROM dose_exception e JOIN dose d ON d.id = e.dose_id
        WHERE (d.client_id, d.dose_day) IS DISTINCT FROM (e.client_id, e.dose_day) ORDER BY 1
        """,
    ),
    Check(
        5,
        "dose {id} of client {client_id} for {dose_day} was given before a wrong dose was reviewed",
        f"""
        SELECT d.id, d.client_id, d.dose_day FROM dose_exception e
        JOIN dose d ON d.client_id = e.client_id AND d.dose_day >= e.dose_day AND d.voided_at IS NULL
        JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import' AND s.at > e.recorded_at
            AND (e.closed_at IS NULL OR s.at < e.closed_at)
        WHERE e.blocks AND NOT {not_known("d.site_id", "e.recorded_at", "s.at")} ORDER BY 1
        """,
    ),
)

REDUCTIONS = (
    Check(
        5,
        "client {client_id} has {given} mg for {dose_day} where at most {mg} mg were agreed",
        f"""
        SELECT r.client_id, d.dose_day, r.mg, sum(d.mg) AS given FROM reduction r
        JOIN dose d ON d.client_id = r.client_id AND d.dose_day >= r.from_day AND d.voided_at IS NULL
        WHERE EXISTS (SELECT 1 FROM dose after JOIN supply s ON s.id = after.supply_id AND s.origin <> 'import'
            WHERE after.client_id = d.client_id AND after.dose_day = d.dose_day AND after.voided_at IS NULL
            AND s.at > r.recorded_at AND (r.ended_at IS NULL OR s.at < r.ended_at)
            AND NOT {not_known("after.site_id", "r.recorded_at", "s.at")})
        GROUP BY r.id, d.dose_day HAVING sum(d.mg) > r.mg ORDER BY 1, 2
        """,
    ),
    Check(
        5,
        "client {client_id} has {times} reductions at once",
        """
        SELECT client_id, count(*) AS times FROM reduction WHERE ended_at IS NULL
        GROUP BY client_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        5,
        "reduction {id} of client {client_id} is {mg} mg where the guideline gave {ruled} mg",
        """
        SELECT id, client_id, mg, ruling ->> 'mg' AS ruled FROM reduction
        WHERE mg > (ruling ->> 'mg')::numeric ORDER BY 1
        """,
    ),
)

RETURNS = (
    Check(
        2,
        "bottle {serial} came back full on {returned_on}, and client {client_id} still has its dose",
        """
        SELECT b.serial, r.returned_on, r.client_id
        FROM bottle_return r JOIN bottle b ON b.id = r.bottle_id JOIN dose d ON d.id = b.dose_id AND d.voided_at IS NULL
        WHERE r.is_full ORDER BY 1
        """,
    ),
    Check(
        2,
        "bottle {serial} came back from client {client_id}, and was {what}",
        """
        SELECT b.serial, r.client_id, CASE WHEN b.dose_id IS NULL THEN 'never handed over'
            ELSE 'handed over to another, or for another day' END AS what
        FROM bottle_return r JOIN bottle b ON b.id = r.bottle_id
        WHERE b.dose_id IS NULL OR (b.client_id, b.dose_day) IS DISTINCT FROM (r.client_id, r.dose_day)
        ORDER BY 1
        """,
    ),
)

RECALLS = (
    Check(
        7,
        "client {client_id} has {times} recalls open at once",
        """
        SELECT client_id, count(*) AS times FROM recall WHERE state = 'open'
        GROUP BY client_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        7,
        "recall {id} of client {client_id} is {state} with {counted} bottles counted and {expected} expected",
        """
        SELECT id, client_id, state, coalesce(counted_full::text, 'no') AS counted,
            coalesce(expected_full::text, 'none') AS expected FROM recall
        WHERE (state = 'passed') <> (coalesce(counted_full = expected_full, false)) ORDER BY 1
        """,
    ),
)

PATTERNS = (
    Check(
        7,
        "supply {id} of client {client_id} has a bottle for {dose_day}, which is no day of the weekly pattern",
        f"""
        SELECT s.id, s.client_id, d.dose_day FROM supply s
        JOIN decision c ON c.id = s.decision_id AND c.weekdays IS NOT NULL
        JOIN dose d ON d.supply_id = s.id AND d.kind = 'take_home' AND d.voided_at IS NULL
        WHERE {JUDGED} AND NOT (d.closed_day AND c.closed_days_apart)
            AND NOT (extract(isodow FROM d.dose_day)::int - 1) = ANY (c.weekdays) ORDER BY 1, 3
        """,
    ),
    Check(
        7,
        "with supply {id} client {client_id} has bottles for {days} days in a row where {consecutive} were decided",
        f"""
        WITH in_hand AS (
            SELECT DISTINCT s.id, s.client_id, c.consecutive, d.dose_day,
                bool_or(NOT (d.closed_day AND c.closed_days_apart)) OVER (PARTITION BY s.id, d.dose_day) AS counts
            FROM supply s JOIN decision c ON c.id = s.decision_id AND c.consecutive IS NOT NULL
            JOIN dose d ON d.client_id = s.client_id AND d.kind = 'take_home' AND d.voided_at IS NULL
                AND d.dose_day >= s.dose_day
            JOIN supply given ON given.id = d.supply_id AND given.at <= s.at
            WHERE {JUDGED} AND {KNOWN_THEN} AND EXISTS (SELECT 1 FROM dose own WHERE own.supply_id = s.id
                AND own.kind = 'take_home' AND own.voided_at IS NULL AND NOT (own.closed_day AND c.closed_days_apart))
        ), runs AS (
            SELECT id, client_id, consecutive, counts,
                dose_day - (row_number() OVER (PARTITION BY id ORDER BY dose_day))::int AS run FROM in_hand
        )
        SELECT id, client_id, consecutive, count(*) FILTER (WHERE counts) AS days FROM runs
        GROUP BY id, client_id, consecutive, run HAVING count(*) FILTER (WHERE counts) > consecutive ORDER BY 1
        """,
    ),
)

UNUSUAL = (*EXTRA, *REDUCTIONS, *RETURNS, *RECALLS, *PATTERNS)
