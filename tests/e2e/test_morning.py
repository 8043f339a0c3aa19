"""A clinic morning, end to end, as people see it: a text, a reminder, a queue, a scan, six bottles, a figure."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

import pytest
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import text

import notifications.service
import scheduling.service
from dispensary.clients.circumstances import Circumstances, write_down
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.demo.people import Person as Drawn
from dispensary.demo.people import people as drawn_people
from dispensary.demo.people import portrait
from dispensary.jobs import queue_reminders, run_night, send_texts
from dispensary.prescribing.service import order_dose
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Actor, Role
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.closing import close_day
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import dispense
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.units import ClientId, DoseDay, SiteId, milligrams, millilitres, strength
from dispensary.verification.verifying import verify
from notifications.gateways.console import ConsoleGateway
from scheduling.rules import Hours
from tests.dispensary.visiting import hire, open_site
from tests.e2e.conftest import PHONE, House, Person
from tests.paper import codes_in

EVENING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # Monday, four in the afternoon in Kuala Lumpur
PHONE_NUMBER = "+60123456789"
DAYS_BEFORE = 34


@pytest.fixture
def now() -> datetime:
    return EVENING


class Clinic:
    """A site with its people, a lot, and one client who has come every day for five weeks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        began = EVENING - timedelta(days=DAYS_BEFORE)
        self.site = open_site(database, began, "HRP", address="12 Jalan Harapan", phone="03-0000 0000")
        self.actors: dict[Role, Actor] = {}
        for role in Role:
            account = hire(database, self.site, role.value.replace(" ", "-"), [role], began)
            self.actors[role] = Actor(
                account.id, SiteId(self.site.id), frozenset({role}), account.name, account.initials
            )
        self.first_day = DoseDay((began + timedelta(hours=8)).date())
        with database.writing() as session:
            publish_policies(session, at=began)
            adopt(
                session,
                actor=self.actors[Role.ADMINISTRATOR],
                site_id=SiteId(self.site.id),
                policy="DEMONSTRATION-CLINIC-ADHERENCE",
                version="1",
                from_day=self.first_day,
                at=began,
            )
            scheduling.service.add_place(session, place_id=self.site.id, zone=self.site.zone)
            hours = [Hours(day, time(6, 30), time(11, 0), 15, 4, 2) for day in range(7)]
            scheduling.service.set_hours(session, place_id=self.site.id, hours=hours, from_day=self.first_day)
            receive_lot(
                session,
                actor=self.actors[Role.PHARMACIST],
                batch="MTD2610",
                strength=strength("5"),
                expires_on=self.first_day + timedelta(days=400),
                ml=millilitres("2000"),
                day=self.first_day,
                at=began,
            )
        self.client = self._client(began)
        self._came_every_day(began)

    def _client(self, began: datetime) -> ClientId:
        drawn: Drawn = drawn_people(Random(3), date(2026, 11, 23))[5]
        with self.database.writing() as session:
            client = enrol(
                session,
                actor=self.actors[Role.NURSE],
                number="H0042",
                identity=Identity(name="Rosli bin Hassan", born=date(1984, 5, 6), photo=portrait(drawn, 5)),
                began_on=self.first_day,
                today=self.first_day,
                at=began,
            )
            write_down(client, Circumstances(lockbox=True, housing_stable=True, employed=True))
            order_dose(
                session,
                actor=self.actors[Role.DOCTOR],
                client_id=ClientId(client.id),
                mg=milligrams("80"),
                from_day=self.first_day,
                reason="stable",
                today=self.first_day,
                at=began,
            )
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client.id,
                phone=PHONE_NUMBER,
                language="en",
                region="MY",
                now=began,
            )
            return ClientId(client.id)

    def _came_every_day(self, began: datetime) -> None:
        for n in range(DAYS_BEFORE + 1):
            day, at = DoseDay(self.first_day + timedelta(days=n)), began + timedelta(days=n, hours=-1)
            with self.database.writing() as session:
                dispense(
                    session,
                    actor=self.actors[Role.PHARMACIST],
                    client_id=self.client,
                    wanted=Wanted(observed=True, identified_by="photo", well=True),
                    key=f"before-{day}",
                    today=day,
                    at=at,
                )
                if n < DAYS_BEFORE:
                    actor = self.actors[Role.PHARMACIST]
                    close_day(session, actor=actor, day=day, today=day, counts=None, at=at + timedelta(hours=2))

    def one(self, sql: str) -> object:
        with self.database.reading() as session:
            return session.execute(text(sql)).scalar_one()


