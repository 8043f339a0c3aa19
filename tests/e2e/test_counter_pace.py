"""How many presses and taps a usual day takes, by keyboard or finger; the next client; two counters at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

import scheduling.service
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    for name in ("pharmacist", "colleague"):
        hire(house.database, site, name, [Role.PHARMACIST], place.now)
    return place


def number_of(place: Clinic, client: ClientId) -> str:
    with place.database.reading() as session:
        return str(session.execute(text("SELECT number FROM client WHERE id = :c"), {"c": client}).scalar_one())


def doses(place: Clinic) -> int:
    with place.database.reading() as session:
        return int(session.execute(text("SELECT count(*) FROM dose WHERE voided_at IS NULL")).scalar_one())


def counts(person: Person) -> None:
    """From now on the page counts what a person does: keys and taps, over every page that follows."""
    person.page.add_init_script("""
        for (const what of ["keydown", "pointerdown"])
            addEventListener(what, () => sessionStorage.setItem("n", 1 + Number(sessionStorage.getItem("n"))), true);
    """)


def counted(person: Person) -> int:
    return int(person.page.evaluate("Number(sessionStorage.getItem('n'))"))


def starts_anew(person: Person) -> None:
    person.page.evaluate("sessionStorage.setItem('n', 0)")


def waits(place: Clinic, client: ClientId) -> None:
    with place.database.writing() as session:
        scheduling.service.check_in(session, place_id=place.site_id, holder_id=client, now=place.now)


def test_three_keys_from_the_scan_to_the_dose_and_one_to_the_next(
    chromium: Browser, house: House, place: Clinic
) -> None:
    first, second, third = (place.client(mg="80") for _ in range(3))
    waits(place, second)
    counter = Person(chromium, house, DESK)
    counts(counter)
    counter.signs_in("pharmacist", "/counter")
    counter.scans(number_of(place, first))
    counter.page.wait_for_url("**/counter/clients/**")

    starts_anew(counter)
    counter.presses("1", "2", "3")
    counter.sees("Handed over at")
    assert (counted(counter), doses(place)) == (3, 1)

    starts_anew(counter)
    counter.presses("Enter")
    counter.page.wait_for_url(f"**/counter/clients/{second}")
    assert counted(counter) == 1
    counter.presses("1", "2", "3")
    counter.sees("Handed over at")

    counter.scans(number_of(place, third))
    counter.page.wait_for_url(f"**/counter/clients/{third}")
    assert doses(place) == 2
    assert counter.troubles == []


def test_three_taps_by_finger(chromium: Browser, house: House, place: Clinic) -> None:
    client = place.client(mg="80")
    counter = Person(chromium, house, DESK)
    counts(counter)
    counter.signs_in("pharmacist", f"/counter/clients/{client}")
    starts_anew(counter)
    for key in ("1", "2", "3"):
        target = counter.page.locator(f"label:has([data-key='{key}']), button[data-key='{key}']").first
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, f"{key} is large enough for a finger"
        target.click()
    counter.sees("Handed over at")
    assert (counted(counter), doses(place)) == (3, 1)


def test_two_counters_with_the_same_client_give_one_dose_and_one_clear_answer(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = place.client(mg="80")
    one, other = (
        Person(chromium, house, DESK).signs_in(name, f"/counter/clients/{client}")
        for name in ("pharmacist", "colleague")
    )
    for each in (one, other):
        each.presses("1", "2")
    one.presses("3")
    one.sees("Handed over at")
    other.presses("3")
    other.sees("The client already has the dose of", "Do not dose again.", "already-covered")
    assert doses(place) == 1
