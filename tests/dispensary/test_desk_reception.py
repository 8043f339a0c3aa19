from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from litestar import Litestar
from sqlalchemy import select

import scheduling.queries
import scheduling.service
from dispensary.app import create_app
from dispensary.clients.models import Client
from dispensary.clients.queries import face_of
from dispensary.database import Database
from dispensary.jobs import send_texts
from dispensary.monitoring.models import Alert
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import ClientId
from notifications.gateways.console import ConsoleGateway
from scheduling.models import Booking, Visit
from tests.builders import clinic
from tests.dispensary.lending import lent_app
from tests.dispensary.phones import Line, kl, line
from tests.dispensary.visiting import (
    MovableClock,
    Visitor,
    demo_settings,
    hire,
    open_site,
    production_settings,
    text_of,
)


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    return MovableClock(now)


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, clock)


def works(app: Litestar, phone_line: Line, *roles: Role) -> Visitor:
    """A colleague with these roles, signed in."""
    with phone_line.database.reading() as session:
        site = session.get_one(Site, phone_line.site.id)
    name = f"{roles[0].value}-{uuid4().hex[:6]}"
    hire(phone_line.database, site, name, roles, phone_line.at)
    visitor = Visitor(app)
    assert visitor.signs_in(name).status_code == 303
    return visitor


@pytest.fixture
def desk(app: Litestar, phone_line: Line) -> Visitor:
    return works(app, phone_line, Role.RECEPTION)


def name_of(phone_line: Line, client: ClientId) -> str:
    with phone_line.database.reading() as session:
        return face_of(session, session.get_one(Client, client)).name


