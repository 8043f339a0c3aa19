"""The office sees what a slot should take and takes it over; reception sees the plan beside what happened."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

import scheduling.queries
import scheduling.service
from dispensary.database import Database
from dispensary.staff.rules import Role
from scheduling.rules import Hours
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of
from tests.scheduling.stamped import mornings


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """Open on Mondays and Tuesdays from seven to ten, two windows."""
    found = desks(database, now, tmp_path)
    with database.writing() as session:
        week = [Hours(day, time(7), time(10), 15, 6, 2) for day in (0, 1)]
        scheduling.service.set_hours(
            session, place_id=found.place.site_id, hours=week, from_day=found.today - timedelta(days=90)
        )
    return found


@pytest.fixture
def served(here: Desks) -> Desks:
    """Two Mondays of quick services and two Tuesdays of slow ones."""
    monday = here.today - timedelta(days=8)
    mornings(here.database, here.place.site_id, [monday, monday - timedelta(days=7)], minutes=1.0)
    mornings(here.database, here.place.site_id, [monday + timedelta(days=1), monday - timedelta(days=6)], minutes=2.0)
    return here


def capacities(here: Desks, days: int) -> list[int]:
    with here.database.reading() as session:
        on = here.today + timedelta(days=days)
        return [each.capacity for each in scheduling.queries.opening_times(session, here.place.site_id, on)]


def seen(page: str) -> str:
    return page.split('name="seen" value="', 1)[1].split('"', 1)[0]


class TestAdvice:
    def test_without_enough_stamps_it_says_so_and_offers_nothing(self, here: Desks) -> None:
        mornings(here.database, here.place.site_id, [here.today - timedelta(days=7)], people=31)
        page = here.administrator.get("/office/advice")

        assert "There is no advice yet: 30 services were stamped" in text_of(page)
        assert "Take the advice over" not in page.text

    def test_each_weekday_has_its_own_and_says_what_it_stands_on(self, served: Desks) -> None:
        said = text_of(served.administrator.get("/office/advice"))

        assert "n=118, 1.00 min a service, at most 1.00; this weekday's stamps; everybody is expected to come" in said
        assert "n=118, 2.00 min a service" in said
        assert "advised: 30 (n=" in said
        assert "advised: 15 (n=" in said

    def test_it_is_taken_over_from_a_day_and_written_down(self, served: Desks) -> None:
        page = served.administrator.get("/office/advice").text
        from_day = served.today + timedelta(days=7)
        answer = served.administrator.post("/office/advice", {"seen": seen(page), "from_day": str(from_day)})

        assert answer.headers["location"] == "/office/hours?done=hours"
        assert (capacities(served, 0), capacities(served, 6), capacities(served, 7)) == ([6], [6], [15])
        assert capacities(served, 13) == [30]
        assert served.acts_about(served.place.site_id)[-1] == "took over advice"

    def test_what_was_not_shown_is_not_taken_over(self, served: Desks) -> None:
        page = served.administrator.get("/office/advice").text
        mornings(
            served.database,
            served.place.site_id,
            [served.today - timedelta(days=21 + 7 * weeks) for weeks in range(3)],
            minutes=4.0,
        )
        answer = served.administrator.post("/office/advice", {"seen": seen(page), "from_day": str(served.today)})

        assert answer.status_code == 422
        assert "not those that were shown" in text_of(answer)
        assert capacities(served, 0) == [6]

    @pytest.mark.parametrize("from_day", ["", "2026-11-01", "tomorrow"])
    def test_a_day_that_cannot_be_changes_nothing(self, served: Desks, from_day: str) -> None:
        page = served.administrator.get("/office/advice").text
        answer = served.administrator.post("/office/advice", {"seen": seen(page), "from_day": from_day})

        assert (answer.status_code, capacities(served, 0)) == (422, [6])

    @pytest.mark.parametrize("role", [Role.NURSE, Role.RECEPTION])
    def test_nobody_else_sees_or_changes_it(self, here: Desks, role: Role) -> None:
        assert here.seat(role).get("/office/advice").status_code == 403
        assert here.seat(role).post("/office/advice", {}).status_code == 403

    def test_a_week_of_many_rows_is_kept_whole_by_its_form(self, here: Desks) -> None:
        rows: dict[str, object] = {"from_day": str(here.today)}
        for n in range(7):
            rows |= {f"days_{n}": str(n), f"opens_{n}": "7:00", f"closes_{n}": f"{9 + n}:00", f"minutes_{n}": "15"}
            rows |= {f"people_{n}": str(4 + n), f"windows_{n}": "1"}
        assert here.administrator.post("/office/hours", rows).status_code == 303
        assert [capacities(here, days) for days in range(7)] == [[5], [6], [7], [8], [9], [10], [4]]


class TestTheDaySoFar:
    def test_it_shows_the_plan_beside_what_happened(self, here: Desks) -> None:
        site_id, now = here.place.site_id, here.place.now
        booked = uuid4()
        with here.database.writing() as session:
            for holder in (booked, uuid4()):
                scheduling.service.book(
                    session, place_id=site_id, holder_id=holder, starts_at=now, now=now, channel="desk"
                )
            for holder, minutes in ((booked, 4), (uuid4(), 10)):
                visit = scheduling.service.check_in(session, place_id=site_id, holder_id=holder, now=now)
                scheduling.service.start(session, visit_id=visit.id, now=now + timedelta(minutes=minutes))
        said = text_of(here.seat(Role.RECEPTION).get("/reception/day"))

        assert "7:00 AM 6 2 1 1 7 min 10 min" in said or "07:00 6 2 1 1 7 min 10 min" in said
        assert "Together" in said

    def test_nothing_planned_and_nobody_there(self, here: Desks) -> None:
        said = text_of(here.seat(Role.RECEPTION).get("/reception/day"))

        assert "Nobody is in a slot that has begun." in said

    def test_people_who_wait_before_the_first_slot_are_seen(self, here: Desks) -> None:
        here.clock.moment = now = here.place.now - timedelta(minutes=30)
        with here.database.writing() as session:
            scheduling.service.check_in(session, place_id=here.place.site_id, holder_id=here.place.client(), now=now)
        said = text_of(here.seat(Role.RECEPTION).get("/reception/day"))

        assert "No slot has begun yet. 1 person is here already." in said
