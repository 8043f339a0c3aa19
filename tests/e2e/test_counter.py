"""Not as usual at the counter, by keyboard alone: a call after missed days, a vomited dose, somebody observed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.jobs import run_night
from dispensary.prescribing.sections import Topic
from dispensary.staff.models import Site
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.unusual_place import follows, gave, orders
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    """A clinic that follows guidelines, with a pharmacist who can sign in."""
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "pharmacist", [Role.PHARMACIST], place.now)
    follows(place, Topic.MISSED, "AU-NAT-2003")
    follows(place, Topic.VOMITED, "US-TIP63")
    follows(place, Topic.WRONG_DOSE, "AU-NAT-2003")
    return place


def fits(person: Person) -> bool:
    """Whether there is nothing to scroll for, but for the line that says it is a demonstration."""
    return bool(
        person.page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY <= innerHeight")
    )


def the_night_went_well(place: Clinic, house: House) -> None:
    """What runs by itself has run, as it does in a clinic, so that nobody is greeted by it."""
    with house.database.reading() as session:
        site = site_of(session, place.site_id)
    run_night(house.database, house.clock, site=site, data=house.data)


def given(place: Clinic, client: ClientId) -> list[str]:
    """The amounts that the client was given today, also beside the day's dose."""
    with place.database.reading() as session:
        rows = session.execute(
            text(
                """SELECT mg FROM dose WHERE client_id = :client AND dose_day = :today AND voided_at IS NULL
                   UNION ALL SELECT mg FROM extra_dose WHERE client_id = :client AND dose_day = :today"""
            ),
            {"client": client, "today": place.today},
        )
        return [str(mg) for (mg,) in rows]


def nothing_is_broken(place: Clinic) -> bool:
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)] == []


def test_after_missed_days_a_call_and_the_smaller_dose(chromium: Browser, house: House, place: Clinic) -> None:
    client = place.client(mg="100")
    place.give(client)
    place.move_on(20)
    orders(place, client, "100")
    place.give(client, second_look="-")
    place.move_on(4)
    house.clock.moment = place.now
    the_night_went_well(place, house)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", f"/counter/clients/{client}")
    counter.sees("Give at most 50", "after a call to the prescriber", "AU-NAT-2003, s3-3.5")
    assert fits(counter)
    counter.picture("counter-call")

    counter.presses("8")
    counter.types("50")
    counter.presses("Tab")
    counter.types("half, and see me tomorrow")
    counter.page.keyboard.press("Enter")
    counter.sees("less than the 100", "as agreed with Dr. Lim Wei")
    assert fits(counter)
    counter.presses("3")
    counter.sees("not-identified", "not-well")
    assert fits(counter), "nor after a refusal"

    counter.page.keyboard.press("Escape")
    counter.presses("1", "2", "3")
    counter.sees("Handed over at")
    assert given(place, client) == ["50.00"]
    assert nothing_is_broken(place)
    assert counter.troubles == []


def test_a_vomited_dose_is_noted_answered_and_given_again(chromium: Browser, house: House, place: Clinic) -> None:
    client = place.client(mg="80")
    place.give(client)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", f"/counter/clients/{client}")

    counter.presses("6")
    counter.page.wait_for_url("**/unusual")
    counter.presses("v")
    counter.page.wait_for_url("**what=vomited")
    counter.page.locator("#field-minutes:focus").wait_for()
    counter.types("20")
    counter.presses("Tab", "Space", "Enter")
    counter.sees("Up to 40", "US-TIP63", "What comes next:")
    assert fits(counter)
    counter.picture("counter-vomited")

    counter.page.locator("#field-mg:focus").wait_for()
    counter.types("40")
    counter.presses("Tab")
    counter.types("half of it")
    counter.page.keyboard.press("Enter")
    counter.page.wait_for_url("**done=called")

    counter.presses("1", "2", "3")
    counter.sees("Given, and written down.", "40 mg given again")
    assert given(place, client) == ["80.00", "40.00"]
    assert nothing_is_broken(place)
    assert counter.troubles == []


def test_who_is_observed_stands_on_the_counter_and_a_clock_counts_down(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client = place.client(mg="80")
    gave(place, client, "200")
    house.clock.moment = place.now + timedelta(hours=3, minutes=59, seconds=58)
    counter = Person(chromium, house, DESK).signs_in("pharmacist", "/counter")

    counter.sees("Seen again today: 1", "Observe until 11:00", "1 min left")
    assert fits(counter)
    counter.picture("counter-observed")
    counter.page.get_by_text("the time is over: see them").wait_for(timeout=30_000)

    counter.page.goto(f"/counter/clients/{client}/unusual")
    counter.sees("Call the prescriber at once", "Give a naloxone kit.")
    assert fits(counter)
    assert counter.troubles == []


def test_no_page_is_wider_than_a_phone(chromium: Browser, house: House, place: Clinic) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=6)
    place.give(client, take_home_days=place.ahead(1, 2, 3))
    gave(place, client, "20")
    counter = Person(chromium, house, PHONE).signs_in("pharmacist", "/counter")

    for below in ("", "/unusual", "/unusual?what=vomited", "/unusual?what=wrong_dose", "/bottles"):
        counter.page.goto(f"/counter/clients/{client}{below}")
        assert counter.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], below
