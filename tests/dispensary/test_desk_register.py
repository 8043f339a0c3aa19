"""The register as a page: each line with its kind in words, and nothing said that nobody wrote."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.stock.models import RegisterBook
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.unusual_place import spilled
from tests.dispensary.visiting import text_of
from tests.paper import words_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_a_dose_that_was_spilled_is_a_line_of_its_own_that_is_called_lost(here: Desks) -> None:
    spilled(here.place, here.place.client(mg="80"))
    with here.database.reading() as session:
        book = session.scalars(select(RegisterBook.id)).one()

    answer = here.seat(Role.PHARMACIST).get(f"/counter/registers/{book}")

    assert answer.status_code == 200
    assert "the cup fell" in text_of(answer)
    assert "<td>lost</td>" in answer.text
    assert "diver" not in answer.text.casefold()


def test_a_range_without_lines_is_printed_with_its_balance_and_one_that_ends_before_it_begins_is_refused(
    here: Desks,
) -> None:
    with here.database.reading() as session:
        book = session.scalars(select(RegisterBook.id)).one()
    counter, register = here.seat(Role.PHARMACIST), f"/counter/registers/{book}"
    later = f"first={day(3, here)}&last={day(5, here)}"

    assert "No line was written in these days." in text_of(counter.get(f"{register}?{later}"))
    printed = counter.get(f"{register}/register.pdf?{later}&layout=nsw-register")
    assert printed.headers["content-type"] == "application/pdf"
    assert "No entries. At the end 0 0 5000" in words_of(printed.content)

    backwards = f"first={day(5, here)}&last={day(3, here)}"
    for path in (register, f"{register}/register.pdf"):
        refused = counter.get(f"{path}?{backwards}")
        assert refused.status_code == 422
        assert "Turn the days round." in text_of(refused)
