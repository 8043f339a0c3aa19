"""The clients' own keys, beside the backups: a small sealed file, of which only the newest few are kept.

A backup holds no client's own key, so that no backup, however old, opens what names somebody who was erased. The keys
are written again with each backup and right after each erasure, and what was written before an erasure is removed. Each
is still sealed under a key of the house: the file and its secret key without the key file open nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyrage
from sqlalchemy import select, text

from dispensary.backups.files import BadBackup, folder_to_disk, write_whole
from dispensary.clients.legal_hold_models import LegalHold
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.erasing.service import shred
from dispensary.staff.queries import place
from dispensary.units import ClientId, SiteId

KEPT = 3
_NAME = re.compile(r"takehome-own-keys-(\d{8}T\d{6}Z)\.age")
_MOMENT = "%Y%m%dT%H%M%SZ"
_FORM = 1
_ERASURES = text("""
SELECT e.client_id::text AS client, e.site_id::text AS site, e.at::text AS at, e.ground,
    encode(e.authority_sealed, 'hex') AS authority, e.account_id::text AS account, e.second_id::text AS second
FROM erasure e ORDER BY e.client_id
""")
_AGAIN = text("""
INSERT INTO erasure (client_id, site_id, at, ground, authority_sealed, account_id, second_id)
SELECT CAST(:client AS uuid), CAST(:site AS uuid), CAST(:at AS timestamptz), :ground, decode(:authority, 'hex'),
    CAST(:account AS uuid), CAST(:second AS uuid)
WHERE (SELECT count(*) FROM account WHERE id IN (CAST(:account AS uuid), CAST(:second AS uuid))) = 2
ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True)
class Brought:
    """What the file of own keys did to a backup that came back."""

    keys: int
    erased_again: int
    """Clients whom the backup still had, and who were erased since."""


def in_folder(folder: Path) -> list[tuple[datetime, Path]]:
    """The files of own keys there, the newest first."""
    found = []
    for file in folder.iterdir() if folder.is_dir() else ():
        if named := _NAME.fullmatch(file.name):
            found.append((datetime.strptime(named[1], _MOMENT).replace(tzinfo=UTC), file))
    return sorted(found, reverse=True)


def write_own_keys(
    session: ReadSession, *, folders: Sequence[Path], sealed_to: Sequence[pyrage.x25519.Recipient], at: datetime
) -> None:
    """Writes the keys as they are now into each folder, and removes those that need not or must not be kept."""
    keys = session.execute(
        text("""SELECT client_id::text AS client, encode(wrapped_sealed, 'hex') AS wrapped FROM client_key
            WHERE wrapped_sealed IS NOT NULL ORDER BY client_id""")
    )
    erased = [dict(row) for row in session.execute(_ERASURES).mappings()]
    record = {"form": _FORM, "keys": {row.client: row.wrapped for row in keys}, "erased": erased}
    content = bytes(pyrage.encrypt(json.dumps(record).encode(), list(sealed_to)))
    last = last_erased(session)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"takehome-own-keys-{at.astimezone(UTC):{_MOMENT}}.age", content)
        for rank, (moment, file) in enumerate(in_folder(folder)):
            if rank >= KEPT or (rank > 0 and last is not None and moment <= last):
                file.unlink()
        folder_to_disk(folder)


def last_erased(session: ReadSession) -> datetime | None:
    """When somebody was erased last."""
    moment: datetime | None = session.scalar(text("SELECT max(erased_at) FROM client_key"))
    return moment


def overtaken(database: Database, folders: Sequence[Path]) -> bool:
    """Whether a folder still has keys that were written before the last erasure, or none that came after it."""
    with database.reading() as session:
        last = last_erased(session)
    if last is None:
        return False
    return any(not files or any(moment <= last for moment, _ in files) for files in map(in_folder, folders))


def forget_erased_keys(
    database: Database, *, folders: Sequence[Path], sealed_to: Sequence[pyrage.x25519.Recipient], at: datetime
) -> bool:
    """After an erasure: writes the keys anew, removes every older file, and clears the table's own dead rows.

    Says whether there was something to do. A folder that is away now is tried again at the next call.
    """
    if not overtaken(database, folders):
        return False
    with database.reading() as session:
        write_own_keys(session, folders=folders, sealed_to=sealed_to, at=at)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL client_key"))  # a small table: what was overwritten leaves the file
    return True


def _lift_what_stood(session: WriteSession, client_id: ClientId, at: datetime) -> None:
    """A hold that the backup still has was lifted before the erasure, which it would have refused."""
    standing = select(LegalHold).where(LegalHold.client_id == client_id, LegalHold.lifted_at.is_(None))
    for hold in session.scalars(standing):
        hold.lifted_at, hold.lifted_by = max(at, hold.set_at), hold.set_by
        hold.lift_reason_sealed = session.vault.seal("legal_hold.lift_reason", hold.id, "lifted before the erasure")
    session.flush()


def newest(folder: Path) -> Path | None:
    """The newest file of own keys beside a backup."""
    files = in_folder(folder)
    return files[0][1] if files else None


def bring_own_keys(
    session: WriteSession, file: Path, secrets: Sequence[pyrage.x25519.Identity], *, now: datetime
) -> Brought:
    """Puts the keys of the file into a database that came back without them, and erases again who was erased since.

    Keys of clients whom it does not have yet are left out. Raises BadBackup for a file that is none.
    """
    try:
        record: dict[str, Any] = json.loads(bytes(pyrage.decrypt(file.read_bytes(), list(secrets))))
        keys, erased = record["keys"], record["erased"]
    except pyrage.DecryptError as reason:
        raise BadBackup(f"{file} does not open with this secret key ({reason}).") from None
    except (ValueError, KeyError, TypeError):
        raise BadBackup(f"{file} is damaged. Take the one before it.") from None
    brought = session.scalars(
        text("""INSERT INTO client_key (client_id, wrapped_sealed)
            SELECT client.id, decode(key, 'hex') FROM unnest(CAST(:clients AS uuid[]), CAST(:keys AS text[]))
                AS given (id, key) JOIN client ON client.id = given.id
            ON CONFLICT DO NOTHING RETURNING client_id"""),
        {"clients": list(keys), "keys": list(keys.values())},
    ).all()
    known = set(
        session.scalars(
            text("SELECT id::text FROM client WHERE id::text = ANY(:ids)"), {"ids": [each["client"] for each in erased]}
        )
    )
    again = 0
    for each in erased:
        if each["client"] in known:
            at = datetime.fromisoformat(each["at"])
            done_before = session.scalar(
                text("SELECT count(*) FROM erasure WHERE client_id = CAST(:client AS uuid)"), each
            )
            client_id = ClientId(UUID(each["client"]))
            _lift_what_stood(session, client_id, at)
            day = place(session, SiteId(UUID(each["site"]))).dose_day(at)
            shred(session, client_id=client_id, day=day, at=at, whatever_is_on_its_way=True)
            session.execute(_AGAIN, each)
            again += not done_before
    return Brought(len(brought), again)
