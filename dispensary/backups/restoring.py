"""Bringing a backup back: tried out on a server of its own, or in place of the database that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import pyrage
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from dispensary.backups.files import FORM, BadBackup, Said, digest, read_said
from dispensary.backups.making import RESTORE, note_at_each_site, sums_of
from dispensary.backups.own_keys import bring_own_keys, newest
from dispensary.backups.sums import differing
from dispensary.backups.trying import one_at_a_time, spare_server, tool
from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.schema import raise_wall
from dispensary.verification.verifying import Finding, verify

Progress = Callable[[str, int, int], None]

_LAST_ACT = text("SELECT max(at) FROM audit_entry")


@dataclass(frozen=True)
class Drilled:
    """What a trial of a backup found."""

    said: Said
    last_act: datetime | None
    """The last entry of its audit trails: what was done after it is not in the backup."""
    findings: tuple[Finding, ...]
    """What `verify` found in it, names opened with the key file among the rest."""


def secret_keys(file: Path) -> list[pyrage.x25519.Identity]:
    """Reads the secret keys of a file as age-keygen and `dispensary backup-key` write it. Raises BadBackup."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    try:
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        keys = []
    if not keys:
        raise BadBackup(f"{file} holds no secret key: a line that begins with AGE-SECRET-KEY-1.")
    return keys


def drill(
    file: Path,
    *,
    keys: Path,
    vault: Vault,
    data: Path,
    now: datetime,
    progress: Progress | None = None,
) -> Drilled:
    """Restores a backup on a server of its own, compares every table, verifies the whole, and removes it again.

    Raises BadBackup when it is not what it was when it was made.
    """
    tell = progress or (lambda *_: None)
    with one_at_a_time(data):
        said = _checked(file)
        with spare_server(data) as url:
            _bring(file, secret_keys(keys), url)
            _compare(said, url, tell)
            database = Database(url, vault, pool_size=2)
            try:
                _own_keys(database, said, file, secret_keys(keys), now)
                with database.reading() as session:
                    findings = tuple(verify(session, now=now, progress=lambda done, of, _: tell("verifying", done, of)))
                    last = session.scalar(_LAST_ACT)
            finally:
                database.close()
        return Drilled(said, last, findings)


def restore(
    file: Path,
    *,
    keys: Path,
    url: str,
    vault: Vault,
    data: Path,
    by: str,
    now: datetime,
    progress: Progress | None = None,
) -> tuple[Said, str | None]:
    """Puts a backup in place of the database at this address, and returns under which name that one is kept.

    An empty database is kept under no name. Until the last moment nothing there is changed: the backup is restored
    beside it and compared. `by` is the computer's account that does it, for the audit trail of each site. Raises
    BadBackup, also while a program is still connected.
    """
    with one_at_a_time(data), _beside(make_url(url)) as (admin, there):
        said, secrets = _checked(file), secret_keys(keys)
        fresh, old = (f"{there.database}_{word}_{now:%Y%m%d%H%M%S}" for word in ("restored", "until"))
        _say(admin, "CREATE DATABASE {fresh}", fresh=fresh)
        try:
            beside = there.set(database=fresh).render_as_string(hide_password=False)
            _bring(file, secrets, beside)
            _compare(said, beside, progress or (lambda *_: None))
            _wall(beside)
            _note(beside, vault, said, (file, secrets), by, now)
            empty = _is_empty(url)
            _say(  # one statement: at no moment is there neither of them under the name
                admin,
                """DO $both$ BEGIN
                    ALTER DATABASE {there} RENAME TO {old};
                    ALTER DATABASE {fresh} RENAME TO {there};
                END $both$""",
                there=there.database or "",
                old=old,
                fresh=fresh,
            )
        except BaseException:
            _say(admin, "DROP DATABASE IF EXISTS {fresh}", fresh=fresh)
            raise
        if empty:
            _say(admin, "DROP DATABASE {old}", old=old)
        return said, None if empty else old


def _checked(file: Path) -> Said:
    said = read_said(file)
    if digest(file) != said.sha256:
        raise BadBackup(f"{file} is not what it was when it was made: its SHA-256 differs. Take another copy.")
    return said


def _bring(file: Path, secrets: list[pyrage.x25519.Identity], url: str) -> None:
    try:
        with (
            file.open("rb") as sealed,
            tool("pg_restore", *RESTORE, f"--dbname={make_url(url).database}", url=url, given=-1) as restoring,
        ):
            assert restoring.stdin is not None
            pyrage.decrypt_io(sealed, _Fed(restoring.stdin), secrets)
    except pyrage.DecryptError as reason:
        raise BadBackup(f"{file} does not open with this secret key ({reason}).") from None


class _Fed:
    """Takes what is written until the reader has ended, who says itself why it did."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to: IO[bytes] | None = to

    def write(self, piece: bytes) -> int:
        if self._to:
            try:
                self._to.write(piece)
            except BrokenPipeError:
                self._to = None
        return len(piece)

    def flush(self) -> None:
        """What was written is on its way when the reader's pipe is closed."""


def _compare(said: Said, url: str, progress: Progress) -> None:
    if different := differing(said.sums, sums_of(url, lambda done, of: progress("comparing", done, of))):
        raise BadBackup(f"The backup did not come back as it was: {'; '.join(different[:5])}.")


def _wall(url: str) -> None:
    """A backup has no privileges, which are the server's: whoever is signed in works by them."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            raise_wall(connection)
    finally:
        engine.dispose()


def _own_keys(database: Database, said: Said, file: Path, secrets: list[pyrage.x25519.Identity], now: datetime) -> None:
    """Clients' own keys come from the newest file of them, and who was erased since is erased here too."""
    if said.form < FORM:
        return  # of a program that knew none: its names lie under keys of the house
    keys = newest(file.parent)
    if keys is None:
        raise BadBackup(
            f"No takehome-own-keys file is beside {file.name}: without it no name in it opens. Copy the newest one."
        )
    with database.writing() as session:
        bring_own_keys(session, keys, secrets, now=now)


def _note(
    url: str,
    vault: Vault,
    said: Said,
    came_from: tuple[Path, list[pyrage.x25519.Identity]],
    by: str,
    now: datetime,
) -> None:
    """The clients' own keys come back; each site's audit trail goes on with where it came from."""
    database = Database(url, vault, pool_size=2)
    try:
        _own_keys(database, said, *came_from, now)
        with database.writing() as session:
            note_at_each_site(session, act="restored backup", said=said, by=by, at=now)
    finally:
        database.close()


@contextmanager
def _beside(there: URL) -> Iterator[tuple[Engine, URL]]:
    """A way to the server from another database of it, in no transaction."""
    admin = create_engine(there.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        yield admin, there
    finally:
        admin.dispose()


def _is_empty(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return not connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
    finally:
        engine.dispose()


def _say(admin: Engine, sentence: str, **databases: str) -> None:
    quoted = {word: admin.dialect.identifier_preparer.quote_identifier(name) for word, name in databases.items()}
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(sentence.format(**quoted).replace("%", "%%"))
    except DBAPIError as reason:
        said = str(reason.orig).splitlines()[0]
        raise BadBackup(f"The server refuses: {said}. Stop every program that uses the database.") from None
