"""Bottles come back across the counter: a scanner and a keyboard, no mouse; and the same page without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.supplies.serials import bottle_code
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "pharmacist", [Role.PHARMACIST], place.now)
    return place


def carries(place: Clinic, *days: int) -> ClientId:
    client = place.client(mg="80")
    place.decide(client, per_supply=6)
    place.give(client, take_home_days=place.ahead(*days))
    return client


def labels(place: Clinic, client: ClientId) -> list[str]:
    with place.database.reading() as session:
        serials = session.scalars(select(Bottle.serial).where(Bottle.client_id == client).order_by(Bottle.dose_day))
        return [bottle_code(serial) for serial in serials]


def came_back(place: Clinic) -> list[bool]:
    with place.database.reading() as session:
        return list(session.scalars(select(BottleReturn.is_full).order_by(BottleReturn.dose_day)))


def test_six_bottles_are_scanned_in_any_order_and_taken_back_by_keyboard_alone(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = carries(place, 1, 2, 3, 4, 5, 6)
    place.move_on(7)
    foreign = labels(place, carries(place, 1))[0]
    house.clock.moment = place.now
    mine = labels(place, client)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", "/counter")

    counter.scans(mine[2])
    counter.page.wait_for_url("**/bottles?bottle=*")
    counter.sees("Empty. Scan it again if it is full.", "1 of 6 back, 5 not here.")
    for label in (mine[5], mine[0], mine[3]):
        counter.scans(label)
    counter.sees("4 of 6 back, 2 not here.", "They can be brought another day.")
    counter.scans(mine[0])
    counter.sees("Full. Scan it again if it is empty.")
    counter.presses("Alt+8")
    counter.sees("Empty. Scan it again if it is full.")

    counter.scans(foreign)
    counter.sees("This bottle is another client's.", "4 of 6 back, 2 not here.")
    counter.scans(mine[1][:-1] + str((int(mine[1][-1]) + 1) % 10))
    counter.sees("The bottle's number has a wrong digit.", "4 of 6 back, 2 not here.")
    bottom = counter.page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY")
    counter.picture("counter-bottles-scanned")
    assert bottom <= DESK["height"]

    counter.presses("Enter")
    counter.sees("When all are marked, choose the button below.")
    counter.scans(mine[1])
    counter.sees("5 of 6 back, 1 not here.")
    counter.presses("Enter", "Enter")
    counter.sees("Brought back today: 5 empty, 0 full.", "5 of 6 back, 1 not here.")
    assert came_back(place) == [False] * 5
    assert counter.troubles == []


def test_without_javascript_each_scan_brings_the_page_again(chromium: Browser, house: House, place: Clinic) -> None:
    client = carries(place, 1, 2)
    place.move_on(3)
    house.clock.moment = place.now
    counter = Person(chromium, house, DESK)
    counter.context.close()
    counter.context = chromium.new_context(viewport=DESK, base_url=house.address, java_script_enabled=False)
    counter.page = counter.context.new_page()
    counter.signs_in("pharmacist", f"/counter/clients/{client}/bottles")

    for number, label in enumerate(labels(place, client), 1):
        counter.page.get_by_label("Scan the labels").fill(label)
        counter.page.keyboard.press("Enter")
        counter.sees("All 2 are back." if number == 2 else f"{number} of 2 back")
    counter.page.get_by_role("button", name="Take them back").click()
    counter.sees("Brought back today: 2 empty, 0 full.")
    assert came_back(place) == [False, False]
