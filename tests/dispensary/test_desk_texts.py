"""The office's page of texts: figures without a person in them, rules with their bounds, one alert about money."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

import notifications.service
from dispensary.database import Database
from dispensary.jobs import forget_texts, send_texts
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from notifications.gateways.console import ConsoleGateway
from notifications.places import rules_of
from notifications.waiting import DEFAULTS, Quiet
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

PHONE = "012-345 6789"
RULES = {"quiet_from": "", "quiet_until": "", "price": "0.05", "currency": "myr", "cap": "0.05", "keep_days": "30"}


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def reminded(here: Desks, now: datetime, texts: int) -> ClientId:
    """A client of the site to whom so many reminders are due."""
    client = here.place.client()
    with here.database.writing() as session:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client,
            phone=PHONE,
            language="en",
            region="MY",
            now=now,
            place_id=here.place.site_id,
        )
        for _ in range(texts):
            notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client,
                kind="booking_reminder",
                reason_key=f"reminder:{uuid4()}",
                fields={"at": now + timedelta(hours=30)},
                zone=ZoneInfo("Asia/Kuala_Lumpur"),
                now=now,
                valid_until=now + timedelta(hours=30),
            )
    return client


def test_nobody_but_the_administrator_sees_it(here: Desks) -> None:
    for role in Role:
        if role is not Role.ADMINISTRATOR:
            assert [here.seat(role).get(path).status_code for path in ("/office/texts", "/office/texts.csv")] == [
                403
            ] * 2


def test_it_tells_how_texts_fared_and_nothing_of_whom(here: Desks, now: datetime) -> None:
    client = reminded(here, now, 2)
    send_texts(here.database, ConsoleGateway(), lambda: now)
    page = here.administrator.get("/office/texts")
    assert "booking reminder" in text_of(page)
    assert (str(client) in page.text, "345 6789" in page.text, "+6012" in page.text) == (False, False, False)


def test_the_file_has_a_row_for_each_day_and_kind(here: Desks, now: datetime) -> None:
    here.administrator.post("/office/texts", {**RULES, "cap": ""})
    reminded(here, now, 2)
    send_texts(here.database, ConsoleGateway(), lambda: now)
    answer = here.administrator.get("/office/texts.csv?days=7")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    told = {name: row[name] for name in ("day", "kind", "texts", "sent", "failed", "segments", "cost", "currency")}
    assert told == {
        "day": "2026-11-24",
        "kind": "booking_reminder",
        "texts": "2",
        "sent": "2",
        "failed": "0",
        "segments": "2",
        "cost": "0.1000",
        "currency": "MYR",
    }


def test_once_the_money_is_spent_the_office_and_reception_are_told_once(here: Desks, now: datetime) -> None:
    here.administrator.post("/office/texts", RULES)
    reminded(here, now, 3)
    send_texts(here.database, ConsoleGateway(), lambda: now)
    for page in (here.administrator.get("/office/texts"), here.seat(Role.RECEPTION).get("/reception")):
        assert text_of(page).count("money for texts is spent") == 1
    send_texts(here.database, ConsoleGateway(), lambda: now + timedelta(hours=18))
    assert "2 texts wait" not in text_of(here.seat(Role.RECEPTION).get("/reception"))


def test_rules_are_kept_and_hold(here: Desks) -> None:
    with here.database.reading() as session:
        assert rules_of(session, here.place.site_id) == DEFAULTS
    answer = here.administrator.post("/office/texts", {**RULES, "quiet_from": "22:00", "quiet_until": "6:30"})
    assert answer.status_code == 303
    assert "Kept." in text_of(here.administrator.get(answer.headers["location"]))
    with here.database.reading() as session:
        rules = rules_of(session, here.place.site_id)
    assert rules.quiet == Quiet(datetime(2026, 1, 1, 22).time(), datetime(2026, 1, 1, 6, 30).time())  # noqa: DTZ001
    assert (rules.price, rules.cap, rules.currency, rules.keep_days) == (Decimal("0.05"), Decimal("0.05"), "MYR", 30)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"quiet_from": "22:00"}, "not a time of day"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "begin and end at the same time"),
        ({"price": "0,05"}, "not an amount of money"),
        ({"price": ""}, "Without a price nothing is counted"),
        ({"cap": "-1"}, "not an amount of money"),
        ({"keep_days": "6"}, "from 7 to 3650"),
        ({"currency": "ringgit"}, "longer than 3"),
    ],
    ids=["half", "none", "comma", "no price", "negative", "days", "currency"],
)
def test_what_does_not_fit_comes_back_with_what_was_typed(here: Desks, wrong: dict[str, str], told: str) -> None:
    answer = here.administrator.post("/office/texts", {**RULES, **wrong})
    assert told in text_of(answer)
    with here.database.reading() as session:
        assert rules_of(session, here.place.site_id) == DEFAULTS


def test_what_names_a_person_is_wiped_at_night_once(here: Desks, now: datetime) -> None:
    reminded(here, now, 2)
    send_texts(here.database, ConsoleGateway(), lambda: now)
    later = now + timedelta(days=91)
    assert [forget_texts(here.database, lambda: later) for _ in range(2)] == [1, 0]
    with here.database.reading() as session:
        wiped = session.execute(text("SELECT count(*) FROM message WHERE wiped_at IS NOT NULL")).scalar_one()
        result = session.execute(text("SELECT result FROM job_run WHERE job = 'wipe texts'")).scalar_one()
    assert (wiped, result) == (2, {"texts": 2, "came_in": 0})
