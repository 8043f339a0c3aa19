"""Reading facts as they were known at a moment: covered days, stays, outcomes of dose days. It reads and never writes.

A fact counts when it was on record by the as-of moment: a dose when it was handed over by then and not undone by then,
imported history when it was brought in by then, the outcome of a day when the day was closed by then. So an export of
the same moment finds the same facts, whatever was recorded since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.evaluation.known import DAYS, GIVEN, HOMES_BEFORE, given
from dispensary.evaluation.rules import Stay
from dispensary.evaluation.summed import NEVER_DOSED, STAYS
from dispensary.staff.queries import Place

_ROWS_AT_ONCE = 5000

_SITE_DAY = "SELECT * FROM unnest(CAST(:sites AS uuid[]), CAST(:days AS date[])) AS known (site_id, today)"

_STAYS = text(f"""
WITH site_day AS ({_SITE_DAY})
SELECT stay.client_id, stay.number, stay.first_day, stay.last_day, stay.next_day IS NOT NULL, stay.ended_on,
    stay.exit_reason, stay.today
FROM ({STAYS}) AS stay
ORDER BY stay.client_id, stay.number
""")

_NEVER_DOSED = text(f"""
WITH site_day AS ({_SITE_DAY})
SELECT count(*) FROM ({NEVER_DOSED}) AS never
""")

_COVERED = given(" AND d.client_id = o.client_id AND d.dose_day = o.dose_day AND d.portion = o.portion")
"""Looked up day by day: a join of all with all is what PostgreSQL takes for the better while it has not counted a table
that has just been filled, and it takes hours."""

_DOSE_DAYS = text(f"""
WITH numbered AS (
    SELECT client_id, episode_id, dense_rank() OVER (PARTITION BY client_id ORDER BY min(dose_day)) AS number
    FROM day_outcome
    WHERE frozen_at <= :as_of
    GROUP BY client_id, episode_id
)
SELECT asked.place, numbered.number, o.dose_day - episode.began_on AS day, o.portion, o.portions, o.ordered_mg,
    o.given_mg, o.outcome, EXISTS ({_COVERED}) AS covered,
    o.dose_day >= asked.from_day AND o.dose_day < asked.until_day AS in_window
FROM unnest(CAST(:clients AS uuid[]), CAST(:from_days AS date[]), CAST(:until_days AS date[]))
    WITH ORDINALITY AS asked (client_id, from_day, until_day, place)
JOIN ({DAYS}) AS o ON o.client_id = asked.client_id
JOIN episode ON episode.id = o.episode_id
JOIN numbered ON numbered.client_id = o.client_id AND numbered.episode_id = o.episode_id
WHERE o.dose_day >= :from_day AND o.dose_day < :until_day
ORDER BY asked.place, o.dose_day, o.portion
""")

_NOT_CLOSED = text(f"""
SELECT count(*)
FROM (SELECT DISTINCT given.client_id, given.dose_day
      FROM ({GIVEN}) AS given
      JOIN ({HOMES_BEFORE}) AS home ON home.client_id = given.client_id
          AND home.site_id = ANY(CAST(:sites AS uuid[]))
      WHERE given.dose_day >= :from_day AND given.dose_day < :until_day
        AND NOT EXISTS (SELECT 1 FROM day_outcome o WHERE o.client_id = given.client_id
                        AND o.dose_day = given.dose_day AND o.frozen_at <= :as_of)) AS still_open
""")

_CLIENTS = text(f"""
SELECT client.id FROM client JOIN ({HOMES_BEFORE}) AS home ON home.client_id = client.id
WHERE home.site_id = ANY(CAST(:sites AS uuid[])) AND client.made_at <= :as_of AND EXISTS (
    SELECT 1 FROM day_outcome o WHERE o.client_id = client.id AND o.dose_day >= :from_day AND o.dose_day < :until_day
        AND o.frozen_at <= :as_of)
""")


@dataclass(frozen=True, slots=True)
class DoseDayRow:
    """One portion of a closed dose day."""

    place: int
    """Which of the clients that were asked for, from 1."""
    episode: int
    day: int
    """0 is the day on which the episode began."""
    portion: int
    portions: int
    ordered_mg: Decimal
    given_mg: Decimal
    outcome: str
    covered: bool
    """Whether the client had it; a bottle that came back full no longer counts."""
    in_window: bool
    """Whether it is a day of those that were asked for of this client."""


@dataclass(frozen=True)
class Period:
    """Days from the first up to, not including, `until`."""

    from_day: date
    until_day: date


def stays(
    session: ReadSession, *, places: Sequence[Place], gap_days: int, until_day: date, as_of: datetime
) -> list[Stay]:
    """Every stay of those whose home was one of these sites on the last day before `until_day`, client by client.

    Whichever site gave the doses: who moves within the programme has not left it, and no stay ends by it.

    A stay goes on over a gap of at most `gap_days` whole days without a dose.
    """
    session.execute(text("SET LOCAL jit = off"))  # many small reads are not worth compiling
    rows = session.execute(_STAYS, {**_at(places, as_of), "gap_days": gap_days, "until_day": until_day})
    return [Stay(*row) for row in rows]


def never_dosed(session: ReadSession, *, places: Sequence[Place], period: Period, as_of: datetime) -> int:
    """How many clients of the sites began an episode in the period and never had a dose."""
    return int(session.execute(_NEVER_DOSED, {**_at(places, as_of), **_days(period)}).scalar_one())


def clients(session: ReadSession, *, places: Sequence[Place], period: Period, as_of: datetime) -> list[UUID]:
    """The clients of these sites who have a closed dose day in the period, in no order."""
    return list(session.scalars(_CLIENTS, {**_at(places, as_of), **_days(period)}))


def dose_days(
    session: ReadSession, *, windows: Mapping[UUID, Period], period: Period, as_of: datetime
) -> Iterator[DoseDayRow]:
    """The closed dose days of these clients in the period, in their order, each within their window or not.

    Rows stay on the server until they are read.
    """
    session.execute(text("SET LOCAL cursor_tuple_fraction = 1"))  # all rows are read: plan for the last, not the first
    rows = session.execute(
        _DOSE_DAYS,
        {
            "clients": list(windows),
            "from_days": [window.from_day for window in windows.values()],
            "until_days": [window.until_day for window in windows.values()],
            "as_of": as_of,
            **_days(period),
        },
        execution_options={"yield_per": _ROWS_AT_ONCE},
    )
    for row in rows:
        yield DoseDayRow(*row)


def doses_on_open_days(session: ReadSession, *, places: Sequence[Place], period: Period, as_of: datetime) -> int:
    """How many client days have a dose and were not closed yet."""
    return int(session.execute(_NOT_CLOSED, {**_at(places, as_of), **_days(period)}).scalar_one())


def _at(places: Sequence[Place], as_of: datetime) -> dict[str, object]:
    return {
        "sites": [place.id for place in places],
        "days": [place.dose_day(as_of) for place in places],
        "as_of": as_of,
    }


def _days(period: Period) -> Mapping[str, date]:
    return {"from_day": period.from_day, "until_day": period.until_day}
