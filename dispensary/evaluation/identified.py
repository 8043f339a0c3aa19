"""An identified export: whom it names, and what its manifest says of that. Whoever makes one discloses them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from dispensary.database import ReadSession
from dispensary.evaluation.tables import Columns, Row


@dataclass
class Named:
    """Of whom an export tells the names, and how they are read: this room knows none."""

    ground: str
    columns: Columns
    rows: Callable[[ReadSession, Mapping[UUID, str]], Iterator[Row]]
    """Who each client is, by what they are called in the export."""
    consented: Collection[UUID] | None = None
    """Those who agreed; nothing where the ground is another one, and everybody is in it."""
    clients: set[UUID] = field(default_factory=set)
    """Who is in it, once it is written."""

    def among(self, clients: Collection[UUID]) -> list[UUID]:
        """Those of these clients who are in it; it remembers them, since each of them is disclosed."""
        self.clients = set(clients) if self.consented is None else set(clients) & set(self.consented)
        return sorted(self.clients)

    def said(self) -> str:
        """What the manifest says in the place of what is hidden."""
        return (
            f"None: this export names its clients, on the ground of {self.ground}. It is on the register of disclosures"
            " and in the record of each of them. Give it to nobody else, and destroy it when its purpose is served."
        )
