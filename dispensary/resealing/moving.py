"""Sealing every field anew under the keys of today, in small batches, beside whoever works.

A field is exchanged only if it is still what was read: what somebody writes meanwhile is newer, and stays. Each batch
is a unit of its own: whoever ends this at any moment loses nothing, and the next run goes on with what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database, WriteSession, collided
from dispensary.keys import BadKeys, for_nobody
from dispensary.resealing.counting import count_fields, stale
from dispensary.resealing.fields import SealedColumn, sealed_columns
from dispensary.units import ClientId

Answer = TypeVar("Answer")
AT_ONCE = 100
"""Rows in a unit: their locks are held for some hundredths of a second."""
_PATIENCE = 20
"""How often a batch is tried that met somebody's lock or deadlock."""


@dataclass
class Moved:
    """What a run did."""

    fields: int = 0
    meanwhile: int = 0
    """Fields that somebody wrote anew between the look and the exchange; those are under today's keys by themselves."""
    unread: list[str] = field(default_factory=list)
    """One line for each field that does not open, by column and row; it stays as it is."""


def seal_anew(
    database: Database,
    *,
    tables: Collection[str] | None = None,
    at_once: int = AT_ONCE,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Moved:
    """Seals every field that is not under the key of today, or of its client, and says what was done.

    With `tables`, those of these alone, and without telling how many there are.
    It may be run by several at once. Raises BadKeys when a key is missing that is no field's own fault.
    """
    database.vault.keyring.look()
    moved, total = Moved(), 0
    if tables is None:
        with database.reading() as session:
            total = sum(count.stale for count in count_fields(session))
    for column in sealed_columns():
        if tables is not None and column.table not in tables:
            continue
        after = None
        while True:
            after, read = _batch(database, column, after, at_once, moved)
            progress(min(moved.fields + moved.meanwhile + len(moved.unread), total), total)
            if read < at_once:
                break
    return moved


def tried_again(database: Database, work: Callable[[WriteSession], Answer]) -> Answer:
    """Runs a batch in a unit of its own, and again when it met somebody's lock or deadlock."""
    tried = 0
    while True:
        try:
            with database.writing() as session:
                return work(session)
        except DBAPIError as reason:
            tried += 1
            waited_too_long = getattr(reason.orig, "sqlstate", None) == "55P03"
            if not (collided(reason) or waited_too_long) or tried == _PATIENCE:
                raise


def _batch(database: Database, column: SealedColumn, after: object, at_once: int, moved: Moved) -> tuple[object, int]:
    """One unit over the rows after this one; gives the last row and how many there were."""
    last, read, done, meanwhile, unread = tried_again(
        database, lambda session: _exchange(session, column, after, at_once)
    )
    moved.fields += done
    moved.meanwhile += meanwhile
    moved.unread += unread
    return last, read


def shred_what_the_house_sealed(session: WriteSession, client_id: ClientId) -> int:
    """Makes unreadable for good what lies under the house's key and says something of this client alone.

    It was sealed before there were own keys, or before it was known whose it is, and `seal_anew` has not reached it.
    Says how many fields. Call it in the unit that destroys the client's own key, after that.
    """
    session.execute(text("SET LOCAL takehome.sealing_anew = 'on'"))
    shredded = 0
    for column in sealed_columns():
        if column.whose is None:
            continue
        rows = session.execute(
            text(
                f'SELECT "{column.row}", "{column.column}" FROM "{column.table}" WHERE {column.whose} = :client'
                f' AND octet_length("{column.column}") > 0 AND get_byte("{column.column}", 0) = 1'
            ),
            {"client": client_id},
        ).all()
        for row, sealed in rows:
            session.execute(
                text(f'UPDATE "{column.table}" SET "{column.column}" = :new WHERE "{column.row}" = :row'),
                {"row": row, "new": for_nobody(bytes(sealed), client_id)},
            )
        shredded += len(rows)
    session.execute(text("SET LOCAL takehome.sealing_anew = 'off'"))
    return shredded


def _exchange(
    session: WriteSession, column: SealedColumn, after: object, at_once: int
) -> tuple[object, int, int, int, list[str]]:
    of = column.whose or "NULL"
    rows = session.execute(
        text(
            f'SELECT "{column.row}", {of}, "{column.column}" FROM "{column.table}"'
            f' WHERE {stale(column)} AND (CAST(:after AS uuid) IS NULL OR "{column.row}" > CAST(:after AS uuid))'
            f' ORDER BY "{column.row}" LIMIT :most'
        ),
        {"after": after, "most": at_once, "current": session.vault.ring.current},
    ).all()
    if not rows:
        return after, 0, 0, 0, []
    vault = session.vault
    vault.know([whose for _, whose, _ in rows if whose is not None])
    session.execute(text("SET LOCAL takehome.sealing_anew = 'on'"))
    exchanged, unread = [], []
    for row, whose, sealed in rows:
        try:
            plain = vault.open_bytes(column.bound_by, row, bytes(sealed))
            exchanged.append(
                {"row": row, "was": bytes(sealed), "new": vault.seal(column.bound_by, row, plain, of=whose)}
            )
        except BadKeys as reason:
            unread.append(str(reason))
    done = 0
    for each in exchanged:
        done += (
            session.execute(
                text(
                    f'UPDATE "{column.table}" SET "{column.column}" = :new'
                    f' WHERE "{column.row}" = :row AND "{column.column}" = :was RETURNING 1'
                ),
                each,
            ).scalar_one_or_none()
            or 0
        )
    return rows[-1][0], len(rows), done, len(exchanged) - done, unread
