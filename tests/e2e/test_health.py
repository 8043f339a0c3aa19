"""The story of two clients' health in a browser: an interaction from its start to its stop, and a liver that is ill."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person, fits


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    for username, role in (("doctor", Role.DOCTOR), ("counter", Role.PHARMACIST)):
        hire(house.database, site, username, [role], place.now)
    return place


def test_efavirenz_starts_is_looked_after_stops_and_is_spoken_of_again(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = place.client()
    doctor = Person(chromium, house, DESK).signs_in("doctor", f"/consulting/clients/{client}")

    doctor.presses("7")
    doctor.page.wait_for_url("**/health")
    doctor.presses("2")
    doctor.page.wait_for_url("**/health/medicines")
    doctor.types("efavirens")
    doctor.presses("Enter")
    doctor.sees("Did you mean efavirenz?")
    doctor.page.get_by_label("Name of the substance").fill("efavirenz")
    doctor.presses("Enter")
    doctor.sees("It is written down as started.", "efavirenz: methadone falls by 52 to 57 %", "look for withdrawal")
    doctor.page.get_by_role("button", name="I have read it").click()
    doctor.sees("read by Doctor")

    counter = Person(chromium, house, DESK).signs_in("counter", f"/counter/clients/{client}")
    counter.sees("efavirenz: methadone falls by 52 to 57 %")
    fits(counter)

    doctor.page.goto(f"/consulting/clients/{client}/order")
    doctor.sees("Health, before the dose changes", "look for withdrawal")

    house.clock.moment += timedelta(days=9)
    doctor.signs_in("doctor", f"/consulting/clients/{client}/health")
    doctor.page.locator("#looks summary").first.click()
    doctor.page.get_by_text("I have looked").first.click()
    doctor.page.get_by_label("What did you see?").first.fill("Sweats in the morning; 10 mg more ordered.")
    doctor.presses("Enter")
    doctor.sees("What you saw is written down.")

    doctor.page.locator("#medicines").get_by_role("link", name="efavirenz").click()
    doctor.page.get_by_label("Why").first.fill("not tolerated")
    doctor.presses("Enter")
    doctor.sees("It is written down as stopped.", "efavirenz has stopped: methadone rises again")
    assert doctor.troubles == counter.troubles == []


def test_an_alt_of_six_times_its_limit_is_urgent_until_somebody_says_what_was_done(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = place.client()
    doctor = Person(chromium, house, DESK).signs_in("doctor", f"/consulting/clients/{client}/health")

    doctor.presses("1")
    doctor.page.wait_for_url("**/health/results")
    doctor.types("240")
    doctor.page.get_by_label("Upper limit of ALT").fill("40")
    doctor.presses("Enter")
    doctor.sees("The results are kept.", "ALT 240 U/L, 6 times the upper limit", "Urgent review.")

    doctor.page.goto("/consulting")
    doctor.sees("ALT 240 U/L, 6 times the upper limit")
    doctor.page.goto("/consulting/health?show=alt")
    doctor.page.locator("[data-row]").first.click()
    doctor.page.get_by_text("Close it").click()
    doctor.page.get_by_label("What was done?").fill("Sent to the liver clinic today.")
    doctor.presses("Enter")
    doctor.sees("The alert is closed.")
    assert doctor.page.locator("section.notice").count() == 0
    assert doctor.troubles == []


@pytest.mark.parametrize("below", ["", "/results", "/medicines", "/tests/alt"])
def test_the_pages_can_be_used_on_a_phone(chromium: Browser, house: House, place: Clinic, below: str) -> None:
    client = place.client()
    doctor = Person(chromium, house, PHONE).signs_in("doctor", f"/consulting/clients/{client}/health{below}")
    assert doctor.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