def test_a_clinic_morning(house: House, person: Callable[..., Person], tmp_path: object) -> None:
    clinic = Clinic(house.database)

    # The doctor reads the assessment and decides: six a week, by five weeks without a missed day.
    doctor = person().signs_in("doctor", "/consulting")
    doctor.picture("consulting")
    doctor.page.goto(f"/consulting/clients/{clinic.client}")
    doctor.picture("consulting-client")
    decides(doctor)

    # Monday, late afternoon: a text books a time; in the evening the reminder goes out.
    phone = person(PHONE)
    phone.page.goto("/telephone")
    phone.picture("telephone")
    phone.page.get_by_role("link", name="Rosli bin Hassan").click()
    writes(phone, house, "BOOK TUE 7.15")
    phone.sees("Booked: Tue 24 Nov at 07:15")
    house.clock.goes_on(hours=2, minutes=30)
    assert queue_reminders(house.database, house.clock) == 1
    assert queue_reminders(house.database, house.clock) == 0, "one reminder for each booking"
    send_texts(house.database, ConsoleGateway(), house.clock)
    phone.page.reload()
    phone.sees("Reminder: you are booked for Tue 24 Nov at 07:15")
    phone.picture("telephone-reminder")

    # Tuesday, before opening: the pharmacist packs six bottles; the text brings the code and the link.
    house.clock.moment = datetime(2026, 11, 23, 22, 20, tzinfo=UTC)
    with house.database.reading() as session:
        site = site_of(session, clinic.site.id)
    run_night(house.database, house.clock, site=site, data=house.data)
    pharmacist = person().signs_in("pharmacist", "/counter")
    pharmacist.picture("counter")
    pharmacist.page.goto(f"/counter/clients/{clinic.client}/pickup?on=2026-11-24")
    pharmacist.picture("counter-prepare")
    assert pharmacist.page.locator("[name=take_home_days]:checked").count() == 6
    pharmacist.presses("1")
    pharmacist.sees("6 bottles")
    pharmacist.picture("counter-pickups")
    send_texts(house.database, ConsoleGateway(), house.clock)
    phone.page.reload()
    phone.sees("Ready to collect")
    shown = phone.page.locator(".texts").inner_text()
    code = re.findall(r"\b\d{4} \d{4}\b", shown)[-1]
    link = re.findall(r"/p/(TL[A-Z2-7]{40})", shown)[-1]
    passes = person(PHONE)
    passes.page.goto(f"/p/{link}")
    passes.sees(code)
    assert passes.page.locator("h1").inner_text() == "R"
    assert "Rosli" not in passes.page.content()
    passes.picture("pass")

    # Ten past seven: reception checks the client in; a number, not a name, is called.
    house.clock.moment = datetime(2026, 11, 23, 23, 10, tzinfo=UTC)
    reception = person().signs_in("reception", "/reception")
    reception.page.get_by_label("Client number, name, or a scanned pass").fill("H0042")
    reception.page.keyboard.press("Enter")
    reception.page.get_by_role("button", name="Check in").click()
    reception.sees("Ticket 1")
    reception.picture("reception")

    # The scan opens the client with photo and dose before anything is poured; three keys hand everything over.
    house.clock.goes_on(minutes=6)
    pharmacist.signs_in("pharmacist", "/counter")  # half an hour without use ended the first sign-in
    passes.page.reload()  # as it does by itself every minute
    shown = Image.open(io.BytesIO(passes.page.locator(".pass-qr").screenshot())).convert("L")
    (on_screen,) = codes_in(shown)
    pharmacist.scans(on_screen)
    pharmacist.sees("Rosli bin Hassan", "80\N{NO-BREAK SPACE}mg", "6 prepared bottles")
    pharmacist.page.wait_for_load_state("load")
    assert pharmacist.page.evaluate("document.querySelector('img.photo').naturalWidth") > 100
    assert pharmacist.page.evaluate("document.documentElement.scrollHeight") <= 800, "no scrolling at the counter"
    pharmacist.picture("counter-client")
    pharmacist.presses("1", "2", "3")
    pharmacist.sees("Handed over at 07:16 to Rosli bin Hassan (H0042).")
    pharmacist.picture("counter-done")
    labels = pharmacist.fetches(pharmacist.page.get_by_role("link", name="Print 6 labels").get_attribute("href") or "")
    printed = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(labels)).pages)
    assert printed.count("H0042") == 6
    assert "80 mg" in printed

    # The same pass again, by scan and by code, opens nothing.
    for again in (on_screen, code):
        pharmacist.page.goto("/counter")
        pharmacist.scans(again)
        pharmacist.sees("This pass was used before: at 07:16", "pass-used")
    pharmacist.picture("counter-refused")
    assert clinic.one("SELECT count(*) FROM bottle WHERE state = 'handed_over'") == 6
    send_texts(house.database, ConsoleGateway(), house.clock)
    phone.page.reload()
    phone.sees("If this was not you")

    # The close: the safe is measured, the register balances, the day's log is printed.
    house.clock.moment = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
    pharmacist.signs_in("pharmacist", "/counter/close")
    pharmacist.picture("counter-close")
    left = Decimal(2000) - 16 * (DAYS_BEFORE + 1) - 16 * 7
    pharmacist.page.get_by_label("Measured in bulk").fill(str(left - 3))
    pharmacist.page.get_by_role("button", name="Close the day").click()
    pharmacist.sees("3 mL less than the register says")
    assert pharmacist.page.get_by_label("Measured in bulk").input_value() == str(left - 3), "what was typed is kept"
    pharmacist.picture("counter-close-differs")
    pharmacist.page.get_by_label("Measured in bulk").fill(str(left))
    pharmacist.page.get_by_role("button", name="Close the day").click()
    pharmacist.sees("The day was closed at 11:30.")
    pharmacist.picture("counter-closed")
    log = pharmacist.fetches("/counter/days/2026-11-24/log.pdf")
    logged = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(log)).pages)
    assert "H0042" in logged
    assert clinic.one("SELECT balance FROM register_book") == left
    pharmacist.page.goto("/counter/stock")
    pharmacist.picture("counter-stock")

    # The evaluator takes retention away, without a name in it.
    evaluator = person().signs_in("evaluator", "/evaluation/retention")
    evaluator.picture("evaluation")
    evaluator.sees("First stays of 1 client")
    evaluator.picture("evaluation")
    with zipfile.ZipFile(io.BytesIO(evaluator.downloads("CSV"))) as files:
        assert {"retention.csv", "retention.manifest.json"} <= set(files.namelist())
        assert b"H0042" not in b"".join(files.read(name) for name in files.namelist())

    administrator = person().signs_in("administrator", "/office")
    administrator.picture("office")

    with house.database.reading() as session:
        assert [str(finding) for finding in verify(session, now=house.clock())] == []
    for somebody in (doctor, phone, pharmacist, reception, evaluator, administrator):
        assert somebody.troubles == []


def decides(doctor: Person) -> None:
    """Assesses and decides on the client's page, as the assessment says."""
    doctor.page.get_by_role("button", name="Assess now").click()
    doctor.sees("up to 6 days a week", "Dose days covered: 100 %")
    doctor.picture("consulting-assessed")
    doctor.page.locator("[name=naloxone][value=given]").check()
    doctor.page.get_by_role("button", name="Decide").click()
    doctor.page.get_by_text("nothing decided").wait_for(state="detached")
    doctor.picture("consulting-decided")


def writes(phone: Person, house: House, words: str) -> None:
    """Writes a text on the telephone page; the outbox answers."""
    phone.page.locator("[name=text]").fill(words)
    phone.page.get_by_role("button", name="Send").click()
    phone.page.locator(".text-mine", has_text=words).last.wait_for()
    send_texts(house.database, ConsoleGateway(), house.clock)
    phone.page.reload()
