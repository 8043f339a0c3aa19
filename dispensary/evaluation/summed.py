"""Facts and records together, as pieces of SQL that measures are made of: what is counted, and elsewhere the records.

A client's facts (`models.py`) say what the records of their closed days up to a day say. They answer for a moment when
everything that was counted was on record by then, and nothing of it was touched since. All other days, and all days of
all other clients, are read from the records, so that an answer never depends on what happens to be counted.
"""

from __future__ import annotations

from dispensary.evaluation.known import HOMES, HOMES_BEFORE, days, given

_OF_SPAN = " AND {0}.client_id = span.client_id AND {0}.dose_day >= span.from_day AND {0}.dose_day < span.until_day"

COUNTED = f"""
    SELECT f.client_id, f.through, f.first_day, f.last_day, f.first_home,
        CAST(date_trunc('month', f.through + 1) AS date) AS open_month
    FROM fact_client f
    JOIN ({HOMES}) AS home ON home.client_id = f.client_id
    JOIN site_day ON site_day.site_id = home.site_id
    WHERE NOT f.touched AND f.known_at <= :as_of AND f.through <= site_day.today
"""
"""Clients whose facts answer for the as-of moment; needs the table `site_day` (site_id, today)."""

GIVEN_IN_SPAN = given(_OF_SPAN.format("d"))
"""Portions that a client had, beside a table `span` (client_id, from_day, until_day), which is not in it any more."""


def days_in_span(*, also: str = "") -> str:
    """A client's days with an outcome or a dose, beside a table `span` (client_id, from_day, until_day)."""
    outcomes = days(_OF_SPAN.format("o"), _OF_SPAN.format("c"))
    return f"""
        SELECT dose_day, count(outcome) > 0 AS closed, coalesce(bool_or(outcome = 'held'), false) AS held,
            coalesce(bool_and(had) FILTER (WHERE outcome IS NOT NULL), false) AS covered, bool_or(had) AS dosed,
            bool_or(carried) AS carried, max(at) AS known_at
        FROM (
            SELECT dose_day, portion, max(outcome) AS outcome, bool_or(had) AS had, bool_or(carried) AS carried,
                max(at) AS at
            FROM (
                SELECT dose_day, portion, outcome, false AS had, false AS carried, at FROM ({outcomes}) AS closed
                UNION ALL
                SELECT dose_day, portion, NULL, true, kind = 'take_home', at FROM ({GIVEN_IN_SPAN}) AS given
                {also}
            ) AS said
            GROUP BY dose_day, portion
        ) AS parts
        GROUP BY dose_day
    """


_LATER = "SELECT 1 AS found FROM {0} AS x WHERE x.client_id = c.client_id AND x.dose_day > c.through{1} LIMIT 1"
"""Whether anything is on record after a client's last counted day."""
_DOSED_LATER = _LATER.format("dose", " AND x.voided_at IS NULL")
_CLOSED_LATER = _LATER.format("day_outcome", "")

SUMS = """
    CAST(count(*) FILTER (WHERE closed AND NOT held) AS integer) AS ordered,
    CAST(count(*) FILTER (WHERE closed AND NOT held AND covered) AS integer) AS covered,
    CAST(count(*) FILTER (WHERE held) AS integer) AS held,
    CAST(count(*) FILTER (WHERE dosed AND NOT closed) AS integer) AS open,
    CAST(count(*) FILTER (WHERE dosed) AS integer) AS dosed,
    CAST(count(*) FILTER (WHERE carried) AS integer) AS carried
"""
"""What a month says of its days: see the table `fact_month`."""

