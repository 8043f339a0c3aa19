"""The register as a page: each line with its kind in words, and nothing said that nobody wrote."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.stock.models import RegisterBook
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.unusual_place import spilled
from tests.dispensary.visiting import text_of


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
