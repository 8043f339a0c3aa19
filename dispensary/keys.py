"""The keys of the house: sealing what names a person, finding it again without reading it, signing passes.

The key file lives outside the database and its backups. Who has the disk and not the file reads nobody's name.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE = 12
_KEY_ID = 4


class BadKeys(RuntimeError):
    """The key file is missing a key, is damaged, or does not fit what it should open."""


@dataclass(frozen=True)
class Vault:
    """Seals and opens fields with AES-256-GCM, each bound to its column and row, and makes blind indexes.

    A sealed field is version, key id, nonce and ciphertext. The column's name and the row's id are authenticated with
    it, so that a field copied to another row does not open there.
    """

    current: str
    keys: Mapping[str, bytes]
    index_key: bytes
    signing_key: bytes
    _ciphers: dict[str, AESGCM] = field(default_factory=dict, compare=False, repr=False)

    def _cipher(self, key_id: str) -> AESGCM:
        if key_id not in self._ciphers:
            if key_id not in self.keys:
                raise BadKeys(f"The key file has no key “{key_id}”, with which this field was sealed.")
            self._ciphers[key_id] = AESGCM(self.keys[key_id])
        return self._ciphers[key_id]

    def seal(self, column: str, row: UUID, value: str | bytes) -> bytes:
        """Seals `value` for this column of this row."""
        plain = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(_NONCE)
        bound = f"{column}|{row}".encode()
        return _VERSION + self.current.encode() + nonce + self._cipher(self.current).encrypt(nonce, plain, bound)

    def open_bytes(self, column: str, row: UUID, sealed: bytes) -> bytes:
        """Opens what `seal` made for the same column and row. Raises BadKeys for anything else."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + _KEY_ID + _NONCE + 16:
            raise BadKeys(f"{column} of {row} is not a sealed field.")
        key_id = sealed[1 : 1 + _KEY_ID].decode("ascii", "replace")
        nonce = sealed[1 + _KEY_ID : 1 + _KEY_ID + _NONCE]
        try:
            return self._cipher(key_id).decrypt(nonce, sealed[1 + _KEY_ID + _NONCE :], f"{column}|{row}".encode())
        except InvalidTag:
            raise BadKeys(f"{column} of {row} was sealed with another key or for another row.") from None

    def open(self, column: str, row: UUID, sealed: bytes) -> str:
        """Opens a sealed text. Raises BadKeys when it was sealed for another row, column or key."""
        return self.open_bytes(column, row, sealed).decode()

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed digest (16 bytes) by which a value is found without being stored: equal values, equal digests."""
        return hmac.digest(self.index_key, f"{kind}|{value}".encode(), sha256)[:16]

    def sign(self, purpose: str, value: bytes) -> bytes:
        """A keyed signature (32 bytes) over a purpose and a value."""
        return hmac.digest(self.signing_key, purpose.encode() + b"|" + value, sha256)


def fresh_vault() -> Vault:
    """A vault with new random keys."""
    return Vault("k001", {"k001": os.urandom(32)}, os.urandom(32), os.urandom(32))


def open_vault(path: Path) -> Vault:
    """Reads the key file, or makes it (readable by its owner alone) when there is none. Raises BadKeys."""
    if not path.exists():
        return _make(path)
    try:
        record = json.loads(path.read_text())
        keys = {name: base64.b64decode(value, validate=True) for name, value in record["keys"].items()}
        vault = Vault(record["current"], keys, base64.b64decode(record["index"]), base64.b64decode(record["signing"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as reason:
        raise BadKeys(
            f"The key file {path} cannot be read ({type(reason).__name__}). Restore it from its copy."
        ) from None
    sizes = [len(key) for key in keys.values()] + [len(vault.index_key), len(vault.signing_key)]
    if vault.current not in keys or any(size != 32 for size in sizes):
        raise BadKeys(f"The key file {path} is damaged. Restore it from its copy.")
    return vault


def _make(path: Path) -> Vault:
    vault = fresh_vault()
    record = {
        "current": vault.current,
        "keys": {name: base64.b64encode(key).decode() for name, key in vault.keys.items()},
        "index": base64.b64encode(vault.index_key).decode(),
        "signing": base64.b64encode(vault.signing_key).decode(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)  # fails when another start made the file first: theirs counts
    except FileExistsError:
        return open_vault(path)
    finally:
        part.unlink()
    return vault
