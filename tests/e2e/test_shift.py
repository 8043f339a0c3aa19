"""Two people at one counter computer, by keyboard alone: the screen closes, and whose work it is stays right."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import Page

from dispensary.database import Database
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Actor, Role
from dispensary.staff.service import keep_password
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import PASSWORD, has_pin
from tests.e2e.conftest import House, Person

PINS = {"aishah": "271839", "badrul": "314195"}


@pytest.fixture
def place(house: House, now: datetime) -> Clinic:
    place = clinic(house.database, now)
    for name, pin in PINS.items():
        with house.database.writing() as session:
            account = Account(
                username=name,
                name=name.title(),
                initials=name[:2].upper(),
                made_at=now,
            )
            session.add(account)
            session.flush()
            keep_password(session, account.id, PASSWORD)
            session.add(RoleGrant(account_id=account.id, site_id=place.site_id, role=Role.PHARMACIST.value))
        has_pin(house.database, Actor(account.id, place.site_id, frozenset()), pin, now)
    return place


@pytest.fixture
def counter(house: House, place: Clinic, person: type[Person]) -> Person:
    """Badrul signed in first and then Aishah, with the keyboard; the browser's own clock is the test's too."""
    at_desk = person()
    at_desk.page.clock.install()
    for name in ("badrul", "aishah"):
        at_desk.page.goto("/signin")
        at_desk.page.locator("[name=username]:focus").wait_for()
        at_desk.page.keyboard.type(name)
        at_desk.page.keyboard.press("Tab")
        at_desk.page.keyboard.type(PASSWORD)
        at_desk.page.keyboard.press("Enter")
        at_desk.page.wait_for_url("**/")
    return at_desk


def nobody_touches(house: House, page: Page, seconds: int = 130) -> None:
    house.clock.goes_on(seconds=seconds)
    page.clock.run_for(seconds * 1000)


def is_closed(page: Page) -> None:
    page.wait_for_selector("#come-back")


def opens_a_form(page: Page, client: object) -> None:
    page.goto(f"/counter/clients/{client}/unusual?what=late")
    page.locator("[name=note]:focus").wait_for()
    page.keyboard.type("the bus was late")


def late_notes(database: Database, place: Clinic) -> list[tuple[str, str]]:
    from sqlalchemy import text

    with database.reading() as session:
        rows = session.execute(
            text("SELECT username, details FROM dose_exception e JOIN account a ON a.id = e.recorded_by")
        )
        return [(username, str(details)) for username, details in rows]


def test_the_screen_closes_and_opens_again_with_what_was_typed(house: House, place: Clinic, counter: Person) -> None:
    page, client = counter.page, place.client()
    opens_a_form(page, client)
    nobody_touches(house, page)
    is_closed(page)
    counter.picture("locked")
    gone = page.content() + page.title()
    for trace in ("the bus was late", "Ahmad", "H0", "late?"):
        assert trace not in gone, "no data stays in the document"

    presses = "2" + PINS["aishah"]
    for digit in presses:
        page.keyboard.press(digit)
    page.wait_for_selector("[name=note]")
    assert len(presses) == 7
    assert page.input_value("[name=note]") == "the bus was late"
    page.keyboard.press("Enter")
    page.wait_for_url("**done=written")
    assert [name for name, _ in late_notes(house.database, place)] == ["aishah"]
    assert counter.troubles == []


def test_what_was_sent_to_a_closed_screen_is_sent_again_by_the_same_person(
    house: House, place: Clinic, counter: Person
) -> None:
    page, client = counter.page, place.client()
    opens_a_form(page, client)
    house.clock.goes_on(seconds=130)  # the computer slept: the page does not know yet
    page.keyboard.press("Enter")
    is_closed(page)
    assert late_notes(house.database, place) == []
    for digit in "2" + PINS["aishah"]:
        page.keyboard.press(digit)
    page.wait_for_url("**done=written")
    assert [name for name, _ in late_notes(house.database, place)] == ["aishah"]


def test_somebody_else_goes_on_as_themselves_and_the_left_tab_does_nothing_for_them(
    house: House, place: Clinic, counter: Person
) -> None:
    page, client = counter.page, place.client()
    other_tab = counter.context.new_page()
    other_tab.goto(f"/counter/clients/{client}/unusual?what=late")
    page.bring_to_front()
    opens_a_form(page, client)
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+q")
    is_closed(page)
    for digit in "1" + PINS["badrul"]:
        page.keyboard.press(digit)
    page.wait_for_selector(".who-name:has-text('Badrul')")
    assert page.url.endswith("unusual?what=late")
    assert page.input_value("[name=note]") == "", "it was hers"

    # The tab that Aishah left closes by itself; a form that is sent from it all the same records nothing.
    is_closed(other_tab)
    stale = counter.context.new_page()
    stale.add_init_script("window.BroadcastChannel = undefined")
    for digit in "2" + PINS["aishah"]:
        other_tab.keyboard.press(digit)
    other_tab.wait_for_selector("[name=note]")
    stale.goto(f"/counter/clients/{client}/unusual?what=late")
    stale.locator("[name=note]:focus").wait_for()
    is_closed(page)
    for digit in "1" + PINS["badrul"]:
        page.keyboard.press(digit)
    page.wait_for_selector("[name=note]")
    stale.bring_to_front()
    stale.keyboard.type("not mine")
    stale.keyboard.press("Enter")
    stale.wait_for_selector("h1:has-text('Nothing was recorded')")
    counter.page = stale
    counter.sees("This page was opened by AI. You are BA.", "not mine")
    counter.picture("anothers-page")
    assert late_notes(house.database, place) == []
    assert counter.troubles == []


def test_whoever_types_keeps_the_screen_open(house: House, place: Clinic, counter: Person) -> None:
    page, client = counter.page, place.client()
    opens_a_form(page, client)
    for _ in range(3):
        house.clock.goes_on(seconds=100)
        page.clock.run_for(100_000)
        with page.expect_response("**/awake"):
            page.keyboard.type(" again")
            page.clock.run_for(11_000)
        house.clock.goes_on(seconds=11)
    assert page.is_visible("[name=note]")
    assert page.input_value("[name=note]").endswith("again again again")
