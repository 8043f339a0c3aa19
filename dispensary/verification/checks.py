"""What never breaks, as questions to the tables: each query finds the rows that break one rule, and finds nothing.

The numbers are those of “What never breaks” in the design. A dose is judged by what was in force when it was handed
over: an order that was ended afterwards, a decision that was replaced afterwards and a hold that was placed afterwards
do not make it wrong.
"""

from __future__ import annotations

from dispensary.verification.apart import not_known
from dispensary.verification.bottles import BOTTLES
from dispensary.verification.collecting import COLLECTING
from dispensary.verification.entry import ENTRY
from dispensary.verification.facts import FACTS
from dispensary.verification.guests import GUESTS
from dispensary.verification.hands import HANDS
from dispensary.verification.health import HEALTH
from dispensary.verification.homes import HOMES
from dispensary.verification.in_date import IN_DATE
from dispensary.verification.late import JUDGED, KNOWN_THEN, LATE, RECORDED
from dispensary.verification.phone_pins import PHONE_PINS
from dispensary.verification.queue import QUEUE
from dispensary.verification.refills import REFILLS
from dispensary.verification.safe import PASSES, REGISTER, SUPPLIES, Check
from dispensary.verification.shift import SHIFT
from dispensary.verification.slots import SLOTS
from dispensary.verification.stops import STOPS
from dispensary.verification.unusual import UNUSUAL
from dispensary.verification.wishes import WISHES

COVERAGE = (
    Check(
        1,
        "client {client_id} has portion {portion} of {dose_day} {times} times",
        """
        SELECT client_id, dose_day, portion, count(*) AS times FROM dose WHERE voided_at IS NULL
        GROUP BY client_id, dose_day, portion HAVING count(*) > 1 ORDER BY 1, 2, 3
        """,
    ),
    Check(
        1,
        "client {client_id} has {dose_day} both whole and split, or split in two ways",
        """
        SELECT client_id, dose_day FROM dose WHERE voided_at IS NULL
        GROUP BY client_id, dose_day HAVING count(DISTINCT portions) > 1 ORDER BY 1, 2
        """,
    ),
)

ORDERS = (
    Check(
        4,
        "orders {one} and {other} of episode {episode_id} overlap",
        """
        SELECT a.id AS one, b.id AS other, a.episode_id
        FROM dose_order a JOIN dose_order b ON b.episode_id = a.episode_id AND b.id > a.id AND b.days && a.days
        WHERE a.voided_at IS NULL AND b.voided_at IS NULL ORDER BY 3, 1, 2
        """,
    ),
    Check(
        4,
        "order {id} of episode {episode_id} was superseded from {ends}, and the next begins {next_from}",
        """
        SELECT id, episode_id, upper(days) AS ends, coalesce(next_from::text, 'never') AS next_from FROM (
            SELECT id, episode_id, days, end_reason,
                lead(lower(days)) OVER (PARTITION BY episode_id ORDER BY lower(days)) AS next_from
            FROM dose_order WHERE voided_at IS NULL) AS chain
        WHERE end_reason = 'superseded' AND next_from IS DISTINCT FROM upper(days) ORDER BY 2, 3
        """,
    ),
    Check(
        4,
        "the portions of order {id} do not add up to its {mg} mg",
        """
        SELECT id, mg FROM dose_order
        WHERE mg IS DISTINCT FROM (SELECT sum(part) FROM unnest(portions) AS part) ORDER BY 1
        """,
    ),
    Check(
        4,
        "order {id} belongs to an episode of another client",
        """
        SELECT o.id FROM dose_order o JOIN episode e ON e.id = o.episode_id WHERE e.client_id <> o.client_id ORDER BY 1
        """,
    ),
    Check(
        4,
        "episodes {one} and {other} of client {client_id} overlap",
        """
        SELECT a.id AS one, b.id AS other, a.client_id FROM episode a
        JOIN episode b ON b.client_id = a.client_id AND b.id > a.id
            AND daterange(a.began_on, a.ended_on) && daterange(b.began_on, b.ended_on) ORDER BY 3, 1, 2
        """,
    ),
)

