"""Tables of an export: the same rows in each format, with types, and the same bytes each time."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from dispensary.evaluation import tables
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.tables import Column, Columns, amount, figure, whole
from dispensary.refusals import BadInput

COLUMNS: Columns = {
    "client": Column("who"),
    "day": whole("days since entry"),
    "mg": amount("ordered"),
    "share": figure("covered"),
}
ROWS: list[tuple[object, ...]] = [
    ("a", 0, Decimal("80.00"), Decimal("0.5")),
    ("=1+1", -3, Decimal("7.25"), None),
    ('ว,"่า"\n', None, None, Decimal("1")),
]


def written(folder: Path, name: str, rows: list[tuple[object, ...]] | None = None) -> Table:
    with Export(folder / name) as out:
        table = out.table("", COLUMNS, ROWS if rows is None else rows)
        out.manifest({}, [table])
    return table


def test_every_format_says_the_same(tmp_path: Path) -> None:
    made = [written(tmp_path, f"t.{suffix}") for suffix in ("csv", "parquet", "xlsx")]
    assert {table.rows for table in made} == {3}
    assert len({table.rows_sha256 for table in made}) == 1
    assert len({table.sha256 for table in made}) == 3
    assert [sha256((tmp_path / table.name).read_bytes()).hexdigest() for table in made] == [t.sha256 for t in made]


def test_parquet_has_types(tmp_path: Path) -> None:
    written(tmp_path, "t.parquet")
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.schema.types == [pa.string(), pa.int64(), pa.decimal128(12, 2), pa.decimal128(28, 8)]
    assert read.schema.field("mg").metadata == {b"says": b"ordered"}
    assert [tuple(row.values()) for row in read.to_pylist()] == ROWS


def test_a_workbook_takes_no_text_for_a_formula_and_says_what_its_columns_are(tmp_path: Path) -> None:
    written(tmp_path, "t.xlsx")
    book = load_workbook(tmp_path / "t.xlsx")
    cell = book["data"]["A3"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    assert [each.value for each in book["data"][2]] == ["a", 0, 80, 0.5]
    assert [each.value for each in book["columns"][4]] == ["mg", "ordered", "amount"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first = written(tmp_path, f"a.{suffix}")
    again = written(tmp_path, f"b.{suffix}")
    assert first.sha256 == again.sha256
    assert written(tmp_path, f"c.{suffix}", ROWS[:2]).sha256 != first.sha256


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_a_table_without_rows_has_its_columns(tmp_path: Path, suffix: str) -> None:
    assert written(tmp_path, f"t.{suffix}", []).rows == 0
    if suffix == "parquet":
        assert pq.read_table(tmp_path / "t.parquet").column_names == list(COLUMNS)


def test_more_rows_than_a_sheet_has_are_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_MOST_ROWS_OF_A_SHEET", 2)
    with pytest.raises(BadInput):
        written(tmp_path, "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        written(tmp_path, "t.doc")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(), st.integers(-(2**40), 2**40)), max_size=30), st.integers(1, 7))
def test_csv_is_read_back_as_it_was_however_it_is_cut_into_chunks(rows: list[tuple[str, int]], at_once: int) -> None:
    columns = {"text": Column("any"), "number": whole("any")}
    whole_file, in_chunks = io.BytesIO(), io.BytesIO()
    count, digest = tables.write(".csv", whole_file, columns, rows)
    kept, tables._ROWS_AT_ONCE = tables._ROWS_AT_ONCE, at_once
    try:
        assert tables.write(".csv", in_chunks, columns, rows) == (count, digest)
    finally:
        tables._ROWS_AT_ONCE = kept
    assert in_chunks.getvalue() == whole_file.getvalue()
    read = list(csv.reader(io.StringIO(whole_file.getvalue().decode(), newline="")))
    assert [(text, int(number)) for text, number in read[1:]] == rows
