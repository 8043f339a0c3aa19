"""The nurse's morning in a browser: who came, who is asked and what it opens, an offer that is declined, a report."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.care.instrument_setting import set_instrument
from dispensary.care.offers import follow_pathway
from dispensary.care.plans import Chosen
from dispensary.care.sessions import begin_plan
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
        follow_pathway(session, actor=place.doctor, pathway="who-assist", reason="our committee", at=place.now)
        set_instrument(
            session, actor=place.doctor, key="phq9", used=True, every_months=6, positive_from=None,
            roles=[Role.NURSE], accreditation="", risk_role=Role.DOCTOR, reason="our committee", at=place.now,
        )  # fmt: skip
    hire(house.database, site, "nurse", [Role.NURSE], place.now)
    return place


def meets_today(place: Clinic) -> ClientId:
    client_id = place.client()
    with place.database.writing() as session:
        begin_plan(
            session, actor=place.doctor, client_id=client_id, plan="before-sentence", first=place.today,
            at_time=None, minutes=45, chosen=[Chosen(3, 12)], agreed=True, key=uuid4(), today=place.today, at=place.now,
        )  # fmt: skip
    return client_id


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_nurse_works_through_the_morning(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    client_id = meets_today(place)
    nurse = Person(chromium, house, size).signs_in("nurse", "/care")
    nurse.sees("1 session today")
    nurse.page.get_by_role("button", name="Came", exact=True).click()
    nurse.page.wait_for_url("**/care#sessions")
    nurse.sees("came")

    nurse.page.get_by_role("link", name="PHQ-9").click()
    for item in range(1, 10):
        worst = "3" if item < 5 else "0"
        nurse.page.locator(f"input[name=q{item}][value='{worst}']").check()
    nurse.page.get_by_role("button", name="Keep the answers").click()
    nurse.sees("PHQ-9: 12 points, moderate.")
    nurse.page.get_by_role("link", name="Back to the client").click()

    row = nurse.page.locator("#offers li", has_text="An assessment of mental health")
    row.get_by_role("button", name="No", exact=True).click()
    nurse.sees("It is written down.")
    nurse.sees("not wanted")

    nurse.page.get_by_text("Begin sessions").click()
    nurse.page.get_by_role("link", name="One session").click()
    nurse.page.locator("input[name=minutes]").fill("45")
    nurse.page.locator("input[name=first]").fill((place.today + timedelta(days=7)).isoformat())
    nurse.page.get_by_role("button", name="Plan the sessions").click()
    nurse.sees("Sessions are for whoever wants them.")
    assert nurse.page.locator("input[name=first]").input_value() == (place.today + timedelta(days=7)).isoformat()
    nurse.page.get_by_text("They agree to these sessions.").click()
    nurse.page.get_by_role("button", name="Plan the sessions").click()
    nurse.sees("The sessions are planned.")

    nurse.page.goto("/care")
    nurse.sees("Nobody is due to be asked.")
    with house.database.engine.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM plan_session WHERE state = 'attended'), answer, points FROM service_offer"
                " CROSS JOIN screening_score JOIN screening s ON s.id = screening_score.screening_id"
                " WHERE s.client_id = :client"
            ),
            {"client": client_id},
        ).one()
    assert tuple(kept) == (1, "declined", 12)
    assert nurse.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert nurse.troubles == []


def test_assist_opens_its_questions_for_what_was_used_and_skips_what_was_not_used_lately(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client_id = place.client()
    nurse = Person(chromium, house, DESK).signs_in("nurse", f"/care/clients/{client_id}/ask/assist")
    craving = nurse.page.locator("#field-cannabis_craving")
    assert not craving.is_visible()
    nurse.page.locator("input[name=cannabis_ever][value=yes]").check()
    assert craving.is_visible()
    nurse.page.locator("input[name=cannabis_use][value=never]").check()
    assert not craving.is_visible()
    assert nurse.page.locator("#field-cannabis_concern").is_visible()
    assert not nurse.page.locator("#field-injected_days").is_visible()
    nurse.page.locator("input[name=injected][value=past_three_months]").check()
    assert nurse.page.locator("#field-injected_days").is_visible()