DOSES = (
    Check(
        5,
        "dose {id} of client {client_id} for {dose_day} {wrong}",
        f"""
        SELECT id, client_id, dose_day, wrong FROM (
            SELECT d.id, d.client_id, d.dose_day, CASE
                WHEN o.client_id <> d.client_id THEN 'was given on another client''s order'
                WHEN o.voided_at <= s.at AND NOT {not_known("d.site_id", "o.voided_at", "s.at")}
                    THEN 'was given on an order that had been set aside'
                WHEN NOT o.days @> d.dose_day AND NOT coalesce(s.origin <> 'import' AND o.ended_at >= s.at
                    AND d.dose_day >= upper(o.days), false)
                    AND NOT {not_known("d.site_id", "o.ended_at", "s.at")} THEN 'lies outside the days of its order'
                WHEN d.portions <> cardinality(o.portions) THEN 'is split otherwise than its order'
                WHEN d.mg > o.portions[d.portion]
                    THEN format('is %s mg where the order says %s mg', d.mg, o.portions[d.portion])
            END AS wrong
            FROM dose d JOIN supply s ON s.id = d.supply_id JOIN dose_order o ON o.id = d.order_id
            WHERE d.voided_at IS NULL) AS judged
        WHERE wrong IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        5,
        "dose {id} of client {client_id} for {dose_day} was given while a prescriber held it",
        f"""
        SELECT d.id, d.client_id, d.dose_day FROM hold h
        JOIN dose d ON d.client_id = h.client_id AND h.days @> d.dose_day AND d.voided_at IS NULL
        JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import' AND s.at > h.placed_at
            AND (h.released_at IS NULL OR s.at < h.released_at)
        WHERE NOT {not_known("d.site_id", "h.placed_at", "s.at")} ORDER BY 1
        """,
    ),
)

OUTCOMES = (
    Check(
        6,
        "{dose_day} is closed at site {site_id}, and portion {portion} of client {client_id} has no outcome",
        """
        SELECT c.dose_day, c.site_id, part.portion, o.client_id FROM day_close c
        JOIN client_home h ON h.site_id = c.site_id AND coalesce(h.from_day <= c.dose_day, true)
            AND NOT EXISTS (SELECT 1 FROM client_home n WHERE n.client_id = h.client_id AND n.no > 1 AND n.no > h.no
                AND n.from_day <= c.dose_day)
        JOIN episode e ON e.client_id = h.client_id AND e.began_on <= c.dose_day
            AND (e.ended_on IS NULL OR e.ended_on > c.dose_day)
        JOIN dose_order o ON o.episode_id = e.id AND o.voided_at IS NULL AND c.dose_day >= lower(o.days)
            AND (upper_inf(o.days) OR c.dose_day < upper(o.days)) AND o.ordered_at <= c.closed_at
        CROSS JOIN LATERAL generate_subscripts(o.portions, 1) AS part (portion)
        LEFT JOIN day_outcome f ON f.client_id = o.client_id AND f.dose_day = c.dose_day
            AND (f.portion = part.portion OR f.portions <> cardinality(o.portions))
        WHERE f.client_id IS NULL AND NOT EXISTS (SELECT 1 FROM guest_stay g WHERE g.client_id = o.client_id
            AND g.verified_at IS NOT NULL AND g.days @> c.dose_day) ORDER BY 1, 2, 4, 3
        """,
    ),
    Check(
        6,
        "client {client_id}, portion {portion} of {dose_day} is frozen as {outcome}, and no such dose is on record",
        """
        SELECT f.client_id, f.portion, f.dose_day, f.outcome FROM day_outcome f
        WHERE f.outcome IN ('observed', 'take_home') AND NOT EXISTS (
            SELECT 1 FROM dose d WHERE d.client_id = f.client_id AND d.dose_day = f.dose_day
            AND d.portion = f.portion AND d.kind = f.outcome AND d.mg = f.given_mg) ORDER BY 1, 3, 2
        """,
    ),
    Check(
        6,
        "client {client_id}, portion {portion} of {dose_day} is frozen as {outcome}, and there is a dose for it",
        """
        SELECT f.client_id, f.portion, f.dose_day, f.outcome FROM day_outcome f
        WHERE f.outcome IN ('missed', 'held') AND (f.given_mg <> 0 OR EXISTS (
            SELECT 1 FROM dose d WHERE d.client_id = f.client_id AND d.dose_day = f.dose_day
            AND d.portion = f.portion AND d.voided_at IS NULL)) AND NOT EXISTS (
            SELECT 1 FROM day_correction c WHERE c.client_id = f.client_id AND c.dose_day = f.dose_day
            AND c.portion = f.portion) ORDER BY 1, 3, 2
        """,
    ),
    Check(
        6,
        "client {client_id}, portion {portion} of {dose_day}: frozen with {ordered_mg} mg, not what its order says",
        """
        SELECT f.client_id, f.portion, f.dose_day, f.ordered_mg
        FROM day_outcome f JOIN dose_order o ON o.id = f.order_id
        WHERE o.client_id <> f.client_id OR f.portions <> cardinality(o.portions)
           OR f.ordered_mg IS DISTINCT FROM o.portions[f.portion] ORDER BY 1, 3, 2
        """,
    ),
)

TAKE_HOME = (
    Check(
        7,
        "supply {id} of client {client_id} has bottles without a take-home decision in force",
        f"""
        SELECT DISTINCT s.id, s.client_id FROM supply s
        JOIN dose d ON d.supply_id = s.id AND d.kind = 'take_home' AND d.voided_at IS NULL
        LEFT JOIN decision c ON c.id = s.decision_id
        WHERE {JUDGED} AND (c.id IS NULL OR c.client_id <> s.client_id
            OR (c.voided_at < s.at AND NOT {not_known("s.site_id", "c.voided_at", "s.at")})
            OR s.dose_day < lower(c.days)
            OR (s.dose_day >= upper(c.days) AND NOT EXISTS (
                SELECT 1 FROM decision later WHERE later.episode_id = c.episode_id AND lower(later.days) = upper(c.days)
                AND (later.decided_at >= s.at OR {not_known("s.site_id", "later.decided_at", "s.at")})))) ORDER BY 1
        """,
    ),
    Check(
        7,
        "supply {id} of client {client_id} has bottles for {carried} days where {per_supply} were decided",
        f"""
        SELECT s.id, s.client_id, count(DISTINCT d.dose_day) AS carried, c.per_supply
        FROM supply s JOIN decision c ON c.id = s.decision_id
        JOIN supply given ON given.client_id = s.client_id AND given.at <= s.at
        JOIN dose d ON d.supply_id = given.id AND d.kind = 'take_home' AND d.voided_at IS NULL
            AND d.dose_day >= s.dose_day AND NOT (d.closed_day AND c.closed_days_apart)
        WHERE {JUDGED} AND {KNOWN_THEN} AND given.dose_day >= s.dose_day - 28 AND EXISTS (
            SELECT 1 FROM dose own WHERE own.supply_id = s.id AND own.kind = 'take_home' AND own.voided_at IS NULL
            AND NOT (own.closed_day AND c.closed_days_apart))
        GROUP BY s.id, c.per_supply HAVING count(DISTINCT d.dose_day) > c.per_supply ORDER BY 1
        """,
    ),
    Check(
        7,
        "with supply {id} client {client_id} has bottles for {carried} days of the week of {week}, not {per_week}",
        f"""
        WITH touched AS (
            SELECT DISTINCT s.id, s.client_id, s.at, {RECORDED} AS recorded, c.per_week, c.closed_days_apart,
                date_trunc('week', d.dose_day)::date AS week
            FROM supply s JOIN decision c ON c.id = s.decision_id AND c.per_week IS NOT NULL
            JOIN dose d ON d.supply_id = s.id AND d.kind = 'take_home' AND d.voided_at IS NULL
                AND NOT (d.closed_day AND c.closed_days_apart)
            WHERE {JUDGED}
        )
        SELECT t.id, t.client_id, t.week, t.per_week, count(DISTINCT d.dose_day) AS carried
        FROM touched t
        JOIN dose d ON d.client_id = t.client_id AND d.kind = 'take_home' AND d.voided_at IS NULL
            AND d.dose_day >= t.week AND d.dose_day < t.week + 7 AND NOT (d.closed_day AND t.closed_days_apart)
        JOIN supply earlier ON earlier.id = d.supply_id AND earlier.at <= t.at
            AND NOT EXISTS (SELECT 1 FROM late_entry e WHERE e.supply_id = earlier.id AND e.recorded_at > t.recorded)
        GROUP BY t.id, t.client_id, t.week, t.per_week HAVING count(DISTINCT d.dose_day) > t.per_week ORDER BY 1, 3
        """,
    ),
    Check(
        7,
        "decision {id} cites an assessment of another client or episode",
        """
        SELECT c.id FROM decision c JOIN assessment a ON a.id = c.assessment_id
        WHERE a.client_id <> c.client_id OR a.episode_id <> c.episode_id ORDER BY 1
        """,
    ),
)

CHECKS = (
    *COVERAGE,
    *SUPPLIES,
    *REGISTER,
    *IN_DATE,
    *ORDERS,
    *DOSES,
    *OUTCOMES,
    *TAKE_HOME,
    *PASSES,
    *COLLECTING,
    *UNUSUAL,
    *BOTTLES,
    *STOPS,
    *SHIFT,
    *QUEUE,
    *GUESTS,
    *HOMES,
    *HANDS,
    *LATE,
    *SLOTS,
    *HEALTH,
    *REFILLS,
    *PHONE_PINS,
    *WISHES,
    *FACTS,
    *ENTRY,
)
