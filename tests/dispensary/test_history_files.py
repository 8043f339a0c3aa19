"""Reading dose history: what a file can mean, and that every line that cannot is named."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispensary.refusals import BadInput
from dispensary.supplies.dose_files import Reading, read_doses

START = date(2006, 5, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, content: str | bytes, **options: object) -> Reading:
    path = folder / "doses.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_doses(path, **options)  # type: ignore[arg-type]


def said(reading: Reading) -> list[tuple[str, str, str]]:
    return [(line.number, str(line.day), str(line.mg)) for line in reading.lines]


def workbook(folder: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    path = folder / "doses.xlsx"
    book.save(path)
    return path


def test_day_numbers_count_from_the_start(folder: Path) -> None:
    reading = read(folder, "who,day,mg\n11,0,40\n11,31,62.5\n", start=START)
    assert said(reading) == [("11", "2006-05-01", "40.00"), ("11", "2006-06-01", "62.50")]
    assert reading.problems == ()
    assert reading.columns == {"client": "who", "day": "day", "mg": "mg"}


def test_a_spreadsheet_of_another_country_is_understood(folder: Path) -> None:
    reading = read(folder, "﻿Client No.;Dose day;Dose (mg)\r\nk-7;2006-05-02;62,5\r\n\r\nk-7;2006-05-03;60\r\n")
    assert said(reading) == [("K-7", "2006-05-02", "62.50"), ("K-7", "2006-05-03", "60.00")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_unicode_that_spreadsheets_write_is_read(folder: Path, encoding: str) -> None:
    reading = read(folder, "client\tdate\tdose\nÄ1\t2006-05-02\t40\n".encode(encoding))
    assert said(reading) == [("Ä1", "2006-05-02", "40.00")]


def test_columns_are_taken_as_told_where_the_guess_would_be_wrong(folder: Path) -> None:
    content = "id,client,when,mg\n1,A,2006-05-02,40\n"
    assert said(read(folder, content, mapping={"day": "When"})) == [("A", "2006-05-02", "40.00")]
    assert said(read(folder, content, mapping={"day": "when", "client": "id"})) == [("1", "2006-05-02", "40.00")]


def test_a_workbook_is_read_with_its_dates_and_numbers(folder: Path) -> None:
    path = workbook(
        folder,
        [
            ["Client", "Date", "mg"],
            [11.0, datetime.fromisoformat("2006-05-02"), 62.5],
            ["B", "2006-05-03", 40],
            [None, None, None],
        ],
    )
    reading = read_doses(path)
    assert said(reading) == [("11", "2006-05-02", "62.50"), ("B", "2006-05-03", "40.00")]
    assert reading.problems == ()


def test_bad_cells_of_a_workbook_are_named(folder: Path) -> None:
    path = workbook(folder, [["who", "day", "mg"], ["A", 0, True], ["A", 1.5, 40], ["A", 2, "#N/A"], ["A", 3.0, 40]])
    reading = read_doses(path, start=START)
    assert said(reading) == [("A", "2006-05-04", "40.00")]
    assert [problem.line for problem in reading.problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,3,", "the dose is missing"),
        ("A,3", "the dose is missing"),
        ("A,3,forty", "“forty” is not an amount in mg"),
        ("A,3,NaN", "“NaN” is not an amount in mg"),
        ("A,3,Infinity", "“Infinity” is not an amount in mg"),
        ("A,3,1e500", "“1e500” is not an amount in mg"),
        ("A,3,1_0", "“1_0” is not an amount in mg"),
        ('A,3,"62,5"', "“62,5” is not an amount in mg"),
        ("A,3,-40", "-40 mg is below zero"),
        ("A,3,1000.01", "1000.01 mg is out of bounds: it must be 0 to 1000 mg"),
        ("A,3,40.005", "40.005 mg is finer than 0.01 mg, which is the least that is recorded"),
        (",3,40", "the client is missing"),
        ("  ,3,40", "the client is missing"),
        (f"{'A' * 25},3,40", f"“{'A' * 24}” is not a client number of 1 to 24 characters"),
        ("A,,40", "the day is missing"),
        ("A,-1,40", "day -1 is before the start"),
        ("A,2.5,40", "“2.5” is not a day like 2026-01-31"),
        ("A,01/02/2006,40", "“01/02/2006” is not a day like 2026-01-31"),
        ("A,20060502,40", "“20060502” is not a day like 2026-01-31"),
        ("A,2006-02-30,40", "there is no day “2006-02-30”"),
        ("A,1906-05-02,40", "1906-05-02 is out of range: a day lies between 1960-01-01 and 2199-12-31"),
        ("A,99999,40", "2280-02-13 is out of range: a day lies between 1960-01-01 and 2199-12-31"),
        ("A,3,700", "700 mg is ten times what client A usually has (70 mg) or more: a slipped decimal?"),
    ],
)
def test_a_bad_line_is_named_with_its_reason_and_the_others_are_good(folder: Path, line: str, reason: str) -> None:
    reading = read(folder, f"who,day,mg\nA,0,70\n{line}\nA,1,70\n", start=START)
    assert [str(problem) for problem in reading.problems] == [f"line 3: {reason}"]
    assert [line.line for line in reading.lines] == [2, 4]


def test_lines_that_contradict_each_other_are_all_left_out(folder: Path) -> None:
    reading = read(folder, "who,day,mg\na,0,40\nA,0,45\nA,1,40\n", start=START)
    assert [str(problem) for problem in reading.problems] == [
        "line 2: client A on 2006-05-01 has 40 mg here and 45 mg in line 3",
        "line 3: client A on 2006-05-01 has 45 mg here and 40 mg in line 2",
    ]
    assert [line.line for line in reading.lines] == [4]


def test_a_line_said_twice_is_kept_once_and_counted(folder: Path) -> None:
    reading = read(folder, "who,day,mg\nA,0,40\nA,0,40.0\n", start=START)
    assert (len(reading.lines), reading.repeated, reading.problems) == (1, 1, ())


def test_a_taper_far_below_the_usual_dose_is_no_problem(folder: Path) -> None:
    reading = read(folder, "who,day,mg\nA,0,80\nA,1,80\nA,2,5\nA,3,0\n", start=START)
    assert reading.problems == ()
    assert reading.lines[-1].mg == Decimal(0)


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        ("", "file-unreadable", "The file is empty."),
        ("\n\n", "file-unreadable", "The file is empty."),
        ("who,day\nA,0\n", "no-column", "There is no column for mg."),
        (
            "who,day,mg\nA,0,40\n",
            "no-start",
            "The days of this file are numbers (“0”), and nothing says which day is 0.",
        ),
        (b"who,day,mg\n\xe4,0,40\n", "file-unreadable", "doses.csv is not text in UTF-8."),
        (b"PK\x03\x04not a workbook", "file-unreadable", "This is not a workbook that can be opened."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file-unreadable", "This is a workbook of the old XLS kind."),
    ],
)
def test_a_file_that_is_no_such_table_gets_one_clear_line(
    folder: Path, content: str | bytes, code: str, sentence: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(folder, content)
    assert (refused.value.first.code, refused.value.first.sentence) == (code, sentence)
    assert refused.value.first.remedy


def test_a_file_that_is_not_there_or_is_a_folder_is_said(folder: Path) -> None:
    for path in (folder / "none.csv", folder):
        with pytest.raises(BadInput, match="cannot be read"):
            read_doses(path)


def test_a_column_that_was_told_and_is_not_there_names_those_that_are(folder: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(folder, "who,day,mg\n", mapping={"mg": "dosis"})
    assert refused.value.first.sentence == "There is no column “dosis”."
    assert refused.value.first.remedy == "Columns here: who, day, mg."
    with pytest.raises(BadInput, match="three columns"):
        read(folder, "who,day,mg\n", mapping={"mg": "day"})


cells = st.one_of(st.text(max_size=12), st.integers().map(str), st.floats().map(str), st.dates().map(str))


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(cells, cells, cells), max_size=20))
def test_whatever_a_file_holds_each_line_is_kept_named_or_repeated(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["who", "day", "mg"])
    clean = [["".join(c for c in cell if c.isprintable()) for cell in row] for row in rows]
    for row in clean:
        sheet.append([cell.lstrip("=") for cell in row])
    path = tmp_path_factory.mktemp("any") / "any.xlsx"
    book.save(path)
    reading = read_doses(path, start=START)
    filled = sum(1 for row in clean if any(cell.lstrip("=").strip() for cell in row))
    assert len(reading.lines) + len(reading.problems) + reading.repeated == filled
    for line in reading.lines:
        assert Decimal(0) <= line.mg <= 1000
        assert date(1960, 1, 1) <= line.day < date(2200, 1, 1)
