"""What a site has set for itself, changed by its administrator."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

SET = {
    "name": "Harapan baru",
    "address": "12 Jalan Harapan",
    "phone": "03-1",
    "prescriber_phone": "03-2",
    "jump_percent": "25",
    "jump_mg": "15",
    "missed_days_ask": "2",
}


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def kept(here: Desks) -> Site:
    with here.database.reading() as session:
        return session.get_one(Site, here.place.site_id)


def test_what_is_set_is_kept_and_the_change_is_in_the_audit_trail(here: Desks) -> None:
    answer = here.administrator.post("/office/site", SET)

    assert answer.headers["location"] == "/office/site?done=changed"
    site = kept(here)
    assert (site.name, site.jump_percent, site.jump_mg, site.missed_days_ask) == ("Harapan baru", 25, Decimal(15), 2)
    assert "Harapan baru" in text_of(here.administrator.get("/office"))
    assert here.acts_about(here.place.site_id)[-1] == "changed site"


def test_saving_what_is_set_already_changes_nothing(here: Desks) -> None:
    here.administrator.post("/office/site", SET)
    before = here.acts_about(here.place.site_id)
    here.administrator.post("/office/site", SET)

    assert here.acts_about(here.place.site_id) == before


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", ""), ("jump_percent", "0"), ("jump_mg", "-1"), ("missed_days_ask", "6")],
)
def test_what_cannot_be_is_said_beside_its_field_and_the_rest_stays_as_typed(
    here: Desks, field: str, typed: str
) -> None:
    answer = here.administrator.post("/office/site", {**SET, field: typed})

    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1
    assert 'value="12 Jalan Harapan"' in answer.text
    assert kept(here).name == "Harapan"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_nobody_else_sees_or_changes_it(here: Desks, role: Role) -> None:
    assert here.seat(role).get("/office/site").status_code == 403
    assert here.seat(role).post("/office/site", SET).status_code == 403
