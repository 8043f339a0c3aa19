"""The queue as reception, the counter, the kiosk and the waiting room have it: numbers in public, names for staff."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, text

import scheduling.queries
import scheduling.service
import scheduling.waiting
from dispensary.clients.models import Client, Task
from dispensary.database import Database
from dispensary.phone import queueing
from dispensary.staff.devices import bound
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.supplies.closing import close_day
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import ClientId
from dispensary.web import board
from dispensary.web.board import Board
from scheduling import calling
from scheduling.models import Visit
from scheduling.queue_rules import Group, QueueRules
from scheduling.rules import Hours
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def reception(here: Desks) -> Visitor:
    return here.seat(Role.RECEPTION)


def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


def comes(here: Desks, client: ClientId) -> Visit:
    with here.database.writing() as session:
        return scheduling.service.check_in(
            session, place_id=here.place.site_id, holder_id=client, now=here.clock.moment
        )


def visit_of(here: Desks, client: ClientId) -> Visit:
    with here.database.reading() as session:
        return session.scalars(select(Visit).where(Visit.holder_id == client)).one()


def number_of(here: Desks, client: ClientId) -> str:
    with here.database.reading() as session:
        return session.get_one(Client, client).number


def sets(here: Desks, **figures: object) -> None:
    with here.database.writing() as session:
        calling.set_queue_rules(session, place_id=here.place.site_id, rules=QueueRules(**figures))  # type: ignore[arg-type]


def becomes(here: Desks, kind: str, name: str = "Entrance") -> Visitor:
    """A browser of reception that was bound as a device."""
    browser = Visitor(here.app)
    reception(here)
    browser.signs_in(Role.RECEPTION.value)
    answer = browser.post("/reception/devices", {"kind": kind, "name": name})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{kind}")
    browser.comes_back = False
    return browser


class TestTheCounterCalls:
    def test_the_next_is_called_by_one_key_and_stays_called_until_they_are_there(self, here: Desks) -> None:
        client = here.place.client()
        comes(here, client)
        answer = counter(here).post("/counter/next")
        assert answer.headers["location"] == f"/counter/clients/{client}"
        shown = counter(here).get(answer.headers["location"])
        assert "Ticket 1, called to window 1 at 07:00" in text_of(shown)
        assert re.search(r'data-key="a"[^>]*>Call again', shown.text)
        assert re.search(r'data-key="n"[^>]*>Not there', shown.text)
        assert (visit_of(here, client).started_at, visit_of(here, client).calls) == (None, 1)

    def test_called_again_is_counted_and_not_there_goes_back_and_the_next_key_calls_the_next(self, here: Desks) -> None:
        away, other = here.place.client(), here.place.client()
        visit = comes(here, away)
        comes(here, other)
        counter(here).post("/counter/next")
        assert counter(here).post(f"/counter/visits/{visit.id}/again").headers["location"].endswith(str(away))
        assert visit_of(here, away).calls == 2
        assert counter(here).post(f"/counter/visits/{visit.id}/skip").headers["location"] == "/counter"
        answer = counter(here).post("/counter/find", {"sought": ""})
        assert answer.headers["location"] == f"/counter/clients/{other}"
        assert here.acts_about(away).count("was not there") == 1

    def test_a_window_is_chosen_once_and_kept_by_the_browser(self, here: Desks) -> None:
        sets(here, windows=("", "Garden"))
        client = here.place.client()
        comes(here, client)
        assert "Window 2 · Garden" in text_of(counter(here).get("/counter/window"))
        assert counter(here).post("/counter/window", {"window": "9"}).status_code == 422
        counter(here).post("/counter/window", {"window": "2"})
        assert "Window 2" in text_of(counter(here).get("/counter"))
        counter(here).post("/counter/next")
        assert visit_of(here, client).at_window == 2

    def test_whom_this_window_called_stands_on_its_first_page_and_not_among_those_who_wait(self, here: Desks) -> None:
        comes(here, here.place.client())
        counter(here).post("/counter/next")
        shown = text_of(counter(here).get("/counter"))
        assert "Waiting: 0" in shown
        assert "called 07:00" in shown

    def test_a_pass_at_the_counter_is_an_arrival_and_a_start_at_its_window(self, here: Desks) -> None:
        client = here.place.client()
        here.place.decide(client, per_supply=2)
        with here.database.writing() as session:
            prepared = prepare_pickup(
                session,
                actor=here.place.pharmacist,
                client_id=client,
                collect_on=here.today,
                take_home_days=here.place.ahead(1),
                valid=(here.place.now, here.place.now + timedelta(hours=9)),
                today=here.place.today,
                at=here.place.now,
            )
        counter(here).post("/counter/find", {"sought": prepared.code})
        visit = visit_of(here, client)
        assert (visit.arrived_at, visit.started_at, visit.at_window) == (here.place.now, here.place.now, 1)

    def test_a_visit_of_another_site_is_not_there(self, here: Desks, now: datetime, tmp_path: Path) -> None:
        there = desks(here.database, now, tmp_path, code="SAT")
        visit = comes(there, there.place.client())
        for act in ("again", "skip"):
            assert counter(here).post(f"/counter/visits/{visit.id}/{act}").status_code == 404
        for act in ("back", "left", "skip"):
            assert reception(here).post(f"/reception/queue/{visit.id}/{act}").status_code == 404


class TestReceptionsQueue:
    def test_who_waits_stands_in_the_order_of_the_calls_and_says_when_nobody_knows_how_long(self, here: Desks) -> None:
        first, second = here.place.client(), here.place.client()
        comes(here, first)
        here.clock.goes_on(minutes=1)
        comes(here, second)
        shown = text_of(reception(here).get("/reception/queue"))
        assert shown.index(number_of(here, first)) < shown.index(number_of(here, second))
        assert "How long it takes is known once five were served today" in shown

    def test_about_how_long_is_said_once_the_days_own_stamps_tell(self, here: Desks) -> None:
        for _ in range(6):
            visit = comes(here, here.place.client())
            with here.database.writing() as session:
                calling.call(session, visit_id=visit.id, window=1, now=here.clock.moment)
                here.clock.goes_on(minutes=2)
                scheduling.service.finish(session, visit_id=visit.id, now=here.clock.moment)
        busy = comes(here, here.place.client())
        with here.database.writing() as session:
            calling.call(session, visit_id=busy.id, window=1, now=here.clock.moment)
        comes(here, here.place.client())
        shown = text_of(reception(here).get("/reception/queue"))
        assert "about 4 min for who comes now 1 window works" in shown
        assert "4 min wait now, about" in text_of(reception(here).get("/reception"))

    def test_a_word_at_arrival_brings_somebody_before_the_others_and_is_taken_back(self, here: Desks) -> None:
        sets(here, groups=(Group("with a child", 30),))
        comes(here, here.place.client())
        here.clock.goes_on(minutes=1)
        client = here.place.client()
        answer = reception(here).post(f"/reception/clients/{client}/arrive")
        assert "Comes sooner: 30 min" in text_of(reception(here).get(answer.headers["location"]))
        visit = visit_of(here, client)
        path, word = f"/reception/queue/{visit.id}/group", {"minutes": "30"}
        assert reception(here).post(path, {**word, "onward": "//evil.test"}).headers["location"] == "/reception/queue"
        reception(here).post(path, word)
        assert here.acts_about(client).count("comes sooner") == 1
        assert counter(here).post("/counter/next").headers["location"].endswith(str(client))
        for strange in ({"word": "a prince"}, {"word": "with a child"}, {"minutes": "31"}):
            assert reception(here).post(path, strange).status_code == 422

    def test_whoever_may_open_records_reads_why_and_reception_that_they_go_first(self, here: Desks) -> None:
        sets(here, groups=(Group("pregnant", 30), Group("with a child", 30), Group("ill", 60)))
        both = here.seat(Role.RECEPTION, Role.NURSE)
        client = here.place.client()
        visit = comes(here, client)
        both.post(f"/reception/queue/{visit.id}/group", {"word": "pregnant"})
        assert visit_of(here, client).group_word == "pregnant"
        assert "pregnant · 30 min with a child · 30 min ill · 60 min" in text_of(both.get("/reception/queue"))
        shown = text_of(reception(here).get("/reception/queue"))
        assert "Goes first 30 min 60 min As others" in shown
        assert "pregnant" not in shown
        assert "with a child" not in shown
        reception(here).post(f"/reception/queue/{visit.id}/group", {"minutes": "0"})
        assert (visit_of(here, client).group_word, visit_of(here, client).priority) == ("", 0)

    def test_who_was_not_there_too_often_is_asked_for_and_comes_back_or_has_left(self, here: Desks) -> None:
        sets(here, most_skips=1)
        one, other = here.place.client(), here.place.client()
        for client in (one, other):
            visit = comes(here, client)
            counter(here).post("/counter/next")
            counter(here).post(f"/counter/visits/{visit.id}/skip")
        assert "Called in vain: 1, 2" in text_of(reception(here).get("/reception"))
        reception(here).post(f"/reception/queue/{visit_of(here, one).id}/back")
        reception(here).post(f"/reception/queue/{visit_of(here, other).id}/left")
        assert visit_of(here, one).aside_at is None
        assert visit_of(here, other).left_unserved
        with here.database.reading() as session:
            assert scheduling.waiting.waits_on(session, here.place.site_id, here.today).left == 1
        assert here.acts_about(other)[-1] == "left unserved"

    def test_a_nurse_who_checks_nobody_in_does_not_move_the_queue(self, here: Desks) -> None:
        visit = comes(here, here.place.client())
        nurse = here.seat(Role.NURSE)
        assert nurse.get("/reception/queue").status_code == 403
        assert nurse.post(f"/reception/queue/{visit.id}/left").status_code == 403
        assert "Kiosk and screens" not in text_of(nurse.get("/reception"))


class TestTheOffice:
    FORM: ClassVar = {
        "walk_in_minutes": "20",
        "back_minutes": "4",
        "most_skips": "2",
        "missed_in_a_row": "3",
        "word": ["ill", ""],
        "minutes": ["45", ""],
        "window": ["", "Garden", ""],
    }

    def test_what_is_set_holds_and_is_in_the_trail(self, here: Desks) -> None:
        assert here.administrator.post("/office/queue", self.FORM).status_code == 303
        with here.database.reading() as session:
            kept = scheduling.waiting.queue_rules(session, here.place.site_id)
            entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "changed queue")).one()
        assert kept == QueueRules(20, 4, 2, 3, (Group("ill", 45),), ("", "Garden"))
        assert json.loads(entry.details)["walk_in_minutes"] == [30, 20]
        assert 'value="ill"' in here.administrator.get("/office/queue").text

    def test_every_fault_is_said_and_what_was_typed_is_kept(self, here: Desks) -> None:
        wrong = {**self.FORM, "walk_in_minutes": "soon", "minutes": ["x", ""]}
        answer = here.administrator.post("/office/queue", wrong)
        assert answer.status_code == 422
        assert 'value="soon"' in answer.text
        assert 'value="ill"' in answer.text
        assert "Each group has 1 to 240 minutes." in text_of(answer)
        assert reception(here).get("/office/queue").status_code == 403


class TestTheKiosk:
    def test_it_is_signed_out_and_opens_nothing_but_itself(self, here: Desks) -> None:
        kiosk = becomes(here, "kiosk")
        assert kiosk.get("/kiosk").status_code == 200
        for path in ("/reception", "/counter", "/", "/screen", "/screen/events", "/api/bookings"):
            assert kiosk.get(path).status_code in (303, 401, 404), path
        cookie = next(one for one in kiosk.client.cookies.jar if one.name == "takehome.kiosk")
        assert cookie.path == "/kiosk"
        assert cookie.value is not None
        with here.database.reading() as session:
            assert bound(session, token=cookie.value, kind="kiosk") is not None
            assert bound(session, token=cookie.value, kind="screen") is None
            kept = session.execute(text("SELECT device::text FROM device")).scalar_one()
        assert cookie.value not in kept

    def test_a_number_is_given_for_the_cards_number_and_nothing_is_said_of_whom(self, here: Desks) -> None:
        client = here.place.client()
        kiosk, number = becomes(here, "kiosk"), number_of(here, client)
        answer = kiosk.post("/kiosk/arrive", {"code": number})
        shown = text_of(answer)
        assert "Your number 1" in shown
        assert "How long it takes is not known yet." in shown
        assert number not in answer.text
        assert "Ahmad" not in answer.text
        assert visit_of(here, client).ticket == 1
        assert here.acts_about(client)[-1] == "checked in"
        here.clock.goes_on(minutes=1)
        digits = "".join(sign for sign in number if sign.isdigit())
        assert "Your number 1" in text_of(kiosk.post("/kiosk/arrive", {"code": digits.lstrip("0")}))
        assert here.acts_about(client).count("checked in") == 1

    def test_a_pass_and_its_code_give_a_number_and_stay_unused(self, here: Desks) -> None:
        client = here.place.client()
        here.place.decide(client, per_supply=2)
        with here.database.writing() as session:
            prepared = prepare_pickup(
                session,
                actor=here.place.pharmacist,
                client_id=client,
                collect_on=here.today,
                take_home_days=here.place.ahead(1),
                valid=(here.place.now, here.place.now + timedelta(hours=9)),
                today=here.place.today,
                at=here.place.now,
            )
        kiosk = becomes(here, "kiosk")
        for shown in (prepared.token, prepared.code):
            assert "Your number 1" in text_of(kiosk.post("/kiosk/arrive", {"code": shown}))
        with here.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM pass_attempt")).scalar_one() == 0
            assert session.execute(text("SELECT end_reason FROM pickup_pass")).scalar_one() is None

    @pytest.mark.parametrize(
        "code", ["", "99999", "1234 5678", "TH" + "A" * 40, "Ahmad", "%", "\x00", "0", "x" * 300], ids=repr
    )
    def test_whatever_else_it_is_the_desk_helps_in_the_same_words(self, here: Desks, code: str) -> None:
        here.place.client()
        answer = becomes(here, "kiosk").post("/kiosk/arrive", {"code": code})
        assert answer.status_code == 200
        assert "Please go to the desk." in text_of(answer)
        with here.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM visit")).scalar_one() == 0

    def test_whoever_tries_many_is_sent_to_the_desk_for_a_while_and_the_counters_codes_are_heard_on(
        self, here: Desks
    ) -> None:
        client = here.place.client()
        kiosk, number = becomes(here, "kiosk"), number_of(here, client)
        for _ in range(20):
            kiosk.post("/kiosk/arrive", {"code": "12345674"})
        assert "Please go to the desk." in text_of(kiosk.post("/kiosk/arrive", {"code": number}))
        here.clock.goes_on(minutes=11)
        assert "Your number" in text_of(kiosk.post("/kiosk/arrive", {"code": number}))
        with here.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM pass_attempt")).scalar_one() == 0

    def test_ended_by_staff_it_shows_nothing_more(self, here: Desks) -> None:
        kiosk = becomes(here, "kiosk")
        listed = reception(here).get("/reception/devices").text
        assert "Entrance" in listed
        (device,) = re.findall(r"/reception/devices/([0-9a-f-]{36})/end", listed)
        reception(here).post(f"/reception/devices/{device}/end")
        assert kiosk.get("/kiosk").status_code == 404
        assert kiosk.post("/kiosk/arrive", {"code": "1"}).status_code == 404
        assert "There is none yet." in text_of(reception(here).get("/reception/devices"))

    def test_only_who_checks_people_in_binds_one_and_says_where_it_stands(self, here: Desks) -> None:
        assert here.seat(Role.NURSE).post("/reception/devices", {"kind": "kiosk", "name": "x"}).status_code == 403
        answer = reception(here).post("/reception/devices", {"kind": "door", "name": " "})
        assert answer.status_code == 422
        assert "Say where it stands" in text_of(answer)
        assert reception(here).get("/reception").status_code == 200

    def test_nobody_is_signed_in_any_more_at_a_browser_that_became_one(self, here: Desks) -> None:
        browser = becomes(here, "screen")
        with here.database.reading() as session:
            stations = session.execute(text("SELECT count(DISTINCT station_id) FROM sign_in")).scalar_one()
        assert stations == 1, "reception's own, at another browser"
        assert browser.get("/reception").status_code == 303


class TestTheScreen:
    def test_a_browser_that_nobody_bound_has_none(self, here: Desks) -> None:
        stranger = Visitor(here.app)
        for path in ("/screen", "/screen/events", "/kiosk"):
            assert stranger.get(path).status_code == 404

    def test_it_is_told_numbers_and_windows_and_each_change_and_nothing_else(self, here: Desks) -> None:
        sets(here, windows=("", "Garden"))
        first, second, third = (here.place.client() for _ in range(3))
        for client in (first, second, third):
            comes(here, client)
        with here.database.writing() as session:
            calling.call_next(session, place_id=here.place.site_id, window=1, now=here.clock.moment)
            calling.call_next(
                session, place_id=here.place.site_id, window=2, now=here.clock.moment + timedelta(seconds=1)
            )
        becomes(here, "screen")
        with here.database.reading() as session:
            token_of = session.execute(text("SELECT id, site_id FROM device")).one()
        states = asyncio.run(self.watches(here, token_of.id, lambda: self.served(here, second)))
        assert states[0] == {
            "calls": [
                {"number": 2, "window": 2, "name": "Garden", "call": 1},
                {"number": 1, "window": 1, "name": "", "call": 1},
            ],
            "next": [3],
            "more": 0,
        }
        assert states[1] == {
            "calls": [{"number": 1, "window": 1, "name": "", "call": 1}],
            "next": [3],
            "more": 0,
        }

    def test_a_call_is_heard_by_itself_and_nobody_waits_for_the_next_look(
        self, here: Desks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(board, "EVERY", 600)
        monkeypatch.setattr(board, "SELDOM", 600)
        comes(here, here.place.client())
        becomes(here, "screen")
        with here.database.reading() as session:
            device_id = session.execute(text("SELECT id FROM device")).scalar_one()

        def called() -> None:
            with here.database.writing() as session:
                calling.call_next(session, place_id=here.place.site_id, window=2, now=here.clock.moment)

        before, after = asyncio.run(self.watches(here, device_id, called))
        assert before == {"calls": [], "next": [1], "more": 0}
        assert after == {"calls": [{"number": 1, "window": 2, "name": "", "call": 1}], "next": [], "more": 0}

    @staticmethod
    def served(here: Desks, client: ClientId) -> None:
        with here.database.writing() as session:
            scheduling.service.finish_for(session, place_id=here.place.site_id, holder_id=client, now=here.clock.moment)

    @staticmethod
    async def watches(here: Desks, device_id: UUID, then: object) -> list[object]:
        """Two states that two screens are told; the second follows what `then` does. Both end when the board does."""
        from dispensary.staff.devices import Bound
        from dispensary.staff.queries import place

        with here.database.reading() as session:
            device = Bound(device_id, place(session, here.place.site_id))
        shown = Board(here.database, here.clock)
        told: list[list[object]] = [[], []]
        met = asyncio.Event()

        async def screen(number: int) -> None:
            async for message in shown.watch(device):
                if message.event == "state":
                    told[number].append(json.loads(str(message.data)))
                    met.set()

        screens = [asyncio.create_task(screen(number)) for number in range(2)]
        async with asyncio.timeout(30):
            while not all(told):
                met.clear()
                await met.wait()
            await asyncio.to_thread(then)  # type: ignore[arg-type]
            while not all(len(each) > 1 for each in told):
                met.clear()
                await met.wait()
            shown.close()
            await asyncio.gather(*screens)
        assert told[0] == told[1]
        return told[0]


class TestNobodyIsPunishedForMissing:
    def test_after_the_figure_a_nurse_calls_and_asks_once_and_doses_go_on(self, here: Desks) -> None:
        sets(here, missed_in_a_row=2)
        hours = [Hours(weekday, time(7), time(17), 30, 4) for weekday in range(7)]
        with here.database.writing() as session:
            scheduling.service.set_hours(session, place_id=here.place.site_id, hours=hours, from_day=here.today)
        client = here.place.client()
        for _ in range(3):
            with here.database.writing() as session:
                free = scheduling.queries.slots_on(session, here.place.site_id, here.today)
                booked = [slot for slot in free if slot.starts_at > here.clock.moment]
                if booked:
                    scheduling.service.book(
                        session,
                        place_id=here.place.site_id,
                        holder_id=client,
                        starts_at=booked[0].starts_at,
                        now=here.clock.moment,
                        channel="desk",
                    )
            self.closes(here)
            here.days_pass(1)
        with here.database.reading() as session:
            (task,) = session.scalars(select(Task).where(Task.kind == "call")).all()
        assert (task.role, task.client_id) == ("nurse", client)
        assert task.sentence.startswith("Did not come to 2 booked times in a row.")
        here.place.give(client)

    @staticmethod
    def closes(here: Desks) -> None:
        at = here.clock.moment + timedelta(hours=12)
        with here.database.writing() as session:
            close_day(
                session,
                actor=here.place.pharmacist,
                day=here.place.today,
                today=here.place.today,
                counts=None,
                at=at,
            )


def test_a_second_word_for_the_same_thing_writes_nothing_down(here: Desks) -> None:
    sets(here, groups=(Group("ill", 30),))
    client = here.place.client()
    visit = comes(here, client)
    with here.database.writing() as session:
        for _ in range(2):
            queueing.comes_sooner(
                session, actor=here.place.pharmacist, visit_id=visit.id, word="ill", at=here.clock.moment
            )
    assert here.acts_about(client).count("comes sooner") == 1