# Of a client whose facts answer, the first and the last month of the period where it has only a part of them, and the
# days after the last counted one, where there are any; of everybody else the whole period. A month into which two of
# them fall is put together.
_SPANS = f"""
    SELECT person.client_id, CAST(:from_day AS date) AS from_day, CAST(:until_day AS date) AS until_day
    FROM person LEFT JOIN counted c ON c.client_id = person.client_id WHERE c.client_id IS NULL
    UNION ALL
    SELECT c.client_id, CAST(:from_day AS date), least(whole.from_month, c.through + 1, CAST(:until_day AS date))
    FROM counted c
    CROSS JOIN whole
    JOIN fact_month m ON m.client_id = c.client_id AND m.month = date_trunc('month', CAST(:from_day AS date))
    WHERE CAST(:from_day AS date) < least(whole.from_month, c.through + 1)
    UNION ALL
    SELECT c.client_id, greatest(whole.until_month, whole.from_month), CAST(:until_day AS date)
    FROM counted c
    CROSS JOIN whole
    JOIN fact_month m ON m.client_id = c.client_id AND m.month = whole.until_month
    WHERE c.through >= CAST(:until_day AS date)
        AND greatest(whole.until_month, whole.from_month) < CAST(:until_day AS date)
    UNION ALL
    SELECT later.client_id, greatest(CAST(:from_day AS date), later.from_day), CAST(:until_day AS date)
    FROM (
        SELECT c.client_id, c.through + 1 AS from_day FROM counted c CROSS JOIN LATERAL ({_DOSED_LATER}) AS dosed
        UNION
        SELECT c.client_id, c.through + 1 FROM counted c CROSS JOIN LATERAL ({_CLOSED_LATER}) AS closed
        UNION
        SELECT c.client_id, c.through + 1 FROM counted c
        JOIN dose d ON d.client_id = c.client_id AND d.dose_day > c.through AND d.voided_at > :as_of
    ) AS later
    WHERE later.from_day < CAST(:until_day AS date)
"""

_OF_FACTS = """
    SELECT m.client_id, m.month, m.ordered, m.covered, m.held, m.open, m.dosed, m.carried
    FROM fact_month m
    JOIN counted c ON c.client_id = m.client_id
    CROSS JOIN whole
    WHERE m.month >= whole.from_month AND (m.month < whole.until_month OR c.through < CAST(:until_day AS date))
        AND {complete}(m.month < c.open_month)
"""

MONTHS = f"""
    WITH counted AS MATERIALIZED ({COUNTED}), whole AS (
        SELECT CAST(date_trunc('month', CAST(:from_day AS date) - 1) + interval '1 month' AS date) AS from_month,
            CAST(date_trunc('month', CAST(:until_day AS date)) AS date) AS until_month
    ), of_records AS (
        SELECT span.client_id, CAST(date_trunc('month', day.dose_day) AS date) AS month, {SUMS}
        FROM ({_SPANS}) AS span
        CROSS JOIN LATERAL ({days_in_span()}) AS day
        GROUP BY span.client_id, CAST(date_trunc('month', day.dose_day) AS date)
    )
    {_OF_FACTS.format(complete="")}
    UNION ALL
    SELECT client_id, month, sum(ordered), sum(covered), sum(held), sum(open), sum(dosed), sum(carried)
    FROM ({_OF_FACTS.format(complete="NOT ")} UNION ALL SELECT * FROM of_records) AS parts
    GROUP BY client_id, month
"""
"""Each client's months of the period with the number of their days of each kind; needs `person` and `site_day`."""

NEVER_DOSED = f"""
    SELECT DISTINCT client.id AS client_id
    FROM client
    JOIN ({HOMES_BEFORE}) AS home ON home.client_id = client.id
    JOIN site_day ON site_day.site_id = home.site_id
    JOIN episode ON episode.client_id = client.id
    LEFT JOIN ({COUNTED}) AS c ON c.client_id = client.id
    LEFT JOIN LATERAL (
        SELECT 1 AS found FROM ({given(" AND c.first_day IS NULL AND d.client_id = client.id")}) AS given LIMIT 1
    ) AS dosed ON true
    WHERE client.made_at <= :as_of AND episode.began_on >= :from_day AND episode.began_on < :until_day
        AND c.first_day IS NULL AND dosed.found IS NULL
"""
"""Clients who began an episode in the period and never had a dose; needs the table `site_day`."""

