"""The files of a site's downtime packs: each whole or not there, the newest few kept, a copy on another disk."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

KEPT = 4
"""Packs of a site that are kept: the newest, and some before it in case that one is damaged."""
ENDINGS = ("pdf", "html")
_NAME = re.compile(r"downtime-([A-Z0-9-]{1,12})-(\d{8}T\d{6})Z\.(pdf|html)")
_PART = ".part-"


@dataclass(frozen=True)
class PackFiles:
    """One pack on the disk, in both forms."""

    stem: str
    made_at: datetime
    size: int


def folder_of(data: Path, code: str) -> Path:
    """Where a site's packs lie."""
    return data / "downtime" / code


def stem_of(code: str, made_at: datetime) -> str:
    """A pack's name without its ending: the site and the moment (UTC), never a person."""
    return f"downtime-{code}-{made_at.astimezone(UTC):%Y%m%dT%H%M%S}Z"


def made_at_of(stem: str) -> datetime | None:
    """The moment in a pack's name; nothing for any other name."""
    found = _NAME.fullmatch(f"{stem}.pdf")
    return datetime.strptime(found[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if found else None


def keep_pack(folder: Path, *, code: str, made_at: datetime, forms: Mapping[str, bytes]) -> PackFiles:
    """Writes both forms and then removes packs beyond the newest few, and what a killed program left half written.

    A form is there under its name only once it is whole and on the disk; until both are, older packs stay. A folder
    that is not there yet is made, readable by its owner alone. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = stem_of(code, made_at)
    for ending in ENDINGS:
        _write(folder / f"{stem}.{ending}", forms[ending])
    _prune(folder, code)
    return PackFiles(stem, made_at, sum(map(len, forms.values())))


def copy_pack(target: Path, *, code: str, stem: str, forms: Mapping[str, bytes]) -> str:
    """Copies a pack to a folder on another disk. Says why not, or nothing when it lies there now.

    The folder is not made: a stick that is not plugged in would otherwise be a folder of the same disk.
    """
    try:
        if not target.is_dir():
            return "the folder is not there"
        for ending in ENDINGS:
            _write(target / f"{stem}.{ending}", forms[ending])
        _prune(target, code)
    except OSError as reason:
        return reason.strerror or type(reason).__name__
    return ""


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{_PART}{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _prune(folder: Path, code: str) -> None:
    for old in packs_in(folder, code)[KEPT:]:
        for ending in ENDINGS:
            (folder / f"{old.stem}.{ending}").unlink(missing_ok=True)
    whole = {pack.stem for pack in packs_in(folder, code)}
    for path in folder.iterdir():
        half = path.name.startswith(f"{_PART}downtime-{code}-")
        found = _NAME.fullmatch(path.name)
        if half or (found and found[1] == code and path.stem not in whole):
            path.unlink(missing_ok=True)


def forget_packs(folder: Path, *, code: str, before: datetime) -> int:
    """Removes a site's packs that are older, the newest too: where none is made any more, none stays for ever."""
    old = [pack for pack in packs_in(folder, code) if pack.made_at < before]
    for pack in old:
        for ending in ENDINGS:
            (folder / f"{pack.stem}.{ending}").unlink(missing_ok=True)
    return len(old)


def packs_in(folder: Path, code: str) -> list[PackFiles]:
    """A site's packs that are there in both forms, the newest first."""
    if not folder.is_dir():
        return []
    forms: dict[str, dict[str, int]] = {}
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found and found[1] == code:
            forms.setdefault(path.stem, {})[found[3]] = path.stat().st_size
    return [
        PackFiles(stem, made_at, sum(sizes.values()))
        for stem, sizes in sorted(forms.items(), reverse=True)
        if len(sizes) == len(ENDINGS) and (made_at := made_at_of(stem)) is not None
    ]


def read_pack(folder: Path, code: str, name: str) -> bytes | None:
    """One form of one of the site's packs, by its whole name; nothing for any other name."""
    found = _NAME.fullmatch(name)
    path = folder / name
    if not found or found[1] != code or not path.is_file():
        return None
    return path.read_bytes()
