"""The safe by its pages: a lot comes in, part of it goes to another site, some is destroyed, and some is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import PIN, balance, one, with_pin, wrong
from tests.dispensary.visiting import hire
from tests.e2e.conftest import House, Person, fits


def opened(house: House, code: str, username: str) -> Clinic:
    """A site, and its pharmacist who can sign in."""
    place = clinic(house.database, house.clock(), code=code)
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
        site.region = "US"
    hire(house.database, site, username, [Role.PHARMACIST], place.now)
    return place


@pytest.fixture
def here(house: House) -> Clinic:
    return with_pin(opened(house, "HRP", "pharmacist"))


@pytest.fixture
def there(house: House) -> Clinic:
    return opened(house, "KLG", "mei")


def does(desk: Person, button: str, said: str) -> None:
    """The page fits its screen, its button is pressed, and the answer says what became of it."""
    fits(desk)
    desk.page.get_by_role("button", name=button).click()
    desk.sees(said)
    fits(desk)


def fills(desk: Person, **fields: str) -> None:
    for name, value in fields.items():
        desk.page.locator(f"[name={name}]").fill(value)


def test_received_moved_destroyed_counted_and_looked_into(
    house: House, here: Clinic, there: Clinic, person: type[Person]
) -> None:
    desk = person().signs_in("pharmacist", "/counter/stock/receive")
    expires = str(here.today + timedelta(days=200))
    fills(
        desk, supplier_name="Pharmaniaga", document_no="DO-7", batch="B-77", strength="5", expires_on=expires, ml="900"
    )
    does(desk, "Receive into the safe", "It stands in the register")
    lot = one(here, "SELECT id FROM lot WHERE batch = 'B-77'")

    desk.page.goto("/counter/stock/transfers")
    desk.page.locator("[name=to_site_id]").select_option(str(there.site_id))
    desk.page.locator("[name=lot_id]").select_option(str(lot))
    fills(desk, ml="400", carried_by="seal 4711")
    desk.picture("safe-transfers")
    does(desk, "Send", "It is on its way")

    other = person().signs_in("mei", "/counter")
    other.sees("1 transfer is on its way here.")
    fits(other)
    other.page.goto("/counter/stock")
    other.page.get_by_role("link", name="400 mL").click()
    other.sees("Compare the batch and the expiry")
    other.picture("safe-transfer")
    fills(other, measured_ml="400")
    does(other, "Receive into the safe", "It stands in this site's register")
    assert one(there, "SELECT balance FROM lot WHERE batch = 'B-77' AND site_id = :site", site=there.site_id) == 400

    desk.page.goto(f"/counter/stock/destroy?lot={lot}")
    fills(desk, ml="100", reason="a cracked bottle", method="poured onto charcoal", second_pin="999999")
    desk.page.locator("[name=second_id]").select_option(str(here.doctor.account_id))
    desk.picture("safe-destroy")
    does(desk, "Write it off as destroyed", "Their PIN")
    assert balance(here, lot) == 500, "nobody stood by"
    desk.picture("safe-destroy-refused")
    fills(desk, second_pin=PIN)
    does(desk, "Write it off as destroyed", "Written off as destroyed")

    desk.page.goto("/counter/stock/count")
    fills(desk, **{f"bulk_{lot}": "370", f"reason_{lot}": "the bottle leaked"})
    desk.picture("safe-count")
    does(desk, "Enter the count", "The difference stands in the register")
    assert "Tue 24 Nov 2026" in desk.page.locator("li", has_text="B-77").inner_text(), "the day that it was here"
    desk.picture("safe-stock")
    desk.page.get_by_role("link", name="30 mL, B-77").click()
    desk.sees("reported to the DEA", "the bottle leaked", "Who wrote lines about this lot since")
    desk.picture("safe-investigation")
    fills(desk, found="The cap was found cracked; Dr. Lim was told.")
    does(desk, "Close it", "Closed with what was found")

    assert balance(here, lot) == 370
    assert desk.troubles == other.troubles == []
    assert wrong(here) == []
