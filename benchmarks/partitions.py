"""Would dose days be better in a table for each month? The same rows in one table and in partitions, asked the same.

    python -m benchmarks.partitions 20000 3        clients and years

What a clinic asks of them: a client's days of two weeks and of all time, whether a day is covered, one more day.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta

import psycopg

from benchmarks.country import build
from benchmarks.figures import Figure, of_rounds, ratio, say, table
from benchmarks.ground import Ground, ground

NAME = "partitions"
ROUNDS, LOOKS = 5, 400
WHOLE, PARTS = "day_outcome", "day_by_month"

ASKED = {
    "a client's last two weeks": "SELECT * FROM {table} WHERE client_id = %(client)s AND dose_day > %(day)s - 14",
    "a client's days of all time": "SELECT count(*) FROM {table} WHERE client_id = %(client)s",
    "a client's last dose": "SELECT max(dose_day) FROM {table} WHERE client_id = %(client)s AND outcome = 'observed'",
    "one day of one client": "SELECT outcome FROM {table} WHERE client_id = %(client)s AND dose_day = %(day)s",
}
_MORE = """
INSERT INTO {table} SELECT client_id, %(day)s + 1 + %(round)s, portion, portions, site_id, episode_id, order_id,
    ordered_mg, given_mg, outcome, frozen_at FROM {table} WHERE client_id = %(client)s AND dose_day = %(day)s
"""


def run(on: Ground, *, clients: int, years: int) -> list[Figure]:
    on.copy(NAME)
    with on.database(NAME) as database:
        country = build(database, clients=clients, years=years)
    with psycopg.connect(on.url_of(NAME).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        _copy(connection, country.first, country.today)
        rows = connection.execute(
            "SELECT client_id FROM day_outcome WHERE dose_day = %s ORDER BY client_id LIMIT %s",
            (country.today - timedelta(days=1), LOOKS),
        )
        people = [row[0] for row in rows]
        return [*_asked(connection, people, country.today - timedelta(days=1))]


def _copy(connection: psycopg.Connection[tuple[object, ...]], first: date, today: date) -> None:
    """The same rows by months, with the same key."""
    connection.execute(f"CREATE TABLE {PARTS} (LIKE {WHOLE} INCLUDING ALL) PARTITION BY RANGE (dose_day)")
    month = first.replace(day=1)
    while month <= today + timedelta(days=40):
        after = (month + timedelta(days=32)).replace(day=1)
        name = f"{PARTS}_{month:%Y_%m}"
        connection.execute(f"CREATE TABLE {name} PARTITION OF {PARTS} FOR VALUES FROM ('{month}') TO ('{after}')")
        month = after
    connection.execute(f"INSERT INTO {PARTS} SELECT * FROM {WHOLE}")
    connection.execute("VACUUM (ANALYZE)")
    say(f"partitions: {connection.execute(f'SELECT count(*) FROM {PARTS}').fetchone()} rows in both")


def _asked(connection: psycopg.Connection[tuple[object, ...]], people: Sequence[object], day: date) -> Sequence[Figure]:
    figures = []
    for about, sql in {**ASKED, "one more day": _MORE}.items():
        both = []
        for name in (WHOLE, PARTS):
            rounds = []
            for number in range(ROUNDS):
                began = time.perf_counter()
                for client in people:
                    values = {"client": client, "day": day, "round": number}
                    connection.execute(sql.format(table=name), values)  # type: ignore[call-overload]
                rounds.append((time.perf_counter() - began) / len(people) * 1000)
            both.append(
                of_rounds(NAME, f"{about}, {'one table' if name == WHOLE else 'a table a month'}", rounds, "ms")
            )
        figures += [*both, ratio(NAME, f"{about}, months to one table", both[1], both[0])]
    return figures


def main() -> None:
    clients, years = (int(word) for word in sys.argv[1:3])
    with ground() as here:
        print(table(run(here, clients=clients, years=years)))


if __name__ == "__main__":
    main()
