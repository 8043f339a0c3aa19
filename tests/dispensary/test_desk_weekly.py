"""Reception and the office in front of the pages of bookings ahead: weekly times, waiting, held places, what is set."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from litestar import Litestar
from sqlalchemy import text

import scheduling.queries
import scheduling.standing
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.dispensary.lending import lent_app
from tests.dispensary.phones import Line, kl, line
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, text_of

COUNTED = "SELECT (SELECT count(*) FROM slot), (SELECT count(*) FROM booking), (SELECT count(*) FROM opening)"


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def app(database: Database, now: datetime, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, MovableClock(now))


def works(app: Litestar, here: Line, *roles: Role) -> Visitor:
    with here.database.reading() as session:
        site = session.get_one(Site, here.site.id)
    name = f"{roles[0].value}-{uuid4().hex[:6]}"
    hire(here.database, site, name, roles, here.at)
    visitor = Visitor(app)
    assert visitor.signs_in(name).status_code == 303
    return visitor


def rows(here: Line) -> tuple[object, ...]:
    with here.database.reading() as session:
        return tuple(session.execute(text(COUNTED)).one())


def test_reception_sets_weekly_times_waits_gives_a_held_place_and_looking_makes_no_rows(
    app: Litestar, here: Line
) -> None:
    desk, office = works(app, here, Role.RECEPTION), works(app, here, Role.ADMINISTRATOR)
    client, other = here.client(), here.client()
    page = f"/reception/clients/{client}"
    before = rows(here)
    for path in ("/reception", page, page + "?day=2026-11-27", "/reception/waiting"):
        assert desk.get(path).status_code == 200, path
    for path in ("/office/hours", "/office/bookings"):
        assert office.get(path).status_code == 200, path
    assert rows(here) == before, "slots follow from the hours, and none is made by looking"

    week = {"days_0": ["0", "1", "2", "3", "4"], "opens_0": "07:00", "closes_0": "10:00", "minutes_0": "30"}
    week |= {"people_0": "2", "windows_0": "1", "walk-in_0": "1", "shift_0": "1", "break_from_0": "08:00"}
    week |= {"break_to_0": "08:30", "from_day": "2026-11-25"}
    assert office.post("/office/hours", week).status_code == 303
    with here.database.reading() as session:
        (early, late) = scheduling.queries.opening_times(session, here.site.id, date(2026, 11, 27))
    assert (early.closes, late.opens, early.held) == (
        kl(27, 8).time(),
        kl(27, 8, 30).time(),
        (("shift", 1), ("walk-in", 1)),
    )
    shown = office.get("/office/hours")
    assert 'name="shift_0"' in shown.text

    assert "Give a held place" in text_of(desk.get(page + "?day=2026-11-27"))
    given = {"day": "2026-11-27", "starts_at": kl(27, 7).isoformat(), "give": "yes"}
    assert desk.post(page + "/book", given).headers["location"].endswith("done=booked")
    assert here.booked(client) == [kl(27, 7)]

    assert desk.post(page + "/groups", {"group": ["shift"]}).headers["location"].endswith("done=groups")
    assert desk.post(page + "/groups", {"group": ["pregnant"]}).headers["location"].endswith("said=no-group")
    weekly = {"weekday": ["3"], "weekly_at": "07:30"}
    assert desk.post(page + "/weekly", weekly).headers["location"].endswith("done=weekly")
    assert "Thu 07:30" in text_of(desk.get(page))
    assert desk.post(page + "/weekly/pause", {"pause_from": "2026-11-24", "pause_last": ""}).status_code == 303
    assert "pauses from" in text_of(desk.get(page))
    assert here.booked(client) == [kl(27, 7)]
    assert desk.post(page + "/weekly/on", {}).status_code == 303
    assert kl(26, 7, 30) in here.booked(client)
    assert desk.post(page + "/weekly/end", {}).headers["location"].endswith("done=weekly-ended")
    assert here.booked(client) == [kl(27, 7)]

    theirs = f"/reception/clients/{other}"
    assert "waiting list for this day" in text_of(desk.get(theirs + "?day=2026-11-27"))
    assert desk.post(theirs + "/wait", {"day": "2026-11-27"}).headers["location"].endswith("done=waits")
    assert "number 1 in line" in text_of(desk.get(theirs))
    listed = desk.get("/reception/waiting")
    assert "any time" in text_of(listed)
    with here.database.reading() as session:
        (wait_id,) = session.execute(text("SELECT id FROM wait")).one()
    assert desk.post(f"/reception/waits/{wait_id}/leave", {}).status_code == 303
    assert "Nobody waits" in text_of(desk.get("/reception/waiting"))


def test_the_office_sets_limits_and_says_what_cannot_be(app: Litestar, here: Line) -> None:
    office = works(app, here, Role.ADMINISTRATOR)
    form = {"most_open": "3", "offer_minutes": "45", "offers_from": "08:00", "offers_until": "20:00", "new_days": "21"}
    assert office.post("/office/bookings", form).status_code == 303
    with here.database.reading() as session:
        assert scheduling.queries.booking_rules(session, here.site.id).most_open == 3
    refused = office.post("/office/bookings", form | {"offers_until": "07:00", "most_open": ""})
    assert "until a later one" in text_of(refused)
    assert 'value="07:00"' in refused.text