class TestFinding:
    def test_a_number_leads_to_the_client_at_once(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        for typed in (phone_line.number(client), phone_line.number(client).lower() + " "):
            answer = desk.post("/reception/find", {"sought": typed})
            assert (answer.status_code, answer.headers["location"]) == (303, f"/reception/clients/{client}")

    def test_a_name_that_several_have_shows_them_all_with_what_tells_them_apart(
        self, phone_line: Line, desk: Visitor
    ) -> None:
        clients = [phone_line.client(), phone_line.client()]
        answer = desk.post("/reception/find", {"sought": "ahmad"})
        for client in clients:
            assert phone_line.number(client) in answer.text
        assert 'value="ahmad"' in answer.text

    def test_nobody_is_found_without_an_error(self, desk: Visitor) -> None:
        for sought in ("zzz", "%", "1234 5678 9", "\x00", "x" * 500):
            answer = desk.post("/reception/find", {"sought": sought})
            assert answer.status_code == 200
            assert "Nobody was found." in text_of(answer)

    def test_a_client_of_another_site_is_not_there(self, phone_line: Line, desk: Visitor) -> None:
        stranger = clinic(phone_line.database, phone_line.at, code="SAT").client()
        with phone_line.database.reading() as session:
            number = session.get_one(Client, stranger).number
        assert "Nobody was found." in text_of(desk.post("/reception/find", {"sought": number}))
        assert desk.get(f"/reception/clients/{stranger}").status_code == 404
        for act in ("arrive", "book"):
            form = {"starts_at": kl(27, 8).isoformat()}
            assert desk.post(f"/reception/clients/{stranger}/{act}", form).status_code == 404

    def test_the_look_at_a_client_is_in_the_audit_trail(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        desk.get(f"/reception/clients/{client}")
        with phone_line.database.reading() as session:
            looks = session.scalars(select(AuditEntry).where(AuditEntry.act == "looked at")).all()
        assert [(look.subject_id, json.loads(look.details)) for look in looks] == [(client, {"page": "reception"})]


class TestArriving:
    def test_a_ticket_is_told_and_the_booking_has_arrived(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        booking = phone_line.book(client, kl(24, 7, 15))
        answer = desk.post(f"/reception/clients/{client}/arrive")
        shown = text_of(desk.get(answer.headers["location"]))
        assert f"Ticket 1 for {name_of(phone_line, client)}" in shown
        with phone_line.database.reading() as session:
            assert session.get_one(Booking, booking.id).state == "arrived"

    def test_twice_is_one_ticket_and_one_entry(self, phone_line: Line, desk: Visitor, clock: MovableClock) -> None:
        client = phone_line.client()
        first = desk.post(f"/reception/clients/{client}/arrive")
        clock.goes_on(minutes=2)
        assert desk.post(f"/reception/clients/{client}/arrive").headers["location"] == first.headers["location"]
        with phone_line.database.reading() as session:
            assert len(session.scalars(select(Visit)).all()) == 1
            assert len(session.scalars(select(AuditEntry).where(AuditEntry.act == "checked in")).all()) == 1

    def test_no_booking_turns_nobody_away(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        assert "No booking today. They may come in all the same." in text_of(desk.get(f"/reception/clients/{client}"))
        assert desk.post(f"/reception/clients/{client}/arrive").status_code == 303

    def test_one_key_checks_in_and_nothing_is_left_to_press_afterwards(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        assert re.search(r'data-key="1"[^>]*>Check in', desk.get(f"/reception/clients/{client}").text)
        desk.post(f"/reception/clients/{client}/arrive")
        page = desk.get(f"/reception/clients/{client}")
        assert "Check in<" not in page.text
        assert "Checked in at 07:00 with ticket 1." in text_of(page)

    def test_a_nurse_books_and_a_pharmacist_does_both_but_an_evaluator_sees_nobody(
        self, app: Litestar, phone_line: Line
    ) -> None:
        client = phone_line.client()
        nurse = works(app, phone_line, Role.NURSE)
        assert "Check in<" not in nurse.get(f"/reception/clients/{client}").text
        assert nurse.post(f"/reception/clients/{client}/arrive").status_code == 403
        pharmacist = works(app, phone_line, Role.PHARMACIST)
        assert pharmacist.post(f"/reception/clients/{client}/arrive").status_code == 303
        evaluator = works(app, phone_line, Role.EVALUATOR, Role.ADMINISTRATOR)
        for path in ("/reception", f"/reception/clients/{client}", "/reception/tasks"):
            assert evaluator.get(path).status_code == 403

    def test_a_pass_checks_its_client_in_and_stays_unused(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        phone_line.clinic.decide(client, per_supply=2)
        with phone_line.database.writing() as session:
            prepared = prepare_pickup(
                session,
                actor=phone_line.clinic.pharmacist,
                client_id=client,
                collect_on=phone_line.clinic.today,
                take_home_days=phone_line.clinic.ahead(1),
                valid=(kl(24, 6), kl(24, 20)),
                today=phone_line.clinic.today,
                at=phone_line.at,
            )
        for shown in (prepared.token, prepared.code):
            answer = desk.post("/reception/find", {"sought": shown})
            page = text_of(desk.get(answer.headers["location"]))
            assert "Ticket 1 for" in page
            assert "mg" not in page
        assert "not issued here" in text_of(desk.post("/reception/find", {"sought": "TH" + "A" * 40}))


class TestToday:
    def test_slots_show_their_places_and_who_is_booked_and_who_came(
        self, phone_line: Line, desk: Visitor, clock: MovableClock
    ) -> None:
        here, coming = phone_line.client(), phone_line.client()
        phone_line.book(here, kl(24, 8))
        phone_line.book(coming, kl(24, 8))
        desk.post(f"/reception/clients/{here}/arrive")
        shown = text_of(desk.get("/reception"))
        assert f"08:00 2 of 2 full ✓ is here {name_of(phone_line, here)}" in shown
        assert f"{name_of(phone_line, coming)} {phone_line.number(coming)}" in shown
        assert "1 still expected, 1 came, 0 late" in shown
        clock.moment = kl(24, 8, 20)
        desk = works(desk.app, phone_line, Role.RECEPTION)
        shown = text_of(desk.get("/reception"))
        assert "0 still expected, 1 came, 1 late" in shown
        assert f"Expected and not here 08:00 {name_of(phone_line, coming)}" in shown

    def test_who_waits_stands_there_with_ticket_and_minutes_and_the_days_figures_follow(
        self, phone_line: Line, desk: Visitor, clock: MovableClock
    ) -> None:
        for minutes in (2, 10, 30):
            client = phone_line.client()
            with phone_line.database.writing() as session:
                visit = scheduling.service.check_in(
                    session, place_id=phone_line.site.id, holder_id=client, now=phone_line.at
                )
                began = phone_line.at + timedelta(minutes=minutes)
                scheduling.service.start(session, visit_id=visit.id, now=began)
                scheduling.service.finish(session, visit_id=visit.id, now=began)
        waiting = phone_line.client()
        desk.post(f"/reception/clients/{waiting}/arrive")
        clock.goes_on(minutes=12)
        shown = text_of(desk.get("/reception"))
        assert "1 waiting 10 min wait, median 28 min wait, 95 %" in shown
        assert f"4 {name_of(phone_line, waiting)} no booking 12 min" in shown

    def test_an_empty_day_and_a_closed_one_say_so(self, phone_line: Line, desk: Visitor) -> None:
        shown = text_of(desk.get("/reception"))
        assert "Nobody waits." in shown
        assert "– wait, median" in shown
        today = phone_line.clinic.today
        with phone_line.database.writing() as session:
            scheduling.service.close(
                session, place_id=phone_line.site.id, first_day=today, last_day=today, reason="no water"
            )
        shown = text_of(desk.get("/reception"))
        assert "Today is a closure: no water" in shown
        assert "No more slots today." in shown

    def test_a_site_without_hours_says_who_sets_them(self, database: Database, app: Litestar, phone_line: Line) -> None:
        site = open_site(database, phone_line.at, code="NEW")
        hire(database, site, "nia", [Role.RECEPTION], phone_line.at)
        visitor = Visitor(app)
        visitor.signs_in("nia")
        answer = visitor.get("/reception")
        assert answer.status_code == 409
        assert "This site has no opening hours yet" in text_of(answer)
        assert visitor.get("/api/slots?day=2026-11-24").json()["code"] == "no-hours"


class TestBooking:
    def test_a_free_time_is_booked_with_one_button_and_a_text_tells_it(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        page = desk.get(f"/reception/clients/{client}?day=2026-11-27").text
        (value,) = re.findall(r'name="starts_at" value="([^"]+)">08:15', page)
        answer = desk.post(f"/reception/clients/{client}/book", {"starts_at": value, "day": "2026-11-27"})
        assert answer.status_code == 303
        assert phone_line.booked(client) == [kl(27, 8, 15)]
        assert phone_line.bodies() == ["Booked: Fri 27 Nov at 08:15. To change it reply MOVE, to give it up DROP."]
        assert "Booked. A text tells them." in text_of(desk.get(answer.headers["location"]))

    def test_a_second_click_books_and_tells_once(self, phone_line: Line, desk: Visitor, clock: MovableClock) -> None:
        client = phone_line.client()
        for _ in range(2):
            desk.post(f"/reception/clients/{client}/book", {"starts_at": kl(27, 8).isoformat()})
            clock.goes_on(seconds=1)
        assert (len(phone_line.booked(client)), len(phone_line.bodies())) == (1, 1)

    def test_a_time_that_was_lost_meanwhile_comes_back_with_the_nearest_free_ones(
        self, phone_line: Line, desk: Visitor
    ) -> None:
        client = phone_line.client()
        phone_line.fill(kl(27, 8))
        answer = desk.post(
            f"/reception/clients/{client}/book", {"starts_at": kl(27, 8).isoformat(), "day": "2026-11-27"}
        )
        assert answer.status_code == 409
        shown = text_of(answer)
        assert "The slot at 08:00 on 27 November is full." in shown
        assert "Free near it: Fri 27 Nov 07:30, Fri 27 Nov 07:45, Fri 27 Nov 08:15." in shown
        assert ">08:00 <small>" not in answer.text

    def test_a_move_shows_what_is_moved_and_moves_it_wholly(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        booking = phone_line.book(client, kl(27, 8))
        page = text_of(desk.get(f"/reception/clients/{client}?move={booking.id}&day=2026-11-28"))
        assert "Move Fri 27 Nov 2026, 08:00 to" in page
        form = {"starts_at": kl(28, 9).isoformat(), "move": str(booking.id)}
        assert desk.post(f"/reception/clients/{client}/book", form).status_code == 303
        assert phone_line.booked(client) == [kl(28, 9)]
        assert phone_line.bodies() == ["Moved. You are now booked for Sat 28 Nov at 09:00."]

    def test_a_drop_gives_the_place_back(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        booking = phone_line.book(client, kl(27, 8))
        for _ in range(2):
            assert desk.post(f"/reception/bookings/{booking.id}/drop").status_code == 303
        assert phone_line.booked(client) == []
        with phone_line.database.reading() as session:
            slots = scheduling.queries.slots_on(session, phone_line.site.id, date(2026, 11, 27))
        assert sum(slot.booked for slot in slots) == 0

    def test_a_booking_of_another_site_is_not_touched(self, phone_line: Line, app: Litestar, desk: Visitor) -> None:
        booking = phone_line.book(phone_line.client(), kl(27, 8))
        site = open_site(phone_line.database, phone_line.at, code="SAT")
        hire(phone_line.database, site, "nia", [Role.RECEPTION], phone_line.at)
        elsewhere = Visitor(app)
        elsewhere.signs_in("nia")
        assert elsewhere.post(f"/reception/bookings/{booking.id}/drop").status_code == 404
        assert elsewhere.send("POST", f"/api/bookings/{booking.id}/drop").status_code == 404
        moved = elsewhere.send("POST", f"/api/bookings/{booking.id}/move", {"starts_at": kl(28, 8).isoformat()})
        assert moved.status_code == 404

    @pytest.mark.parametrize("starts_at", ["", "soon", "2026-11-27", "2026-11-27T08:00", "0001-01-01T00:00+00:00"])
    def test_what_is_no_time_is_refused_and_books_nothing(
        self, phone_line: Line, desk: Visitor, starts_at: str
    ) -> None:
        client = phone_line.client()
        answer = desk.post(f"/reception/clients/{client}/book", {"starts_at": starts_at})
        assert answer.status_code in (409, 422)
        assert phone_line.booked(client) == []

    @pytest.mark.parametrize("query", ["day=tomorrow", "day=9999-12-31", "day=0001-01-01", "move=x"])
    def test_an_address_that_was_mistyped_is_no_failure(self, phone_line: Line, desk: Visitor, query: str) -> None:
        assert desk.get(f"/reception/clients/{phone_line.client()}?{query}").status_code in (200, 422)

    def test_somebody_without_a_phone_is_told_at_the_desk(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.clinic.client()
        answer = desk.post(f"/reception/clients/{client}/book", {"starts_at": kl(27, 8).isoformat()})
        shown = text_of(desk.get(answer.headers["location"]))
        assert "They get no texts: tell them now." in shown
        assert "No phone is known." in shown


class TestTasks:
    def test_the_list_says_what_to_do_and_a_button_says_how_it_was_done(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        for words in ("hrmpf", "grmbl", "wzzk"):
            phone_line.says(client, words)
        assert "To do: 1" in text_of(desk.get("/reception"))
        assert "Wrote texts that were not understood." in text_of(desk.get("/reception/tasks"))
        page = desk.get(f"/reception/clients/{client}").text
        (cause,) = re.findall(r'name="cause" value="([^"]+)"', page)
        form = {"client_id": str(client), "cause": cause, "resolution": "Called them", "onward": "/reception"}
        for _ in range(2):
            answer = desk.post("/reception/tasks/settle", form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/reception")
        assert "Nothing is left to do." in text_of(desk.get("/reception/tasks"))
        with phone_line.database.reading() as session:
            alert = session.scalars(select(Alert)).one()
        assert alert.resolution == "Called them"
        assert alert.resolved_by is not None

    def test_nobody_is_led_to_another_house(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        phone_line.says(client, "STOP")
        form = {"client_id": str(client), "cause": "text: opted out", "onward": "https://evil.example"}
        assert desk.post("/reception/tasks/settle", form).headers["location"] == "/reception/tasks"
        assert desk.post("/reception/tasks/settle", {**form, "client_id": "x"}).status_code == 404

    def test_alerts_of_other_roles_are_not_on_it(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        with phone_line.database.writing() as session:
            session.add(
                Alert(
                    site_id=phone_line.site.id,
                    client_id=client,
                    cause="liver",
                    severity="urgent",
                    role=Role.DOCTOR.value,
                    sentence="ALT is five times the limit.",
                    opened_at=phone_line.at,
                )
            )
        for path in ("/reception", "/reception/tasks", f"/reception/clients/{client}"):
            assert "ALT" not in desk.get(path).text
        form = {"client_id": str(client), "cause": "liver", "resolution": "x"}
        desk.post("/reception/tasks/settle", form)
        with phone_line.database.reading() as session:
            assert session.scalars(select(Alert.resolved_at)).one() is None


class TestDiscretion:
    def test_no_page_of_reception_shows_a_dose_an_order_or_a_result(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        phone_line.clinic.decide(client, per_supply=2)
        phone_line.clinic.give(client)
        phone_line.book(client, kl(27, 8))
        pages = [desk.get("/reception"), desk.get(f"/reception/clients/{client}"), desk.get("/reception/tasks")]
        assert [re.findall(r"\b80\b|\bmg\b|dose|order|take-home", text_of(page), re.IGNORECASE) for page in pages] == [
            [],
            [],
            [],
        ]


class TestApi:
    def test_slots_bookings_and_arrivals_are_one_story(self, phone_line: Line, desk: Visitor) -> None:
        client = phone_line.client()
        slots = desk.get("/api/slots?day=2026-11-27").json()
        assert (len(slots), slots[0]["free"]) == (12, 2)
        starts_at = slots[4]["starts_at"]
        made = desk.send("POST", "/api/bookings", {"client_id": str(client), "starts_at": starts_at})
        assert (made.status_code, made.json()["state"], made.json()["channel"]) == (201, "booked", "desk")
        again = desk.send("POST", "/api/bookings", {"client_id": str(client), "starts_at": starts_at})
        assert again.json() == made.json()
        assert desk.get("/api/slots?day=2026-11-27").json()[4]["booked"] == 1
        assert desk.get("/api/bookings?day=2026-11-27").json() == [made.json()]
        assert desk.get(f"/api/bookings?client_id={client}").json() == [made.json()]
        moved = desk.send("POST", f"/api/bookings/{made.json()['id']}/move", {"starts_at": kl(24, 7, 15).isoformat()})
        assert (moved.status_code, moved.json()["day"]) == (200, "2026-11-24")
        arrived = desk.send("POST", "/api/arrivals", {"client_id": str(client)})
        assert (arrived.status_code, arrived.json()["ticket"]) == (201, 1)
        assert arrived.json()["booking_id"] == moved.json()["id"]
        assert desk.send("POST", "/api/arrivals", {"client_id": str(client)}).json() == arrived.json()
        dropped = desk.send("POST", f"/api/bookings/{moved.json()['id']}/drop")
        assert (dropped.status_code, dropped.json()["code"]) == (409, "not-live")

    def test_a_full_slot_is_refused_with_the_nearest_free_ones(self, phone_line: Line, desk: Visitor) -> None:
        phone_line.fill(kl(27, 8))
        body = {"client_id": str(phone_line.client()), "starts_at": kl(27, 8).isoformat()}
        problem = desk.send("POST", "/api/bookings", body).json()
        assert (problem["status"], problem["code"], problem["field"]) == (409, "slot-full", "starts_at")
        assert problem["evidence"]["alternatives"] == [kl(27, *at).isoformat() for at in ((7, 30), (7, 45), (8, 15))]

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("/api/bookings", {"client_id": str(UUID(int=1))}, "starts_at"),
            ("/api/bookings", {"client_id": "x", "starts_at": kl(27, 8).isoformat()}, "client_id"),
            ("/api/bookings", {"client_id": str(UUID(int=1)), "starts_at": "2026-11-27T08:00:00"}, "starts_at"),
            ("/api/arrivals", {"client_id": str(UUID(int=1)), "why": "x"}, "why"),
        ],
    )
    def test_a_body_that_does_not_fit_is_explained(
        self, desk: Visitor, path: str, body: dict[str, str], field: str
    ) -> None:
        answer = desk.send("POST", path, body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    def test_who_is_not_there_is_not_booked(self, desk: Visitor) -> None:
        nobody = str(UUID(int=1))
        body = {"client_id": nobody, "starts_at": kl(27, 8).isoformat()}
        assert desk.send("POST", "/api/bookings", body).status_code == 404
        assert desk.send("POST", "/api/arrivals", {"client_id": nobody}).status_code == 404
        assert desk.send("POST", f"/api/bookings/{nobody}/drop").status_code == 404
        assert desk.get("/api/bookings").status_code == 422
        assert desk.get(f"/api/bookings?day=2026-11-27&client_id={nobody}").status_code == 422

    def test_each_has_its_guard(self, app: Litestar, phone_line: Line) -> None:
        doctor = works(app, phone_line, Role.DOCTOR)
        for path in ("/api/slots?day=2026-11-27", "/api/bookings?day=2026-11-27"):
            assert doctor.get(path).status_code == 403
            assert Visitor(app).get(path).status_code == 401
        body = {"client_id": str(phone_line.client())}
        nurse = works(app, phone_line, Role.NURSE)
        assert doctor.send("POST", "/api/bookings", {**body, "starts_at": kl(27, 8).isoformat()}).status_code == 403
        assert nurse.send("POST", "/api/bookings", {**body, "starts_at": kl(27, 8).isoformat()}).status_code == 201
        assert nurse.send("POST", "/api/arrivals", body).status_code == 403


class TestTelephone:
    def test_anybody_plays_any_phone_and_the_answer_comes_by_the_outbox(
        self, app: Litestar, phone_line: Line, clock: MovableClock
    ) -> None:
        client = phone_line.client()
        visitor = Visitor(app)
        assert phone_line.number(client) in visitor.get("/telephone").text
        form = {"text": "BOOK FRI 8", "key": str(uuid4())}
        for _ in range(2):
            answer = visitor.post(f"/telephone/{client}/texts", form)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/telephone/{client}#write")
        shown = text_of(visitor.get(f"/telephone/{client}"))
        assert "BOOK FRI 8" in shown
        assert "Booked:" not in shown
        assert "A text is on its way" in shown
        assert phone_line.booked(client) == [kl(27, 8)]
        send_texts(phone_line.database, ConsoleGateway(), clock)
        texts = text_of(visitor.get(f"/telephone/{client}/texts"))
        assert texts.count("Booked: Fri 27 Nov at 08:00.") == 1
        assert "on its way" not in texts

    def test_a_shared_phone_is_one_phone_of_several(self, app: Litestar, phone_line: Line) -> None:
        first = phone_line.client()
        second = phone_line.client(phone_line.numbers[first])
        page = Visitor(app).get(f"/telephone/{second}")
        assert page.text.count(phone_line.numbers[first]) == 2
        assert f"{name_of(phone_line, first)} · {name_of(phone_line, second)}" in text_of(page)

    def test_a_stranger_has_a_phone_too(self, app: Litestar, phone_line: Line, clock: MovableClock) -> None:
        visitor = Visitor(app)
        visitor.post("/telephone/stranger/texts", {"text": "who are you?", "key": str(uuid4())})
        send_texts(phone_line.database, ConsoleGateway(), clock)
        assert "This number is not known here. Nothing was changed." in text_of(visitor.get("/telephone/stranger"))

    def test_links_can_be_tapped_and_what_was_written_stays_text(self, app: Litestar, phone_line: Line) -> None:
        client = phone_line.client()
        visitor = Visitor(app)
        written = '<b>see</b> https://clinic.example/p/TH2?a=1&b="2 now'
        visitor.post(f"/telephone/{client}/texts", {"text": written, "key": str(uuid4())})
        page = visitor.get(f"/telephone/{client}/texts").text
        assert "&lt;b&gt;see&lt;/b&gt; <a href=" in page
        assert 'href="https://clinic.example/p/TH2?a=1&amp;b=&#34;2"' in page

    def test_a_form_without_its_token_or_key_writes_nothing(self, app: Litestar, phone_line: Line) -> None:
        client = phone_line.client()
        visitor = Visitor(app)
        path = f"/telephone/{client}/texts"
        assert visitor.client.post(path, data={"text": "STOP", "key": str(uuid4())}).status_code == 403
        assert visitor.post(path, {"text": "STOP", "key": ""}).status_code == 422
        assert visitor.post("/telephone/nobody/texts", {"text": "x", "key": str(uuid4())}).status_code == 404
        assert phone_line.bodies() == []

    def test_in_production_there_is_no_such_page(
        self, database: Database, phone_line: Line, clock: MovableClock, tmp_path: Path
    ) -> None:
        client = phone_line.client()
        visitor = Visitor(create_app(production_settings(tmp_path), database, clock), "https://clinic.example.org")
        for path in ("/telephone", f"/telephone/{client}", f"/telephone/{client}/texts"):
            answer = visitor.get(path)
            assert answer.status_code == 404
            assert phone_line.numbers[client] not in answer.text
        form = {"text": "BOOK FRI 8", "key": str(uuid4())}
        assert visitor.post(f"/telephone/{client}/texts", form).status_code == 404
        assert phone_line.booked(client) == []
