"""Counting the facts: as days close, and anew for clients of whom something was learned afterwards.

Triggers mark a client as touched when a dose, an outcome or a correction of a counted day is written; nothing reads the
facts of a touched client. So a fact that is there is true, and one that is not there costs time and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import text

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.evaluation.summed import SUMS, days_in_span
from dispensary.units import ClientId

WITH_THE_CLOSE = 35
"""The longest uncounted past, in days, that is counted while a day closes and its clients are locked."""
AT_ONCE = 50
"""Clients counted in one unit of work: they are locked for a fraction of a second."""
_ALL = 1_000_000

_OF_SPAN = "client_id = span.client_id AND dose_day >= span.from_day AND dose_day < span.until_day"
# What was undone was known once: a moment before that is answered from the records.
_UNDONE = f"""
    UNION ALL SELECT dose_day, portion, NULL, false, false, voided_at FROM dose
    WHERE voided_at IS NOT NULL AND {_OF_SPAN}
    UNION ALL SELECT dose_day, portion, NULL, false, false, at FROM day_correction WHERE {_OF_SPAN}
"""
_EACH_DAY = days_in_span(also=_UNDONE).replace(":as_of", "CAST('infinity' AS timestamptz)")

_MONTHS = f"""
    SELECT day.client_id, CAST(date_trunc('month', dose_day) AS date) AS month, {SUMS}
    FROM day GROUP BY day.client_id, CAST(date_trunc('month', dose_day) AS date)
    HAVING bool_or(closed OR dosed)
"""
_GAPS = """
    SELECT client_id, dose_day AS next_day, before AS last_day
    FROM (
        SELECT day.client_id, dose_day,
            coalesce(lag(dose_day) OVER (PARTITION BY day.client_id ORDER BY dose_day), span.last_day) AS before
        FROM day JOIN span ON span.client_id = day.client_id
        WHERE dosed
    ) AS followed
    WHERE dose_day - before > 2
"""
_CLIENTS = """
    SELECT span.client_id, span.until_day - 1 AS through, max(day.known_at) AS known_at,
        min(dose_day) FILTER (WHERE dosed) AS first_day, max(dose_day) FILTER (WHERE dosed) AS last_day,
        min(dose_day) FILTER (WHERE carried) AS first_home
    FROM span JOIN day ON day.client_id = span.client_id
    GROUP BY span.client_id, span.until_day
"""

_COUNT = text(f"""
WITH span AS MATERIALIZED (
    SELECT asked.client_id, coalesce(f.through + 1, '-infinity') AS from_day, closed.last + 1 AS until_day, f.last_day
    FROM unnest(CAST(:clients AS uuid[])) AS asked (client_id)
    LEFT JOIN fact_client f ON f.client_id = asked.client_id
    CROSS JOIN LATERAL (
        SELECT min(o.dose_day) AS first, max(o.dose_day) AS last FROM day_outcome o
        WHERE o.client_id = asked.client_id AND o.dose_day > coalesce(f.through, '-infinity')
    ) AS closed
    WHERE NOT coalesce(f.touched, false) AND closed.last > coalesce(f.through, closed.first - 1)
        AND closed.last - coalesce(f.through, closed.first - 1) <= :most_days
), day AS MATERIALIZED (
    SELECT span.client_id, each.* FROM span CROSS JOIN LATERAL ({_EACH_DAY}) AS each
), months AS (
    INSERT INTO fact_month AS m (client_id, month, ordered, covered, held, open, dosed, carried) {_MONTHS}
    ON CONFLICT (client_id, month) DO UPDATE SET ordered = m.ordered + excluded.ordered,
        covered = m.covered + excluded.covered, held = m.held + excluded.held, open = m.open + excluded.open,
        dosed = m.dosed + excluded.dosed, carried = m.carried + excluded.carried
), gaps AS (
    INSERT INTO fact_gap (client_id, next_day, last_day) {_GAPS}
)
INSERT INTO fact_client AS f (client_id, through, known_at, first_day, last_day, first_home, touched)
SELECT client_id, through, known_at, first_day, last_day, first_home, false FROM ({_CLIENTS}) AS counted
ON CONFLICT (client_id) DO UPDATE SET through = excluded.through,
    known_at = greatest(f.known_at, excluded.known_at), first_day = coalesce(f.first_day, excluded.first_day),
    last_day = coalesce(excluded.last_day, f.last_day), first_home = coalesce(f.first_home, excluded.first_home)
