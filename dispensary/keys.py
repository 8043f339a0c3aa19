"""The keys of the house: sealing what names a person, finding it again without reading it, signing passes.

The keys live outside the database and its backups (key_sources.py reads them). Who has the disk and not them reads
nobody's name.

A sealed field is of one of two forms. Version 1: version, id of a key of the house, nonce, ciphertext. Version 2:
version, the client's id, nonce, ciphertext under that client's own key, which lies wrapped under a key of the house in
`client_key` (client_keys.py) and goes for good when the client is erased. In both the column's name and the row's id
are authenticated, so that a field copied to another row does not open there.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HOUSE, CLIENT = b"\x01", b"\x02"
"""The first byte of a sealed field: under a key of the house, or under a client's own."""
_NONCE = 12
_TAG = 16
_KEY_ID = re.compile(r"k\d{3}")
KEY_BYTES = 32
_WHOSE = len(CLIENT) + 16


class BadKeys(RuntimeError):
    """Keys are missing, damaged, or do not fit what they should open. The text is one line that names no person."""


class Erased(BadKeys):
    """The client's own key is gone: what was sealed under it opens for nobody any more."""


@dataclass(frozen=True)
class Ring:
    """The keys as they are at one moment."""

    current: str
    """The id of the key that seals from now on."""
    keys: Mapping[str, bytes] = field(repr=False)
    """By id, every key that may have sealed something."""
    index: bytes = field(repr=False)
    """Makes the digests by which names and numbers are found."""
    signing: bytes = field(repr=False)
    """Signs passes, and names clients in exports."""

    def faults(self) -> bool:
        """Whether a key is missing or of the wrong length."""
        every = [*self.keys.values(), self.index, self.signing]
        return (
            self.current not in self.keys
            or not all(_KEY_ID.fullmatch(name) for name in self.keys)
            or any(len(key) != KEY_BYTES for key in every)
        )

    def prints(self) -> dict[str, bytes]:
        """A fingerprint of each key, by its name: it tells keys apart and opens nothing."""
        named = {**self.keys, "index": self.index, "signing": self.signing}
        return {name: sha256(b"fingerprint of a Takehome key|" + key).digest()[:8] for name, key in named.items()}

    def as_json(self) -> str:
        """As a key file holds it."""
        record: dict[str, object] = {
            "current": self.current,
            "keys": {name: base64.b64encode(key).decode() for name, key in self.keys.items()},
            "index": base64.b64encode(self.index).decode(),
            "signing": base64.b64encode(self.signing).decode(),
        }
        return json.dumps(record)


