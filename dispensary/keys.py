"""The keys of the house: sealing what names a person, finding it again without reading it, signing passes.

There are three kinds, each with one key that is used from now on and perhaps older ones that still count: what seals
(`k001`), what makes digests to look up by (`i001`), what signs (`s001`).

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
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HOUSE, CLIENT = b"\x01", b"\x02"
"""The first byte of a sealed field: under a key of the house, or under a client's own."""
_NONCE = 12
_TAG = 16
KEY_BYTES = 32
DIGEST_BYTES = 16
_FIRST_INDEX = "i001"
_MOST = 255
"""Of one kind: the number of an index key stands in a byte of its digests."""
_WHOSE = len(CLIENT) + 16
_HOUSE_HEAD = len(HOUSE) + len("k001")


class BadKeys(RuntimeError):
    """Keys are missing, damaged, or do not fit what they should open. The text is one line that names no person."""


ERASED = "erased"
"""What stands where a client's words were, once their own key is gone."""


class Erased(BadKeys):
    """The client's own key is gone: what was sealed under it opens for nobody any more."""


class Kind(StrEnum):
    """What a key is for, by the first letter of its id."""

    SEALING = "k"
    INDEX = "i"
    SIGNING = "s"


@dataclass(frozen=True)
class Held:
    """The keys of one kind."""

    current: str
    """The id of the one that is used from now on."""
    keys: Mapping[str, bytes] = field(repr=False)
    """By id, every key that may have been used."""

    def faults(self, kind: Kind) -> bool:
        """Whether the current key is missing, or one has a wrong length or a wrong id."""
        form = re.compile(rf"{kind}\d{{3}}")
        return (
            self.current not in self.keys
            or not all(form.fullmatch(name) and 1 <= int(name[1:]) <= _MOST for name in self.keys)
            or any(len(key) != KEY_BYTES for key in self.keys.values())
        )


@dataclass(frozen=True)
class Ring:
    """The keys as they are at one moment."""

    sealing: Held
    index: Held
    """Make the digests by which names and numbers are found."""
    signing: Held
    """Sign passes, and name clients in exports."""

    @property
    def current(self) -> str:
        """The id of the key that seals from now on."""
        return self.sealing.current

    @property
    def keys(self) -> Mapping[str, bytes]:
        """By id, every key that may have sealed something."""
        return self.sealing.keys

    def held(self, kind: Kind) -> Held:
        """The keys of this kind."""
        return {Kind.SEALING: self.sealing, Kind.INDEX: self.index, Kind.SIGNING: self.signing}[kind]

    def with_held(self, kind: Kind, held: Held) -> Ring:
        """These keys, with others of one kind."""
        if kind is Kind.SEALING:
            return replace(self, sealing=held)
        return replace(self, index=held) if kind is Kind.INDEX else replace(self, signing=held)

    def every(self) -> dict[str, bytes]:
        """All of them by id."""
        return {**self.sealing.keys, **self.index.keys, **self.signing.keys}

    def faults(self) -> bool:
        """Whether a key is missing or of the wrong length."""
        return any(self.held(kind).faults(kind) for kind in Kind)

    def prints(self) -> dict[str, bytes]:
        """A fingerprint of each key, by its id: it tells keys apart and opens nothing."""
        return {
            name: sha256(b"fingerprint of a Takehome key|" + key).digest()[:8] for name, key in self.every().items()
        }

    def as_json(self) -> str:
        """As a key file holds it."""
        return json.dumps({kind.name.lower(): _written(self.held(kind)) for kind in Kind})


def _written(held: Held) -> dict[str, object]:
    return {"current": held.current, "keys": {name: base64.b64encode(key).decode() for name, key in held.keys.items()}}


def ring_from(text: str, *, told: str) -> Ring:
    """The keys that this JSON holds. Raises BadKeys, which says nothing of it but where it was: `told`.

    A file of before index and signing keys could be exchanged has one of each, and the sealing ones beside them.
    """
    try:
        record = json.loads(text)
        if "sealing" in record:
            ring = Ring(*(_held(record[kind.name.lower()]) for kind in Kind))
        else:
            ring = Ring(
                _held(record),
                Held(_FIRST_INDEX, {_FIRST_INDEX: _decoded(record["index"])}),
                Held("s001", {"s001": _decoded(record["signing"])}),
            )
    except (ValueError, KeyError, TypeError, AttributeError) as reason:
        kind = type(reason).__name__
    else:
        if not ring.faults():
            return ring
        kind = "a key is missing, has a wrong length or an id other than its letter and three digits"
    raise BadKeys(f"{told} cannot be read ({kind}). Restore it from its copy.")


