"""Making a backup: one moment of the database, sealed to a public key, and restored once before it counts as made.

The dump goes through a pipe to the seal and, beside it, into a PostgreSQL of its own, where every table is counted and
summed again. Nothing of it is ever on a disk unsealed but there, in the data folder, until the comparison is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import pyrage
from sqlalchemy import Connection, create_engine, make_url, text

from dispensary import __version__
from dispensary.backups.files import (
    BadBackup,
    Said,
    copy,
    digest,
    folder_to_disk,
    name_of,
    rotate,
    write_said,
)
from dispensary.backups.own_keys import write_own_keys
from dispensary.backups.sums import Sums, differing, sums
from dispensary.backups.trying import one_at_a_time, spare_server, tool
from dispensary.database import Database, WriteSession
from dispensary.staff import audit
from dispensary.staff.queries import sites_here
from dispensary.staff.rules import the_program

Progress = Callable[[str, int, int], None]

_DUMP = ("--format=custom", "--no-owner", "--no-privileges", "--exclude-table-data=public.client_key")
RESTORE = ("--no-owner", "--no-privileges", "--exit-on-error")
_CHAINS = text("""
SELECT site.code, coalesce(last.seq, 0), coalesce(encode(last.hash, 'hex'), '') FROM site
LEFT JOIN LATERAL (SELECT seq, hash FROM audit_entry WHERE site_id = site.id ORDER BY seq DESC LIMIT 1) AS last ON true
ORDER BY site.code
""")


@dataclass(frozen=True)
class Made:
    """A backup that is on disk whole."""

    file: Path
    said: Said
    rotated: int
    """Older ones that were removed."""
    seconds: float

    def as_json(self) -> dict[str, object]:
        return {
            "file": self.file.name,
            "bytes": self.said.bytes,
            "sha256": self.said.sha256,
            "tried_out": self.said.tried_out,
            "seconds": round(self.seconds, 1),
        }


def public_keys(written: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    """Reads the keys that a backup is sealed to. Raises BadBackup for one that is none."""
    if not written:
        raise BadBackup(
            "No key to seal the backup to. Make one with `dispensary backup-key`, and name its public part."
        )
    try:
        return [pyrage.x25519.Recipient.from_str(each) for each in written]
    except pyrage.RecipientError:
        raise BadBackup("A public key begins with age1 and has 62 signs. The secret one is of no use here.") from None


def back_up(
    database: Database,
    *,
    into: Path,
    sealed_to: Sequence[str],
    data: Path,
    at: datetime,
    copy_to: Path | None = None,
    try_out: bool = True,
    progress: Progress | None = None,
) -> Made:
    """Writes a backup into a folder, removes those that need not be kept, and copies it to a second folder.

    Work goes on meanwhile: the backup is the database of one moment. Without `try_out` it is not restored before it
    counts. Raises BadBackup, and then no file stands where one was to be; the copy alone may fail with the backup made.
    """
    keys, began = public_keys(sealed_to), time.monotonic()
    file = into / name_of(at)
    with one_at_a_time(data):
        into.mkdir(parents=True, exist_ok=True)
        for left in into.glob(".takehome-*.part"):
            left.unlink()  # of a run that was cut short; nobody else writes here now
        if file.exists():
            raise BadBackup(f"{file} is there already. Wait a second.")
        part = file.with_name(f".{file.name}.part")
        try:
            said = _dumped(database, part, keys, data if try_out else None, at, progress or (lambda *_: None))
            with database.reading() as session:  # not older than the backup: it has the key of everybody in it
                write_own_keys(session, folders=[into], sealed_to=keys, at=at)
            write_said(file, said)
            part.replace(file)
            folder_to_disk(into)
        finally:
            part.unlink(missing_ok=True)
        rotated = len(rotate(into))  # before the copy: while that fails, a backup an hour must not fill the disk
        if copy_to is not None:
            copy(file, copy_to)
            rotate(copy_to)
            with database.reading() as session:
                write_own_keys(session, folders=[copy_to], sealed_to=keys, at=at)
        return Made(file, said, rotated, time.monotonic() - began)


def note_at_each_site(session: WriteSession, *, act: str, said: Said, by: str, at: datetime) -> None:
    """Each site's audit trail says that a person made or restored this backup, under which account of the computer."""
    details = {"made_at": said.made_at, "sha256": said.sha256, "computer_account": by}
    for site in sites_here(session):
        audit.record(
            session,
            actor=the_program(site.id),
            act=act,
            subject="site",
            subject_id=site.id,
            at=at,
            details=details,
        )


def _dumped(
    database: Database,
    part: Path,
    keys: Sequence[pyrage.x25519.Recipient],
    data: Path | None,
    at: datetime,
    progress: Progress,
) -> Said:
    with _one_moment(database) as (connection, snapshot), ExitStack() as stack:
        summed = sums(connection, lambda done, of: progress("counting", done, of))
        migration = str(connection.scalar(text("SELECT version_num FROM alembic_version")))
        chains = {code: f"{last} {ending}" for code, last, ending in connection.execute(_CHAINS)}
        spare = stack.enter_context(spare_server(data)) if data else None
        _through(database.url, snapshot, part, keys, spare)
        if spare:
            came_back = sums_of(spare, lambda done, of: progress("trying it out", done, of))
            if different := differing(summed, came_back):
                raise BadBackup(f"The backup did not come back as it was: {'; '.join(different[:5])}.")
        return Said(
            made_at=at.isoformat(timespec="seconds"),
            program=__version__,
            migration=migration,
            sha256=digest(part),
            bytes=part.stat().st_size,
            tried_out=spare is not None,
            sums=summed,
            chains=chains,
        )


@contextmanager
def _one_moment(database: Database) -> Iterator[tuple[Connection, str]]:
    """A look at one moment of the database that others can share, until the block ends."""
    with database.engine.connect() as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection, str(connection.scalar(text("SELECT pg_export_snapshot()")))


def sums_of(url: str, progress: Callable[[int, int], None] | None = None) -> Sums:
    """The sums of the database at this address."""
    engine = create_engine(url, connect_args={"options": "-c timezone=UTC"})
    try:
        with engine.connect() as connection:
            return sums(connection, progress)
    finally:
        engine.dispose()


def _through(url: str, snapshot: str, part: Path, keys: Sequence[pyrage.x25519.Recipient], spare: str | None) -> None:
    """Dump, seal and, where there is a spare server, restore, all at once."""
    with ExitStack() as stack:
        beside = None
        if spare:
            options = (*RESTORE, f"--dbname={make_url(spare).database}")
            beside = stack.enter_context(tool("pg_restore", *options, url=spare, given=-1)).stdin
        dump = stack.enter_context(tool("pg_dump", *_DUMP, f"--snapshot={snapshot}", url=url, taken=-1))
        assert dump.stdout is not None
        with part.open("wb") as sealed:
            part.chmod(0o600)
            pyrage.encrypt_io(_Fork(dump.stdout, beside), sealed, keys)


class _Fork:
    """What is read from one stream also goes into another, for as long as that takes it.

    A tool that ended early says itself why, when it is asked for its end.
    """

    def __init__(self, source: IO[bytes], beside: IO[bytes] | None) -> None:
        self._source = source
        self._beside = beside

    def read(self, most: int = -1) -> bytes:
        piece = self._source.read(most)
        if piece and self._beside:
            try:
                self._beside.write(piece)
            except BrokenPipeError:
                self._beside = None
        elif self._beside:
            with suppress(BrokenPipeError):
                self._beside.close()
        return piece
