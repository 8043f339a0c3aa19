"""Writing an export: CSV tables and the manifest beside them, all of them or none.

CSV is RFC 4180 in UTF-8 with CR LF. The manifest states what the figures mean, from which records they came, and the
SHA-256 of each table, so that a copy can be checked and a second run compared.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import IO, Self

from dispensary.refusals import BadInput, Refusal


@dataclass(frozen=True)
class Table:
    """A table as the manifest describes it."""

    name: str
    rows: int
    sha256: str
    columns: Mapping[str, str]
    """Each column and what it says: the data dictionary."""


class Export:
    """A folder of files that appear together when the block ends well, under `path` and names made from it.

    Raises BadInput when they cannot be written; what was there before is then as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: list[tuple[Path, Path]] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, reason: BaseException | None, at: TracebackType | None
    ) -> None:
        self._open.close()
        for part, whole in self._parts:
            if kind is None:
                os.replace(part, whole)
            else:
                part.unlink(missing_ok=True)
        if isinstance(reason, OSError):
            raise _unwritable(self.path, reason) from None

    def table(self, suffix: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> Table:
        """Writes a table row by row: memory does not grow with it. `suffix` tells it from the others of the export."""
        name = f"{self.path.stem}{suffix}{self.path.suffix or '.csv'}"
        with self._part(name) as file:
            out = _Hashing(file)
            writer = csv.writer(out, lineterminator="\r\n")
            writer.writerow(columns)
            count = 0
            for row in rows:
                writer.writerow(row)
                count += 1
        return Table(name, count, out.digest.hexdigest(), columns)

    def manifest(self, statement: Mapping[str, object], tables: Sequence[Table]) -> Path:
        """Writes the manifest and returns where it will stand."""
        whole = {
            **statement,
            "tables": [
                {"name": t.name, "rows": t.rows, "sha256": t.sha256, "columns": dict(t.columns)} for t in tables
            ],
        }
        name = f"{self.path.stem}.manifest.json"
        with self._part(name) as file:
            file.write(json.dumps(whole, ensure_ascii=False, indent=2, default=str).encode() + b"\n")
        return self.path.with_name(name)

    def _part(self, name: str) -> IO[bytes]:
        whole = self.path.with_name(name)
        part = whole.with_name(f".{name}.{token_hex(4)}.part")
        file = part.open("wb")
        self._parts.append((part, whole))
        return self._open.enter_context(file)


def _unwritable(path: Path, reason: OSError) -> BadInput:
    sentence = f"{path} cannot be written: {reason.strerror or reason}."
    return BadInput(Refusal("cannot-write", sentence, "Choose a folder that is there and has room.", field="path"))


class _Hashing:
    """What is written goes to the file and into the digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = sha256()

    def write(self, text: str) -> int:
        encoded = text.encode()
        self.digest.update(encoded)
        return self.file.write(encoded)
