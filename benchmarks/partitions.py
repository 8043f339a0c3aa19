"""Would a table that grows be better in parts? The same rows in one table and in partitions, asked the same in turns.

    python -m benchmarks.partitions 20000 3              dose days by month: clients and years
    python -m benchmarks.partitions 4000 0.5 100         the audit trail by site: clients, years and sites
    python -m benchmarks.partitions 2000 2 20 month      all that can lie in months, as `dispensary divide` makes them

What a clinic asks of dose days: a client's days of two weeks and of all time, whether a day is covered, one more day.
Of the trail: one more entry, with its link of the chain; a page of a site's last ones; its looks of a month; all that
was done about a client, wherever it was; the entry of a number, as an anchor asks for it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta

import psycopg
from psycopg.rows import dict_row

from benchmarks.country import build
from benchmarks.country_life import live
from benchmarks.figures import Figure, of_rounds, ratio, say, table
from benchmarks.ground import Ground, ground
from dispensary.parts.dividing import divide_by_month
from dispensary.parts.tables import BY_MONTH

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


TRAIL, TRAIL_PARTS, PARTS_OF_TRAIL = "audit_entry", "audit_by_site", 16
OF_TRAIL = {
    "one more entry": """INSERT INTO {table} (site_id, seq, at, account_id, act, subject, subject_id, details,
        previous, hash) SELECT %(site)s, length + 1, now(), NULL, 'looked at', 'client', %(client)s, '{{}}', head, head
        FROM audit_chain WHERE site_id = %(site)s""",
    "a page of a site's last entries": "SELECT * FROM {table} WHERE site_id = %(site)s ORDER BY seq DESC LIMIT 50",
    "the entry of a number": "SELECT hash FROM {table} WHERE site_id = %(site)s AND seq = 5",
    "a site's looks of a month": """SELECT count(*) FROM {table} WHERE site_id = %(site)s AND act = 'looked at'
        AND at > now() - interval '30 days'""",
    "all about a client, home's chain": """SELECT count(*) FROM {table} AS e WHERE subject_id = %(client)s AND EXISTS
        (SELECT FROM client c WHERE c.id = e.subject_id AND c.site_id = e.site_id)""",
    "all about a client, when their site is said": """SELECT count(*) FROM {table} WHERE subject_id = %(client)s
        AND site_id = %(site)s""",
}


def of_trail(on: Ground, *, clients: int, years: float, sites: int) -> list[Figure]:
    """The audit trail in one table, and in sixteen by a digest of the site, each looked into by an index."""
    on.copy(NAME)
    with on.database(NAME) as database:
        live(database, build(database, clients=clients, years=years, sites=sites))
    with psycopg.connect(on.url_of(NAME).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"CREATE TABLE {TRAIL_PARTS} (LIKE {TRAIL} INCLUDING ALL) PARTITION BY HASH (site_id)")
        for part in range(PARTS_OF_TRAIL):
            connection.execute(
                f"CREATE TABLE {TRAIL_PARTS}_{part} PARTITION OF {TRAIL_PARTS}"
                f" FOR VALUES WITH (MODULUS {PARTS_OF_TRAIL}, REMAINDER {part})"
            )
        connection.execute(f"INSERT INTO {TRAIL_PARTS} SELECT * FROM {TRAIL}")
        connection.execute("VACUUM (ANALYZE)")
        say(f"partitions: {connection.execute(f'SELECT count(*) FROM {TRAIL_PARTS}').fetchone()} entries in both")
        people = connection.execute("SELECT id, site_id FROM client ORDER BY id LIMIT %s", (LOOKS,)).fetchall()
        figures: list[Figure] = []
        for about, sql in OF_TRAIL.items():
            took: dict[str, list[float]] = {TRAIL: [], TRAIL_PARTS: []}
            for number in range(ROUNDS + 1):  # the first one warms up
                for name in sorted(took, reverse=bool(number % 2)):
                    with connection.transaction(force_rollback=True):
                        began = time.perf_counter()
                        for client, site in people:
                            connection.execute(  # numbers of a chain are given once: each entry makes room for the next
                                sql.format(table=name), {"client": client, "site": site}
                            )
                            if "INSERT" in sql:
                                connection.execute(
                                    "UPDATE audit_chain SET length = length + 1 WHERE site_id = %s", (site,)
                                )
                        if number:
                            took[name].append((time.perf_counter() - began) / len(people) * 1000)
            one = of_rounds(NAME, f"{about}, one table", took[TRAIL], "ms")
            parts = of_rounds(NAME, f"{about}, by site", took[TRAIL_PARTS], "ms")
            figures += [one, parts, ratio(NAME, f"{about}, by site to one table", parts, one)]
        return figures


IN_MONTHS = f"{NAME}_in_months"
OF_MONTHS = {
    "a client's last two weeks": "SELECT * FROM day_outcome WHERE client_id = %(client)s AND dose_day > %(day)s - 14",
    "one day of one client": "SELECT FROM day_outcome WHERE client_id = %(client)s AND dose_day = %(day)s",
    "a client's days of all time": "SELECT count(*) FROM day_outcome WHERE client_id = %(client)s",
    "a client's last day": "SELECT max(dose_day) FROM day_outcome WHERE client_id = %(client)s",
    "one more day": """INSERT INTO day_outcome SELECT client_id, %(day)s + 1, portion, portions, site_id, episode_id,
        order_id, ordered_mg, given_mg, outcome, frozen_at FROM day_outcome
        WHERE client_id = %(client)s AND dose_day = %(day)s""",
    "a page of the register": "SELECT * FROM register_line WHERE book_id = %(book)s AND dose_day = %(day)s",
    "the register's last line": "SELECT balance FROM register_line WHERE book_id = %(book)s ORDER BY seq DESC LIMIT 1",
    "a line by its number": "SELECT FROM register_line WHERE id = %(line)s",
    "one more line": """INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('id',
        gen_random_uuid(), 'dose_day', %(day)s::date, 'seq', 1000000000 + (random() * 1e12)::bigint))).*
        FROM register_line l WHERE id = %(line)s AND dose_day = %(of)s""",
    "a site's looks of a month": """SELECT count(*) FROM audit_entry WHERE site_id = %(site)s AND act = 'looked at'
        AND at >= %(day)s::date - 30 AND at <= %(day)s::date""",
    "a page of a site's last entries": "SELECT * FROM audit_entry WHERE site_id = %(site)s ORDER BY seq DESC LIMIT 50",
    "the entry of a number": "SELECT hash FROM audit_entry WHERE site_id = %(site)s AND seq = 5",
    "all about a client": "SELECT count(*) FROM audit_entry WHERE subject_id = %(client)s",
    "one more entry": """INSERT INTO audit_entry SELECT (jsonb_populate_record(e, jsonb_build_object('at',
        %(day)s::date, 'seq', 1000000000 + (random() * 1e12)::bigint))).* FROM audit_entry e
        WHERE site_id = %(site)s AND seq = 5 AND at = %(at)s""",
}


def of_months(on: Ground, *, clients: int, years: float, sites: int) -> list[Figure]:
    """The same country whole and in months, asked the same in turns; what a table's own guards do is left out."""
    on.copy(NAME)
    with on.database(NAME) as database:
        country = build(database, clients=clients, years=years, sites=sites)
        live(database, country)
    on.copy(IN_MONTHS, NAME)
    with on.database(IN_MONTHS) as database:
        for name in BY_MONTH:
            done = divide_by_month(database, name, today=country.today, progress=lambda done, total, within: None)
            say(f"{name}: {done.rows:,} rows, {done.into}, {done.seconds:.1f} s")
    names = (NAME, IN_MONTHS)
    both = [psycopg.connect(on.url_of(name).replace("+psycopg", ""), autocommit=True) for name in names]
    for connection in both:
        connection.execute("SET session_replication_role = replica")
        connection.execute("VACUUM (ANALYZE)")
    day = country.today - timedelta(days=1)
    with both[0].cursor(row_factory=dict_row) as cursor:
        people = cursor.execute(_ASKED_OF, {"day": day, "most": LOOKS}).fetchall()
    figures: list[Figure] = []
    for about, sql in OF_MONTHS.items():
        took: list[list[float]] = [[], []]
        for number in range(ROUNDS + 1):  # the first one warms up
            for which in (0, 1) if number % 2 else (1, 0):
                with both[which].transaction(force_rollback=True):
                    began = time.perf_counter()
                    for values in people:
                        both[which].execute(sql, values)  # type: ignore[call-overload]
                    if number:
                        took[which].append((time.perf_counter() - began) / len(people) * 1000)
        whole, months = (of_rounds(NAME, f"{about}, {how}", took[n], "ms") for n, how in ((0, "whole"), (1, "months")))
        figures += [whole, months, ratio(NAME, f"{about}, months to whole", months, whole)]
    return figures


_ASKED_OF = """
SELECT o.client_id AS client, o.site_id AS site, b.id AS book, l.id AS line, l.dose_day AS of, e.at, o.dose_day AS day
FROM day_outcome o JOIN register_book b ON b.site_id = o.site_id
JOIN audit_entry e ON e.site_id = o.site_id AND e.seq = 5
CROSS JOIN LATERAL (SELECT id, dose_day FROM register_line WHERE book_id = b.id
    ORDER BY md5(id::text || o.client_id) LIMIT 1) AS l
WHERE o.dose_day = %(day)s ORDER BY o.client_id LIMIT %(most)s
"""


def run(on: Ground, *, clients: int, years: float) -> list[Figure]:
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
    numbers, by_month = sys.argv[1:], sys.argv[-1] == "month"
    clients, years, *sites = (float(word) for word in numbers[: len(numbers) - by_month])
    with ground() as here:
        if by_month:
            print(table(of_months(here, clients=int(clients), years=years, sites=int(sites[0]))))
        elif sites:
            print(table(of_trail(here, clients=int(clients), years=years, sites=int(sites[0]))))
        else:
            print(table(run(here, clients=int(clients), years=years)))


if __name__ == "__main__":
    main()
