"""Closing a day moves whoever is booked on it to the nearest day at the same time, tells each, and forgets nobody."""

from __future__ import annotations

import os
import time as stopwatch
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import notifications.service
import scheduling.queries
import scheduling.service
import scheduling.standing
from dispensary.desks import opening
from dispensary.phone import clockwork, tasks
from dispensary.phone.moved import plan, settle_open
from dispensary.staff.queries import place
from dispensary.staff.rules import Role, the_program
from dispensary.units import ClientId
from scheduling.acts_models import CaseState, ClosureCase
from scheduling.models import Closure
from scheduling.rules import Hours
from tests.dispensary.desk_place import Desks
from tests.dispensary.test_open_after_all import PHONE, gives_up, sent
from tests.dispensary.test_public_holidays import CHRISTMAS, booked, reopens, texts, to_do
from tests.dispensary.test_public_holidays import here as here  # the fixture
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import text_of

KL = ZoneInfo("Asia/Kuala_Lumpur")
EVE, AFTER = date(2026, 12, 24), date(2026, 12, 26)
MOVED_BEFORE = "We will be closed on Fri 25 Dec. You are now booked for Thu 24 Dec 08:00. To change it reply MOVE."
MOVED_AFTER = "We will be closed on Fri 25 Dec. You are now booked for Sat 26 Dec 08:00. To change it reply MOVE."
MANY = int(os.environ.get("TAKEHOME_CLOSURE_PEOPLE", "40"))
DAYS = {"first_day": str(CHRISTMAS), "last_day": str(CHRISTMAS), "closure_reason": "Christmas"}


def closes(here: Desks, **changes: str) -> str:
    answer = here.administrator.post("/office/closures", {**DAYS, "move": "yes", **changes})
    assert answer.status_code == 303, text_of(answer)
    return text_of(here.administrator.get(answer.headers["location"]))


def carries(here: Desks, client: ClientId, days: int) -> None:
    """They take today's dose and bottles for so many days after it."""
    here.place.decide(client, per_supply=days)
    here.place.give(client, take_home_days=here.place.ahead(*range(1, days + 1)))


def times(here: Desks, client: ClientId) -> list[str]:
    with here.database.reading() as session:
        found = scheduling.queries.bookings_of(session, client, here.place.now)
        return [f"{each.starts_at.astimezone(KL):%a %d %H:%M}" for each in found]


def cases(here: Desks) -> list[CaseState]:
    with here.database.reading() as session:
        return [CaseState(state) for state in session.scalars(select(ClosureCase.state).order_by(ClosureCase.id))]


class TestThePlan:
    def test_says_who_has_bottles_who_is_without_and_where_each_goes(self, here: Desks) -> None:
        without, carrying = booked(here, CHRISTMAS, PHONE), booked(here, CHRISTMAS, hour=9)
        carries(here, carrying, 3)
        page = text_of(here.administrator.get("/office/closures/plan", params=DAYS))
        assert "2 booked 2 would be moved" in page
        assert "1 of them has no dose for a closed day yet." in page
        assert "Fri 25 Dec 2026, 08:00 Thu 24 Dec 2026, 08:00" in page, "an administrator sees nobody's bottles"
        page = text_of(here.seat(Role.ADMINISTRATOR, Role.DOCTOR).get("/office/closures/plan", params=DAYS))
        assert "Fri 25 Dec 2026, 08:00 0 Fri 25 Dec 2026 Thu 24 Dec 2026, 08:00" in page
        assert "09:00 1 Sat 26 Dec 2026, 09:00" in page
        assert (times(here, without), cases(here)) == (["Fri 25 08:00"], []), "nothing is done yet"

    def test_promises_no_place_twice(self, here: Desks) -> None:
        for _ in range(4):
            booked(here, CHRISTMAS)
        for _ in range(2):
            booked(here, EVE)
        with here.database.reading() as session:
            site = place(session, here.place.site_id)
            found = plan(session, site=site, first_day=CHRISTMAS, last_day=CHRISTMAS, at=here.place.now)
        clocks = sorted(f"{each.way.starts_at.astimezone(KL):%d %H:%M}" for each in found if each.way.starts_at)
        assert clocks == ["24 07:45", "24 07:45", "24 08:00", "24 08:00"]

    def test_bad_days_come_back_with_all_that_was_typed(self, here: Desks) -> None:
        answer = here.administrator.get("/office/closures/plan", params={**DAYS, "last_day": "2026-12-01"})
        assert answer.status_code == 422
        assert "bad-closure" in answer.text
        assert 'value="Christmas"' in answer.text


