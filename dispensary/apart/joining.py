"""Joining a satellite that ran alone: the centre subscribes to its rows, and says what came.

All of it is PostgreSQL's logical replication. Each transaction of the satellite is one here, in its order; how far
it came is noted with it, so that a cut line, a killed server or a second joining neither loses nor doubles anything.
What a single server cannot know is looked for as the rows arrive, by triggers (dispensary/migrations/apart_guards.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from dispensary.apart.catalogue import new_enough
from dispensary.apart.cutting import cursor_of
from dispensary.apart.guarding import shut_satellite, take_down
from dispensary.apart.refused import Refusal, line_of, other_than_came, refusal
from dispensary.apart.tables import names_of
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.staff import audit
from dispensary.staff.rules import the_program
from dispensary.units import SiteId

_LOOK_EVERY = 0.2
_CAME = text("""
SELECT (SELECT count(*) FROM supply WHERE site_id = :site) AS supplies,
    (SELECT count(*) FROM register_line l JOIN register_book b ON b.id = l.book_id WHERE b.site_id = :site) AS lines,
    (SELECT coalesce(max(seq), 0) FROM audit_entry WHERE site_id = :site) AS entries,
    (SELECT count(*) FROM alert WHERE cause LIKE 'covered twice: %' AND resolved_at IS NULL) AS twice,
    (SELECT count(*) FROM alert WHERE cause LIKE 'older %: %' AND resolved_at IS NULL) AS older
""")
_LINE = """
SELECT subconninfo FROM pg_subscription
WHERE subname = %s AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SENT = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s"
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
    """Alerts that are open because of what was given by an order or a decision, or past a hold, a block or a flag, of
    which the satellite did not know."""


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

    Raises NoDatabase, with the reason where one is known, when a row is refused or that takes longer than `within`
    seconds. PostgreSQL goes on by itself in any case.
    """
    name = names_of(code)
    before = _came(database, site_id)
    with _reached(line) as there, _own(database) as here:
        new_enough(here, "this server")
        new_enough(there, "the satellite's server")
        _subscribe(here, name, line)
        if (entry := other_than_came(here, there, site_id)) is not None:
            raise NoDatabase(_written_anew(code, entry))
        # A mark of our own in its log: whatever the satellite wrote before is here once the centre is past it.
        wanted = _one(there, "SELECT pg_logical_emit_message(true, 'takehome', 'joined')")
        began = _one(there, _SENT, name)
        if began is None:
            raise NoDatabase(f"The server at the end of this line keeps nothing for {code}. Did it take its cut?")
        give_up = time.monotonic() + within
        distance = "SELECT pg_wal_lsn_diff(%s, %s)::bigint"
        total = max(int(_one(there, distance, wanted, began)), 1)
        errors = line_of(here, name).errors
        while True:
            left = max(int(_one(there, distance, wanted, _one(there, _SENT, name))), 0)
            progress(total - min(left, total), total)
            if left == 0:
                break
            stands, over = line_of(here, name), time.monotonic() > give_up
            if stands.errors > errors or not stands.enabled or (over and stands.errors):
                errors = stands.errors
                if found := refusal(here, there, name):
                    raise NoDatabase(_refused(there, site_id, code, found))
            if over or not stands.enabled:
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


def bring_back(
    database: Database, *, site_id: SiteId, main_id: SiteId, code: str, line: str, within: float, at: datetime
) -> Joined:
    """Joins for the last time: the satellite's server writes no more, and this one writes for the site again.

    Each step may be done again at will: cut off anywhere, the same command brings it to its end. Raises NoDatabase as
    `join` does.
    """
    _shut(line, code)
    joined = join(database, site_id=site_id, code=code, line=line, within=within)
    came = {"supplies": joined.new_supplies, "lines": joined.new_lines, "entries": joined.new_entries}
    _written_here_again(database, site_id, main_id, code, act="site came back", details=came, at=at)
    forget(database, code=code, slot_too=True)
    return joined


def give_up(database: Database, *, site_id: SiteId, main_id: SiteId, code: str, at: datetime) -> None:
    """The satellite's server is lost: what came is all that there will be, and this one writes for the site again.

    Each step may be done again at will.
    """
    forget(database, code=code)
    _written_here_again(database, site_id, main_id, code, act="site's server was lost", details={}, at=at)


def forget(database: Database, *, code: str, slot_too: bool = False) -> bool:
    """Ends the subscription to a site, where there is one, and says whether there was.

    With `slot_too` its server is told to keep nothing for this one any more, if it can be reached and still does.
    """
    with _own(database) as here:
        if _known(here, names_of(code)) is None:
            return False
        name = sql.Identifier(names_of(code))
        here.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(name))
        if slot_too:
            with suppress(psycopg.Error):  # out of reach, or gone before the last command was cut off
                here.execute(sql.SQL("DROP SUBSCRIPTION {}").format(name))
                return True
        here.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(name))
        here.execute(sql.SQL("DROP SUBSCRIPTION {}").format(name))
        return True


def _shut(line: str, code: str) -> None:
    with _reached(line) as there, there.transaction():
        shut_satellite(there.cursor(), code=code)


def _written_here_again(
    database: Database,
    site_id: SiteId,
    main_id: SiteId,
    code: str,
    *,
    act: str,
    details: Mapping[str, object],
    at: datetime,
) -> None:
    with database.writing() as session:
        with cursor_of(session.connection().connection) as cursor:
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            take_down(cursor, code=code)
            cursor.execute(_BACK, [site_id])
        actor = the_program(main_id)
        audit.record(session, actor=actor, act=act, subject="site", subject_id=site_id, at=at, details=details)


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


def _subscribe(here: psycopg.Connection[Any], name: str, line: str) -> None:
    """Makes the subscription, or lets it go on by this line. What came before is not copied: it came with the cut."""
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
        return _unfit(code, unfit)
    return f"Not all of {code} came within {within:g} seconds. PostgreSQL goes on by itself: look again later."


def _refused(there: psycopg.Connection[Any], site_id: SiteId, code: str, found: Refusal) -> str:
    if found.table == "audit_entry" and (unfit := _one(there, _UNFIT, site_id)) is not None:
        return _unfit(code, unfit)
    rule = f", {found.rule}" if found.rule else ""
    return (
        f"A row of {code} is refused here: {found.table} ({found.row}), {found.no} of {found.of} rows that were written"
        f" there together at {found.at:%Y-%m-%d %H:%M:%S} UTC. PostgreSQL says: {found.reason}{rule}."
        " Nothing is lost: it and what came after it wait at the satellite. Find out what stands against it here at the"
        " centre and mend that, nothing at the satellite; then PostgreSQL goes on by itself. Join again to see it."
    )


def _written_anew(code: str, entry: int) -> str:
    return (
        f"Entry {entry} of the audit trail of {code} is another one there than it came here: the trail was written anew"
        " from it on, so that it fits by itself. What had come is here as it was, and nothing from there on is taken"
        " in. Find out who changed it, and how."
    )


def _unfit(code: str, entry: int) -> str:
    return (
        f"Entry {entry} of the audit trail of {code} does not fit the chain: nothing from it on is taken in."
        " Find out who changed it, and how."
    )
