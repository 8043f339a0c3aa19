"""How many fields lie under which key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.resealing.fields import SealedColumn, sealed_columns

OWN = "own"
"""Under the clients' own keys."""


@dataclass(frozen=True)
class Count:
    """Fields of one column under one key."""

    column: SealedColumn
    key: str
    """The id of a key of the house, or OWN."""
    fields: int
    stale: int
    """How many of them should be under another one."""


def stale(column: SealedColumn) -> str:
    """A condition: this field is under neither the key of today nor, where it is a client's, that client's own.

    What lies in an erased client's row, or in none's, is the house's to the end.
    """
    name = f'"{column.table}"."{column.column}"'
    house = f"substring({name} FROM 1 FOR 5) <> convert_to(chr(1) || CAST(:current AS text), 'UTF8')"
    there = f"{name} IS NOT NULL AND octet_length({name}) > 0"
    if column.whose is None:
        return f"{there} AND {house}"
    whose = column.whose
    erased = f"EXISTS (SELECT FROM client_key k WHERE k.client_id = {whose} AND k.erased_at IS NOT NULL)"
    nobodys = f"{whose} IS NULL OR {erased}"
    return f"{there} AND get_byte({name}, 0) = 1 AND (NOT ({nobodys}) OR {house})"


def count_fields(session: ReadSession) -> list[Count]:
    """Every key that fields of a column lie under, with how many, by column."""
    counts = []
    for column in sealed_columns():
        name = f'"{column.column}"'
        key = f"CASE get_byte({name}, 0) WHEN 1 THEN encode(substring({name} FROM 2 FOR 4), 'escape') ELSE '{OWN}' END"
        rows = session.execute(
            text(
                f'SELECT {key}, count(*), count(*) FILTER (WHERE {stale(column)}) FROM "{column.table}"'
                f" WHERE octet_length({name}) > 0 GROUP BY 1 ORDER BY 1"
            ),
            {"current": session.vault.ring.current},
        )
        counts += [Count(column, str(under), fields, so_many) for under, fields, so_many in rows]
    return counts


def fields_by_key(session: ReadSession) -> dict[str, int]:
    """How many fields lie under each key, of all columns together."""
    found: Counter[str] = Counter()
    for count in count_fields(session):
        found[count.key] += count.fields
    return dict(found)
