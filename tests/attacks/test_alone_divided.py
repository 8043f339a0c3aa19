"""A satellite runs apart from a centre whose big tables are divided: each row in its part, each key exact, and home.

By a digest of what each row belongs to, and in months.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispensary.parts.coming import make_months
from dispensary.supplies.voiding import void_supply
from tests.attacks.boxes import Box, Pair, at, closes, copied, make_pair
from tests.attacks.test_alone_joined import doses_of_klg, past_the_guards
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme
from tests.dispensary.safe_place import arrived, received, sent

BY = {"audit_entry": "site_id", "day_outcome": "client_id", "register_line": "book_id", "message": "reason_key"}
BY_MONTH = {**BY, "audit_entry": "at", "day_outcome": "dose_day", "register_line": "dose_day"}
KEYS = {
    "pk_register_line": ("register_line", "id"),
    "uq_register_line_corrects_id": ("register_line", "corrects_id"),
    "uq_register_line_transfer": ("register_line", "transfer_id, kind"),
    "pk_message": ("message", "id"),
    "uq_message_gateway_provider_id": ("message", "gateway, provider_id"),
}
KEYS_BY_MONTH = {
    **KEYS,
    "pk_audit_entry": ("audit_entry", "site_id, seq"),
    "uq_register_line_book_id_seq": ("register_line", "book_id, seq"),
}


def divides(centre: Box, here: Programme) -> None:
    """A can is on its way to the satellite; then the centre is divided, as docs/scale.md says: before it is lent."""
    sent(here.main, here.satellite, "500")
    centre.types("divide", "--whole")
    assert len(centre.types("divide").splitlines()) == len(BY)


def divides_by_month(centre: Box, here: Programme) -> None:
    sent(here.main, here.satellite, "500")
    centre.types("divide", "--whole")
    centre.types("divide", "--by", "month")
    centre.types("divide", "message")


@pytest.fixture(scope="module", params=[divides, divides_by_month])
def lent_divided(made: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Pair:
    return make_pair(made, tmp_path_factory.mktemp("lent_divided"), before=request.param)


@pytest.fixture
def pair(lent_divided: Pair, tmp_path: Path) -> Iterator[Pair]:
    yield from copied(lent_divided, tmp_path)


def in_months(pair: Pair) -> bool:
    how = "SELECT partstrat = 'r' FROM pg_partitioned_table WHERE partrelid = 'audit_entry'::regclass"
    return pair.centre.asks(how) == [(True,)]


def at_rest(pair: Pair) -> None:
    """Each row lies in the part of its column, each key that lies apart has what the rows have, and nothing else."""
    columns, apart = (BY_MONTH, KEYS_BY_MONTH) if in_months(pair) else (BY, KEYS)
    for table in columns:
        parts = pair.centre.asks(
            f"""SELECT inhrelid::regclass::text, pg_get_partition_constraintdef(inhrelid) FROM pg_inherits
            WHERE inhparent = 'public.{table}'::regclass"""
        )
        assert len(parts) >= 4
        strays = " UNION ALL ".join(f"SELECT count(*) FROM {part} WHERE NOT ({of})" for part, of in parts)
        assert {each for (each,) in pair.centre.asks(strays)} == {0}, table
        rows = " UNION ALL ".join(f"SELECT 1 FROM {part}" for part, _ in parts)
        assert pair.centre.asks(f"SELECT (SELECT count(*) FROM {table}) = (SELECT count(*) FROM ({rows}) AS p)") == [
            (True,)
        ]
    for key, (table, of) in apart.items():
        rows = f"SELECT {of}, {columns[table]} FROM {table} WHERE ({of}) IS NOT NULL"
        kept = f"SELECT {of}, {columns[table]} FROM parts.key_{key}"
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
        if in_months(pair):  # the night goes on making months while the satellite is apart
            with pair.centre.database() as database:
                assert len(make_months(database, today=home.today + timedelta(days=32))) == 3
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


BACK = "UPDATE register_line SET id = %s, dose_day = dose_day + %s WHERE id = %s"


def test_a_line_whose_number_stands_in_another_part_is_refused_by_its_key_and_named(pair: Pair) -> None:
    """A part alone would take it: that nobody else has its number is said by the table of the key."""
    with pair.counters() as (home, alone):
        home.give(pair.homer)
        alone.give(pair.theirs[0])
        ((line, book, day),) = pair.far.asks("SELECT id, book_id, dose_day FROM register_line ORDER BY at DESC LIMIT 1")
    parts = "SELECT part_of FROM (SELECT tableoid::regclass::text AS part_of, book_id, at FROM register_line) AS l"
    ((would,),) = pair.centre.asks(f"{parts} WHERE book_id = :book LIMIT 1", book=book)
    in_the_way = """WITH other AS (SELECT * FROM register_line WHERE book_id <> %s ORDER BY at DESC LIMIT 1)
        UPDATE register_line l SET id = %s, dose_day = l.dose_day - %s FROM other WHERE l.id = other.id
        RETURNING other.id"""
    earlier = 80 if in_months(pair) else 0
    with psycopg.connect(pair.centre.line, autocommit=True) as hand:
        hand.execute("SET session_replication_role = replica")
        hand.execute("ALTER TABLE register_line DISABLE TRIGGER stays_as_it_came")
        ((was,),) = hand.execute(in_the_way, [book, line, earlier]).fetchall()
    ((lies,),) = pair.centre.asks(f"{parts} WHERE book_id <> :book ORDER BY at DESC LIMIT 1", book=book)
    assert lies != would, "they lie in two parts"
    at_rest(pair)
    said = pair.joins_in_vain("--within", "60")
    by = f"dose_day {day}" if in_months(pair) else f"book_id {book}"
    assert f"A row of KLG is refused here: register_line (id {line}, {by})" in said, said
    assert "pk_register_line" in said
    assert doses_of_klg(pair) == 0

    past_the_guards(pair.centre.line, BACK, was, earlier, line)
    past_the_guards(pair.centre.line, "ALTER TABLE register_line ENABLE REPLICA TRIGGER stays_as_it_came")
    assert "KLG: " in pair.joins("--within", "60")
    assert doses_of_klg(pair) == 1
    at_rest(pair)
    pair.holds()
