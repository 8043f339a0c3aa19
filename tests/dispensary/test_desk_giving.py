"""The gesture at the counter: known by photo, mark or birth date; well or not; a message said; and the dose leaves."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from sqlalchemy import select, text

from dispensary.clients.models import Client, Task
from dispensary.clients.rules import day_as_said
from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.models import DoseException, Supply
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client(mg="80")


@pytest.fixture
def dated(here: Desks) -> ClientId:
    """A client without photo and second identifier, born on 3 April 1985."""
    client = here.enrolled("D1", "Chong Mei")
    here.ordered(client, "60")
    return client


def at(client: ClientId, below: str = "") -> str:
    return f"/counter/clients/{client}{below}"


def gives(visitor: Visitor, client: ClientId, **said: Any) -> Response:
    form = {"key": str(uuid4()), "observed": "yes", "identified_by": "second_identifier", "well": "yes", **said}
    return visitor.post(at(client, "/supply"), form)


def supplies(here: Desks, client: ClientId) -> list[Supply]:
    with here.database.reading() as session:
        return list(session.scalars(select(Supply).where(Supply.client_id == client).order_by(Supply.at)))


def nothing_is_broken(here: Desks) -> bool:
    with here.database.reading() as session:
        return [str(finding) for finding in verify(session, now=here.clock())] == []


class TestWhoItIs:
    @pytest.mark.parametrize(
        ("said", "day"),
        [
            ("6.5.1984", date(1984, 5, 6)),
            ("06051984", date(1984, 5, 6)),
            (" 6 5 1984 ", date(1984, 5, 6)),
            ("06/05/1984", date(1984, 5, 6)),
            ("1984-05-06", date(1984, 5, 6)),
            ("31 02 1984", None),
            ("6.5.84", None),
            ("1984", None),
            ("6 5", None),
            ("", None),
            ("9" * 400, None),
            ("٦ ٥ ١٩٨٤", date(1984, 5, 6)),
        ],
    )
    def test_a_birth_date_is_read_as_people_say_it_the_whole_of_it(self, said: str, day: date | None) -> None:
        assert day_as_said(said) == day

    def test_without_photo_and_mark_the_birth_date_is_asked_and_not_shown(
        self, here: Desks, counter: Visitor, dated: ClientId
    ) -> None:
        page = counter.get(at(dated))
        assert "Ask the birth date. What do they say?" in text_of(page)
        assert "1985" not in page.text

        for wrong, code in (("03 04 1986", "born-differs"), ("", "not-identified"), ("born", "not-identified")):
            answer = gives(counter, dated, identified_by=wrong)
            assert (answer.status_code, code in text_of(answer)) == (409, True), wrong
        assert supplies(here, dated) == []

        assert gives(counter, dated, identified_by="3 4 1985").status_code == 303
        assert [supply.identified_by for supply in supplies(here, dated)] == ["born"]
        assert nothing_is_broken(here)

    def test_the_interface_takes_the_date_that_was_said_and_not_the_word(
        self, here: Desks, counter: Visitor, dated: ClientId
    ) -> None:
        def sends(said: str) -> int:
            body = {"key": str(uuid4()), "identified_by": said, "well": True}
            return counter.send("POST", f"/api/clients/{dated}/supplies", body).status_code

        assert [sends(said) for said in ("born", "1985-04-04", "1985-04-03")] == [409, 409, 201]

    def test_what_is_not_as_usual_asks_the_same(self, here: Desks, counter: Visitor, dated: ClientId) -> None:
        page = counter.get(at(dated, "/unusual?what=partly_taken"))
        assert "Ask the birth date." in text_of(page)
        form = {"key": str(uuid4()), "mg": "20", "reason": "choked"}
        path = at(dated, "/unusual/partly_taken")
        assert counter.post(path, {**form, "identified_by": "04 04 1985"}).status_code == 422
        assert counter.post(path, {**form, "identified_by": "03 04 1985"}).status_code == 303

    def test_where_nothing_is_on_record_it_is_written_down_once_and_then_asked(
        self, here: Desks, counter: Visitor, dated: ClientId
    ) -> None:
        with here.database.writing() as session:
            session.get_one(Client, dated).born_sealed = None
        page = counter.get(at(dated))
        assert "Nothing is on record by which this client can be known." in text_of(page)
        assert 'data-key="3"' not in page.text, "there is nothing to hand over"

        nothing = counter.post(at(dated, "/known"), {"key": str(uuid4())})
        assert (nothing.status_code, "nothing-known" in nothing.text) == (422, True)
        assert counter.post(at(dated, "/known"), {"key": str(uuid4()), "known_born": "31 2 1980"}).status_code == 422
        known = {"key": str(uuid4()), "known_mark": "a ring with a green stone"}
        for _ in range(2):
            assert counter.post(at(dated, "/known"), known).status_code == 303
        assert "a ring with a green stone" in text_of(counter.get(at(dated)))
        other = counter.post(at(dated, "/known"), {"key": str(uuid4()), "known_mark": "another"})
        assert (other.status_code, "known-already" in other.text) == (409, True)
        assert here.acts_about(dated).count("noted identity") == 1


class TestHowTheyAre:
    def test_something_is_not_right_and_the_dose_goes_on_with_the_note(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        answer = gives(counter, client, well="no", found="unwell", observation="dizzy since last night")
        assert answer.status_code == 303
        (supply,) = supplies(here, client)
        assert (supply.found, supply.observation) == ("unwell", "dizzy since last night")

        here.days_pass(1)
        counter.signs_in("pharmacist")
        assert "Last time, Tue 24 Nov 2026: Unwell “dizzy since last night”" in text_of(counter.get(at(client)))
        here.days_pass(7)
        counter.signs_in("pharmacist")
        assert "dizzy" not in text_of(counter.get(at(client)))

    @pytest.mark.parametrize(
        ("found", "role", "sentence"),
        [
            ("asks_doctor", "doctor", "Asks to speak to the doctor: wants to go down"),
            ("asks_counsellor", "nurse", "Asks to speak to a counsellor: wants to go down"),
        ],
    )
    def test_whom_they_ask_for_gets_a_task_for_today_once(
        self, here: Desks, counter: Visitor, client: ClientId, found: str, role: str, sentence: str
    ) -> None:
        key = str(uuid4())
        for _ in range(2):
            said = {"well": "no", "found": found, "observation": "wants to go down", "key": key}
            assert gives(counter, client, **said).status_code == 303
        with here.database.reading() as session:
            (task,) = session.scalars(select(Task))
        assert (task.role, task.sentence, task.due_on) == (role, sentence, here.today)

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ({"well": "no"}, "no-choice"),
            ({"well": "no", "found": "drunk"}, "no-choice"),
            ({"well": "no", "found": "unwell"}, "found-what"),
            ({"well": ""}, "not-well"),
        ],
    )
    def test_what_is_missing_is_said_and_what_was_typed_is_kept(
        self, here: Desks, counter: Visitor, client: ClientId, said: dict[str, str], code: str
    ) -> None:
        answer = gives(counter, client, **said, second_look="kept")
        assert code in text_of(answer)
        assert supplies(here, client) == []

    def test_somebody_who_is_not_sober_is_not_dosed_and_what_was_seen_is_carried_over(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        answer = gives(counter, client, well="no", found="intoxicated", observation="slurred, sways")
        assert answer.status_code == 200
        assert "Withhold for now" in text_of(answer)
        assert 'value="slurred, sways"' in answer.text
        assert supplies(here, client) == []

        form = {"key": str(uuid4()), "observation": "slurred, sways"}
        assert counter.post(at(client, "/unusual/intoxicated"), form).status_code == 303
        with here.database.reading() as session:
            assert [row.kind for row in session.scalars(select(DoseException))] == ["intoxicated"]

    def test_the_interface_says_the_same(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        body = {"key": str(uuid4()), "identified_by": "photo", "found": "unwell"}
        path = f"/api/clients/{client}/supplies"
        assert counter.send("POST", path, body).status_code == 409
        assert counter.send("POST", path, {**body, "observation": "a cough"}).status_code == 201
        assert [supply.found for supply in supplies(here, client)] == ["unwell"]


class TestStopsAndMessages:
    def sets(self, visitor: Visitor, client: ClientId, kind: str, *, desk: str = "counter", **more: str) -> Response:
        form = {"key": str(uuid4()), "flag_kind": kind, "flag_sentence": "see the nurse about the ECG", **more}
        return visitor.post(f"/{desk}/clients/{client}/flags", form)

    def test_a_doctor_stops_the_dose_and_the_counter_says_whom_to_call(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        assert self.sets(here.doctor, client, "stop_dose", desk="consulting").status_code == 303
        said = text_of(counter.get(at(client)))
        assert "A prescriber has stopped the dose: see the nurse about the ECG Call Doctor" in said
        assert "Hand over" not in said
        assert "Stop the dose: see the nurse" in text_of(here.doctor.get(f"/consulting/clients/{client}"))

        with here.database.reading() as session:
            flag = session.execute(text("SELECT id FROM stop_flag")).scalar_one()
        clear = {"key": str(uuid4()), "clear_reason": "the ECG is fine"}
        answer = counter.post(at(client, f"/flags/{flag}/clear"), clear)
        assert (answer.status_code, "not-the-owner" in answer.text) == (403, True)
        assert here.doctor.post(f"/consulting/clients/{client}/flags/{flag}/clear", clear).status_code == 303
        assert gives(counter, client).status_code == 303
        assert {"set flag", "cleared flag"} <= set(here.acts_about(client))

    def test_the_counter_is_not_offered_what_a_prescriber_alone_does(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        assert 'value="stop_dose"' not in counter.get(at(client, "/flags")).text
        answer = self.sets(counter, client, "stop_dose")
        assert (answer.status_code, "see the nurse about the ECG" in answer.text) == (403, True)
        assert self.sets(counter, client, "stop_bottles", flag_owner="role:nurse").status_code == 303
        said = text_of(counter.get(at(client)))
        assert "No bottles to carry home see the nurse about the ECG any nurse" in said
        assert "Hand over" in said, "the dose is given"

    def test_a_message_is_answered_in_the_same_gesture_and_whoever_left_it_reads_by_whom(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        nurse = here.seat(Role.NURSE)
        assert self.sets(nurse, client, "say_first", desk="consulting").status_code == 303
        page = counter.get(at(client))
        flag = page.text.split('name="asked" value="')[1].split('"')[0]
        assert "Say first: see the nurse about the ECG" in text_of(page)

        unanswered = gives(counter, client, asked=flag)
        assert (unanswered.status_code, "say-first" in unanswered.text) == (422, True)
        assert gives(counter, client, asked=flag, **{f"say_{flag}": "said"}).status_code == 303
        assert "Say first:" not in text_of(counter.get(at(client)))
        assert "Said by Pharmacist, Tue 24 Nov 2026" in text_of(nurse.get(f"/consulting/clients/{client}/flags"))

    def test_a_message_never_stands_in_the_way_of_a_page_that_was_open_before(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        self.sets(here.doctor, client, "say_first", desk="consulting")
        assert gives(counter, client).status_code == 303

    def test_the_interface_sets_lists_answers_and_clears(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        path = f"/api/clients/{client}/flags"
        last = str(here.today + timedelta(days=3))
        asked = {"kind": "say_first", "sentence": "your ECG is on Friday", "last_day": last}
        first, again = (counter.send("POST", path, asked) for _ in range(2))
        assert (first.status_code, first.json()["id"]) == (201, again.json()["id"])
        assert counter.send("POST", path, {**asked, "kind": "stop_dose"}).status_code == 403
        body = {"key": str(uuid4()), "identified_by": "photo", "well": True, "said": [first.json()["id"]]}
        assert counter.send("POST", f"/api/clients/{client}/supplies", body).status_code == 201
        (listed,) = counter.get(path).json()
        assert (listed["last_day"], listed["said_at"] is not None) == (last, True)
        done = f"{path}/{first.json()['id']}/clear"
        assert here.doctor.send("POST", done, {"reason": "heard"}).status_code == 403
        assert counter.send("POST", done, {"reason": "heard"}).status_code == 204
        assert counter.get(path).json() == []

    def test_the_desk_that_a_page_was_opened_from_is_where_it_leads_back(self, here: Desks, client: ClientId) -> None:
        assert (
            f'href="/consulting/clients/{client}" data-key="0"'
            in here.doctor.get(f"/consulting/clients/{client}/flags").text
        )
        assert (
            self.sets(here.doctor, client, "say_first", desk="consulting")
            .headers["location"]
            .startswith(f"/consulting/clients/{client}/flags")
        )

    def test_reception_and_other_sites_see_nothing_of_it(
        self, here: Desks, client: ClientId, now: datetime, tmp_path: Path
    ) -> None:
        assert here.seat(Role.RECEPTION).get(at(client, "/flags")).status_code == 403
        stranger = desks(here.database, now, tmp_path, code="SAT").place.client()
        assert here.doctor.get(f"/consulting/clients/{stranger}/flags").status_code == 404
        assert self.sets(here.doctor, stranger, "say_first").status_code == 404
