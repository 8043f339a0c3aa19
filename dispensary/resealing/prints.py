"""Which keys a database was sealed by, so that a program with others refuses at its start and not at the first name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.key_sources import KeyFile
from dispensary.keys import BadKeys, Kind, Ring, Vault
from dispensary.staff.vault_key_models import VaultKey

_CALLED = {Kind.SEALING: "key", Kind.INDEX: "index key", Kind.SIGNING: "signing key"}
_LOOK = (
    ("client.name", "SELECT id, name_sealed FROM client ORDER BY id DESC LIMIT 1"),
    ("contact.phone_sealed", "SELECT recipient_id, phone_sealed FROM contact ORDER BY recipient_id DESC LIMIT 1"),
)
"""What is opened once where a database has noted no key yet."""


def spoken(print_: bytes) -> str:
    """A fingerprint as people read it to each other."""
    digits = print_.hex()
    return "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def noted(session: ReadSession) -> dict[str, bytes]:
    """The fingerprint of each key that this database may need."""
    return {row.name: row.print for row in session.scalars(select(VaultKey).order_by(VaultKey.name))}


def disagreements(needed: dict[str, bytes], ring: Ring) -> list[str]:
    """A sentence for each key that the database needs and these are not."""
    here = ring.prints()
    said = []
    for name, print_ in needed.items():
        called = f"{_CALLED[Kind(name[0])]} {name}"
        if name not in here:
            said.append(f"the {called} ({spoken(print_)}) is missing")
        elif here[name] != print_:
            said.append(f"the {called} is {spoken(here[name])} and should be {spoken(print_)}")
    return said


def must_fit(database: Database, *, at: datetime) -> None:
    """Raises BadKeys unless these keys are those of the database; notes newer ones that it has not seen.

    A database that has noted none, since it is new or older than the notes, takes these if they open what it holds.
    """
    vault: Vault = database.vault
    with database.reading() as session:
        needed = noted(session)
        wrong = disagreements(needed, vault.ring) if needed else _what_stays_shut(session)
    if wrong:
        raise _others(vault, wrong)
    if any(name not in needed for name in vault.ring.prints()):
        with database.writing() as session:
            note(session, vault.ring, at=at)


def _what_stays_shut(session: ReadSession) -> list[str]:
    try:
        must_open(session)
    except BadKeys:
        return ["what it holds does not open with them"]
    return []


def _others(vault: Vault, wrong: list[str]) -> BadKeys:
    """What is said of keys that are not this database's; a key file that this very start has made goes again."""
    source = vault.keyring.source
    if isinstance(source, KeyFile) and source.made:
        source.path.unlink(missing_ok=True)
        return BadKeys(f"{source.told} is missing, and the database needs it. Bring back the newest copy of it.")
    told = source.told if source else "These keys"
    return BadKeys(
        f"{told}: not the keys of this database: {'; '.join(wrong)}. Bring back the newest copy of the keys."
    )


def must_open(session: ReadSession) -> None:
    """Raises BadKeys unless a name and a number of this database open."""
    for column, asked in _LOOK:
        for row, sealed in session.execute(text(asked)):
            if sealed:
                session.vault.open_bytes(column, row, bytes(sealed))


def note(session: WriteSession, ring: Ring, *, at: datetime) -> None:
    """Keeps the fingerprints of keys that are not kept yet."""
    known = noted(session)
    rows = [{"name": n, "print": p, "noted_at": at} for n, p in ring.prints().items() if n not in known]
    if rows:
        session.execute(insert(VaultKey).on_conflict_do_nothing(), rows)


def forget(session: WriteSession, name: str) -> None:
    """The database needs this key no more."""
    session.execute(delete(VaultKey).where(VaultKey.name == name))
