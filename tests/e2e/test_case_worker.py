"""A case worker's day in a browser: somebody sent by police, a full place, work that was found, a visit, a use."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.care.centre_rules import Place
from dispensary.care.centres import keep_centre
from dispensary.care.referral_models import Service
from dispensary.care.referrals import refer
from dispensary.clients.contacts import note_visit_wish
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
        for code, name in (("A", "Klinik Sungai"), ("B", "Klinik Bukit")):
            keep_centre(session, actor=place.doctor, place=Place(code, name, ("tuberculosis",)), at=place.now)
    hire(house.database, site, "amira", [Role.NURSE], place.now)
    return place


def waits(place: Clinic) -> ClientId:
    """Somebody who was sent on two weeks ago, and agreed to visits."""
    client_id = place.client()
    with place.database.writing() as session:
        refer(
            session, actor=place.doctor, client_id=client_id, service=Service.TUBERCULOSIS, place="Klinik Sungai",
            agreed=True, ask_on=place.today, today=place.today - timedelta(days=14),
            at=place.now - timedelta(days=14),
        )  # fmt: skip
        note_visit_wish(
            session, actor=place.doctor, client_id=client_id, agreed=True, where="Blue house; ring twice.",
            today=place.today, at=place.now,
        )  # fmt: skip
    return client_id


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_case_worker_goes_through_the_day(
    chromium: Browser, house: House, place: Clinic, size: dict[str, int]
) -> None:
    client_id = waits(place)
    amira = Person(chromium, house, size).signs_in("amira", "/care/intakes")
    page = amira.page

    # Sent by police, without consent that anybody hears of it: heard, assessed, and nobody is told.
    page.get_by_label("What they want to be called").fill("Hafiz")
    page.get_by_label("How they came").select_option("police")
    page.get_by_label("What they want", exact=False).last.fill("To sleep, and work.")
    page.get_by_label("Who sent them").fill("Balai Sentul")
    page.get_by_role("button", name="Write it down").click()
    amira.sees("Written down. Nothing is told to anybody.", "not even that they came")
    assert page.get_by_role("button", name="Put it on the register, and say it").count() == 0
    page.get_by_label("What was found, and what they want of it").fill("Coughs since a month.")
    page.get_by_label("Tuberculosis").check()
    page.locator("button.button-primary", has_text="Write it down").click()
    amira.sees("The assessment is written down.", "Offered: Tuberculosis")
    page.get_by_text("They want none of it").click()
    page.get_by_role("button", name="Close it").click()
    amira.sees("What named them here is wiped.")

    # The place is full: another one is found, and the day's list says so once.
    page.goto("/care")
    amira.sees("1 referral to ask about", "Nothing waits for a nurse today.")
    page.goto("/care/referrals")
    page.locator("[data-row]").first.click()
    card = page.locator("#referrals")
    card.get_by_text("What was heard of it?").click()
    card.get_by_label("What", exact=True).select_option("full")
    card.get_by_role("button", name="Note it").click()
    amira.sees("the place is full")
    card.get_by_text("What became of it?").click()
    card.get_by_role("button", name="They no longer want it").click()
    amira.sees("1 earlier referral")
    card.get_by_text("Refer them").click()
    card.get_by_label("For what").select_option("tuberculosis")
    card.get_by_label("Where", exact=False).fill("klinik bukit")
    card.get_by_text("They agree to it.").click()
    card.get_by_role("button", name="Refer", exact=True).click()
    amira.sees("Klinik Bukit")

    # Work that was found, a visit for tomorrow, and a kit that was used.
    page.goto(f"/care/life/{client_id}")
    page.locator("#word-work").select_option("employed")
    page.get_by_role("button", name="Note it").first.click()
    amira.sees("Written down, as they told it.")
    page.goto("/care/visits")
    page.get_by_label("Client number").fill(number_of(place, client_id))
    page.locator("input[name=on_day]").first.fill((place.today + timedelta(days=1)).isoformat())
    page.get_by_role("button", name="Plan it").click()
    amira.sees("The visit is planned.")
    page.goto("/care/naloxone")
    page.locator("summary", has_text="Write it down").click()
    page.locator("input[name=outcome][value=lives]").check()
    page.locator("form[action$='/uses'] button").click()
    amira.sees("Thank whoever told it.")

    with house.database.engine.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT (SELECT outcome FROM intake), (SELECT count(*) FROM release),"
                " (SELECT string_agg(outcome, ',' ORDER BY sent_at) FROM referral), (SELECT word FROM life_status),"
                " (SELECT state FROM home_visit), (SELECT outcome FROM naloxone_use),"
                " (SELECT count(*) FROM intake WHERE num_nonnulls(name_sealed, words_sealed, referrer_sealed) > 0)"
            )
        ).one()
    assert tuple(kept) == ("not_wanted", 0, "withdrawn,", "employed", "planned", "lives", 0)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert amira.troubles == []


def number_of(place: Clinic, client_id: UUID) -> str:
    with place.database.reading() as session:
        return str(session.scalar(text("SELECT number FROM client WHERE id = :id"), {"id": client_id}))
