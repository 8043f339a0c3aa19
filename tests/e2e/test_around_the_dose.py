"""Days around the dose in a browser: who stopped coming, what is told by consent, a test and what follows, a stay."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.care.plans import Chosen
from dispensary.care.sessions import begin_plan
from dispensary.care.visits import Purpose, plan_visit
from dispensary.clients.contacts import note_visit_wish
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import AccountId, ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.unusual_place import orders
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "amira", [Role.NURSE], place.now)
    hire(house.database, site, "lim", [Role.DOCTOR], place.now)
    return place


def kept(house: House, sql: str) -> tuple[object, ...]:
    with house.database.engine.connect() as connection:
        return tuple(connection.execute(text(sql)).one())


def days_pass(house: House, place: Clinic, days: int) -> None:
    place.move_on(days)
    house.clock.moment = place.now


def well(person: Person) -> None:
    assert person.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert person.troubles == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_who_stopped_coming_is_called_again_until_they_come_back(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    client_id = place.client()
    place.give(client_id)
    days_pass(house, place, 5)
    amira = Person(chromium, house, size).signs_in("amira", "/care")
    page = amira.page

    def notes(reached: str, words: str = "") -> None:
        page.goto(f"/care/stopped/{client_id}")
        page.locator(f"input[name=reached][value={reached}]").check()
        page.get_by_label("What is worth knowing?").fill(words)
        with page.expect_navigation():
            page.get_by_role("button", name="Note it").last.click()
        amira.sees("The contact is noted.")

    def due() -> int:
        page.goto("/care/stopped?show=due")
        return page.locator("[data-row]").count()

    page.get_by_role("link", name="Stopped coming").first.click()
    amira.sees("nobody has called", "4 days without a dose")
    notes("no")
    assert due() == 0
    amira.sees("Everybody for whom it is time was called.")

    days_pass(house, place, 7)
    amira = Person(chromium, house, size).signs_in("amira", "/care")
    page = amira.page
    assert due() == 1, "a try in vain is not the end of it"
    notes("yes", "Works nights; comes on Friday.")
    assert due() == 0

    orders(place, client_id, "70")
    place.give(client_id, key="they came back")
    page.goto("/care/stopped")
    amira.sees("Nobody has stopped coming.")
    page.goto(f"/care/stopped/{client_id}")
    amira.sees("They come: nothing is open that they did not come to.", "Works nights; comes on Friday.")
    assert kept(house, "SELECT count(*), count(*) FILTER (WHERE reached) FROM contact_note") == (2, 1)
    well(amira)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_whoever_sent_somebody_hears_by_their_consent_and_no_more_once_it_is_taken_back(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    amira = Person(chromium, house, size).signs_in("amira", "/care/intakes")
    page = amira.page
    page.get_by_label("What they want to be called").fill("Hafiz")
    page.get_by_label("How they came").select_option("court")
    page.get_by_label("Who sent them").fill("Court officer Tan")
    page.get_by_role("button", name="Write it down").click()
    amira.sees("Nobody is told anything, not even that they came.")

    tells = page.get_by_role("button", name="Put it on the register, and say it")
    assert tells.count() == 0
    page.get_by_text("They agree that somebody hears of it").click()
    form = page.locator("form[action$='/consent']")
    form.get_by_label("Where the paper is kept", exact=False).fill("Folder 7")
    form.get_by_role("button", name="Write it down").click()
    amira.sees("Their yes is written down. Nobody was told yet.", "they agreed")
    tells.click()
    amira.sees("Say this, and nothing else:", "“They came.”", "Told 1 time.")

    # A second screen has the page open when the consent is taken back: from that moment it tells nobody.
    late = Person(chromium, house, size).signs_in("amira", page.url.split("?")[0].removeprefix(house.address))
    page.get_by_text("Take it back", exact=True).click()
    page.get_by_role("button", name="It ends now").click()
    amira.sees("It has ended. Nothing is told by it from now on.", "Taken back")
    assert tells.count() == 0
    late.page.get_by_role("button", name="Put it on the register, and say it").click()
    late.sees("consent-revoked")
    assert kept(house, "SELECT (SELECT count(*) FROM release), consent_ended_how FROM intake") == (1, "said")
    well(amira)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_test_leads_from_the_offer_to_treatment_step_by_step(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    client_id = place.client()
    amira = Person(chromium, house, size).signs_in("amira", f"/care/linkage/{client_id}")
    page = amira.page
    for step, reached in (
        ("offered", "A test was offered"),
        ("tested", "They were tested"),
        ("result_given", "They were told the result"),
        ("linked", "They were at the place that treats it"),
        ("on_treatment", "They are on treatment elsewhere"),
    ):
        page.locator("select[name=disease]").select_option("hcv")
        page.locator(f"input[name=step][value={step}]").check()
        with page.expect_navigation():
            page.get_by_role("button", name="Note it").click()
        amira.sees("The step is noted.", reached)
    assert kept(house, "SELECT count(*), count(DISTINCT step), max(disease) FROM linkage_step") == (5, 5, "hcv")
    page.get_by_role("button", name="Entered in error").first.click()
    amira.sees("Set aside.")
    assert kept(house, "SELECT count(*) FROM linkage_step WHERE voided_at IS NOT NULL") == (1,)
    well(amira)


def planned(place: Clinic, client_id: ClientId) -> None:
    """A visit and sessions that lie ahead."""
    asked = {"actor": place.doctor, "client_id": client_id, "today": place.today, "at": place.now}
    with place.database.writing() as session:
        note_visit_wish(session, agreed=True, where="Blue house.", **asked)
        assert place.doctor.account_id is not None
        plan_visit(
            session, visitor_id=AccountId(place.doctor.account_id), on=place.today + timedelta(days=2),
            purpose=Purpose.LOOK, **asked,
        )  # fmt: skip
        begin_plan(
            session, plan="before-sentence", first=place.today + timedelta(days=1), at_time=None, minutes=45,
            chosen=[Chosen(3, 12)], agreed=True, key=uuid4(), **asked,
        )  # fmt: skip


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_form_that_ends_a_stay_names_what_it_calls_off_and_the_page_says_it_afterwards(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    client_id = place.client()
    planned(place, client_id)
    lim = Person(chromium, house, size).signs_in("lim", f"/consulting/clients/{client_id}")
    page = lim.page
    page.get_by_text("End the stay in treatment").click()
    lim.sees("This will be called off:", "Visit at home", "3 sessions")
    lim.picture(f"stay-ends-{size['width']}")
    form = page.locator("form[action$='/end']")
    form.get_by_label("Reason").select_option("transferred")
    form.get_by_label("The sessions go on", exact=False).check()
    form.get_by_role("button", name="End the stay").click()
    lim.sees("Called off when the stay ended", "Visit at home")
    assert page.locator("#called-off li").count() == 1, "the sessions go on, as they want"
    assert kept(
        house,
        "SELECT (SELECT state FROM home_visit), (SELECT count(*) FROM plan_session WHERE state = 'planned'),"
        " (SELECT exit_reason FROM episode)",
    ) == ("called_off", 3, "transferred")
    well(lim)


def test_a_nurse_reports_to_a_court_on_the_days_alone(chromium: Browser, house: House, place: Clinic) -> None:
    client_id = place.client()
    with house.database.writing() as session:
        begin_plan(
            session, actor=place.doctor, client_id=client_id, plan="before-sentence", first=place.today, at_time=None,
            minutes=45, chosen=[Chosen(3, 12)], agreed=True, key=uuid4(), today=place.today, at=place.now,
        )  # fmt: skip
    amira = Person(chromium, house, DESK).signs_in("amira", f"/care/clients/{client_id}")
    page = amira.page
    page.get_by_role("button", name="Came", exact=True).first.click()
    page.get_by_role("link", name="Report to somebody on which days they came").click()
    amira.sees("No consent lets anybody be told on which days they came.")
    page.get_by_role("link", name="Take a consent").click()
    form = page.locator("form[action$='/consent']")
    form.locator("input[name=kinds][value=attendance]").check()
    form.locator("select[name=recipient_kind]").select_option(index=1)
    form.get_by_label("Name, and where they are").fill("Court officer Tan")
    form.get_by_label("What for").fill("A report on days")
    form.get_by_label("Until, that day included").fill((place.today + timedelta(days=30)).isoformat())
    form.get_by_label("Where the paper is kept", exact=False).fill("Folder 7")
    form.get_by_role("button", name="Keep the consent").click()
    page.goto(f"/consulting/clients/{client_id}/disclosing/progress")
    amira.sees("nothing of doses, tests or results", "Court officer Tan")
    amira.picture("progress-report")
    with page.expect_response(lambda answer: "progress.pdf" in answer.url) as report:
        page.get_by_role("button", name="Make the report").click()
    assert (report.value.status, report.value.header_value("content-type")) == (200, "application/pdf")
    assert kept(house, "SELECT count(*), max(what) FROM release")[0] == 1
    page.goto(f"/consulting/clients/{client_id}/disclosing")
    amira.sees("Court officer Tan")
    well(amira)
