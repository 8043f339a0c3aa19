"""Two policemen at reception: the sentence is on the screen, what they ask is written down, nothing is looked up."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from dispensary.clients.demand_rules import document
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person, fits


@pytest.fixture
def people(house: House) -> None:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    for name, role in (("rahim", Role.RECEPTION), ("lim", Role.DOCTOR), ("farid", Role.ADMINISTRATOR)):
        hire(house.database, site, name, [role], house.clock())


def test_reception_says_the_sentence_and_the_named_doctor_answers(
    chromium: Browser, house: House, people: None
) -> None:
    administrator = Person(chromium, house, DESK).signs_in("farid", "/disclosure/setting")
    administrator.page.get_by_label("A doctor of the site").select_option(label="Lim")
    administrator.page.get_by_role("button", name="Name them").click()
    administrator.sees("It holds from now on.")

    desk = Person(chromium, house, DESK).signs_in("rahim", "/reception")
    page = desk.page
    page.get_by_role("link", name="Somebody asks about a person").click()
    desk.sees(document().sentences["en"].words)
    fits(desk)
    desk.picture("demand-reception")
    page.get_by_label("Who asks").select_option("police")
    page.get_by_label("Their name, place and number").fill("Sgt. X, Klang")
    page.get_by_label("About whom, in their words").fill("Ali of Klang")
    page.keyboard.press("Enter")
    desk.sees("Entered as number 1.", "Tell Lim that it is there.")
    assert "Ali of Klang" not in page.content()
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    desk.picture("demand-reception-phone")

    doctor = Person(chromium, house, DESK).signs_in("lim", "/disclosure")
    doctor.page.get_by_role("link", name="Demands").click()
    doctor.page.get_by_role("link", name="Number 1").click()
    doctor.sees("Ali of Klang", "Such a paper does not allow anything to be told.")
    doctor.picture("demand-doctor")
    doctor.page.get_by_label("refused").check()
    doctor.page.get_by_label("Why, or to whom").fill("They showed nothing")
    doctor.page.get_by_role("button", name="Note it").click()
    doctor.sees("It is noted.", "They showed nothing")
    for person in (administrator, desk, doctor):
        assert person.troubles == []
        person.closes()
