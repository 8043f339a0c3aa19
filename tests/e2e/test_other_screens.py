"""The counter's other pages at their fullest fit one screen too: its first page, guests, many bottles, sheets."""

from __future__ import annotations

from datetime import timedelta

import pytest

import scheduling.service
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies import exceptions
from dispensary.units import ClientId
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.safe_place import counted, sent, sets
from tests.dispensary.unusual_place import orders
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person, fits
from tests.e2e.test_one_screen import called_back, the_night_went_badly


@pytest.fixture
def sites(house: House) -> TwoSites:
    """Two sites; `pharmacist` signs in at the first, and `mei` at the second."""
    sites = two_sites(house.database, house.clock())
    for place, username in ((sites.home, "pharmacist"), (sites.guest, "mei")):
        with house.database.reading() as session:
            site = session.get_one(Site, place.site_id)
        hire(house.database, site, username, [Role.PHARMACIST], place.now)
    return sites


def shows(desk: Person, page: str, *texts: str, picture: str) -> None:
    """This page says so on one screen, with its main button in sight, and is no wider than a phone."""
    desk.page.goto(page)
    looks(desk, *texts, picture=picture)


def looks(desk: Person, *texts: str, picture: str) -> None:
    desk.sees(*texts)
    desk.picture(picture)
    fits(desk)
    main = desk.page.locator("main .button-primary:visible, main .button-danger:visible").first
    if main.count():
        box = main.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= DESK["height"], "the main button is on the screen"
    desk.page.set_viewport_size(PHONE)
    desk.picture(f"{picture}-phone")
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], desk.page.url
    desk.page.set_viewport_size(DESK)


def withheld(sites: TwoSites, client: ClientId) -> None:
    with sites.database.writing() as session:
        exceptions.withhold(
            session,
            actor=sites.home.pharmacist,
            client_id=client,
            observation="unsteady at the window",
            key=f"withheld-{client}",
            today=sites.home.today,
            at=sites.home.now,
        )


def test_the_first_page_when_the_safe_and_the_night_have_something_to_say(
    house: House, sites: TwoSites, person: type[Person]
) -> None:
    home = sites.home
    waiting = [home.client(mg="80") for _ in range(9)]
    for client in waiting:
        with home.database.writing() as session:
            scheduling.service.check_in(session, place_id=home.site_id, holder_id=client, now=home.now)
    for client in waiting[:4]:
        withheld(sites, client)
    carries = home.client(mg="80")
    home.decide(carries, per_supply=6)
    handed = home.give(carries, take_home_days=home.ahead(1, 2, 3, 4, 5, 6))
    counted(home, "10", reason="the bottle leaked")
    sent(sites.guest, home, "40")
    sets(home, days_of_stock=60)
    sites.ask(home.client(), 0, 2)
    the_night_went_badly(home, house)
    desk = person().signs_in("pharmacist", "/counter")
    looks(desk, "The safe has something to say", "Waiting: 9", "Seen again today: 4", picture="counter-fullest")
    shows(desk, f"/counter?done={handed.supply_id}", "Handed over at", picture="counter-fullest-handed")


def test_a_stay_is_arranged_asked_for_and_answered(sites: TwoSites, person: type[Person]) -> None:
    home = sites.home
    client = home.client(mg="80")
    home.decide(client, per_supply=6)
    home.give(client, take_home_days=home.ahead(1, 2, 3, 4, 5, 6))
    orders(home, client, "85", ahead=8)
    orders(home, client, "90", ahead=15)
    desk = person().signs_in("pharmacist", "/guests")
    shows(desk, f"/guests/clients/{client}", "Arrange a stay", picture="guests-arrange")
    stay = sites.ask(client, 8, 20)
    shows(desk, "/guests", "asks about", picture="guests-home")
    shows(desk, f"/guests/{stay}", "Confirm and verify", picture="guests-answer")
    desk.page.get_by_role("button", name="Verify the stay").click()
    looks(desk, "Nobody has confirmed", picture="guests-answer-refused")
    sites.accept(stay)
    shows(desk, f"/guests/{stay}", "Verified by home", picture="guests-verified")
    shows(desk, f"/guests/clients/{client}", "Arrange a stay", picture="guests-arrange-again")

    there = person().signs_in("mei", "/guests")
    there.page.get_by_text("A client of another site stands here").click()
    looks(there, "Client number on their card", picture="guests-ask")
    shows(there, f"/guests/{stay}", "Verified by home", picture="guests-theirs")


def test_many_bottles_called_back_and_reported_lost(house: House, sites: TwoSites, person: type[Person]) -> None:
    home = sites.home
    client = home.client(mg="80")
    home.decide(client, per_supply=6)
    for _ in range(4):
        home.give(client, take_home_days=home.ahead(1, 2, 3, 4, 5, 6))
        home.move_on(7)
    home.give(client, take_home_days=home.ahead(1, 2, 3, 4, 5, 6))
    called_back(home, client)
    house.clock.moment = home.now
    desk = person().signs_in("pharmacist", "/counter")
    shows(desk, f"/counter/clients/{client}/bottles", "full bottles expected", picture="bottles-many")
    shows(desk, f"/counter/clients/{client}/lost", "Which bottles?", picture="lost-many")
    desk.page.locator("[name=told]").fill("on the bus")
    desk.page.get_by_role("button", name="Write it down").click()
    looks(desk, "No bottle was chosen", picture="lost-refused")


def test_the_paper_of_an_outage_against_every_rule_at_once(house: House, sites: TwoSites, person: type[Person]) -> None:
    home = sites.home
    client = home.client(mg="80")
    home.give(client)
    orders(home, client, "40", ahead=1)
    home.move_on()
    home.give(client, second_look="as ordered")
    house.clock.moment = home.now + timedelta(hours=2)
    desk = person().signs_in("pharmacist", "/counter/sheets")
    looks(desk, "Enter sheets", picture="sheets")
    for name, value in {"client": sites.number(client), "time": "07:30", "mg": "400", "bottles": "+6"}.items():
        desk.page.locator(f"[name={name}]").fill(value)
    desk.page.get_by_role("button", name="Keep the line").click()
    looks(desk, "The paper is against a rule", picture="sheets-conflicts")
    desk.page.get_by_role("button", name="Keep it as it was").click()
    looks(desk, "Entered last", picture="sheets-kept")
    assert "for Thu 26 Nov 2026" in desk.page.locator("table").inner_text()
    assert desk.troubles == []