class TestMoved:
    def test_who_needs_a_dose_comes_before_and_who_has_one_after_at_the_same_time(self, here: Desks) -> None:
        without, carrying = booked(here, CHRISTMAS, PHONE), booked(here, CHRISTMAS, "+60123456780")
        carries(here, carrying, 3)
        assert "Whoever was booked is moved and told, one after another" in closes(here)
        assert (times(here, without), times(here, carrying)) == (["Thu 24 08:00"], ["Sat 26 08:00"])
        assert (texts(here, PHONE), texts(here, "+60123456780")) == ([MOVED_BEFORE], [MOVED_AFTER])
        assert here.acts_about(without)[-1] == "moved"
        assert (to_do(here), findings(here.database, here.place.now)) == ([], [])

    def test_who_comes_every_day_keeps_the_other_days_and_is_told_so(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        with here.database.writing() as session:
            start = datetime.combine(EVE, time(7, 30), KL)
            scheduling.service.book(
                session, place_id=here.place.site_id, holder_id=client, starts_at=start, now=here.place.now, channel="x"
            )
        closes(here)
        assert times(here, client) == ["Thu 24 07:30"]
        assert texts(here, PHONE) == [MOVED_BEFORE.replace("08:00", "07:30")]
        assert cases(here) == [CaseState.BESIDE]

    def test_who_finds_no_place_keeps_theirs_is_asked_and_called(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        for day in (date(2026, 12, 22), date(2026, 12, 23), EVE):
            with here.database.writing() as session:
                scheduling.service.close(
                    session, place_id=here.place.site_id, first_day=day, last_day=day, reason="no water"
                )
        closes(here)
        assert times(here, client) == ["Fri 25 08:00"]
        assert "Reply SLOTS for other times." in texts(here, PHONE)[0]
        assert to_do(here) == [(tasks.NOWHERE, client)]
        assert "1 booking falls outside the hours" in text_of(here.administrator.get("/office/hours"))
        assert findings(here.database, here.place.now) == []

    def test_who_gets_no_texts_is_moved_and_called(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS)
        closes(here)
        assert times(here, client) == ["Thu 24 08:00"]
        assert to_do(here) == [(tasks.MOVED, client)]

    def test_nobody_is_moved_to_a_time_that_they_can_hardly_hear_of(self, here: Desks) -> None:
        tomorrow = here.today + timedelta(days=1)
        client = booked(here, tomorrow, PHONE)
        closes(here, first_day=str(tomorrow), last_day=str(tomorrow))
        assert times(here, client) == ["Wed 23 08:00"], "it is seven in the morning, and the place closes at ten"
        assert to_do(here) == [(tasks.NOWHERE, client)]

    def test_sent_again_it_is_done_once(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        for _ in range(3):
            closes(here)
        assert (times(here, client), len(texts(here, PHONE)), cases(here)) == (["Thu 24 08:00"], 1, [CaseState.MOVED])
        assert here.acts_about(client).count("moved") == 1

    def test_what_a_crash_left_open_the_clockwork_settles_once(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        with here.database.writing() as session:
            scheduling.service.close(
                session, place_id=here.place.site_id, first_day=CHRISTMAS, last_day=CHRISTMAS, reason="Christmas"
            )
        assert cases(here) == [CaseState.OPEN]
        for _ in range(2):
            clockwork.work_waiting_list(here.database, here.place.now)
        assert (times(here, client), texts(here, PHONE)) == (["Thu 24 08:00"], [MOVED_BEFORE])

    def test_nobody_waits_for_the_page_until_the_last_is_moved(self, here: Desks, monkeypatch) -> None:
        monkeypatch.setattr(opening, "WHILE_WAITED_FOR", -1.0)
        client = booked(here, CHRISTMAS, PHONE)
        closes(here)
        assert cases(here) == [CaseState.OPEN]
        clockwork.work_waiting_list(here.database, here.place.now)
        assert (times(here, client), texts(here, PHONE)) == (["Thu 24 08:00"], [MOVED_BEFORE])

    def test_who_moved_by_themselves_first_is_left_alone(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        with here.database.writing() as session:
            scheduling.service.close(
                session, place_id=here.place.site_id, first_day=CHRISTMAS, last_day=CHRISTMAS, reason="Christmas"
            )
        gives_up(here, client, AFTER)
        clockwork.work_waiting_list(here.database, here.place.now)
        assert (times(here, client), texts(here, PHONE), cases(here)) == (["Sat 26 08:00"], [], [CaseState.GONE])

    def test_holidays_that_are_ticked_move_too(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        here.administrator.post("/office/holidays", {"part": "14", "holiday": [str(CHRISTMAS)], "move": "yes"})
        assert times(here, client) == ["Thu 24 08:00"]

    def test_many_people_are_moved_within_seconds(self, here: Desks) -> None:
        site_id, now = here.place.site_id, here.place.now
        with here.database.writing() as session:
            hours = [Hours(weekday, time(7), time(10), 15, 40) for weekday in range(6)]
            scheduling.service.set_hours(session, place_id=site_id, hours=hours, from_day=here.today)
        people = [here.place.client() for _ in range(MANY)]
        with here.database.writing() as session:
            starts = [each.starts_at for each in scheduling.queries.slots_on(session, site_id, CHRISTMAS)]
            for number, client in enumerate(people):
                notifications.service.set_contact(
                    session,
                    vault=session.vault,
                    recipient_id=client,
                    phone=f"+6012{4_000_000 + number}",
                    language="en",
                    region="MY",
                    now=now,
                )
                scheduling.service.book(
                    session,
                    place_id=site_id,
                    holder_id=client,
                    starts_at=starts[number % len(starts)],
                    now=now,
                    channel="desk",
                )
        began = stopwatch.monotonic()
        closes(here)
        clockwork.work_waiting_list(here.database, now)
        took = stopwatch.monotonic() - began
        assert took < MANY, f"{took:.1f} s"
        assert cases(here) == [CaseState.MOVED] * MANY
        with here.database.reading() as session:
            assert len(scheduling.queries.bookings_on(session, site_id, EVE)) == MANY
            assert scheduling.queries.discrepancies(session) == []
        assert findings(here.database, here.place.now) == []


class TestOpenedAgain:
    def test_who_has_not_heard_yet_has_their_old_place_back_and_never_hears(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here)
        reopens(here, CHRISTMAS)
        sent(here)
        assert times(here, client) == ["Fri 25 08:00"]
        assert (to_do(here), findings(here.database, here.place.now)) == ([], [])
        with here.database.reading() as session:
            states = session.execute(text("SELECT kind, state FROM message")).all()
        assert [tuple(row) for row in states] == [("closure_moved", "expired")]

    def test_who_has_heard_keeps_the_new_time_and_is_told_that_the_day_is_open(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here)
        sent(here)
        reopens(here, CHRISTMAS)
        assert times(here, client) == ["Thu 24 08:00"]
        assert texts(here, PHONE) == [
            MOVED_BEFORE,
            "We are open on Fri 25 Dec after all. You are booked for Thu 24 Dec 08:00. To change it reply MOVE.",
        ]

    def test_weekly_times_are_whole_again(self, here: Desks) -> None:
        client = here.place.client()
        with here.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone=PHONE,
                language="en",
                region="MY",
                now=here.place.now,
            )
            scheduling.standing.set_weekly(
                session,
                place_id=here.place.site_id,
                holder_id=client,
                weekdays=range(6),
                at=time(8),
                now=here.place.now,
                channel="desk",
            )
        before = times(here, client)
        closes(here)
        assert cases(here) == [CaseState.BESIDE]
        assert "Fri 25 08:00" not in times(here, client)
        sent(here)
        reopens(here, CHRISTMAS)
        assert times(here, client) == before
        assert texts(here, PHONE)[-1] == "We are open after all. You are booked for Fri 25 Dec 08:00."
        assert findings(here.database, here.place.now) == []

    def test_who_gets_no_texts_is_asked_by_a_person(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS)
        closes(here)
        reopens(here, CHRISTMAS)
        assert times(here, client) == ["Thu 24 08:00"]
        assert (tasks.BACK, client) in to_do(here)

    def test_who_has_chosen_another_time_since_is_left_alone(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        closes(here)
        sent(here)
        gives_up(here, client, AFTER + timedelta(days=2))
        reopens(here, CHRISTMAS)
        assert times(here, client) == ["Mon 28 08:00"]
        assert texts(here, PHONE) == [MOVED_BEFORE]

    def test_opened_before_anybody_was_moved_nobody_is(self, here: Desks) -> None:
        client = booked(here, CHRISTMAS, PHONE)
        with here.database.writing() as session:
            scheduling.service.close(
                session, place_id=here.place.site_id, first_day=CHRISTMAS, last_day=CHRISTMAS, reason="Christmas"
            )
        reopens(here, CHRISTMAS)
        site_id = here.place.site_id
        with here.database.reading() as session:
            site = place(session, site_id)
        settle_open(here.database, site=site, actor=the_program(site_id), at=here.place.now)
        assert (times(here, client), cases(here), texts(here, PHONE)) == (["Fri 25 08:00"], [CaseState.GONE], [])


class TestNeverBreaks:
    def test_postgresql_closes_no_day_while_nobody_sees_to_its_bookings(self, here: Desks) -> None:
        booked(here, CHRISTMAS)
        day = {"first_day": CHRISTMAS, "last_day": CHRISTMAS}
        with pytest.raises(IntegrityError, match="nobody sees to its bookings"), here.database.writing() as session:
            session.add(Closure(place_id=here.place.site_id, **day, reason="x"))

    def test_a_case_is_settled_once(self, here: Desks) -> None:
        booked(here, CHRISTMAS)
        closes(here)
        for change in ("state = 'asked', moved_to = NULL", "settled_at = now()", "booking_id = moved_to"):
            with pytest.raises(IntegrityError), here.database.writing() as session:
                session.execute(text(f"UPDATE closure_case SET {change}"))
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text("DELETE FROM closure_case"))

    @pytest.mark.parametrize(
        ("damage", "found"),
        [
            ("UPDATE booking SET state = 'booked' WHERE state = 'moved'; DELETE FROM closure_case", "nobody sees to"),
            ("UPDATE closure_case SET moved_to = booking_id", "is not where it went"),
            (
                "UPDATE message SET reason_key = 'x' || id WHERE kind = 'closure_moved'",
                "has neither a text nor somebody who calls them",
            ),
        ],
        ids=["no case", "went elsewhere", "not told"],
    )
    def test_damage_is_found_and_named(self, here: Desks, damage: str, found: str) -> None:
        booked(here, CHRISTMAS, PHONE)
        closes(here)
        assert findings(here.database, here.place.now) == []
        with here.database.engine.begin() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql(damage)
        assert any(found in finding for finding in findings(here.database, here.place.now))
