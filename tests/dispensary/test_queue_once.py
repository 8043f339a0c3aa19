"""A lost answer is asked for again, and many hands press at once: nobody else is called, and nobody arrives twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

import scheduling.service
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.phone import front_desk, queueing
from dispensary.phone.arrivals import arrive_by_themselves
from dispensary.staff.devices import Bound
from dispensary.staff.models import AuditEntry
from dispensary.staff.queries import place
from scheduling import calling
from scheduling.acts_models import QueueAct
from scheduling.models import Visit
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks
from tests.dispensary.test_desk_queue import comes, counter, visit_of
from tests.dispensary.test_desk_queue import here as here  # the fixture

HANDS = 16


def at_once(act) -> list:
    gate = Barrier(HANDS)

    def one(number: int):
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(HANDS) as threads:
        return list(threads.map(one, range(HANDS)))


def entries(database: Database, act: str) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(AuditEntry.act == act)) or 0


@pytest.fixture
def busy(database: Database, now: datetime) -> Clinic:
    """Three people wait."""
    busy = clinic(database, now)
    for _ in range(3):
        with database.writing() as session:
            scheduling.service.check_in(session, place_id=busy.site_id, holder_id=busy.client(), now=now)
    return busy


class TestALostAnswer:
    @pytest.mark.parametrize("path", ["/counter/next", "/counter/find"], ids=["button", "enter"])
    def test_the_next_pressed_again_is_the_same_person(self, here: Desks, path: str) -> None:
        one, other = here.place.client(), here.place.client()
        comes(here, one)
        comes(here, other)
        key = {"key": str(uuid4()), "sought": ""}
        answers = [counter(here).post(path, key).headers["location"] for _ in range(3)]
        assert answers == [f"/counter/clients/{one}"] * 3
        assert (visit_of(here, one).calls, visit_of(here, other).calls) == (1, 0)
        assert here.acts_about(one).count("called") == 1
        assert counter(here).post(path).headers["location"] == f"/counter/clients/{other}", "another key, another call"

    def test_the_button_and_enter_of_one_page_are_one_call(self, here: Desks) -> None:
        comes(here, here.place.client())
        page = counter(here).get("/counter").text
        keys = {piece.split('"')[0] for piece in page.split('name="key" value="')[1:]}
        asked = [part for part in page.split("<form")[1:] if "/counter/next" in part or "/counter/find" in part]
        assert len(asked) == 2
        assert sum(all(key in part for part in asked) for key in keys) == 1

    def test_without_its_key_nobody_is_called(self, here: Desks) -> None:
        client = here.place.client()
        comes(here, client)
        assert counter(here).post("/counter/next", {"key": ""}).status_code == 422
        assert visit_of(here, client).calls == 0

    def test_called_again_and_not_there_count_once_for_each_press(self, here: Desks) -> None:
        visit = comes(here, here.place.client())
        counter(here).post("/counter/next")
        for act in ("again", "skip"):
            key = {"key": str(uuid4())}
            for _ in range(2):
                counter(here).post(f"/counter/visits/{visit.id}/{act}", key)
        counter(here).post("/counter/next")
        counter(here).post(f"/counter/visits/{visit.id}/skip", key)
        found = visit_of(here, visit.holder_id)
        assert (found.calls, found.skips, found.at_window) == (3, 1, 1), "the late repetition sends nobody back"


class TestManyHandsAtOnce:
    def test_sixteen_presses_of_one_key_call_one_person(self, busy: Clinic) -> None:
        key = uuid4()

        def press(_: int):
            return busy.database.write(
                lambda session: queueing.call_next(session, actor=busy.pharmacist, window=1, key=key, at=busy.now)
            ).id

        assert len(set(at_once(press))) == 1
        with busy.database.reading() as session:
            assert session.scalar(select(func.sum(Visit.calls))) == 1
        assert entries(busy.database, "called") == 1

    def test_sixteen_keys_call_everybody_once_and_then_nobody(self, busy: Clinic) -> None:
        def press(_: int):
            visit = busy.database.write(
                lambda session: queueing.call_next(session, actor=busy.pharmacist, window=1, key=uuid4(), at=busy.now)
            )
            return visit and visit.ticket

        assert sorted(ticket for ticket in at_once(press) if ticket) == [1, 2, 3]

    def test_sixteen_not_theres_of_one_key_are_one(self, busy: Clinic) -> None:
        with busy.database.writing() as session:
            visit = calling.call_next(session, place_id=busy.site_id, window=1, now=busy.now)
        key = uuid4()

        def press(_: int):
            return busy.database.write(
                lambda session: queueing.not_there(
                    session, actor=busy.pharmacist, visit_id=visit.id, key=key, at=busy.now
                )
            ).skips

        assert set(at_once(press)) == {1}
        assert entries(busy.database, "was not there") == 1

    def test_the_desk_and_the_kiosk_write_one_arrival_at_one_instant(self, database: Database, now: datetime) -> None:
        here = clinic(database, now)
        client = here.client()
        with database.reading() as session:
            site = place(session, here.site_id)
            number = session.get_one(Client, client).number
        kiosk = Bound(uuid4(), site)

        def arrive(hand: int):
            def act(session):
                if hand % 2:
                    return arrive_by_themselves(session, device=kiosk, text=number, at=now).ticket
                return front_desk.greet(session, actor=here.pharmacist, site=site, client_id=client, at=now).ticket

            return database.write(act)

        assert set(at_once(arrive)) == {1}
        assert entries(database, "checked in") == 1

    def test_an_act_under_its_key_is_kept_as_it_was(self, busy: Clinic) -> None:
        with busy.database.writing() as session:
            queueing.call_next(session, actor=busy.pharmacist, window=1, key=uuid4(), at=busy.now)
            act = session.scalars(select(QueueAct)).one()
        for change in ("UPDATE queue_act SET key = gen_random_uuid()", "DELETE FROM queue_act"):
            with pytest.raises(IntegrityError, match="only ever added to"), busy.database.writing() as session:
                session.execute(text(change))
        with pytest.raises(IntegrityError), busy.database.writing() as session:
            session.add(
                QueueAct(place_id=act.place_id, key=act.key, act=act.act, visit_id=act.visit_id, done_at=act.done_at)
            )