FIRST_HOME = f"""
    SELECT span.client_id, coalesce(span.first_home, later.first_home) AS first_home
    FROM (
        SELECT person.client_id, c.first_home, CASE WHEN c.first_home IS NULL THEN coalesce(c.through + 1, '-infinity')
            ELSE 'infinity' END AS from_day, CAST('infinity' AS date) AS until_day
        FROM person LEFT JOIN ({COUNTED}) AS c ON c.client_id = person.client_id
    ) AS span
    CROSS JOIN LATERAL (
        SELECT min(dose_day) AS first_home FROM ({GIVEN_IN_SPAN}) AS given WHERE kind = 'take_home'
    ) AS later
"""
"""Each client's first day with a take-home dose, or nothing; needs `person` and `site_day`."""

STAYS = f"""
    WITH counted AS MATERIALIZED ({COUNTED})
    SELECT client_id, number, first_day, last_day, next_day, CASE WHEN told.known THEN ended_on END AS ended_on,
        CASE WHEN told.known THEN exit_reason END AS exit_reason, today
    FROM (
        SELECT DISTINCT ON (stay.client_id, stay.number) stay.client_id, stay.number, stay.first_day, stay.last_day,
            stay.next_day, stay.today, e.ended_on, e.exit_reason
        FROM (
            SELECT client_id, number, today, min(first_day) AS first_day, max(last_day) AS last_day,
                lead(min(first_day)) OVER (PARTITION BY client_id ORDER BY number) AS next_day
            FROM (
                SELECT client_id, first_day, last_day, today,
                    sum(begins) OVER (PARTITION BY client_id ORDER BY first_day) AS number
                FROM (
                    SELECT stretch.client_id, first_day, last_day, site_day.today,
                        CASE WHEN first_day - lag(last_day) OVER one - 1 <= :gap_days THEN 0 ELSE 1 END AS begins
                    FROM (
                        SELECT client_id, begins AS first_day,
                            coalesce(lead(before) OVER (PARTITION BY client_id ORDER BY begins), last_day) AS last_day
                        FROM (
                            SELECT client_id, first_day AS begins, CAST(NULL AS date) AS before, last_day
                            FROM counted WHERE first_day IS NOT NULL
                            UNION ALL
                            SELECT c.client_id, g.next_day, g.last_day, c.last_day
                            FROM counted c JOIN fact_gap g ON g.client_id = c.client_id
                            WHERE g.next_day - g.last_day - 1 > :gap_days
                        ) AS of_facts
                        UNION ALL
                        SELECT span.client_id, given.dose_day, given.dose_day
                        FROM (
                            SELECT home.client_id, coalesce(c.through + 1, '-infinity') AS from_day,
                                site_day.today + 1 AS until_day
                            FROM ({HOMES_BEFORE}) AS home
                            JOIN site_day ON site_day.site_id = home.site_id
                            LEFT JOIN counted c ON c.client_id = home.client_id
                        ) AS span
                        CROSS JOIN LATERAL (SELECT DISTINCT dose_day FROM ({GIVEN_IN_SPAN}) AS of_records) AS given
                    ) AS stretch
                    JOIN ({HOMES_BEFORE}) AS home ON home.client_id = stretch.client_id
                    JOIN site_day ON site_day.site_id = home.site_id
                    WINDOW one AS (PARTITION BY stretch.client_id ORDER BY first_day)
                ) AS marked
            ) AS numbered
            GROUP BY client_id, number, today
        ) AS stay
        LEFT JOIN episode e ON e.client_id = stay.client_id AND e.began_on <= stay.last_day
        ORDER BY stay.client_id, stay.number, e.began_on DESC NULLS LAST
    ) AS followed
    CROSS JOIN LATERAL (
        SELECT ended_on <= today AND ended_on <= coalesce(next_day, 'infinity') AND NOT EXISTS (
            SELECT 1 FROM audit_entry a
            WHERE a.subject_id = followed.client_id AND a.at > :as_of AND a.act = 'ended episode'
                AND CAST(a.details AS jsonb) ->> 'ended_on' = CAST(followed.ended_on AS text)
        ) AS known
    ) AS told
"""
"""Time with doses, without a gap of more than `:gap_days` whole days (at least one); needs the table `site_day`."""