def _held(record: dict[str, Any]) -> Held:
    return Held(record["current"], {str(name): _decoded(value) for name, value in record["keys"].items()})


def _decoded(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def fresh_ring() -> Ring:
    """New random keys, one of each kind."""
    return Ring(*(Held(f"{kind}001", {f"{kind}001": os.urandom(KEY_BYTES)}) for kind in Kind))


def with_new_key(ring: Ring, *, current: bool, kind: Kind = Kind.SEALING) -> tuple[Ring, str]:
    """The ring with one more random key of a kind, which is used from now on if it is to be the current one."""
    held = ring.held(kind)
    name = f"{kind}{max(int(each[1:]) for each in held.keys) + 1:03d}"
    more = {**held.keys, name: os.urandom(KEY_BYTES)}
    return ring.with_held(kind, Held(name if current else held.current, more)), name


def index_key_of(digest: bytes) -> str | None:
    """Under which index key this digest was made; nothing for what is none."""
    if len(digest) == DIGEST_BYTES:
        return _FIRST_INDEX
    return f"{Kind.INDEX}{digest[0]:03d}" if len(digest) == DIGEST_BYTES + 1 else None


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
        now, then = newer.every(), self.ring.every()
        if all(now.get(name, key) == key for name, key in then.items()):
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
        head = _HOUSE_HEAD if sealed[:1] == HOUSE else _WHOSE
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

    def open_unless_erased(self, column: str, row: UUID, sealed: bytes | None, *, gone: str = "") -> str:
        """The same, and `gone` where nothing was sealed or the client's own key went with their erasure."""
        try:
            return self.open(column, row, sealed) if sealed else gone
        except Erased:
            return gone

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed digest by which a value is found without being stored: equal values, equal digests.

        It has 16 bytes, and before them the number of its key where that is not the first one.
        """
        held = self.ring.index
        return _blind(held.current, held.keys[held.current], kind, value)

    def blinds(self, kind: str, value: str) -> list[bytes]:
        """Every digest under which a value may be found, that of `blind` first: several while keys are exchanged."""
        held = self.ring.index
        digests = {name: _blind(name, key, kind, value) for name, key in sorted(held.keys.items())}
        return [digests.pop(held.current), *digests.values()]

    def sign(self, purpose: str, value: bytes) -> bytes:
        """A keyed signature (32 bytes) over a purpose and a value."""
        held = self.ring.signing
        return hmac.digest(held.keys[held.current], purpose.encode() + b"|" + value, sha256)

    def signing_by(self, name: str) -> Vault:
        """A vault that signs by this key, with which to make again what it once signed. Raises BadKeys without it."""
        held = self.ring.signing
        if name not in held.keys:
            raise BadKeys(f"There is no signing key “{name}” any more.")
        if name == held.current:
            return self
        return Vault(Keyring(replace(self.ring, signing=Held(name, held.keys))))

    def signers(self) -> list[Vault]:
        """A vault for each signing key that counts, the oldest first."""
        return [self.signing_by(name) for name in sorted(self.ring.signing.keys)]


def _bound(column: str, row: UUID) -> bytes:
    return f"{column}|{row}".encode()


def _blind(name: str, key: bytes, kind: str, value: str) -> bytes:
    mark = b"" if name == _FIRST_INDEX else bytes([int(name[1:])])
    return mark + hmac.digest(key, f"{kind}|{value}".encode(), sha256)[:DIGEST_BYTES]


def for_nobody(sealed: bytes, client: UUID) -> bytes:
    """A field in the form of one under this client's own key, of the same words' length, that opens for nobody."""
    return CLIENT + client.bytes + os.urandom(len(sealed) - _HOUSE_HEAD)


def whose(sealed: bytes) -> UUID | None:
    """The client under whose own key this field is sealed; nothing for one that is under the house's."""
    return UUID(bytes=bytes(sealed[1:_WHOSE])) if sealed[:1] == CLIENT and len(sealed) >= _WHOSE else None


def fresh_vault() -> Vault:
    """A vault with new random keys, which no file keeps."""
    return Vault(Keyring(fresh_ring()))
