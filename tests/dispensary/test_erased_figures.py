"""What an erasure changes in a database, table by table, and that no figure and no export is among it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.facts import count_behind, differing
from dispensary.staff.service import password_hash
from dispensary.stock.models import RegisterBook
from dispensary.supplies.printing.register_rows import book_between
from tests.builders import Clinic, clinic
from tests.dispensary.measured import fill, has, history, measured_as, treat
from tests.dispensary.test_erasing import PASSWORD, erased
from tests.dispensary.test_exports_as_of import export_all
from tests.dispensary.test_keys import fill_every_room
from tests.dispensary.test_printing_registers import printed
from tests.paper import words_of

GONE = {"client_index", "contact", "conversation"}
"""Rows that are deleted: what finds a client by name, and how they are reached."""
EMPTIED = {
    "message": {"recipient_id", "phone_index", "reason_key", "wiped_at", "state", "error_code", "next_attempt_at"},
    "client_key": {"erased_at"},
}
"""What else is taken out of a row than words that were sealed."""
WRITTEN = {"erasure", "audit_entry", "audit_chain"}
"""Where the erasure itself is written down."""


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without what is sealed."""
    with database.reading() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return {
            table: sorted(
                (
                    {name: value for name, value in row.items() if not name.endswith("_sealed")}
                    for row in session.execute(text(f"SELECT * FROM {table}")).mappings()
                ),
                key=lambda row: [repr(value) for value in row.values()],
            )
            for table in tables
        }


def facts(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: rows for table, rows in everything(database).items() if table.startswith("fact_")}


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Clients of a year, one of whom has an illness, results, refills, bottles and a goal, and has left."""
    place = clinic(database, now)
    history(place, *((f"H{n}", n, 318) for n in range(3)), ("H9", 0, 100))
    left, stays = place.client(), place.client(mg="50")
    place.decide(left, per_supply=3)
    has(place, left, "hiv")
    treat(place, left, "art", ago=200)
    fill(place, left, ago=60, days=90)
    measured_as(place, left, "viral_load", "40", ago=30)
    fill_every_room(place, left)
    place.give(left, take_home_days=place.ahead(1, 2))
    place.give(stays)
    with database.writing() as session:
        told = Circumstances(employed=True, distance_km=3)
        note_circumstances(session, actor=place.doctor, client_id=left, told=told, at=now)
        asked = text("SELECT id FROM episode WHERE client_id = :c")
        episode = session.execute(asked, {"c": left}).scalar_one()
        end_episode(
            session, actor=place.doctor, episode_id=episode, ended_on=place.today, reason=next(iter(ExitReason)), at=now
        )
        session.execute(text("UPDATE legal_hold SET lifted_at = set_at, lifted_by = set_by, lift_reason_sealed = '-'"))
        session.execute(
            text("INSERT INTO account_password (account_id, hash) VALUES (:i, :p)"),
            {"p": password_hash(PASSWORD), "i": place.pharmacist.account_id},
        )
    return place


def test_every_export_of_every_measure_and_every_count_is_the_same(here: Clinic, tmp_path: Path) -> None:
    here.now += timedelta(hours=1)
    count_behind(here.database, anew=True)
    moment, counted = here.now, facts(here.database)
    first = export_all(here, tmp_path / "before", moment)
    assert counted["fact_client"], "there is something to compare"
    assert erased(here, here.clients[0]) is not None
    assert facts(here.database) == counted
    with here.database.reading() as session:
        assert differing(session) == []
    count_behind(here.database, anew=True)
    assert facts(here.database) == counted, "counted anew from what is left, it is the same"
    after = export_all(here, tmp_path / "after", moment)
    assert sorted(after) == sorted(first)
    assert [name for name in first if after[name] != first[name]] == []


def test_nothing_but_words_changes_in_any_other_table(here: Clinic) -> None:
    before = everything(here.database)
    erased(here, here.clients[0])
    after = everything(here.database)
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= GONE | EMPTIED.keys() | WRITTEN
    assert changed >= {"client_index", "contact", "message", "client_key", "erasure", "audit_entry"}
    for table, columns in EMPTIED.items():
        for was, became in zip(before[table], after[table], strict=True):
            assert {name for name in was if was[name] != became[name]} <= columns, table


def test_the_register_says_that_they_were_erased(here: Clinic) -> None:
    """In place of names stands the sentence, in place of initials a word: not the initials of a sentence."""
    assert named(here) == {"A. T."}
    erased(here, here.clients[0])
    assert f"erased on {here.today}" in words_of(printed(here, "nsw-register"))
    assert sorted(named(here)) == ["A. T.", "erased"]


def named(here: Clinic) -> set[str]:
    """How those who were supplied today stand in a register with initials; a number is none."""
    with here.database.reading() as session:
        book = session.scalars(select(RegisterBook)).one()
        pages = book_between(session, book=book, first=here.today, last=here.today)
        numbers = {entry.number: entry.person for entry in pages.entries if entry.kind == "supplied"}
        return {person.rsplit(" ", 1)[0] if person != "erased" else person for person in numbers.values()}
