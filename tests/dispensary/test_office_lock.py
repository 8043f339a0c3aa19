"""The office sets after how many minutes without a touch the site's screens close."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.refusals import NotAllowed
from dispensary.staff.rules import Role
from dispensary.staff.stations import lock_after, set_lock_after
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def minutes(here: Desks) -> int:
    with here.database.reading() as session:
        return lock_after(session, site_id=here.place.site_id)


def test_two_minutes_unless_the_site_says_otherwise_and_the_change_is_written_down(here: Desks) -> None:
    assert minutes(here) == 2
    assert 'name="lock_after_minutes" type="text" value="2"' in here.administrator.get("/office/site").text
    for _ in range(2):
        assert here.administrator.post("/office/site/lock", {"lock_after_minutes": "5"}).status_code == 303
    assert minutes(here) == 5
    assert 'data-lock-after="300"' in here.administrator.get("/office/site").text
    assert here.acts_about(here.place.site_id).count("changed site") == 1


@pytest.mark.parametrize("typed", ["0", "11", "-1", "2.5", "", "two"])
def test_what_is_no_choice_is_refused(here: Desks, typed: str) -> None:
    answer = here.administrator.post("/office/site/lock", {"lock_after_minutes": typed})
    assert answer.status_code == 422
    assert 'id="error-lock_after_minutes"' in answer.text
    assert minutes(here) == 2


def test_nobody_but_an_administrator_sets_it(here: Desks) -> None:
    assert here.seat(Role.PHARMACIST).post("/office/site/lock", {"lock_after_minutes": "5"}).status_code == 403
    with pytest.raises(NotAllowed), here.database.writing() as session:
        set_lock_after(session, actor=here.place.pharmacist, minutes=5, at=here.place.now)


def test_what_the_first_page_says_of_several_people(here: Desks) -> None:
    said = text_of(here.administrator.get("/"))
    assert "Add a colleague" in said
    assert "Your PIN" in said
