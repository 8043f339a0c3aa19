"""Every column of keyed digests there is, how many lie under which index key, and what an older one still holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.keys import DIGEST_BYTES

KEYED = (
    ("client_index", "digest"),
    ("contact", "phone_index"),
    ("conversation", "phone_index"),
    ("inbound", "phone_index"),
    ("message", "phone_index"),
    ("number_change", "phone_index"),
    ("number_change", "pin_digest"),
    ("phone_pin", "phone_index"),
    ("phone_pin", "pin_digest"),
    ("pickup_pass", "code_digest"),
    ("pickup_pass", "token_digest"),
    ("pin_gate", "phone_index"),
    ("recovery_code", "digest"),
)
"""What is looked up by an index key, for longer than the quarter of an hour that a guess counts."""


@dataclass(frozen=True)
class Stays:
    """What only a person can bring under a newer key, or only time."""

    count: int
    what: str
    """What it is, and what becomes of it when the key is dropped all the same."""


def under(column: str) -> str:
    """In SQL, the id of the key under which the digest of this column was made; nothing for what is none."""
    return (
        f"CASE octet_length({column}) WHEN {DIGEST_BYTES} THEN 'i001'"
        f" WHEN {DIGEST_BYTES + 1} THEN 'i' || lpad(CAST(get_byte({column}, 0) AS text), 3, '0') END"
    )


def older(column: str) -> str:
    """A condition: this digest is under another key than the one of today."""
    return f"{under(column)} <> :current"


def digests_by_key(session: ReadSession) -> dict[str, int]:
    """How many digests lie under each index key, of all columns together."""
    found: Counter[str] = Counter()
    for table, column in KEYED:
        for name, count in session.execute(text(f"SELECT {under(column)}, count(*) FROM {table} GROUP BY 1")):
            if name is not None:
                found[name] += count
    return dict(found)


_REACHED = (
    "SELECT count(*) FROM client_index WHERE {digest} = :key",
    "SELECT count(*) FROM contact WHERE {phone_index} = :key",
    "SELECT count(*) FROM message WHERE {phone_index} = :key AND octet_length(phone_sealed) > 0",
    "SELECT count(*) FROM inbound WHERE {phone_index} = :key AND octet_length(phone_sealed) > 0",
    "SELECT count(*) FROM number_change WHERE {phone_index} = :key",
    "SELECT count(*) FROM phone_pin WHERE {phone_index} = :key",
    "SELECT count(*) FROM pickup_pass WHERE ({code_digest} = :key OR {token_digest} = :key)"
    " AND signed_by = ANY(:signers)",
)
_STAYS = (
    (
        "SELECT count(*) FROM phone_pin WHERE {pin_digest} = :key",
        "PINs of the phone line: each comes under the newer key when its client types it; without the older one it is"
        " heard no more, and is set anew at the desk",
    ),
    (
        "SELECT count(*) FROM recovery_code WHERE {digest} = :key AND used_at IS NULL",
        "recovery codes of staff: their people make new ones on their page; without the older one they open nothing",
    ),
    (
        "SELECT count(*) FROM inbound WHERE {phone_index} = :key AND octet_length(phone_sealed) = 0",
        "wishes of numbers that nobody has at present, for no more texts or for texts again: without the older one"
        " they are forgotten",
    ),
    (
        "SELECT (SELECT count(*) FROM number_change WHERE {pin_digest} = :key)"
        " + (SELECT count(*) FROM conversation WHERE {phone_index} = :key)"
        " + (SELECT count(*) FROM pin_gate WHERE {phone_index} = :key)",
        "talks with a phone that go on: they are over within a day, and without the older one at once",
    ),
)


def _asked(statement: str) -> str:
    return statement.format(**{column: under(column) for _, column in KEYED})


def reached(session: ReadSession, name: str) -> int:
    """How many digests under this key `indexing.index_anew` would bring under that of today."""
    signers = list(session.vault.ring.signing.keys)
    return sum(
        session.scalar(text(_asked(each)), {"key": name, **({"signers": signers} if "signers" in each else {})}) or 0
        for each in _REACHED
    )


def stays(session: ReadSession, name: str) -> Sequence[Stays]:
    """What else lies under this key."""
    counts = [(session.scalar(text(_asked(asked)), {"key": name}) or 0, what) for asked, what in _STAYS]
    return [Stays(count, what) for count, what in counts if count]
