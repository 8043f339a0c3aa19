"""The doctor's morning by keyboard alone: from the list to a client, a dose changed in three actions, and printed."""

from __future__ import annotations

import io

import pytest
from playwright.sync_api import Browser
from pypdf import PdfReader
from sqlalchemy import text

from dispensary.monitoring.service import open_alert
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "doctor", [Role.DOCTOR], place.now)
    return place


def waits(place: Clinic, severity: str) -> ClientId:
    """A client with a dose of 80 mg and an alert."""
    client_id = place.client()
    place.give(client_id)
    with place.database.writing() as session:
        open_alert(
            session,
            site_id=place.site_id,
            client_id=client_id,
            cause="ecg",
            severity=severity,
            role=Role.DOCTOR,
            sentence="ECG is due.",
            at=place.now,
        )
    return client_id


def test_a_dose_is_changed_by_keyboard_alone(chromium: Browser, house: House, place: Clinic) -> None:
    waits(place, "urgent")
    second = waits(place, "warning")
    doctor = Person(chromium, house, DESK).signs_in("doctor", "/consulting")
    assert doctor.page.evaluate("document.documentElement.scrollHeight") <= DESK["height"]

    doctor.presses("ArrowDown", "j", "k", "ArrowDown", "Enter")
    doctor.page.wait_for_url(f"**/consulting/clients/{second}")

    doctor.presses("1")
    doctor.types("85")
    doctor.presses("Tab")
    doctor.types("titration: craving")
    doctor.presses("Enter")

    doctor.sees("The order is written. The counter sees it at once.")
    with house.database.engine.connect() as connection:
        ordered = connection.execute(
            text(
                "SELECT mg, reason FROM dose_order WHERE client_id = :client AND voided_at IS NULL ORDER BY ordered_at"
            ),
            {"client": second},
        ).all()
    assert [(int(mg), reason) for mg, reason in ordered][-1] == (85, "titration: craving")
    printed = doctor.page.locator("a[data-print]").get_attribute("href")
    assert printed
    pages = PdfReader(io.BytesIO(doctor.fetches(printed))).pages
    assert "eighty-five milligrams a day" in pages[0].extract_text()
    assert doctor.troubles == []


def test_a_plan_is_proposed_changed_and_signed_by_keyboard_alone(
    chromium: Browser, house: House, place: Clinic
) -> None:
    client_id = waits(place, "warning")
    doctor = Person(chromium, house, DESK).signs_in("doctor", f"/consulting/clients/{client_id}")

    doctor.presses("4")
    doctor.page.wait_for_url(f"**/consulting/clients/{client_id}/plan")
    for figure in ("90", "5", "7"):  # up to, step, days between: the site follows no guideline
        doctor.types(figure)
        doctor.presses("Tab")
    doctor.presses("Enter")
    doctor.page.get_by_label("Step 2: mg a day").select_text()
    doctor.types("92.5")
    with doctor.page.expect_response("**/plan/look"):
        doctor.presses("Enter")
    doctor.page.locator("form[inert]").wait_for(state="detached")
    doctor.sees("One more step")
    assert doctor.page.get_by_label("Step 2: mg a day").input_value() == "92.5"
    doctor.page.get_by_label("Reason").focus()
    doctor.types("titration: craving")
    doctor.page.get_by_role("button", name="Sign the plan").focus()
    doctor.picture("doctor-plan")
    doctor.presses("Enter")

    doctor.sees("The plan is signed. The counter sees its orders at once.", "92.5")
    with house.database.engine.connect() as connection:
        ordered = connection.execute(
            text(
                "SELECT mg FROM dose_order WHERE client_id = :client AND voided_at IS NULL AND plan_id IS NOT NULL"
                " ORDER BY lower(days)"
            ),
            {"client": client_id},
        ).scalars()
    assert [float(mg) for mg in ordered] == [85, 92.5]
    assert doctor.troubles == []


def test_no_key_is_lost_on_a_slow_computer(chromium: Browser, house: House, place: Clinic) -> None:
    waits(place, "urgent")
    second = waits(place, "warning")
    doctor = Person(chromium, house, DESK).signs_in("doctor", "/consulting")
    doctor.context.new_cdp_session(doctor.page).send("Emulation.setCPUThrottlingRate", {"rate": 30})
    doctor.page.reload()

    for key in ("ArrowDown", "j", "k", "ArrowDown"):
        doctor.page.keyboard.press(key)
        doctor.page.wait_for_timeout(90)
    doctor.presses("Enter")

    doctor.page.wait_for_url(f"**/consulting/clients/{second}")


def test_up_from_the_first_row_one_types_again(chromium: Browser, house: House, place: Clinic) -> None:
    waits(place, "urgent")
    doctor = Person(chromium, house, DESK).signs_in("doctor", "/consulting")

    doctor.presses("ArrowDown", "ArrowUp")
    doctor.page.keyboard.type("H0")

    assert doctor.page.get_by_label("Find a client by number or name").input_value() == "H0"


def test_neither_the_list_nor_a_client_is_wider_than_a_phone(chromium: Browser, house: House, place: Clinic) -> None:
    client_id = waits(place, "urgent")
    doctor = Person(chromium, house, PHONE).signs_in("doctor", "/consulting")

    for path in (
        "/consulting",
        *(f"/consulting/clients/{client_id}?months={months}" for months in (1, 12)),
        *(f"/consulting/clients/{client_id}/{page}" for page in ("order", "plan")),
    ):
        doctor.page.goto(path)
        assert doctor.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
