"""The look at the safe: what must not be greets the counter until it is gone; how long the stock lasts; the pages."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.jobs import close_left_open, look_at_safes
from dispensary.staff.rules import Role
from dispensary.stock.lasting_rules import lasting
from dispensary.stock.rules import LotOnHand
from dispensary.supplies.lasting import how_long
from dispensary.units import Millilitres, Strength
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.guest_place import two_sites
from tests.dispensary.safe_place import balance, one, sent, sets
from tests.dispensary.visiting import PASSWORD, text_of

TODAY = date(2026, 11, 24)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def said(here: Desks, path: str = "/counter") -> str:
    return " ".join(text_of(here.seat(Role.PHARMACIST).get(path)).split())


def damage(here: Desks, ml: int) -> None:
    with here.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE lot SET balance = balance + :ml"), {"ml": ml})


def test_the_night_looks_once_and_what_it_finds_greets_the_counter_until_it_is_gone(here: Desks) -> None:
    assert "The safe has something to say" not in said(here)
    damage(here, 5)
    assert look_at_safes(here.database, here.clock) == 1
    assert look_at_safes(here.database, here.clock) == 0
    assert "2 discrepancies." in said(here)
    assert "A lot is not the sum of its lines" in said(here, "/counter/stock")
    found = here.seat(Role.PHARMACIST).get("/api/stock/discrepancies").json()
    assert {each["kind"] for each in found} == {"book_not_its_lots", "lot_not_its_lines"}

    damage(here, -5)
    here.days_pass(1)
    look_at_safes(here.database, here.clock)
    assert "discrepancies" not in said(here)
    assert one(here.place, "SELECT count(*) FROM stock_finding WHERE gone_at IS NOT NULL") == 2


def test_a_day_that_is_closed_late_is_looked_at_once_more(here: Desks) -> None:
    here.days_pass(1)
    assert look_at_safes(here.database, here.clock) == 1, "the day before is still open"
    assert close_left_open(here.database, here.clock) == 1
    damage(here, 5)
    assert look_at_safes(here.database, here.clock) == 1
    assert look_at_safes(here.database, here.clock) == 0
    assert "2 discrepancies." in said(here)


def test_a_guest_is_counted_where_the_doses_are_given(database: Database, now: datetime) -> None:
    place = two_sites(database, now)
    client = place.home.client(mg="100")
    place.arrange(client, 2, 4)
    with database.reading() as session:
        home, guest = (
            how_long(session, site_id=each.site_id, today=each.today, looked=10) for each in (place.home, place.guest)
        )
    assert (home.daily_mg, guest.daily_mg) == (Decimal(70), Decimal(30))


def test_the_counter_is_warned_when_the_safe_lasts_for_fewer_days_than_the_site_wants(here: Desks) -> None:
    here.place.client(mg="80")
    assert "It lasts" not in said(here)
    sets(here.place, days_of_stock=120)
    here.place.client(mg="1000")
    assert "It lasts for 23 days." in said(here)  # 25,000 mg for 1,080 mg a day


def lot(mg: int, days: int) -> LotOnHand:
    ml = Millilitres(Decimal(mg) / 5)
    nothing = Millilitres(Decimal(0))
    return LotOnHand(uuid4(), uuid4(), f"L{mg}", Strength(Decimal(5)), TODAY + timedelta(days=days), ml, nothing)


@pytest.mark.parametrize(
    ("lots", "closed", "days", "left"),
    [
        ([], (), 0, []),
        ([lot(300, 90)], (), 3, []),
        ([lot(350, 90)], (), 3, []),
        ([lot(3000, 90)], (), 10, []),
        ([lot(300, 1), lot(1000, 90)], (), 10, ["L300"]),  # 200 mg before it expires, 100 mg never
        ([lot(300, 90)], (3,), 2, []),  # the bottle of a closed day is needed the day before
    ],
    ids=range(6),
)
def test_the_safe_lasts_as_long_as_each_day_is_met(
    lots: list[LotOnHand], closed: tuple[int, ...], days: int, left: list[str]
) -> None:
    needs = {TODAY + timedelta(days=n): Decimal(100) for n in range(10)}
    found = lasting(lots, needs, today=TODAY, looked=10, closed=[TODAY + timedelta(days=n) for n in closed])
    assert (found.days, [each.batch for each in found.leftovers]) == (days, left)


def test_what_somebody_has_at_home_or_in_a_prepared_bottle_is_not_needed_again(here: Desks) -> None:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2))
    with here.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE lot SET balance = 16"))
    forecast = here.seat(Role.PHARMACIST).get("/api/stock/forecast").json()
    assert (forecast["days"], forecast["short_on"]) == (4, (here.today + timedelta(days=4)).isoformat())


def test_the_pages_receive_count_destroy_and_clear_up(here: Desks) -> None:
    counter = here.seat(Role.PHARMACIST)
    here.seat(Role.NURSE)
    expires = (here.today + timedelta(days=90)).isoformat()
    form = {"key": str(uuid4()), "batch": "B-9", "strength": "5", "ml": "1000", "expires_on": expires}
    refused = counter.post("/counter/stock/receive", {**form, "supplier_name": "Pharmaniaga"})
    assert 'value="Pharmaniaga"' in refused.text
    paper = {"supplier_name": "Pharmaniaga", "document_no": "DO-5"}
    assert counter.post("/counter/stock/receive", {**form, **paper}).status_code == 303
    lot_id = one(here.place, "SELECT id FROM lot WHERE batch = 'B-9'")
    assert counter.post(f"/counter/stock/lots/{lot_id}/open", {"key": str(uuid4())}).status_code == 303

    count = {"key": str(uuid4()), f"bulk_{lot_id}": "900", f"seen_{lot_id}": "1000"}
    assert "count-differs" in counter.post("/counter/stock/count", count).text
    count[f"reason_{lot_id}"] = "measured twice"
    assert counter.post("/counter/stock/count", count).status_code == 303
    missing = re.search(r"/counter/stock/investigations/[0-9a-f-]+", counter.get("/counter/stock").text)
    assert missing
    page = text_of(counter.get(missing.group()))
    assert "measured twice" in page
    assert "DEA" not in page
    assert "1 shortage is not cleared up." in said(here)
    closed = counter.post(missing.group(), {"key": str(uuid4()), "found": "a leak under the pump"})
    assert closed.status_code == 303
    assert "not cleared up" not in said(here)

    nurse = one(here.place, "SELECT id FROM account WHERE username = 'nurse'")
    destroyed = {
        "key": str(uuid4()), "lot_id": str(lot_id), "ml": "100", "reason": "leaked", "method": "charcoal",
        "second_id": str(nurse), "second_pin": PASSWORD,
    }  # fmt: skip
    assert "wrong-password" in counter.post("/counter/stock/destroy", {**destroyed, "second_pin": "a guess"}).text
    assert counter.post("/counter/stock/destroy", destroyed).status_code == 303
    assert balance(here.place, lot_id) == 800
    for path in ("", "/receive", "/count", "/transfers", "/destroy"):
        assert counter.get(f"/counter/stock{path}").status_code == 200


def test_a_transfer_is_seen_and_received_on_the_other_sites_pages(
    here: Desks, database: Database, now: datetime, tmp_path: Path
) -> None:
    other = desks(database, now, tmp_path, code="SAT")
    transfer = sent(other.place, here.place, "1000")
    assert "1 transfer is on its way here." in said(here)
    counter = here.seat(Role.PHARMACIST)
    url = f"/counter/stock/transfers/{transfer}"
    assert "transfer-differs" in counter.post(f"{url}/receive", {"key": str(uuid4()), "measured_ml": "999"}).text
    assert counter.post(f"{url}/receive", {"key": str(uuid4()), "measured_ml": "1000"}).status_code == 303
    assert counter.get(url).status_code == 200
    (listed,) = counter.get("/api/transfers").json()
    assert (listed["state"], listed["measured_ml"], listed["from_site"]) == ("received", "1000", "SAT")


def test_the_administrator_sets_the_figures_with_their_source(here: Desks) -> None:
    office = here.seat(Role.ADMINISTRATOR)
    figures = {"key": str(uuid4()), "tolerance_percent": "1", "tolerance_ml": "5", "days_of_stock": "14"}
    assert "no-source" in office.post("/office/safe", figures).text
    assert office.post("/office/safe", {**figures, "source": "agreed with Dr. Lim"}).status_code == 303
    assert one(here.place, "SELECT tolerance_percent FROM stock_setting WHERE site_id = :s", s=here.place.site_id) == 1
    assert "changed safe" in here.acts_about(here.place.site_id)
    for bad in ({"tolerance_percent": "x"}, {"days_of_stock": "0"}, {"tolerance_ml": "-1"}):
        assert office.post("/office/safe", {**figures, "source": "x", **bad}).status_code == 422
    assert here.seat(Role.PHARMACIST).get("/office/safe").status_code == 403


def test_the_safe_by_its_api(here: Desks) -> None:
    program = here.seat(Role.PHARMACIST)
    lot_id = str(here.place.lot_id)
    assert program.send("POST", f"/api/lots/{lot_id}/open").json()["opened_at"]
    count = {"key": "count-001", "lots": [{"lot_id": lot_id, "bulk_ml": "4990", "reason": "measured twice"}]}
    (counted,) = program.send("POST", "/api/counts", count).json()
    assert (counted["difference_ml"], counted["judged"]) == ("-10", "beyond")
    (missing,) = program.get("/api/investigations").json()
    closed = program.send("POST", f"/api/investigations/{missing['id']}/close", {"found": "a leak"})
    assert closed.json()["found"] == "a leak"
    assert program.get("/api/investigations").json() == []
    asked = {"key": "away-0001", "lot_id": lot_id, "ml": "5", "reason": "x", "method": "y"}
    assert program.send("POST", "/api/destructions", asked).json()["code"] == "no-second"
    away = {"key": "away-0002", "lot_id": lot_id, "to_site_id": str(here.place.site_id), "ml": "5", "carried_by": "x"}
    assert program.send("POST", "/api/transfers", away).json()["code"] == "no-site"
    assert here.seat(Role.DOCTOR).send("POST", "/api/counts", count).status_code == 403
