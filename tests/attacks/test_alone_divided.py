"""A satellite runs apart from a centre whose big tables are divided: each row in its part, each key exact, and home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispensary.supplies.voiding import void_supply
from tests.attacks.boxes import Box, Pair, at, closes, copied, make_pair
from tests.attacks.test_alone_joined import doses_of_klg, past_the_guards
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme
from tests.dispensary.safe_place import arrived, received, sent

PARTS = 16
BY = {"audit_entry": "site_id", "day_outcome": "client_id", "register_line": "book_id", "message": "reason_key"}
KEYS = {
    "pk_register_line": ("register_line", "id", "book_id"),
    "uq_register_line_corrects_id": ("register_line", "corrects_id", "book_id"),
    "uq_register_line_transfer": ("register_line", "transfer_id, kind", "book_id"),
    "pk_message": ("message", "id", "reason_key"),
    "uq_message_gateway_provider_id": ("message", "gateway, provider_id", "reason_key"),
}


def divides(centre: Box, here: Programme) -> None:
    """A can is on its way to the satellite; then the centre is divided, as docs/scale.md says: before it is lent."""
    sent(here.main, here.satellite, "500")
    centre.types("divide", "--whole")
    assert len(centre.types("divide").splitlines()) == len(BY)


@pytest.fixture(scope="module")
def lent_divided(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(made, tmp_path_factory.mktemp("lent_divided"), before=divides)


@pytest.fixture
def pair(lent_divided: Pair, tmp_path: Path) -> Iterator[Pair]:
    yield from copied(lent_divided, tmp_path)


def at_rest(pair: Pair) -> None:
    """Each row lies in the part of its column, each key that lies apart has what the rows have, and nothing else."""
    for table, column in BY.items():
        strays = " UNION ALL ".join(
            f"SELECT count(*) FROM part_{part:02}.{table} WHERE NOT satisfies_hash_partition("
            f"'public.{table}'::regclass, {PARTS}, {part}, {column})"
            for part in range(PARTS)
        )
        parts = " UNION ALL ".join(f"SELECT {column} FROM part_{part:02}.{table}" for part in range(PARTS))
        assert {each for (each,) in pair.centre.asks(strays)} == {0}, table
        assert pair.centre.asks(f"SELECT (SELECT count(*) FROM {table}) = (SELECT count(*) FROM ({parts}) AS p)") == [
            (True,)
        ]
    for key, (table, columns, by) in KEYS.items():
        rows = f"SELECT {columns}, {by} FROM {table} WHERE ({columns}) IS NOT NULL"
        kept = f"SELECT {columns}, {by} FROM parts.key_{key}"
        assert pair.centre.asks(f"({rows} EXCEPT ALL {kept}) UNION ALL ({kept} EXCEPT ALL {rows})") == [], key


def of_klg(box: Box) -> dict[str, list[tuple[Any, ...]]]:
    """What the satellite wrote into the tables that are divided at the centre, and what hangs on it."""
    klg = "(SELECT id FROM site WHERE code = 'KLG')"
    books = f"(SELECT id FROM register_book WHERE site_id = {klg})"
    asked = {
        "audit_entry": f"site_id = {klg}",
        "register_line": f"book_id IN {books}",
        "delivery": f"site_id = {klg}",
        "supply_void": f"site_id = {klg}",
        "dose": f"site_id = {klg}",
        "stock_transfer": f"to_site_id = {klg}",
    }
    return {
        table: box.asks(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {where} ORDER BY 1")
        for table, where in asked.items()
    }


def voids(place: Clinic, supply_id: Any) -> None:
    place.database.write(
        lambda session: void_supply(
            session, actor=place.pharmacist, supply_id=supply_id, reason="the cup was not taken", second_id=None,
            pin="", key=f"void-{supply_id}", today=place.today, at=place.now,
        )
    )  # fmt: skip


def works(pair: Pair, home: Clinic, alone: Clinic) -> None:
    """Two days at both: doses, a bottle, one that was voided, a delivery, the can on its way, days that were closed."""
    ((can,),) = pair.far.asks("SELECT id FROM stock_transfer")
    arrived(alone, can, "499", "less in the can")
    received(alone, "LOT-OWN", "200")
    alone.give(pair.theirs[0], take_home_days=alone.ahead(1))
    voids(alone, alone.give(pair.theirs[1]).supply_id)
    for _ in range(2):
        home.give(pair.homer)
        for client in pair.theirs[1:]:
            alone.give(client)
        for place in (home, alone):
            closes(place)
            place.move_on()


def test_every_row_comes_into_its_part_no_key_says_less_and_it_comes_home(pair: Pair) -> None:
    at_rest(pair)
    with pair.counters() as (home, alone):
        works(pair, home, alone)
        wrote = of_klg(pair.far)
        assert all(wrote.values()), [table for table, rows in wrote.items() if not rows]
        assert "10 hand-overs" in pair.joins()
        assert of_klg(pair.centre) == wrote
        frozen = "SELECT outcome, count(*) FROM day_outcome WHERE client_id <> :homer GROUP BY 1 ORDER BY 1"
        assert pair.centre.asks(frozen, homer=pair.homer) == [("observed", 9), ("take_home", 1)]
        at_rest(pair)
        pair.holds()

        # What a delivery and a correction point to is the line's own key, which lies apart.
        points = "SELECT confrelid::regclass::text FROM pg_constraint WHERE conname = 'fk_delivery_line_id'"
        assert pair.centre.asks(points) == [("parts.key_pk_register_line",)]
        # A later cut is taken from the parts as from a whole table, and nothing of it comes back.
        pair.cut()
        assert of_klg(pair.far)["register_line"] == wrote["register_line"]
        assert "0 hand-overs, 0 lines" in pair.joins()
        alone.give(pair.theirs[3])

        # Nobody turns a table while the satellite is apart; afterwards the parts may be taken together again.
        assert "A site has a server of its own (KLG)" in pair.centre.tries("divide", "--whole").output
        assert "11 hand-overs are here" in pair.joins("--last")
    wrote = of_klg(pair.far)
    assert of_klg(pair.centre) == wrote
    at_rest(pair)
    assert "no row breaks a rule" in pair.centre.types("verify")
    with pair.centre.database() as database:
        again = at(pair.here.satellite, database)
        again.move_on(2)
        again.give(pair.theirs[4])
        closes(again)
    at_rest(pair)
    before = of_klg(pair.centre)
    assert len(pair.centre.types("divide", "--whole").splitlines()) == len(BY)
    assert of_klg(pair.centre) == before
    assert "no row breaks a rule" in pair.centre.types("verify")


def test_a_line_whose_number_stands_in_another_part_is_refused_by_its_key_and_named(pair: Pair) -> None:
    """A part alone would take it: that nobody else has its number is said by the table of the key."""
    with pair.counters() as (home, alone):
        home.give(pair.homer)
        alone.give(pair.theirs[0])
        ((line, book),) = pair.far.asks("SELECT id, book_id FROM register_line ORDER BY at DESC LIMIT 1")
    parts = "SELECT part_of FROM (SELECT tableoid::regclass::text AS part_of, book_id, at FROM register_line) AS l"
    ((lies,),) = pair.centre.asks(f"{parts} WHERE book_id <> :book ORDER BY at DESC LIMIT 1", book=book)
    ((would,),) = pair.centre.asks(f"{parts} WHERE book_id = :book LIMIT 1", book=book)
    in_the_way = """WITH other AS (SELECT * FROM register_line WHERE book_id <> %s ORDER BY at DESC LIMIT 1)
        UPDATE register_line l SET id = %s FROM other WHERE l.id = other.id RETURNING other.id"""
    with psycopg.connect(pair.centre.line, autocommit=True) as hand:
        hand.execute("SET session_replication_role = replica")
        hand.execute("ALTER TABLE register_line DISABLE TRIGGER stays_as_it_came")
        ((was,),) = hand.execute(in_the_way, [book, line]).fetchall()
    assert lies != would, "they lie in two parts"
    at_rest(pair)
    said = pair.joins_in_vain("--within", "60")
    assert f"A row of KLG is refused here: register_line (id {line}, book_id {book})" in said, said
    assert "pk_register_line" in said
    assert doses_of_klg(pair) == 0

    past_the_guards(pair.centre.line, "UPDATE register_line SET id = %s WHERE id = %s", was, line)
    past_the_guards(pair.centre.line, "ALTER TABLE register_line ENABLE REPLICA TRIGGER stays_as_it_came")
    assert "KLG: " in pair.joins("--within", "60")
    assert doses_of_klg(pair) == 1
    at_rest(pair)
    pair.holds()
