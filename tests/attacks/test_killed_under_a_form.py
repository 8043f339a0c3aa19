"""The server dies under an open form: the counter says so at once, keeps what was typed, and it counts once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import text

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.attacks.program import Program
from tests.builders import clinic
from tests.dispensary.visiting import PASSWORD, hire

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000


def _opened(program: Program) -> ClientId:
    with program.database() as database:
        now = datetime.now(UTC)
        place = clinic(database, now - timedelta(days=1))
        with database.reading() as session:
            site = session.get_one(Site, place.site_id)
        hire(database, site, "pharmacist", (Role.PHARMACIST,), now)
        return place.client(mg="80")


def _signs_in(page: Page, program: Program) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{program.url}/signin")
    page.get_by_label("Account").fill("pharmacist")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "signin" not in url)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_counter_whose_server_is_killed_says_so_and_what_was_typed_counts_once(program: Program) -> None:
    program.start()
    client: UUID = _opened(program)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        first, form = browser.new_context().new_page(), browser.new_context().new_page()
        for page in (first, form):
            _signs_in(page, program)
        first.goto(f"{program.url}/counter")
        form.goto(f"{program.url}/counter/sheets?sheet=7")
        number = _number(program, client)
        form.get_by_label("Client number").fill(number)
        form.get_by_label("Time").fill("00:00")
        program.kill_server()
        first.get_by_text("The server does not answer.", exact=True).wait_for()
        form.keyboard.press("Enter")
        form.get_by_text("What you typed is kept.").first.wait_for()
        assert form.locator("[name=client]").input_value() == number
        program.start()
        form.get_by_text("as usual").wait_for()
        first.get_by_text("The server does not answer.", exact=True).wait_for(state="hidden")
        browser.close()
    with program.database() as database, database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM supply WHERE origin = 'outage'")).scalar_one() == 1
        assert session.execute(text("SELECT count(*) FROM dose")).scalar_one() == 1


def _number(program: Program, client: UUID) -> str:
    with program.database() as database, database.reading() as session:
        found = session.execute(text("SELECT number FROM client WHERE id = :id"), {"id": client})
        return str(found.scalar_one())
