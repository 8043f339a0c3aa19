"""Joining a satellite that ran alone: the centre subscribes to its rows, and says what came.

All of it is PostgreSQL's logical replication. Each transaction of the satellite is one here, in its order; how far
it came is noted with it, so that a cut line, a killed server or a second joining neither loses nor doubles anything.
What a single server cannot know is looked for as the rows arrive, by triggers (dispensary/migrations/apart_guards.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from dispensary.apart.guarding import shut_satellite, take_down
from dispensary.apart.tables import names_of
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.units import SiteId

_LOOK_EVERY = 0.2
_CAME = text("""
SELECT (SELECT count(*) FROM supply WHERE site_id = :site) AS supplies,
    (SELECT count(*) FROM register_line l JOIN register_book b ON b.id = l.book_id WHERE b.site_id = :site) AS lines,
    (SELECT coalesce(max(seq), 0) FROM audit_entry WHERE site_id = :site) AS entries,
    (SELECT count(*) FROM alert WHERE cause LIKE 'covered twice: %' AND resolved_at IS NULL) AS twice,
    (SELECT count(*) FROM alert WHERE cause LIKE 'older order: %' AND resolved_at IS NULL) AS older
""")
_LINE = """
SELECT subconninfo FROM pg_subscription
WHERE subname = %s AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BACK = "UPDATE site_apart SET until = greatest(now(), known_at) WHERE site_id = %s AND until IS NULL"
_UNFIT = """
SELECT min(seq) FROM (SELECT e.seq, e.hash = link_of(e.previous, e) AND e.previous = lag(e.hash, 1,
        sha256(convert_to(e.site_id::text, 'UTF8'))) OVER (ORDER BY e.seq) AS fits
    FROM audit_entry e WHERE e.site_id = %s) AS links WHERE NOT fits
"""


@dataclass(frozen=True)
class Joined:
    """What is here of the satellite now, and how much of it came just now."""

    supplies: int
    new_supplies: int
    new_lines: int
    new_entries: int
    twice: int
    """Alerts that are open because a day was covered at two sites, whichever."""
    older: int
    """Alerts that are open because a dose was given by an order that had been changed or held."""


def join(
    database: Database,
    *,
    site_id: SiteId,
    code: str,
    line: str,
    within: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Joined:
    """Subscribes to the satellite's rows, or goes on with it, and waits until all that it wrote until now is here.

    Raises NoDatabase, with the reason where one is known, when that takes longer than `within` seconds. PostgreSQL goes
    on by itself in any case.
    """
    name = names_of(code)
    before = _came(database, site_id)
    with _reached(line) as there:
        _subscribe(database, name, line)
        # A mark of our own in its log: whatever the satellite wrote before is here once the centre is past it.
        wanted = _one(there, "SELECT pg_logical_emit_message(true, 'takehome', 'joined')")
        began = _one(there, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s", name)
        if began is None:
            raise NoDatabase(f"The server at the end of this line keeps nothing for {code}. Did it take its cut?")
        give_up = time.monotonic() + within
        distance = "SELECT pg_wal_lsn_diff(%s, %s)::bigint"
        total = max(int(_one(there, distance, wanted, began)), 1)
        while True:
            now = _one(there, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s", name)
            left = max(int(_one(there, distance, wanted, now)), 0)
            progress(total - min(left, total), total)
            if left == 0:
                break
            if time.monotonic() > give_up:
                raise NoDatabase(_why_not(there, site_id, code, within))
            time.sleep(_LOOK_EVERY)
    after = _came(database, site_id)
    return Joined(
        supplies=after.supplies,
        new_supplies=after.supplies - before.supplies,
        new_lines=after.lines - before.lines,
        new_entries=after.entries - before.entries,
        twice=after.twice,
        older=after.older,
    )


def bring_back(database: Database, *, site_id: SiteId, code: str, line: str, within: float) -> Joined:
    """Joins for the last time: the satellite's server writes no more, and this one writes for the site again.

    What of it may be done again at will until it is done. Raises NoDatabase as `join` does.
    """
    with _reached(line) as there, there.transaction():
        shut_satellite(there.cursor(), code=code)
    joined = join(database, site_id=site_id, code=code, line=line, within=within)
    _written_here_again(database, site_id, code, keeps_slot=True)
    return joined


def give_up(database: Database, *, site_id: SiteId, code: str) -> None:
    """The satellite's server is lost: what came is all that there will be, and this one writes for the site again."""
    _written_here_again(database, site_id, code, keeps_slot=False)


def _written_here_again(database: Database, site_id: SiteId, code: str, *, keeps_slot: bool) -> None:
    with _own(database) as here:
        name = sql.Identifier(names_of(code))
        if _known(here, names_of(code)) is not None:
            here.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(name))
            if not keeps_slot:
                here.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(name))
            here.execute(sql.SQL("DROP SUBSCRIPTION {}").format(name))
        with here.transaction():
            take_down(here.cursor(), code=code)
            here.execute(_BACK, [site_id])


def _came(database: Database, site_id: SiteId) -> Any:
    with database.reading() as session:
        return session.execute(_CAME, {"site": site_id}).one()


def _own(database: Database) -> psycopg.Connection[Any]:
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, options="-c lock_timeout=10s")


def _reached(line: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(line, autocommit=True, connect_timeout=10)
    except psycopg.Error as reason:
        said = str(reason).strip().splitlines()
        raise NoDatabase(f"The satellite's server does not answer: {said[0] if said else 'no reason given'}") from None


def _one(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    return row[0] if row else None


def _known(here: psycopg.Connection[Any], name: str) -> Any:
    """The line of a site's subscription, where there is one in this database."""
    return _one(here, _LINE, name)


def _subscribe(database: Database, name: str, line: str) -> None:
    """Makes the subscription, or lets it go on by this line. What came before is not copied: it came with the cut."""
    with _own(database) as here:
        known = _known(here, name)
        named = sql.Identifier(name)
        if known is None:
            make = sql.SQL(
                "CREATE SUBSCRIPTION {0} CONNECTION {1} PUBLICATION {0}, {2}"
                " WITH (create_slot = false, slot_name = {3}, copy_data = false, origin = none)"
            )
            here.execute(make.format(named, line, sql.Identifier(f"{name}_home"), name))
            return
        if known != line:
            here.execute(sql.SQL("ALTER SUBSCRIPTION {} CONNECTION {}").format(named, line))
        here.execute(sql.SQL("ALTER SUBSCRIPTION {} ENABLE").format(named))


def _why_not(there: psycopg.Connection[Any], site_id: SiteId, code: str, within: float) -> str:
    unfit = _one(there, _UNFIT, site_id)
    if unfit is not None:
        return (
            f"Entry {unfit} of the audit trail of {code} does not fit the chain: nothing from it on is taken in."
            " Find out who changed it, and how."
        )
    return f"Not all of {code} came within {within:g} seconds. PostgreSQL goes on by itself: look again later."
