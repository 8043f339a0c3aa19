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
# Of whom it says something, in SQL: the client under whose own key it is sealed. Others are the house's.
_BY_CLIENT = (
    *(
        "agent",
        "client_goal",
        "consent",
        "contact_note",
        "goal_step",
        "goal_word",
        "intake_part",
        "legal_hold",
        "legal_status",
        "look_reason",
        "number_change",
    ),
    *("referral_word", "release", "screening", "visit_wish", "watched_record"),
)
_ANSWERED = "(SELECT r.client_id FROM release r WHERE r.legal_demand_id = {} AND r.client_id IS NOT NULL LIMIT 1)"
_WHOSE = {
    **{table: f"{table}.client_id" for table in _BY_CLIENT},
    "client": "client.id",
    "contact": "contact.recipient_id",
    "inbound": "inbound.recipient_id",
    "message": "message.recipient_id",
    "release_note": "(SELECT r.client_id FROM release r WHERE r.id = release_note.release_id)",
    # A demand is linked to nobody. One that was answered about a client is, by the line of the register that answers.
    "legal_demand": _ANSWERED.format("legal_demand.id"),
    "legal_demand_step": _ANSWERED.format("legal_demand_step.demand_id"),
}
_THE_HOUSES_OWN = {"legal_demand.who_sealed"}
"""Who asked says nothing of a client, and is what a programme can show for itself when the client is forgotten."""


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed fields."""

    table: str
    column: str
    bound_by: str
    """The name that is authenticated with each field."""
    row: str
    """The column with the id that is authenticated with it: the table's own key."""
    whose: str | None
    """In SQL, the client whose own key it is sealed under; nothing where it is the house's whoever it is about."""

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
        whose=None if name in _THE_HOUSES_OWN else _WHOSE.get(table.name),
    )