def ring_from(text: str, *, told: str) -> Ring:
    """The keys that this JSON holds. Raises BadKeys, which says nothing of it but where it was: `told`."""
    try:
        record = json.loads(text)
        ring = Ring(
            record["current"],
            {str(name): _decoded(value) for name, value in record["keys"].items()},
            _decoded(record["index"]),
            _decoded(record["signing"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as reason:
        kind = type(reason).__name__
    else:
        if not ring.faults():
            return ring
        kind = "a key is missing, has a wrong length or an id other than k and three digits"
    raise BadKeys(f"{told} cannot be read ({kind}). Restore it from its copy.")


def _decoded(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def fresh_ring() -> Ring:
    """New random keys."""
    return Ring("k001", {"k001": os.urandom(KEY_BYTES)}, os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))


def with_new_key(ring: Ring, *, current: bool) -> tuple[Ring, str]:
    """The ring with one more random key, which seals from now on if it is to be the current one."""
    name = f"k{max(int(each[1:]) for each in ring.keys) + 1:03d}"
    more = {**ring.keys, name: os.urandom(KEY_BYTES)}
    return replace(ring, keys=more, current=name if current else ring.current), name


class Source(Protocol):
    """Where keys come from, asked again while the program runs."""

    told: str
    """What a person calls it."""

    def read(self) -> Ring: ...

    def changed(self) -> bool:
        """Whether it is worth reading again, answered in microseconds. False where only a restart would tell."""
        ...

    def may_know_more(self) -> bool:
        """Whether it may hold a key that is not known here yet."""
        ...


class Keyring:
    """The keys that this program has in hand, exchanged for newer ones as their source changes."""

    def __init__(self, ring: Ring, source: Source | None = None) -> None:
        self.ring = ring
        self.source = source
        self._ciphers: dict[str, AESGCM] = {}

    def look(self) -> None:
        """Takes newer keys when there are any; a source that cannot be read now leaves those in hand."""
        if self.source is not None and self.source.changed():
            self._take()

    def cipher(self, key_id: str) -> AESGCM:
        """Raises BadKeys when neither this program nor the source knows the key."""
        if key_id not in self.ring.keys and self.source is not None and self.source.may_know_more():
            self._take()  # another program seals with a newer key already
        if key_id not in self.ring.keys:
            raise BadKeys(f"There is no key “{key_id}”, with which this field was sealed. Bring back the newest keys.")
        if key_id not in self._ciphers:
            self._ciphers[key_id] = AESGCM(self.ring.keys[key_id])
        return self._ciphers[key_id]

    def _take(self) -> None:
        assert self.source is not None
        try:
            newer = self.source.read()
        except BadKeys:  # half copied by hand, or the hook is down: the keys in hand are good, and a start would tell
            return
        if all(newer.keys.get(name, key) == key for name, key in self.ring.keys.items()):
            self.ring = newer


class Vault:
    """Seals and opens fields with AES-256-GCM, each bound to its column and row, and makes blind indexes."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    @property
    def ring(self) -> Ring:
        return self.keyring.ring

    def _own_cipher(self, client: UUID, *, make: bool) -> AESGCM | None:
        """What seals under a client's own key. A vault that belongs to no database knows none, and makes none."""
        return None

    def know(self, clients: Collection[UUID]) -> None:
        """Fetches the own keys of these clients at once, for a list of them; without it each is fetched when needed."""

    def seal(self, column: str, row: UUID, value: str | bytes, *, of: UUID | None = None) -> bytes:
        """Seals `value` for this column of this row, under the own key of the client whom it is `of`, if of any.

        A vault that belongs to no database seals under the house's key in any case.
        """
        plain = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(_NONCE)
        own = self._own_cipher(of, make=True) if of is not None else None
        if own is not None and of is not None:
            head = CLIENT + of.bytes + nonce
            return head + own.encrypt(nonce, plain, _bound(column, row))
        ring = self.keyring.ring
        sealed = self.keyring.cipher(ring.current).encrypt(nonce, plain, _bound(column, row))
        return HOUSE + ring.current.encode() + nonce + sealed

    def open_bytes(self, column: str, row: UUID, sealed: bytes) -> bytes:
        """Opens what `seal` made for the same column and row. Raises BadKeys, or Erased when the client is."""
        head = 5 if sealed[:1] == HOUSE else _WHOSE
        if sealed[:1] not in (HOUSE, CLIENT) or len(sealed) < head + _NONCE + _TAG:
            raise BadKeys(f"{column} of {row} is not a sealed field.")
        nonce, rest = sealed[head : head + _NONCE], sealed[head + _NONCE :]
        try:
            return self._cipher_of(column, row, sealed[:head]).decrypt(nonce, rest, _bound(column, row))
        except InvalidTag:
            raise BadKeys(f"{column} of {row} was sealed with another key or for another row.") from None

    def _cipher_of(self, column: str, row: UUID, head: bytes) -> AESGCM:
        if head[:1] == HOUSE:
            return self.keyring.cipher(head[1:].decode("ascii", "replace"))
        own = self._own_cipher(UUID(bytes=bytes(head[1:])), make=False)
        if own is None:
            raise Erased(f"{column} of {row} was sealed under a client's own key, which is gone.")
        return own

    def open(self, column: str, row: UUID, sealed: bytes) -> str:
        """Opens a sealed text. Raises BadKeys when it was sealed for another row, column or key."""
        return self.open_bytes(column, row, sealed).decode()

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed digest (16 bytes) by which a value is found without being stored: equal values, equal digests."""
        return _blind(self.ring.index, kind, value)

    def sign(self, purpose: str, value: bytes) -> bytes:
        """A keyed signature (32 bytes) over a purpose and a value."""
        return hmac.digest(self.ring.signing, purpose.encode() + b"|" + value, sha256)


def _bound(column: str, row: UUID) -> bytes:
    return f"{column}|{row}".encode()


def _blind(key: bytes, kind: str, value: str) -> bytes:
    return hmac.digest(key, f"{kind}|{value}".encode(), sha256)[:16]


def whose(sealed: bytes) -> UUID | None:
    """The client under whose own key this field is sealed; nothing for one that is under the house's."""
    return UUID(bytes=bytes(sealed[1:_WHOSE])) if sealed[:1] == CLIENT and len(sealed) >= _WHOSE else None


def fresh_vault() -> Vault:
    """A vault with new random keys, which no file keeps."""
    return Vault(Keyring(fresh_ring()))
