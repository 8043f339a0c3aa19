"""Writing an export: its tables and the manifest beside them, all of them or none.

CSV is RFC 4180 in UTF-8 with CR LF. The manifest states what the figures mean, from which records they came, and the
SHA-256 of each file, so that a copy can be checked and a second run compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from dispensary.evaluation.tables import Column, Columns, Row, write
from dispensary.refusals import BadInput, Refusal


@dataclass(frozen=True)
class Table:
    """A table as the manifest describes it."""

    name: str
    rows: int
    sha256: str
    rows_sha256: str
    """Of the rows as CSV, whatever the format: two files that have it in common say the same."""
    columns: Columns
    """Each column and what it says: the data dictionary."""

    def as_json(self) -> dict[str, object]:
        """The table in the manifest."""
        said = {name: {"says": column.says, "kind": column.kind.value} for name, column in self.columns.items()}
        digests = {"sha256": self.sha256, "rows_sha256": self.rows_sha256}
        return {"name": self.name, "rows": self.rows, **digests, "columns": said}


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

    def table(self, suffix: str, columns: Columns, rows: Iterable[Row]) -> Table:
        """Writes a table row by row: memory does not grow with it. `suffix` tells it from the others of the export."""
        kind = self.path.suffix or ".csv"
        name = f"{self.path.stem}{suffix}{kind}"
        with self._part(name) as file:
            count, digest = write(kind, file, columns, rows)
        return Table(name, count, self._digest(name), digest, columns)

    def lines(self, suffix: str, says: str, rows: Iterable[Mapping[str, Any]]) -> Table:
        """Writes one JSON object a line (NDJSON), row by row; `says` is what the file has."""
        name = f"{self.path.stem}{suffix}.ndjson"
        encode = msgspec.json.Encoder(decimal_format="number").encode
        count = 0
        with self._part(name) as file:
            for row in rows:
                file.write(encode(row) + b"\n")
                count += 1
        digest = self._digest(name)
        return Table(name, count, digest, digest, {"resource": Column(says)})

    def array(self, suffix: str, key: str, says: str, rows: Iterable[Mapping[str, Any]]) -> Table:
        """Writes one JSON document that is a list under a key, an entry a line: memory does not grow with it."""
        name = f"{self.path.stem}{suffix}.json"
        encode = msgspec.json.Encoder(decimal_format="number").encode
        count = 0
        with self._part(name) as file:
            file.write(b'{"' + key.encode() + b'": [')
            for row in rows:
                file.write((b",\n" if count else b"\n") + encode(row))
                count += 1
            file.write(b"\n]}\n")
        digest = self._digest(name)
        return Table(name, count, digest, digest, {key: Column(says)})

    def document(self, suffix: str, says: str, content: Mapping[str, Any]) -> Table:
        """Writes one JSON document; `says` is what it has."""
        name = f"{self.path.stem}{suffix}.json"
        with self._part(name) as file:
            file.write(json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")
        digest = self._digest(name)
        return Table(name, 1, digest, digest, {"document": Column(says)})

    def picture(self, kind: str, says: str, content: bytes) -> Table:
        """Writes a figure that was drawn, such as SVG or PNG; `says` is what it shows."""
        name = f"{self.path.stem}.{kind}"
        with self._part(name) as file:
            file.write(content)
        digest = self._digest(name)
        return Table(name, 1, digest, digest, {"figure": Column(says)})

    def manifest(self, statement: Mapping[str, object], tables: Sequence[Table]) -> Path:
        """Writes the manifest and returns where it will stand."""
        whole = {
            **statement,
            "tables": [table.as_json() for table in tables],
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

    def _digest(self, name: str) -> str:
        """Of a file that was written."""
        (part,) = (part for part, whole in self._parts if whole.name == name)
        with part.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()


def _unwritable(path: Path, reason: OSError) -> BadInput:
    sentence = f"{path} cannot be written: {reason.strerror or reason}."
    return BadInput(Refusal("cannot-write", sentence, "Choose a folder that is there and has room.", field="path"))
