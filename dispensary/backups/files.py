"""A backup as files: the dump, sealed as age seals it, and beside it what was in it, which names nobody."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

from dispensary.backups.rules import kept
from dispensary.backups.sums import Sums

_NAME = re.compile(r"takehome-(\d{8}T\d{6}Z)\.dump\.age")
_MOMENT = "%Y%m%dT%H%M%SZ"
FORM = 2
"""From 2 on a backup holds no client's own key: they come from a file of their own (own_keys.py)."""


class BadBackup(RuntimeError):
    """A backup could not be made, or one cannot be used. The text is one line that says why and what to do."""


@dataclass(frozen=True)
class Said:
    """What stands beside a backup."""

    made_at: str
    program: str
    """The version of the program."""
    migration: str
    sha256: str
    """Of the sealed file."""
    bytes: int
    tried_out: bool
    """Whether it was restored when it was made, and every table was the same."""
    sums: Sums
    chains: dict[str, str]
    """By site: the last number and hash of its audit trail. Compared with a later one it shows a chain made anew."""
    form: int = FORM


def name_of(moment: datetime) -> str:
    return f"takehome-{moment.astimezone(UTC):{_MOMENT}}.dump.age"


def moment_of(file: Path) -> datetime | None:
    """When this backup was made, by its name; nothing for another file."""
    named = _NAME.fullmatch(file.name)
    return datetime.strptime(named[1], _MOMENT).replace(tzinfo=UTC) if named else None


def said_file(file: Path) -> Path:
    """What stands beside this backup."""
    return file.with_name(file.name.removesuffix(".dump.age") + ".json")


def write_said(file: Path, said: Said) -> None:
    write_whole(said_file(file), json.dumps(asdict(said), indent=1, sort_keys=True).encode() + b"\n")


def read_said(file: Path) -> Said:
    """What stands beside this backup. Raises BadBackup where there is nothing, or nothing that can be read."""
    beside = said_file(file)
    try:
        return Said(**json.loads(beside.read_bytes()))
    except FileNotFoundError:
        raise BadBackup(f"{beside} is missing: it says what the backup holds. Copy it too.") from None
    except (ValueError, TypeError):
        raise BadBackup(f"{beside} is damaged. Take another copy of this backup.") from None


def digest(file: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def in_folder(folder: Path) -> Iterator[tuple[datetime, Path]]:
    """The backups of a folder, with when they were made; one that was cut short has no name of a backup."""
    for file in folder.iterdir() if folder.is_dir() else ():
        if moment := moment_of(file):
            yield moment, file


def rotate(folder: Path) -> Sequence[Path]:
    """Removes the backups that need not be kept, each with what stands beside it, and returns them."""
    here = dict(in_folder(folder))
    gone = [here[moment] for moment in sorted(here.keys() - kept(here))]
    for file in gone:
        file.unlink()
        said_file(file).unlink(missing_ok=True)
    return gone


def copy(file: Path, to: Path) -> None:
    """Copies a backup and what stands beside it to another folder. Raises BadBackup when the copy is another."""
    to.mkdir(parents=True, exist_ok=True)
    expected = read_said(file).sha256
    part = to / f".{file.name}.part"
    with file.open("rb") as source, part.open("wb") as target:
        while piece := source.read(1 << 20):
            target.write(piece)
        _to_disk(target.fileno())
    if digest(part) != expected:
        part.unlink()
        raise BadBackup(f"The copy in {to} is not what was copied. Look at that disk.")
    write_whole(to / said_file(file).name, said_file(file).read_bytes())
    part.replace(to / file.name)
    folder_to_disk(to)


def write_whole(file: Path, content: bytes) -> None:
    """Writes a file that is there whole, or not at all."""
    part = file.with_name(f".{file.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
        _to_disk(opened.fileno())
    part.replace(file)
    folder_to_disk(file.parent)


def _to_disk(handle: int) -> None:
    os.fsync(handle)


def folder_to_disk(folder: Path) -> None:
    """Makes the names in a folder survive a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
