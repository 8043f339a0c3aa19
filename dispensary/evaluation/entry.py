"""What was so of a client on the day of entry or of a landmark: the strata of a stay. It reads and never writes.

A stratum that is read later than the time counts from would sort people by what became of them: whoever stayed long
enough for a higher dose or for bottles at home has stayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.evaluation.cohorts import Key
from dispensary.evaluation.known import GIVEN
from dispensary.evaluation.log_rank_rules import Levels
from dispensary.evaluation.rules import Stay
from dispensary.evaluation.strata import STRATA

_ON_DAYS = """
    SELECT * FROM unnest(
        CAST(:clients AS uuid[]), CAST(:numbers AS integer[]), CAST(:first_days AS date[]), CAST(:days AS date[]),
        CAST(:todays AS date[])
    ) AS asked (client_id, number, first_day, on_day, today)
"""
_TAKE_HOME = text(f"""
    SELECT asked.client_id, asked.number
    FROM ({_ON_DAYS}) AS asked
    WHERE EXISTS (
        SELECT 1 FROM ({GIVEN}) AS given
        WHERE given.client_id = asked.client_id AND given.kind = 'take_home'
            AND given.dose_day > asked.first_day AND given.dose_day <= asked.on_day
    )
""")


def levels_on(
    session: ReadSession, *, stays: Sequence[Stay], after_days: int, by: Sequence[str], as_of: datetime
) -> Mapping[Key, Levels]:
    """The value of each of these strata, so many days after each stay began."""
    chosen = [STRATA[key] for key in by]
    values = "".join(f", coalesce(CAST({each.value} AS text), 'unknown')" for each in chosen)
    rows = session.execute(
        text(f"""
            WITH person AS (
                SELECT asked.client_id, asked.number, home.site_id, asked.today, asked.on_day
                FROM ({_ON_DAYS}) AS asked
                CROSS JOIN LATERAL (
                    SELECT h.site_id FROM client_home h
                    WHERE h.client_id = asked.client_id AND coalesce(h.since <= :as_of, true)
                        AND coalesce(h.from_day <= asked.on_day, true)
                    ORDER BY h.no DESC LIMIT 1) AS home
            )
            SELECT person.client_id, person.number{values}
            FROM person
            JOIN client ON client.id = person.client_id
            JOIN site ON site.id = person.site_id
            {" ".join(each.joined for each in chosen)}
        """),
        _bound(stays, after_days, as_of),
    )
    return {(client, number): tuple(levels) for client, number, *levels in rows}


def with_take_home(session: ReadSession, *, stays: Sequence[Stay], after_days: int, as_of: datetime) -> frozenset[Key]:
    """The stays in which the client had had a bottle for a day of the stay, so many days after it began."""
    return frozenset(
        (client, number) for client, number in session.execute(_TAKE_HOME, _bound(stays, after_days, as_of))
    )


def _bound(stays: Sequence[Stay], after_days: int, as_of: datetime) -> dict[str, object]:
    def on(stay: Stay) -> date:
        return stay.first_day + timedelta(days=after_days)

    return {
        "clients": [stay.client_id for stay in stays],
        "numbers": [stay.number for stay in stays],
        "first_days": [stay.first_day for stay in stays],
        "days": [on(stay) for stay in stays],
        "todays": [stay.as_of_day for stay in stays],
        "as_of": as_of,
    }
