"""A peer worker's day on a telephone: whom they keep in touch with, a group, an evening outside, a sheet of paper."""

from __future__ import annotations

from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.care.naloxone import receive_kits
from dispensary.clients.goals import assign, set_goal
from dispensary.clients.surveys import new_link, open_survey, shipped_questions
from dispensary.clients.tasks import open_task
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId
from tests.builders import clinic
from tests.dispensary.visiting import hire
from tests.e2e.conftest import PHONE, House, Person


def test_a_peer_worker_goes_through_the_day(chromium: Browser, house: House) -> None:
    place = clinic(house.database, house.clock())
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
    azman = hire(house.database, site, "azman", [Role.PEER_WORKER], place.now)
    mine, other = place.client(), place.client()
    with house.database.writing() as session:
        given = {"actor": place.doctor, "client_id": mine, "at": place.now}
        assign(session, account_id=AccountId(azman.id), **given)
        set_goal(session, words="see my brother in Ipoh", today=place.today, **given)
        open_task(
            session, site_id=place.site_id, client_id=mine, role=Role.PEER_WORKER, kind="other",
            sentence="Ask which hours would fit.", due_on=place.today, opened_by=None, at=place.now,
        )  # fmt: skip
        receive_kits(
            session, actor=place.doctor, batch="N1", product="nasal spray", expires_on=place.today.replace(year=2030),
            kits=20, today=place.today, at=place.now,
        )  # fmt: skip
        runs = Actor(place.doctor.account_id, place.site_id, frozenset({Role.ADMINISTRATOR}))
        open_survey(session, actor=runs, document=shipped_questions(), address=house.address, at=place.now)

    peer = Person(chromium, house, PHONE).signs_in("azman", "/peers")
    page = peer.page
    peer.sees("Ask which hours would fit.")
    page.locator(f"a[href='/peers/clients/{mine}']").click()
    peer.sees("see my brother in Ipoh")
    page.get_by_text("It is done").click()
    page.get_by_label("How was it done?").fill("Before seven, he says.")
    page.get_by_role("button", name="Done", exact=True).click()
    peer.sees("Nobody does it a second time.")
    page.get_by_label("Yes").check()
    page.get_by_label("What is worth knowing?").fill("Has new work.")
    page.get_by_role("button", name="Note it").click()
    peer.sees("The contact is noted.")
    page.get_by_label("Yes").check()
    page.get_by_label("What they mean to do").select_option("needs_help")
    page.get_by_role("button", name="Note it").click()
    peer.sees("The nurses have an alert")

    page.goto("/peers")
    page.get_by_role("link", name="Groups").click()
    page.locator(f"input[name=came][value='{mine}']").check()
    assert page.locator(f"input[value='{other}']").count() == 0
    page.get_by_label("How many others came").fill("4")
    page.get_by_role("button", name="Note it").click()
    peer.sees("The group session is noted.", "5 people")

    page.get_by_role("link", name="Outreach").click()
    page.get_by_label("Place", exact=False).fill("Chow Kit")
    page.get_by_label("Needles", exact=False).first.fill("20")
    page.get_by_role("button", name="Note it").click()
    peer.sees("The contact is noted.")

    page.get_by_role("link", name="Naloxone").click()
    page.get_by_label("To whom").select_option("community")
    page.get_by_label("Their code").fill("blue kite")
    page.get_by_role("button", name="Give").click()
    peer.sees("Given, and counted.")
    peer.picture("peer-naloxone")
    page.goto(f"/peers/clients/{mine}")
    page.get_by_role("link", name="Naloxone").click()
    page.get_by_label("To whom").select_option("family")
    page.get_by_role("button", name="Give").click()
    peer.sees("Given, and counted.")
    page.get_by_text("Write it down", exact=True).first.click()
    page.get_by_label("Who tells it").select_option("family")
    page.get_by_label("They live").check()
    page.get_by_role("button", name="Write it down").click()
    peer.sees("Thank whoever told it.")
    peer.picture("peer-naloxone-client")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.goto("/care/survey")
    for name in ("respect", "asked", "hours"):
        page.locator(f"input[name={name}][value=yes]").check()
    page.get_by_role("button", name="Keep the sheet").click()
    peer.sees("The sheet is kept.")

    # Somebody who wanted to be asked by text answers on their own phone, in their language, once.
    with house.database.writing() as session:
        link = new_link(session, site_id=place.site_id, at=place.now)
    phone = Person(chromium, house, PHONE)
    phone.page.goto(f"{link}?tongue=ms")
    phone.sees("Bagaimana keadaan di sini?", "Tiada sesiapa tahu siapa menjawab apa.")
    phone.page.locator("input[name=private][value=yes]").check()
    phone.picture("survey-phone")
    phone.page.get_by_role("button", name="Hantar").click()
    phone.sees("Terima kasih")
    phone.page.goto(str(link))
    phone.sees("There is nothing here")
    assert phone.troubles == []

    with house.database.engine.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM contact_note), (SELECT others FROM group_meeting),"
                " (SELECT amount FROM outreach_material), (SELECT count(*) FROM survey_answer),"
                " (SELECT client_id FROM group_attendance)"
            )
        ).one()
    assert tuple(kept) == (2, 4, 20, 2, mine)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert peer.troubles == []
