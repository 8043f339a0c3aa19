"""Visits at home: to whoever agreed alone, planned and ended once, on paper for whoever goes; and who is on call."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pypdf import PdfReader
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.on_call import on_call, put_on_call, take_off_call
from dispensary.care.rounds import round_of
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import Purpose, call_visit_off, end_visit, plan_visit
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contacts import contacts_of, note_visit_wish
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def agreed(place: Clinic, agreed: bool = True, client: ClientId | None = None) -> ClientId:
    client = client or place.client()
    place.now += timedelta(seconds=1)
    with place.database.writing() as session:
        note_visit_wish(
            session,
            actor=place.doctor,
            client_id=client,
            agreed=agreed,
            where="Blue door, ring twice",
            today=place.today,
            at=place.now,
        )
    return client


def planned(place: Clinic, client: ClientId, on: int = 0) -> UUID:
    assert place.pharmacist.account_id is not None
    with place.database.writing() as session:
        return plan_visit(
            session,
            actor=place.doctor,
            client_id=client,
            visitor_id=place.pharmacist.account_id,
            on=place.today + timedelta(days=on),
            purpose=Purpose.LOOK,
            today=place.today,
            at=place.now,
        ).id


def ended(
    place: Clinic, visit: UUID, met: bool = True, found: str = "well, has a lockbox", key: UUID | None = None
) -> None:
    with place.database.writing() as session:
        end_visit(
            session,
            actor=place.pharmacist,
            visit_id=visit,
            met=met,
            found=found,
            key=key or uuid4(),
            today=place.today,
            at=place.now,
        )


class TestAVisit:
    def test_is_planned_once_to_whoever_agreed_and_to_nobody_else(self, place: Clinic) -> None:
        client = agreed(place)
        with ThreadPoolExecutor(6) as hands:
            assert len(set(hands.map(lambda _: planned(place, client), range(6)))) == 1
        for other in (place.client(), agreed(place, agreed=False)):
            with pytest.raises(Refused, match="not agreed to visits"):
                planned(place, other)
            with pytest.raises(IntegrityError, match="has not agreed"), place.database.writing() as session:
                session.execute(
                    text("""INSERT INTO home_visit (id, site_id, client_id, on_day, visitor_id, turn, purpose,
                    planned_by, planned_at, state) SELECT gen_random_uuid(), site_id, :other, on_day, visitor_id, turn,
                    purpose, planned_by, planned_at, state FROM home_visit"""),
                    {"other": other},
                )
        for days in (-1, 93):
            with pytest.raises(BadInput, match="next months"):
                planned(place, client, days)

    def test_is_ended_once_as_a_contact_and_stays(self, place: Clinic) -> None:
        client = agreed(place)
        visit, later, key = planned(place, client), planned(place, client, 2), uuid4()
        with pytest.raises(BadInput, match="few words"):
            ended(place, visit, found=" ")
        for _ in range(2):
            ended(place, visit, key=key)
        with pytest.raises(NotThere):
            ended(place, visit)
        with pytest.raises(BadInput, match="planned for"):
            ended(place, later)
        with place.database.reading() as session:
            (note,) = contacts_of(session, client_id=client)
            assert (note.how, note.words, note.reached) == ("visit", "well, has a lockbox", True)
            assert session.get_one(HomeVisit, visit).note_id == key
            assert len(session.scalars(select(ContactNote)).all()) == 1
        for statement in (
            "UPDATE home_visit SET state = 'planned'",
            "DELETE FROM home_visit",
            "TRUNCATE home_visit CASCADE",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))

    def test_goes_nowhere_once_the_client_has_taken_it_back(self, place: Clinic) -> None:
        client = agreed(place)
        visit = planned(place, client)
        agreed(place, agreed=False, client=client)
        with place.database.reading() as session:
            assert [row.where for row in round_of(session, site_id=place.site_id, on=place.today)] == [""]
        with pytest.raises(Refused, match="not agreed"):
            ended(place, visit)
        with place.database.writing() as session:
            for _ in range(2):
                call_visit_off(session, actor=place.doctor, visit_id=visit, at=place.now)
        with place.database.reading() as session:
            assert round_of(session, site_id=place.site_id, on=place.today) == []

    def test_of_somebody_else_is_not_the_carriers_to_end(self, place: Clinic) -> None:
        client = agreed(place)
        assert place.doctor.account_id is not None
        with place.database.writing() as session:
            visit = plan_visit(
                session,
                actor=place.doctor,
                client_id=client,
                visitor_id=place.doctor.account_id,
                on=place.today,
                purpose=Purpose.DOSES,
                today=place.today,
                at=place.now,
            ).id
        with pytest.raises(NotAllowed):
            ended(place, visit)


def test_on_call(place: Clinic) -> None:
    who = place.pharmacist.account_id
    assert who is not None

    def put(first: int, last: int, phone: str = "03 555 01") -> None:
        with place.database.writing() as session:
            put_on_call(
                session,
                actor=place.doctor,
                account_id=who,
                first=place.today + timedelta(days=first),
                last=place.today + timedelta(days=last),
                phone=phone,
                at=place.now,
            )

    for _ in range(2):
        put(0, 6)
    for wrong in ((1, 0, "1"), (0, 1, " "), (0, 99, "1")):
        with pytest.raises(BadInput):
            put(*wrong)
    with place.database.writing() as session:
        ((row, name),) = on_call(session, site_id=place.site_id, today=place.today)
        assert (name, row.phone) == ("Aishah binti Yusof", "03 555 01")
        assert on_call(session, site_id=place.site_id, today=place.today + timedelta(days=7)) == []
        for _ in range(2):
            take_off_call(session, actor=place.doctor, on_call_id=row.id, at=place.now)
        assert on_call(session, site_id=place.site_id, today=place.today) == []


def test_the_pages(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    nurse = here.seat(Role.NURSE)
    client = agreed(here.place)
    with database.reading() as session:
        number, me = session.execute(
            text("SELECT (SELECT number FROM client), (SELECT id FROM account WHERE username = 'nurse')")
        ).one()
    plan = {"number": number, "visitor_id": str(me), "on_day": day(0, here), "purpose": "doses"}
    wrong = nurse.post("/care/visits", {**plan, "number": "H77"})
    assert (wrong.status_code, 'value="H77"' in wrong.text) == (422, True)
    assert nurse.post("/care/visits", plan).headers["location"] == f"/care/visits?on={day(0, here)}&done=planned"
    nurse.post(
        "/care/visits/on-call",
        {"account_id": str(me), "phone": "03-1", "first_day": day(0, here), "last_day": day(2, here)},
    )
    page = text_of(nurse.get("/care/visits"))
    assert "Blue door, ring twice" in page
    assert "The counter has counted none out." in page
    paper = nurse.get(f"/care/visits/route.pdf?on={day(0, here)}")
    words = "".join(each.extract_text() for each in PdfReader(io.BytesIO(paper.content)).pages)
    assert number in words
    assert "Ahmad" in words
    assert "Test" not in words, "no more of a name than one calls at a door"
    assert "03-1" in words
    assert "ethadone" not in words
    with database.reading() as session:
        visit = session.scalar(select(HomeVisit.id))
    again = nurse.post(f"/care/visits/{visit}/done", {"found": "nobody home"})
    assert (again.status_code, 'value="nobody home"' in again.text) == (422, True)
    assert nurse.post(f"/care/visits/{visit}/done", {"met": "no", "found": "nobody home"}).status_code == 303
    assert "not met" in text_of(nurse.get("/care/visits"))
    acts = [act for act in here.acts_about(client) if act != "looked at"]
    assert acts[-3:] == ["planned visit", "noted contact", "visited"]
    carrier = here.seat(Role.PHARMACIST)
    assert "Blue door" not in text_of(carrier.get("/care/visits")), "another's turns are not theirs to see"
