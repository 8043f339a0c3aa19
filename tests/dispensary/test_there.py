"""What the counter does not ask for because there is none: whatever a reader would show is seen by the look before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.range import DateRange

from dispensary.clients.guests import stays_of
from dispensary.database import Database, ReadSession
from dispensary.monitoring.queries import open_alerts_of
from dispensary.monitoring.treatments import open_looks_of
from dispensary.supplies.flags import flags_of
from dispensary.supplies.found import FOUND_SHOWN_DAYS, found_last
from dispensary.supplies.queries import bottles_at_home, pickups_waiting
from dispensary.supplies.recalls import open_recall
from dispensary.supplies.there import MISSED_DAYS, There, what_is_there
from dispensary.supplies.unusual import unusual_of
from tests.builders import clinic
from tests.dispensary.walled_rows import BARE, Owner, insert

NOTHING = There(*(False,) * 10, 0, "")
Reader = Callable[[ReadSession], Any]


def test_whatever_a_reader_of_the_counter_would_show_is_seen_before_it_is_asked(
    database: Database, now: datetime
) -> None:
    place = clinic(database, now)
    client, today = place.client(), place.today
    assert place.pharmacist.account_id is not None
    owner = Owner(place.site_id, client, place.pharmacist.account_id, 1)
    of = {"client_id": client}
    earliest = today - timedelta(days=FOUND_SHOWN_DAYS)
    # The least that each reader shows: the table, what its row says, whether it is seen, and who reads it.
    seen: list[tuple[str, Mapping[str, object], str, Reader]] = [
        (
            "bottle",
            {"dose_day": today, "state": "handed_over"},
            "bottles",
            lambda s: bottles_at_home(s, today=today, **of),
        ),
        ("pickup", {"state": "prepared"}, "pickups", lambda s: pickups_waiting(s, site_id=place.site_id, **of)),
        ("alert", {"resolved_at": None}, "alerts", lambda s: open_alerts_of(s, **of)),
        ("scheduled_look", {"done_at": None}, "looks", lambda s: open_looks_of(s, **of)),
        (
            "dose_exception",
            {"dose_day": today - timedelta(days=9), "closed_at": None},
            "unusual",
            lambda s: unusual_of(s, today=today, **of),
        ),
        ("dose_exception", {"dose_day": today}, "unusual", lambda s: unusual_of(s, today=today, **of)),
        ("recall", {"state": "open"}, "recall", lambda s: open_recall(s, **of)),
        ("stop_flag", {"cleared_at": None}, "flags", lambda s: flags_of(s, **of)),
        (
            "supply",
            {"found": "a bottle was warm", "voided_at": None, "dose_day": earliest},
            "found",
            lambda s: found_last(s, today=today, **of),
        ),
        (
            "guest_stay",
            {"until_day": today + timedelta(days=1)},
            "stays",
            lambda s: stays_of(s, until_after=today, **of),
        ),
        ("treatment", {"stopped_on": None}, "treatments", lambda s: [1]),
    ]
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection, connection.transaction():
        connection.execute(BARE)
    for table, says, field, reader in seen:
        with database.reading() as session:
            assert what_is_there(session, client_id=client, today=today) == NOTHING
        row = {**owner.row(_plain(database), table), **says}
        with psycopg.connect(database.url.replace("+psycopg", "")) as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            insert(connection, table, row)
        with database.reading() as session:
            assert reader(session), f"{table}: its reader does not show it"
            assert what_is_there(session, client_id=client, today=today) == NOTHING._replace(**{field: True})
        with psycopg.connect(database.url.replace("+psycopg", "")) as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(f"DELETE FROM {table}")
    assert {field for *_, field, _ in seen} | {"missed_in_30_days", "level"} == set(There._fields)

    with psycopg.connect(database.url.replace("+psycopg", "")) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for back in (1, MISSED_DAYS, MISSED_DAYS + 1):
            row = owner.row(connection, "day_outcome")
            insert(connection, "day_outcome", {**row, "dose_day": today - timedelta(days=back), "outcome": "missed"})
        days = DateRange(today - timedelta(days=1), None)
        for table, says in (("assessment", {"level": "weekly"}), ("decision", {"days": days, "voided_at": None})):
            insert(connection, table, {**owner.row(connection, table), **says})
    with database.reading() as session:
        there = what_is_there(session, client_id=client, today=today)
    assert (there.missed_in_30_days, there.level) == (2, "weekly")


def _plain(database: Database) -> psycopg.Connection[Any]:
    return psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True)
