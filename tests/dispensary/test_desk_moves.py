"""Moves on the screen: what stands prepared is named before and after, and a refusal keeps what was typed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from dispensary.apart.cutting import cursor_of
from dispensary.apart.guarding import guard_at_satellite
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import Visitor, hire, text_of


@pytest.fixture
def home(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def there(home: Desks) -> tuple[Clinic, Visitor]:
    """Another site, and its pharmacist at a browser of their own."""
    place = clinic(home.database, home.place.now, code="KLG")
    with home.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(home.database, site, "mei", [Role.PHARMACIST], home.place.now)
    visitor = Visitor(home.app)
    assert visitor.signs_in("mei").status_code == 303
    return place, visitor


def test_a_move_names_what_stands_prepared_and_what_went_back_each_time(
    home: Desks, there: tuple[Clinic, Visitor]
) -> None:
    place, visitor = there
    client = home.place.client()
    home.place.decide(client, per_supply=4)
    prepared(home.place, client, 1, 2)
    form = f"/moves/clients/{client}"
    asked = text_of(home.doctor.get(form))
    assert "Prepared at HRP 2 bottles for" in asked
    assert "goes back into stock where it stands" in asked

    key = str(uuid4())
    again = text_of(home.doctor.post(form, {"to": "KLG", "reason": " ", "key": key}))
    assert "Say why" in again
    written = home.doctor.post(form, {"to": "KLG", "reason": "lives there now", "key": key})
    move = str(written.headers["location"])
    assert "Prepared at HRP 2 bottles for" in text_of(visitor.get(move))
    assert visitor.post(f"{move}/take-on", {"number": "K7", "seen": "yes"}).status_code == 303
    assert "2 prepared bottles went back into this site's stock" in text_of(home.doctor.get(move))
    shown = text_of(visitor.get(move))
    assert "went back into this site's stock" not in shown
    assert "stay there, counted as they are" in shown

    place.decide(client, per_supply=4)
    prepared(place, client, 1)
    assert visitor.post(f"{move}/undo", {}).status_code == 303
    assert "1 prepared bottle went back into this site's stock" in text_of(visitor.get(move))
    assert "2 prepared bottles went back into this site's stock" in text_of(home.doctor.get(move))


def test_what_another_server_writes_is_refused_on_the_page_with_all_that_was_typed(
    home: Desks, there: tuple[Clinic, Visitor]
) -> None:
    _, visitor = there
    client = home.place.client()
    with home.database.reading() as session:
        number = session.get_one(Client, client).number
    with home.database.writing() as session, cursor_of(session.connection().connection) as cursor:
        guard_at_satellite(cursor, site_id=there[0].site_id, code="KLG")
    form = {"home": "HRP", "number": number, "from_day": str(home.today), "last_day": str(home.today)}
    answer = visitor.post("/guests", {**form, "reason": "a funeral in the north", "key": str(uuid4())})
    assert answer.status_code == 409
    assert "This is written on another server" in text_of(answer)
    assert "a funeral in the north" in answer.text
    assert f'value="{number}"' in answer.text
