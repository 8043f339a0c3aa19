"""The whole record is whole: each table that knows of a client is told, or named with the reason why it is not."""

from __future__ import annotations

from datetime import date, datetime

import psycopg
from psycopg import sql

from dispensary.clients.consent_rules import Information
from dispensary.database import Database
from dispensary.schema import all_metadata
from dispensary.supplies.told import Period, parts_of
from dispensary.supplies.told_whole import IN_MAIN_PARTS, NOT_TOLD, TOLD, whole_of
from dispensary.units import ClientId, DoseDay
from tests.builders import clinic
from tests.dispensary.walled_rows import BARE, Owner, insert, tables

OF_CLIENT = {"client_id", "holder_id", "recipient_id"}
NOBODYS = {
    "conversation": "a number's, for minutes",
    "imported_episode": "of another programme's register, by pseudonyms of its own",
    "news_text": "to everybody",
}
"""Tables that hang on what a client has without knowing of one."""


def that_know_of_a_client() -> set[str]:
    """Every table with a client in it, and whatever refers to a row of such a table."""
    every = {table.name: table for metadata in all_metadata() for table in metadata.sorted_tables}
    found = {name for name, table in every.items() if OF_CLIENT & set(table.columns.keys())} | {"client"}
    while True:
        more = {
            name
            for name, table in every.items()
            if {key.column.table.name for column in table.columns for key in column.foreign_keys} & (found - {"client"})
        } - found
        if not more:
            return found | {"inbound"} - NOBODYS.keys()
        found |= more


def test_every_table_that_knows_of_a_client_is_told_or_named_with_its_reason() -> None:
    told = [each.table for each in TOLD]
    assert sorted([*told, *IN_MAIN_PARTS, *NOT_TOLD]) == sorted(that_know_of_a_client())
    assert all(len(reason) > 10 for reason in NOT_TOLD.values())


def test_a_row_in_each_of_them_is_a_line_of_the_paper(database: Database, now: datetime) -> None:
    here, there = clinic(database, now), clinic(database, now, code="KLG")
    client, other = here.client(), there.client()
    assert here.pharmacist.account_id is not None
    owner = Owner(here.site_id, client, here.pharmacist.account_id, 1)
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection, connection.transaction():
        connection.execute(BARE)
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in tables():
            if table in NOT_TOLD or table in {each.table for each in TOLD} - {"client"}:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                insert(connection, table, owner.row(connection, table))
        connection.execute("UPDATE consent SET kinds = '[\"doses\"]', revoked_at = NULL")
        connection.execute("UPDATE extra_dose SET voided_at = NULL; UPDATE refill SET voided_at = NULL")
        connection.execute("UPDATE adherence_support SET voided_at = NULL")
        connection.execute(
            "INSERT INTO medication (id, client_id, site_id, substance, name, started_on, stop_reason, entered_at)"
            " SELECT medication_id, %s, %s, 'rifampicin', 'rifampicin', '2026-11-01', '', now() FROM refill",
            [client, here.site_id],
        )
    day = date(2026, 11, 24)
    asked = {"client": client, "first": day, "last": day, "zone": "Asia/Kuala_Lumpur"}
    with database.reading() as session:
        lines = {each.table: [each.line(*row) for row in session.run(each.ask, asked)] for each in TOLD}
        assert [table for table, said in lines.items() if not said or not all(said)] == []
        others = dict(whole_of(session, client_id=other, first=day, last=day))
        assert set(others) == {"Circumstances"}
        whole = parts_of(
            session,
            client_id=ClientId(client),
            kinds=frozenset({Information.WHOLE}),
            period=Period(day, day, DoseDay(day)),
        )
        less = parts_of(
            session,
            client_id=ClientId(client),
            kinds=frozenset(Information) - {Information.WHOLE},
            period=Period(day, day, DoseDay(day)),
        )
    on_paper = [line for part in whole for line in part.lines]
    assert [line for said in lines.values() for line in said if line not in on_paper] == []
    # Whoever is told less is told no line of these rooms.
    assert {part.heading for part in less} & {each.heading() for each in TOLD} == set()
