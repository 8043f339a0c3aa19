"""Every sealed column there is, found from the tables themselves, with what each field of it is bound to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Table

from dispensary.schema import all_metadata

_SUFFIX = "_sealed"
# The name that is authenticated with a field, where it is not the column's own without its ending.
_BOUND_BY = {f"{name}_sealed": f"{name}_sealed" for name in (
    "contact.phone", "message.phone", "message.body", "inbound.phone", "inbound.body", "number_change.phone",
)}  # fmt: skip
# Of whom it says something: the column with the client whose own key it is sealed under. Others are the house's.
_OF = {
    "client": "id",
    "contact": "recipient_id",
    "agent": "client_id",
    "client_goal": "client_id",
    "consent": "client_id",
    "contact_note": "client_id",
    "look_reason": "client_id",
    "message": "recipient_id",
    "number_change": "client_id",
    "visit_wish": "client_id",
    "watched_record": "client_id",
}


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed fields."""

    table: str
    column: str
    bound_by: str
    """The name that is authenticated with each field."""
    row: str
    """The column with the id that is authenticated with it: the table's own key."""
    of: str | None
    """The column with the client whose own key it is sealed under; nothing where it is the house's."""

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


@cache
def sealed_columns() -> Sequence[SealedColumn]:
    """All of them, by table; clients' own keys first, since every other field of a client needs them."""
    tables = [table for metadata in all_metadata() for table in metadata.sorted_tables]
    found = [
        _described(table, name)
        for table in tables
        for name in (column.name for column in table.columns)
        if name.endswith(_SUFFIX)
    ]
    return sorted(found, key=lambda each: (each.table != "client_key", each.table, each.column))


def _described(table: Table, column: str) -> SealedColumn:
    (row,) = table.primary_key.columns.keys()
    name = f"{table.name}.{column}"
    return SealedColumn(
        table=table.name,
        column=column,
        bound_by=_BOUND_BY.get(name, name.removesuffix(_SUFFIX)),
        row=row,
        of=_OF.get(table.name),
    )
