"""Whoever runs a province opens a site and its satellite on a desk's screen and on a telephone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from tests.builders import clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_site_is_opened_where_it_lies_and_then_made_ready(
    chromium: Browser, house: House, size: dict[str, int]
) -> None:
    place = clinic(house.database, house.clock())
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
        program = the_program(place.site_id)
        add_area(session, actor=program, kind=Kind.COUNTRY, code="MY", name="Malaysia", parent="", at=place.now)
        add_area(session, actor=program, kind=Kind.PROVINCE, code="SEL", name="Selangor", parent="MY", at=place.now)
        place_site(session, actor=program, site_id=place.site_id, parent="SEL", lat=None, lon=None, at=place.now)
    hire(house.database, site, "chief", [Role.ADMINISTRATOR], place.now)
    with house.database.writing() as session:
        grant_at_branch(session, actor=program, username="chief", branch="MY", role=Role.ADMINISTRATOR, at=place.now)

    name = "desk" if size is DESK else "phone"
    chief = Person(chromium, house, size, held=size is PHONE).signs_in("chief", "/programme/tree?at=SEL")
    page = chief.page
    page.get_by_role("link", name="Open a site here").click()
    chief.sees("It will lie here:", "Malaysia", "Selangor")
    chief.picture(f"new-site-{name}")
    page.get_by_label("Code", exact=False).first.fill("KLG 1")
    page.get_by_label("Name", exact=False).first.fill("Klang clinic")
    page.get_by_label("Degrees north").fill("3.0449")
    page.get_by_role("button", name="Open a site").click()
    chief.sees("A code has 1 to 12 capital letters, digits or dashes.", "One coordinate is missing.")
    assert page.get_by_label("Name", exact=False).first.input_value() == "Klang clinic"
    chief.picture(f"new-site-refused-{name}")
    page.get_by_label("Code", exact=False).first.fill("klg")
    page.get_by_label("Degrees east").fill("101.4456")
    page.get_by_role("button", name="Open a site").click()
    chief.sees("Before it serves anybody", "Hours in which it is open")
    chief.picture(f"new-site-opened-{name}")

    page.get_by_role("link", name="Open a satellite of this site").click()
    chief.sees("A satellite of Klang clinic (KLG)")
    page.get_by_label("Code", exact=False).first.fill("KLG-2")
    page.get_by_label("Name", exact=False).first.fill("Port Klang")
    page.get_by_role("button", name="Open a satellite").click()
    chief.sees("Before it serves anybody")
    assert page.get_by_text("Somebody who prescribes").count() == 0, "its main site does"
    page.get_by_role("button", name="Go to Port Klang").click()
    page.wait_for_url(f"{house.address}/")
    page.goto("/programme/tree?at=KLG-2")
    page.get_by_role("link", name="Hours in which it is open").click()
    page.wait_for_url("**/office/hours")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert chief.troubles == []
    with house.database.reading() as session:
        rows = session.execute(
            text("SELECT s.code, m.code FROM site s LEFT JOIN site m ON m.id = s.main_site_id ORDER BY 1")
        )
        assert [tuple(row) for row in rows] == [("HRP", None), ("KLG", None), ("KLG-2", "KLG")]
