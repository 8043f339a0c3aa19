"""The own key of each client: made when something of theirs is first sealed, fetched for a list at once, kept a moment.

It is a random key, sealed under a key of the house in `client_key`. What names or describes a client is sealed under
it, so that to erase them it is enough to destroy it: no copy of the fields opens afterwards, wherever it lies.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, LiteralString
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dispensary import seen
from dispensary.keys import KEY_BYTES, Erased, Vault

WRAPPED: Final = "client_key.wrapped"
KEPT_FOR = 60.0
"""Seconds for which a key that was fetched is used again: after an erasure another program may open for so long."""
MOST_KEPT = 10_000

_FETCH: Final = """
SELECT client_id, wrapped_sealed FROM client_key WHERE client_id = ANY(%(clients)s) AND wrapped_sealed IS NOT NULL
"""
_MAKE: Final = """
INSERT INTO client_key (client_id, wrapped_sealed) VALUES (%(client)s, %(wrapped)s) ON CONFLICT DO NOTHING
RETURNING client_id
"""
_THERE: Final = "SELECT count(*) FROM client_key WHERE client_id = ANY(%(clients)s)"

Ask = Callable[[LiteralString, Mapping[str, Any]], Iterable[tuple[Any, ...]]]
"""Runs one statement and gives its rows."""


class Kept:
    """Keys that are in hand for a minute, the oldest of too many thrown out. Threads share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, tuple[float, AESGCM]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, client: UUID) -> AESGCM | None:
        found = self._kept.get(client)
        return found[1] if found and found[0] > time.monotonic() else None

    def put(self, client: UUID, cipher: AESGCM) -> None:
        with self._lock:
            self._kept.pop(client, None)
            self._kept[client] = (time.monotonic() + KEPT_FOR, cipher)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def forget(self, client: UUID) -> None:
        with self._lock:
            self._kept.pop(client, None)


class DatabaseVault(Vault):
    """The keys with those of a database's clients, to open with. To seal for a client takes a unit of work."""

    def __init__(self, house: Vault, ask: Ask) -> None:
        super().__init__(house.keyring)
        self.kept = Kept()
        self._ask = ask

    def know(self, clients: Collection[UUID]) -> None:
        unknown = [client for client in set(clients) if self.kept.get(client) is None]
        if unknown:
            for client, cipher in unwrapped(self, self._ask, unknown):
                self.kept.put(client, cipher)

    def _own_cipher(self, client: UUID, *, make: bool) -> AESGCM | None:
        if make:
            raise RuntimeError("a client's own key is made within a unit of work, by session.vault")
        self.know([client])
        return self.kept.get(client)


class UnitVault(Vault):
    """The keys within one unit of work. A key that it makes is its own until the unit is kept."""

    def __init__(self, vault: Vault, ask: Ask) -> None:
        super().__init__(vault.keyring)
        self._kept = vault.kept if isinstance(vault, DatabaseVault) else Kept()
        self._ask = ask
        self._made: dict[UUID, AESGCM] = {}

    def know(self, clients: Collection[UUID]) -> None:
        unknown = [client for client in set(clients) if client not in self._made and self._kept.get(client) is None]
        if unknown:
            for client, cipher in unwrapped(self, self._ask, unknown):
                self._kept.put(client, cipher)

    def open_bytes(self, column: str, row: UUID, sealed: bytes) -> bytes:
        plain = super().open_bytes(column, row, sealed)
        seen.opened(column, row)
        return plain

    def _own_cipher(self, client: UUID, *, make: bool) -> AESGCM | None:
        for known in (self._known, self._fetched):
            if (cipher := known(client)) is not None:
                return cipher
        return self._make(client) if make else None

    def _known(self, client: UUID) -> AESGCM | None:
        return self._made.get(client) or self._kept.get(client)

    def _fetched(self, client: UUID) -> AESGCM | None:
        self.know([client])
        return self._known(client)

    def _make(self, client: UUID) -> AESGCM:
        key = os.urandom(KEY_BYTES)
        wrapped = self.seal(WRAPPED, client, key)
        if not list(self._ask(_MAKE, {"client": client, "wrapped": wrapped})):
            if (theirs := self._fetched(client)) is not None:  # another unit made it at the same moment
                return theirs
            raise Erased("The client was erased: nothing more is sealed for them.")
        self._made[client] = AESGCM(key)
        return self._made[client]

    def forget(self, client: UUID) -> None:
        """The client's key is being destroyed: it is not in hand here any more."""
        self._made.pop(client, None)
        self._kept.forget(client)

    def must_be_kept(self) -> None:
        """Raises RuntimeError when a key that was made here is not in the database: what it sealed would be lost.

        That happens where it was made within a savepoint that was undone.
        """
        if self._made:
            ((there,),) = self._ask(_THERE, {"clients": list(self._made)})
            if there != len(self._made):
                raise RuntimeError("a client's own key was undone: nothing of this unit is kept")


def unwrapped(vault: Vault, ask: Ask, clients: Collection[UUID]) -> list[tuple[UUID, AESGCM]]:
    """The own keys of these clients that there are, ready to use."""
    rows = list(ask(_FETCH, {"clients": list(clients)}))
    return [(client, AESGCM(vault.open_bytes(WRAPPED, client, bytes(wrapped)))) for client, wrapped in rows]
