"""A copy of the keys for the envelope: sealed as age seals, in letters that can be printed and typed again."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pyrage

from dispensary.keys import BadKeys, Ring, ring_from

SHORTEST_WORDS = 20
"""Letters: five words that do not belong together."""
BY_WORDS, TO_A_KEY = "words", "key"
_ARMORED = b"-----BEGIN AGE ENCRYPTED FILE-----"
_BINARY = b"age-encryption.org/"


def sealed_to(ring: Ring, recipients: Sequence[pyrage.x25519.Recipient]) -> str:
    """The keys, sealed to public keys."""
    return bytes(pyrage.encrypt(ring.as_json().encode(), recipients, armored=True)).decode()


def sealed_by_words(ring: Ring, words: str) -> str:
    """The keys, sealed by words. Raises BadKeys for words that can be guessed at leisure."""
    if len(words.strip()) < SHORTEST_WORDS:
        raise BadKeys(
            f"Whoever finds the copy can guess at leisure: use {SHORTEST_WORDS} letters or more, as five words."
        )
    return bytes(pyrage.passphrase.encrypt(ring.as_json().encode(), words.strip(), armored=True)).decode()


def sealed_kind(content: bytes) -> str | None:
    """How this copy is sealed: by words or to a key; nothing for a file that is not sealed."""
    if not content.lstrip().startswith((_ARMORED, _BINARY)):
        return None
    if content.lstrip().startswith(_BINARY):
        return BY_WORDS if b"-> scrypt " in content[:200] else TO_A_KEY
    first = b"".join(content.strip().splitlines()[1:5])
    head = base64.b64decode(first + b"=" * (-len(first) % 4))
    return BY_WORDS if b"-> scrypt " in head else TO_A_KEY


def opened_by_words(file: Path, words: str) -> Ring:
    """Raises BadKeys for other words."""
    try:
        plain = pyrage.passphrase.decrypt(file.read_bytes().strip(), words.strip())
    except pyrage.DecryptError:
        raise BadKeys(f"{file} does not open by these words.") from None
    return ring_from(bytes(plain).decode(), told=f"What {file} holds")


def opened_with(file: Path, identities: Sequence[pyrage.x25519.Identity]) -> Ring:
    """Raises BadKeys for another secret key."""
    try:
        plain = pyrage.decrypt(file.read_bytes().strip(), identities)
    except pyrage.DecryptError:
        raise BadKeys(f"{file} does not open with this secret key.") from None
    return ring_from(bytes(plain).decode(), told=f"What {file} holds")
