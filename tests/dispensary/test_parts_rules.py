"""No key and no guard of a divided table says less than it said of the whole one, whoever attacks it and where."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from dispensary.database import Database
from dispensary.units import new_id
from dispensary.wall import DESK
from tests.builders import Clinic
from tests.dispensary.parts_place import WAYS, other, parts_of, queued, straight, worked


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return worked(database, now)


@pytest.fixture(params=WAYS)
def parted(place: Clinic, request: pytest.FixtureRequest) -> Clinic:
    request.param(place.database)
    return place


def test_what_is_only_added_to_is_only_added_to_in_each_part_too(parted: Clinic) -> None:
    with straight(parted.database) as connection:
        for table, column in (("audit_entry", "act"), ("day_outcome", "outcome"), ("register_line", "reason")):
            own = connection.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {table}").fetchall()
            for name in (table, *(row[0] for row in own)):
                for how in (f"UPDATE {name} SET {column} = 'x'", f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE"):
                    with pytest.raises(errors.CheckViolation, match=f"{table} is only ever added to"):
                        connection.execute(how)


def at_once(database: Database, *acts: Callable[[psycopg.Connection[Any]], object], level: str = "") -> list[str]:
    """What each act ends with, each in a transaction that is open before another commits: OK, or what refused it."""
    begun = threading.Barrier(len(acts))

    def one(act: Callable[[psycopg.Connection[Any]], object]) -> str:
        with straight(database, replica=True) as connection:
            connection.execute(f"SET default_transaction_isolation = '{level or 'read committed'}'")
            try:
                with connection.transaction():
                    connection.execute("SELECT 1 FROM site")  # the moment that it sees is before the others' acts
                    begun.wait(20)
                    act(connection)
                return "OK"
            except errors.UniqueViolation as reason:
                return str(reason.diag.constraint_name)
            except errors.SerializationFailure:
                return "serialization"

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(one, acts), key=lambda name: (name != "OK", name))


_numbers = itertools.count(900)
LINE = """INSERT INTO register_line SELECT (jsonb_populate_record(l, %s)).* FROM register_line l
    WHERE book_id = %s ORDER BY seq LIMIT 1"""


def lines(place: Clinic, changes: dict[str, object]) -> list[Callable[[psycopg.Connection[Any]], object]]:
    """The same line for two books, three times each, of three months."""
    with straight(place.database) as connection:
        books = connection.execute("SELECT DISTINCT book_id FROM register_line").fetchall()
    assert len(books) == 2

    def add(book: UUID, month: int) -> Callable[[psycopg.Connection[Any]], object]:
        row = {"id": str(new_id()), "seq": next(_numbers), "dose_day": f"2026-{month}-05", **changes}
        return lambda connection: connection.execute(LINE, [json.dumps(row, default=str), book])

    return [add(book, month) for month in (10, 11, 12) for (book,) in books]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_what_is_once_is_once_in_all_parts_whoever_writes_at_once(parted: Clinic, level: str) -> None:
    with straight(parted.database) as connection:
        one, transfer = connection.execute(
            "SELECT (SELECT id FROM register_line LIMIT 1), (SELECT id FROM stock_transfer LIMIT 1)"
        ).fetchone() or (None, None)
    corrected = {"kind": "corrected", "corrects_id": one, "reason": "x", "supply_id": None}
    returned = {"kind": "returned", "transfer_id": transfer, "reason": "x", "supply_id": None}
    chain = """INSERT INTO audit_entry SELECT (jsonb_populate_record(e, jsonb_build_object('seq', 900,
        'at', %s::text))).* FROM audit_entry e ORDER BY site_id, seq LIMIT 1"""
    numbered = lines(parted, {"seq": 900})
    frozen = "INSERT INTO day_outcome SELECT (jsonb_populate_record(o, %s)).* FROM day_outcome o LIMIT 1"
    number = new_id()
    known = [f"UPDATE message SET provider_id = 'G1', state = 'sent' WHERE reason_key = 'reply:{n}'" for n in range(4)]
    plain: dict[str, list[Callable[[psycopg.Connection[Any]], object]]] = {
        "uq_register_line_corrects_id": lines(parted, corrected),
        "uq_register_line_transfer": lines(parted, returned),
        "pk_register_line": lines(parted, {"id": new_id(), "kind": "note", "ml": 0, "reason": "x", "supply_id": None}),
        "uq_register_line_book_id_seq": numbered[::2],
        "pk_audit_entry": [lambda c, m=m: c.execute(chain, [f"2026-{m}-05"]) for m in (10, 11, 12)],  # type: ignore[misc]
        "pk_day_outcome": [
            lambda connection: connection.execute(frozen, ['{"dose_day": "2026-12-01"}']),
            lambda connection: connection.execute(
                frozen, [f'{{"dose_day": "2026-12-01", "site_id": "{other(parted)}"}}']
            ),
        ],
        "uq_message_reason_key": [lambda connection: connection.execute(*queued("reply:once"))] * 3,
        "pk_message": [lambda c, n=n: c.execute(*queued(f"other:{n}", number)) for n in range(4)],  # type: ignore[misc]
        "uq_message_gateway_provider_id": [lambda c, s=s: c.execute(s) for s in known],  # type: ignore[misc]
    }
    for name, acts in plain.items():
        ends = at_once(parted.database, *acts, level=level)
        assert ends[0] == "OK", (name, ends)
        assert set(ends[1:]) <= {name, "serialization"}, (name, ends)
        if level == "read committed":
            assert ends == ["OK", *[name] * (len(acts) - 1)]


def test_a_reason_that_is_there_is_not_queued_and_what_points_to_nothing_is_refused(parted: Clinic) -> None:
    with straight(parted.database) as connection:
        statement, values = queued("reply:3")
        assert connection.execute(f"{statement} ON CONFLICT (reason_key) DO NOTHING", values).rowcount == 0
        connection.execute("ALTER TABLE delivery DISABLE TRIGGER USER")
        with pytest.raises(errors.ForeignKeyViolation) as reason:
            connection.execute("UPDATE delivery SET line_id = gen_random_uuid()")
        assert reason.value.diag.constraint_name == "fk_delivery_line_id"
        connection.execute("ALTER TABLE register_line DISABLE TRIGGER never_changed")
        with pytest.raises(errors.ForeignKeyViolation, match="fk_delivery_line_id"):
            connection.execute("DELETE FROM register_line WHERE id = (SELECT line_id FROM delivery LIMIT 1)")
        with pytest.raises(errors.FeatureNotSupported, match="the keys of message would stay"):
            connection.execute("TRUNCATE message CASCADE")


def test_a_text_whose_reason_is_wiped_goes_to_another_part_with_what_points_to_it(parted: Clinic) -> None:
    """Wiping takes the words of the reason too, which is what texts are divided by."""
    with straight(parted.database) as connection:
        number = connection.execute("SELECT id FROM message WHERE reason_key = 'reply:0'").fetchone()
        assert number is not None
        connection.execute(
            """INSERT INTO inbound (id, gateway, message_id, phone_sealed, phone_index, body_sealed, received_at,
                reply_id)
            VALUES (gen_random_uuid(), 'console', 'm', 'x', 'x', 'x', now(), %s)""",
            [number[0]],
        )
        places = set()
        for _ in range(12):
            connection.execute(
                """UPDATE message SET reason_key = gen_random_uuid()::text, phone_sealed = '', phone_index = '',
                    body_sealed = '', next_attempt_at = NULL, wiped_at = now() WHERE id = %s""",
                number,
            )
            places |= set(connection.execute("SELECT tableoid FROM message WHERE id = %s", number).fetchall())
            connection.execute("ALTER TABLE message DISABLE TRIGGER tr_message_goes_forward")
        assert len(places) > 1
        same = "SELECT m.reason_key = k.reason_key FROM message m JOIN parts.key_pk_message k USING (id) WHERE id = %s"
        assert connection.execute(same, number).fetchall() == [(True,)]
        with pytest.raises(errors.UniqueViolation, match="pk_message"):
            connection.execute(*queued("again", number[0]))


def test_the_second_wall_stands_and_no_part_is_within_reach_behind_it(parted: Clinic) -> None:
    with straight(parted.database) as connection, connection.transaction():
        every = connection.execute("SELECT count(*) FROM audit_entry").fetchone()
        connection.execute("SELECT set_config('role', %s, true), set_config('takehome.sites', %s, true)",
                           [DESK, f"{{{other(parted)}}}"])  # fmt: skip
        for table, site in (("audit_entry", "site_id"), ("day_outcome", "site_id"), ("register_line", "")):
            seen = f"SELECT count(*), bool_and({f'{site} = %(site)s' if site else 'true'}) FROM {table}"
            count, own = connection.execute(seen, {"site": other(parted)}).fetchone() or (0, None)
            assert count == 0 or own, table
            assert (count,) != every
        for part in parts_of(parted.database):
            with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"SELECT FROM {part}")
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SELECT FROM parts.key_pk_register_line")