""")

_FORGET = tuple(
    text(f"DELETE FROM {table} WHERE client_id = ANY(CAST(:clients AS uuid[]))")
    for table in ("fact_month", "fact_gap", "fact_client")
)

# Whoever is being dosed at this moment is left for the next time.
_NEXT = """
SELECT client.id FROM client LEFT JOIN fact_client f ON f.client_id = client.id
WHERE client.id > :after AND {which} ORDER BY client.id LIMIT :most FOR NO KEY UPDATE OF client{waits}
"""
_BEHIND = text(
    _NEXT.format(
        which="""(f.touched OR EXISTS (SELECT 1 FROM day_outcome o WHERE o.client_id = client.id
            AND o.dose_day > coalesce(f.through, '-infinity')))""",
        waits=" SKIP LOCKED",
    )
)
_EVERYBODY = text(_NEXT.format(which="true", waits=""))
_TOUCHED = text("SELECT client_id FROM fact_client WHERE touched AND client_id = ANY(CAST(:clients AS uuid[]))")

DIFFERENCES = f"""
SELECT fact.client_id
FROM fact_client AS fact
CROSS JOIN LATERAL (
    WITH span AS (
        SELECT fact.client_id, CAST('-infinity' AS date) AS from_day, fact.through + 1 AS until_day,
            CAST(NULL AS date) AS last_day
    ), day AS MATERIALIZED (
        SELECT span.client_id, each.* FROM span CROSS JOIN LATERAL ({_EACH_DAY}) AS each
    )
    SELECT
        (SELECT jsonb_agg(to_jsonb(m) ORDER BY month) FROM ({_MONTHS}) AS m) IS NOT DISTINCT FROM
        (SELECT jsonb_agg(to_jsonb(m) ORDER BY month) FROM fact_month m WHERE m.client_id = fact.client_id)
        AND
        (SELECT jsonb_agg(to_jsonb(g) ORDER BY next_day) FROM ({_GAPS}) AS g) IS NOT DISTINCT FROM
        (SELECT jsonb_agg(to_jsonb(g) ORDER BY next_day) FROM fact_gap g WHERE g.client_id = fact.client_id)
        AND
        (SELECT to_jsonb(c) FROM ({_CLIENTS}) AS c) IS NOT DISTINCT FROM to_jsonb(fact) - 'touched'
        AND EXISTS (SELECT 1 FROM day_outcome o WHERE o.client_id = fact.client_id AND o.dose_day = fact.through)
        AS same
) AS again
WHERE NOT fact.touched AND NOT again.same
UNION ALL
SELECT client_id FROM (
    SELECT client_id FROM fact_month UNION SELECT client_id FROM fact_gap EXCEPT SELECT client_id FROM fact_client
) AS nobody
"""
"""The clients whose facts are not what their records say. One client after the other is read."""


def count_with_the_close(session: WriteSession, *, client_ids: Sequence[ClientId]) -> None:
    """Adds the days that have just closed to the facts of these clients, who are locked already.

    Whoever has a long uncounted past, or was touched, is left for `count_next`, so that a close stays short.
    """
    session.execute(_COUNT, {"clients": list(client_ids), "most_days": WITH_THE_CLOSE})


def count_next(session: WriteSession, *, after: UUID, anew: bool = False) -> UUID | None:
    """Counts the next clients after this one who are not counted to the end; nothing when there is none.

    Whoever was touched is counted from the first day, with `anew` everybody. They are locked meanwhile.
    """
    chosen = session.scalars(_EVERYBODY if anew else _BEHIND, {"after": after, "most": AT_ONCE}).all()
    if not chosen:
        return None
    forgotten = chosen if anew else session.scalars(_TOUCHED, {"clients": list(chosen)}).all()
    for statement in _FORGET if forgotten else ():
        session.execute(statement, {"clients": list(forgotten)})
    session.execute(_COUNT, {"clients": list(chosen), "most_days": _ALL})
    return UUID(str(chosen[-1]))


def count_behind(
    database: Database, *, anew: bool = False, told: Callable[[int], object] = lambda clients: None
) -> int:
    """Counts everybody who is not counted to the end, each few in a unit of work of their own. Says how many.

    With `anew` everybody is counted from the first day. `told` is told how many are done.
    """
    last: UUID | None = UUID(int=0)
    batches = 0
    while last is not None:
        after = last

        def work(session: WriteSession, after: UUID = after) -> UUID | None:
            return count_next(session, after=after, anew=anew)

        last = database.write(work)
        batches += last is not None
        told(batches * AT_ONCE)
    return batches


def differing(session: ReadSession) -> list[UUID]:
    """The clients whose facts are not what their records say."""
    return sorted(set(session.scalars(text(DIFFERENCES), execution_options={"yield_per": AT_ONCE})))
