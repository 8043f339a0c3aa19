"""A colleague with every role at one site asks for everything of another site, and for days off the calendar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.prescribing.service import hold_doses
from dispensary.staff.models import AuditChain, Site
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Role
from dispensary.stock.models import RegisterBook
from dispensary.supplies.exceptions import withhold
from dispensary.supplies.pickups import prepare_pickup
from tests.builders import Clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import Visitor, hire


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def there(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path, code="SAT")


@pytest.fixture
def everybody(here: Desks) -> Visitor:
    """Somebody with every role, at the site `here` alone."""
    with here.database.reading() as session:
        site = session.get_one(Site, here.place.site_id)
    hire(here.database, site, "everybody", list(Role), here.place.now)
    visitor = Visitor(here.app)
    assert visitor.signs_in("everybody").status_code == 303
    return visitor


def furnished(place: Clinic) -> dict[str, object]:
    """One of everything at a site, by the names that paths give their ids."""
    client = place.client()
    place.decide(client, per_supply=6)
    given = place.give(client, take_home_days=place.ahead(1))
    tomorrow = place.ahead(1)[0]
    with place.database.writing() as session:
        prepared = prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=tomorrow,
            take_home_days=place.ahead(2),
            valid=site_of(session, place.site_id).window_of(tomorrow),
            today=place.today,
            at=place.now,
        )
        held = hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.ahead(9)[0],
            until_day=None,
            reason="ECG",
            at=place.now,
        )
        withhold(
            session, actor=place.pharmacist, client_id=client, observation="drowsy", today=place.today, at=place.now
        )
        return {
            "client_id": client,
            "supply_id": given.supply_id,
            "pickup_id": prepared.pickup_id,
            "hold_id": held.id,
            "account_id": place.pharmacist.account_id,
            "alert_id": session.scalar(select(Alert.id).where(Alert.site_id == place.site_id)),
            "book_id": session.scalar(select(RegisterBook.id).where(RegisterBook.site_id == place.site_id)),
        }


def length(place: Clinic) -> int:
    with place.database.reading() as session:
        return session.get_one(AuditChain, place.site_id).length


def paths(of: Desks, method: str, ids: dict[str, object]) -> Iterator[str]:
    """Every path of the application in which one of these ids stands, filled in."""
    for route in of.app.routes:
        template = getattr(route, "path_format", "")
        named = re.findall(r"\{(\w+)", template)
        if method in getattr(route, "methods", ()) and named and set(named) <= set(ids):
            yield re.sub(r"\{(\w+)[^}]*\}", lambda found: str(ids[found[1]]), template)


class TestAnotherSite:
    def test_nothing_of_it_is_shown(self, here: Desks, there: Desks, everybody: Visitor) -> None:
        asked = list(paths(there, "GET", furnished(there.place)))

        answers = {path: everybody.get(path, params={"first": "2026-11-24", "last": "2026-11-24"}) for path in asked}

        assert len(answers) >= 12
        assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 404} == {}
        assert not [path for path, answer in answers.items() if "Ahmad" in answer.text]

    def test_nothing_there_is_done(self, here: Desks, there: Desks, everybody: Visitor) -> None:
        ids = furnished(there.place)
        before = length(there.place)
        asked = [path for path in paths(there, "POST", ids) if not path.startswith("/api")]
        form = {
            "key": str(uuid4()),
            "reason": "x",
            "observation": "x",
            "resolution": "x",
            "role": "pharmacist",
            "observed": "yes",
            "identified_by": "photo",
            "well": "yes",
            "collect_on": day(3, there),
            "take_home_days": day(4, there),
            "mg": "80",
            "from_day": day(9, there),
            "ended_on": day(0, there),
            "exit_reason": "died",
            "hold_from": day(1, there),
            "hold_reason": "x",
            "lift_reason": "x",
            "password": "a walk home again",
            "weekday": "0",
            "weekly_at": "06:45",
        }

        answers = {path: everybody.post(path, form).status_code for path in asked}

        assert len(answers) >= 12
        assert {path: status for path, status in answers.items() if status != 404} == {}
        assert length(there.place) == before

    def test_a_form_here_cannot_name_what_is_there(self, here: Desks, there: Desks, everybody: Visitor) -> None:
        ids, mine = furnished(there.place), here.place.client()
        page = f"/counter/clients/{mine}/supply"
        form = {"key": str(uuid4()), "pickup_id": str(ids["pickup_id"]), "identified_by": "photo", "well": "yes"}

        assert everybody.post(page, form).status_code == 404


class TestLooking:
    def test_the_page_on_which_bottles_are_prepared_is_a_look(self, here: Desks, everybody: Visitor) -> None:
        client: UUID = here.place.client()

        assert everybody.get(f"/counter/clients/{client}/pickup").status_code == 200

        assert here.acts_about(client)[-1] == "looked at"

    def test_a_supply_read_by_a_program_is_one_too(self, here: Desks, everybody: Visitor) -> None:
        client = here.place.client()
        given = here.place.give(client)

        assert everybody.get(f"/api/supplies/{given.supply_id}").json()["doses"][0]["mg"] == "80.00"

        assert here.acts_about(client)[-1] == "looked at"


class TestNotesAsLongAsABook:
    def test_are_refused_beside_their_field(self, here: Desks, everybody: Visitor) -> None:
        ids = furnished(here.place)
        client, long = here.place.client(), "x" * 501
        dose = {"key": str(uuid4()), "observed": "yes", "identified_by": "photo", "well": "yes"}
        lot = here.place.lot_id
        answers = [
            everybody.post(f"/counter/clients/{client}/supply", {**dose, "observation": long}),
            everybody.post(f"/counter/clients/{client}/supply", {**dose, "second_look": long}),
            everybody.post(f"/counter/clients/{client}/unusual/intoxicated", {"observation": long}),
            everybody.post(f"/counter/pickups/{ids['pickup_id']}/cancel", {"reason": long}),
            everybody.post("/counter/close", {f"bulk_{lot}": "1", f"reason_{lot}": long}),
        ]

        assert ["longer than 500" in answer.text for answer in answers] == [True] * 5
        assert set(here.acts_about(client)) == {"enrolled", "ordered dose", "looked at"}


class TestDaysOffTheCalendar:
    @pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01"])
    def test_are_said_to_be_none(self, here: Desks, everybody: Visitor, text: str) -> None:
        ids = furnished(here.place)
        client, book = ids["client_id"], ids["book_id"]
        key = {"key": str(uuid4()), "identified_by": "photo", "well": "yes"}
        supply = {"key": str(uuid4()), "take_home_days": [text], "identified_by": "photo", "well": True}
        asked = [
            everybody.get(f"/counter/clients/{client}/pickup?on={text}"),
            everybody.get(f"/counter/registers/{book}?last={text}"),
            everybody.get(f"/counter/registers/{book}?first={text}"),
            everybody.get(f"/counter/days/{text}/log.pdf"),
            everybody.get(f"/evaluation?last={text}"),
            everybody.get(f"/evaluation/retention.zip?last={text}"),
            everybody.get(f"/evaluation/retention?first={text}"),
            everybody.get(f"/evaluation/measure.zip?as_of={text}"),
            everybody.post("/evaluation/files", {"kind": "dose-days.csv", "first": text, "last": text}),
            everybody.post(f"/counter/clients/{client}/pickup", {"collect_on": text}),
            everybody.post(f"/counter/clients/{client}/pickup", {"collect_on": day(1, here), "take_home_days": text}),
            everybody.post(f"/counter/clients/{client}/supply", {**key, "take_home_days": text}),
            everybody.send("POST", f"/api/clients/{client}/supplies", supply),
        ]

        assert [answer.status_code for answer in asked if answer.status_code >= 500] == []
