"""Reception's pages in a browser: found, booked, moved, dropped, here, in line, every week; and the client's phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from dispensary.clients.models import Client
from dispensary.clients.queries import face_of
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.phones import Line, kl, line
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.fixture
def phone_line(house: House) -> Line:
    here = line(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, here.site.id)
    hire(house.database, site, "rahim", [Role.RECEPTION], here.at)
    return here


@pytest.fixture
def desk(chromium: Browser, house: House, phone_line: Line) -> Iterator[Person]:
    person = Person(chromium, house, DESK).signs_in("rahim", "/reception")
    yield person
    assert person.troubles == []
    person.closes()


def name_of(phone_line: Line, client: ClientId) -> str:
    with phone_line.database.reading() as session:
        return face_of(session, session.get_one(Client, client)).name


def narrow(desk: Person) -> None:
    desk.page.set_viewport_size(PHONE)
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], desk.page.url
    desk.page.set_viewport_size(DESK)


def test_a_client_is_found_booked_moved_dropped_and_checked_in(desk: Person, phone_line: Line) -> None:
    client, page = phone_line.client(), desk.page
    desk.scans(phone_line.number(client))  # the field has the focus: a number and Enter, no mouse
    page.wait_for_url(f"**/reception/clients/{client}")
    page.goto(f"{page.url}?day=2026-11-27#times")
    page.get_by_role("button", name="08:00 2 places").click()
    desk.sees("Booked.", "A text tells them.")
    page.get_by_role("link", name="Move").click()
    page.get_by_role("button", name="08:15 2 places").click()
    desk.sees("Moved.")
    assert phone_line.booked(client) == [kl(27, 8, 15)]
    narrow(desk)
    desk.picture("reception-client")
    page.get_by_text("Drop", exact=True).click()
    page.get_by_role("button", name="Drop this booking").click()
    desk.sees("The booking is dropped.", "Nothing is booked.")
    assert phone_line.booked(client) == []
    desk.presses("1")
    desk.sees(f"Ticket 1 for {name_of(phone_line, client)}")
    narrow(desk)
    desk.picture("reception")


def test_a_full_slot_is_refused_a_full_day_has_a_waiting_list_and_a_weekly_time_is_set(
    desk: Person, phone_line: Line
) -> None:
    client, page = phone_line.client(), desk.page
    page.goto(f"/reception/clients/{client}?day=2026-11-27#times")
    phone_line.fill(kl(27, 8))  # somebody was faster
    page.get_by_role("button", name="08:00 2 places").click()
    desk.sees("slot-full", "Free near it:")
    assert phone_line.booked(client) == []
    for hour, minute in ((hour, minute) for hour in (7, 8, 9) for minute in (0, 15, 30, 45)):
        if (hour, minute) != (8, 0):
            phone_line.fill(kl(27, hour, minute))
    page.goto(f"/reception/clients/{client}?day=2026-11-27")
    page.get_by_role("button", name="Put on the waiting list for this day").click()
    desk.sees("They are on the waiting list.", "number 1 in line")
    page.get_by_text("Set a weekly time").click()
    page.get_by_label("Time, such as 06:45").fill("09:00")
    page.get_by_role("button", name="Book every week").click()
    desk.sees("Their weekly times are booked.")
    narrow(desk)
    desk.picture("reception-weekly")
    assert len(phone_line.booked(client)) > 20


def test_a_pin_is_typed_by_keyboard_alone(desk: Person, phone_line: Line) -> None:
    client, page = phone_line.client(), desk.page
    page.goto(f"/reception/clients/{client}/phone")
    page.get_by_text("Let them type one").focus()
    desk.presses("Enter", "Tab")
    page.keyboard.type("1234")
    desk.presses("Tab")
    page.keyboard.type("1234")
    desk.presses("Enter")
    desk.sees("This PIN cannot be used")
    desk.picture("reception-phone")
    narrow(desk)
    page.get_by_label("PIN, four to six digits").fill("4821")
    page.get_by_label("Once more").fill("4821")
    desk.presses("Enter")
    desk.sees("Their phone is noted.", "they have one")
    assert phone_line.says(client, "when") == "Please reply with your PIN first."
