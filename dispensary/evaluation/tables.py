"""Tables of an export in the formats that evaluators use: CSV, Parquet with types, and a workbook.

Each is written row by row, and the same rows give the same bytes. Whatever the format, the digest of the rows is that
of their CSV, so that two files can be told to say the same.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from dispensary.refusals import BadInput, Refusal

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 20_000
_MOST_ROWS_OF_A_SHEET = 1_048_575
_NO_DAY = (1980, 1, 1, 0, 0, 0)
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""When a workbook was made, as its properties have it."""


class Kind(StrEnum):
    """What the values of a column are; each may be missing."""

    TEXT = "text"
    WHOLE = "whole number"
    AMOUNT = "amount"
    """Exact, to two places: mg."""
    FIGURE = "figure"
    """Exact, to eight places: a share, an estimate."""


@dataclass(frozen=True)
class Column:
    """What a column says, and what its values are."""

    says: str
    kind: Kind = Kind.TEXT


Columns = Mapping[str, Column]
Row = Sequence[object]


def whole(says: str) -> Column:
    """A column of whole numbers."""
    return Column(says, Kind.WHOLE)


def amount(says: str) -> Column:
    """A column of mg."""
    return Column(says, Kind.AMOUNT)


def figure(says: str) -> Column:
    """A column of shares or estimates."""
    return Column(says, Kind.FIGURE)


def write(suffix: str, file: IO[bytes], columns: Columns, rows: Iterable[Row]) -> tuple[int, str]:
    """Writes the rows in the format of this suffix. Says how many they were, and their digest. Raises BadInput."""
    counted = _Counted(columns, rows)
    if suffix == ".csv":
        for chunk in counted.chunks():
            file.write(chunk.written)
    elif suffix == ".parquet":
        _parquet(file, columns, counted)
    elif suffix == ".xlsx":
        _workbook(file, columns, counted)
    else:
        raise BadInput(Refusal("format", f"There is no format “{suffix}”.", "Choose csv, parquet or xlsx."))
    return counted.count, counted.digest.hexdigest()


@dataclass(frozen=True)
class _Chunk:
    rows: list[Row]
    written: bytes


class _Counted:
    """Rows in chunks, each with its CSV; the first has the header alone."""

    def __init__(self, columns: Columns, rows: Iterable[Row]) -> None:
        self.count = 0
        self.digest = sha256()
        self._columns = columns
        self._rows = iter(rows)

    def chunks(self) -> Iterator[_Chunk]:
        yield self._chunk([], [list(self._columns)])
        while rows := list(islice(self._rows, _ROWS_AT_ONCE)):
            self.count += len(rows)
            yield self._chunk(rows, (map(_plain, row) for row in rows))

    def _chunk(self, rows: list[Row], written: Iterable[Iterable[object]]) -> _Chunk:
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\r\n").writerows(written)
        encoded = out.getvalue().encode()
        self.digest.update(encoded)
        return _Chunk(rows, encoded)


def _plain(value: object) -> object:
    return "" if value is None else format(value, "f") if isinstance(value, Decimal) else value


def _parquet(file: IO[bytes], columns: Columns, counted: _Counted) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [pa.field(name, _type(column.kind), metadata={"says": column.says}) for name, column in columns.items()]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for chunk in counted.chunks():
            if chunk.rows:
                arrays = [
                    pa.array(values, type=field.type)
                    for field, values in zip(schema, zip(*chunk.rows, strict=True), strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    match kind:
        case Kind.WHOLE:
            return pa.int64()
        case Kind.AMOUNT:
            return pa.decimal128(12, 2)
        case Kind.FIGURE:
            return pa.decimal128(28, 8)
    return pa.string()


def _workbook(file: IO[bytes], columns: Columns, counted: _Counted) -> None:
    """The rows on one sheet and what each column says on another; text is never taken for a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")

    def cell(value: Any) -> Any:
        made = WriteOnlyCell(sheet, value=value)
        if isinstance(value, str):
            made.data_type = "s"
        return made

    sheet.append([cell(name) for name in columns])
    for chunk in counted.chunks():
        if counted.count > _MOST_ROWS_OF_A_SHEET:
            sentence = f"A sheet has room for {_MOST_ROWS_OF_A_SHEET:,} rows, and these are more."
            raise BadInput(Refusal("too-many-rows", sentence, "Take csv or parquet, or a shorter period."))
        for row in chunk.rows:
            sheet.append([cell(value) for value in row])
    said = book.create_sheet("columns")
    for row in (("column", "says", "kind"), *((name, each.says, each.kind.value) for name, each in columns.items())):
        said.append([cell(value) for value in row])
    written = io.BytesIO()
    book.save(written)
    _without_the_time(written, file)


def _without_the_time(workbook: IO[bytes], file: IO[bytes]) -> None:
    """A workbook as it would be at any time: without when it was made, in its properties and in its packing."""
    with zipfile.ZipFile(workbook) as made, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in sorted(made.namelist()):
            content = made.read(entry)
            if entry == "docProps/core.xml":
                content = _MOMENT.sub(b"1980-01-01T00:00:00Z", content)
            info = zipfile.ZipInfo(entry, _NO_DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)
