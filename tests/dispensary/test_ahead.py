"""Bookings ahead, by text and at reception: weekly times, the waiting list, held places, limits, closures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

import scheduling.queries
import scheduling.service
import scheduling.setting
import scheduling.waitlist
from dispensary.clients.groups import NEW, SHIFT, groups_of, note_groups, set_new_days
from dispensary.database import Database
from dispensary.phone import clockwork, front_desk, offers, regulars, tell_closure, tell_reopening
from dispensary.phone.tasks import NOT_BOOKED, OFFERED, tasks
from dispensary.refusals import Refused
from dispensary.staff.models import AuditEntry
from scheduling.rules import BookingRules
from scheduling.shares import held_of
from tests.dispensary.phones import KL, Line, kl, line, week

WEEKLY = "Booked every week from"


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


def acts(here: Line) -> list[str]:
    with here.database.reading() as session:
        return list(session.scalars(select(AuditEntry.act).order_by(AuditEntry.seq)))


def close(here: Line, day: date) -> None:
    with here.database.writing() as session:
        bookings = scheduling.service.close(session, place_id=here.site.id, first_day=day, last_day=day, reason="flood")
        tell_closure(session, site=here.site, bookings=bookings, first_day=day, last_day=day, at=here.at)


class TestWeeklyTimesByText:
    @pytest.mark.parametrize(
        ("text", "days"),
        [
            ("BOOK EVERY WEEKDAY 8.15", {0, 1, 2, 3, 4}),
            ("book every day 8.15", {0, 1, 2, 3, 4, 5}),
            ("book every mon and fri at 8.15", {0, 4}),
            ("tempah setiap isnin 8.15", {0}),
            ("每个工作日8点15分 预约", {0, 1, 2, 3, 4}),
            ("预约 每周一 8点15分", {0}),
        ],
    )
    def test_are_set_in_three_languages(self, here: Line, text: str, days: set[int]) -> None:
        client = here.client()
        assert here.says(client, text).startswith(WEEKLY), text
        assert {at.weekday() for at in here.booked(client)} == days
        assert {(at.hour, at.minute) for at in here.booked(client)} == {(8, 15)}

    def test_one_day_is_dropped_and_all_are_ended(self, here: Line) -> None:
        client = here.client()
        assert "Mon-Fri at 08:15" in here.says(client, "BOOK EVERY WEEKDAY 8:15")
        before = len(here.booked(client))
        assert here.says(client, "DROP FRI").startswith("Your booking for Fri 27 Nov")
        assert len(here.booked(client)) == before - 1
        assert here.says(client, "DROP ALL") == "Your weekly times are ended. To book again reply BOOK."
        assert here.booked(client) == []
        assert {"weekly times set by text", "weekly times ended by text"} <= set(acts(here))

    def test_a_guess_is_confirmed_first(self, here: Line) -> None:
        client = here.client()
        assert here.says(client, "book evry weekday 8.15") == "Book Mon-Fri at 08:15 every week? Reply OK to book it."
        assert here.booked(client) == []
        assert here.says(client, "OK").startswith(WEEKLY)

    def test_without_a_time_it_is_asked_for_and_where_there_is_no_slot_others_are_offered(self, here: Line) -> None:
        client = here.client()
        assert "BOOK EVERY WEEKDAY 7.30" in here.says(client, "BOOK EVERY WEEKDAY")
        assert here.says(client, "BOOK EVERY WEEKDAY 15.00").startswith("Free:")
        assert here.booked(client) == []

    def test_a_near_day_that_is_full_is_told_once_and_a_far_one_not_yet(self, here: Line) -> None:
        client = here.client()
        here.fill(kl(26, 8))
        here.fill(kl(17, 8, month=12))
        here.says(client, "BOOK EVERY THU 8")
        for _ in range(2):
            clockwork.book_weekly_times(here.database, here.site, here.at)
        full = [body for body in here.bodies() if body.startswith("Your weekly time")]
        assert full == ["Your weekly time Thu 26 Nov at 08:00 could not be booked. Reply SLOTS for other times."]

    def test_who_gets_no_texts_is_called(self, here: Line) -> None:
        client = here.clinic.client()
        here.fill(kl(26, 8))
        with here.database.writing() as session:
            regulars.begin_for(
                session,
                actor=here.clinic.pharmacist,
                site=here.site,
                client_id=client,
                weekdays=[3],
                clock=kl(26, 8).time(),
                at=here.at,
            )
        with here.database.reading() as session:
            assert [each.cause for each in tasks(session, site_id=here.site.id, at=here.at)] == [NOT_BOOKED]


class TestTheWaitingListByText:
    @pytest.fixture
    def full(self, here: Line) -> list[object]:
        return [here.book(here.client(), kl(27, 8)) for _ in range(2)]

    def drop(self, here: Line, booking: object) -> None:
        with here.database.writing() as session:
            front_desk.drop_for(
                session, actor=here.clinic.pharmacist, site=here.site, booking_id=booking.id, at=here.at
            )

    def test_the_first_in_line_takes_the_place_and_the_second_hears_nothing(self, here: Line, full) -> None:
        one, two = here.client(), here.client()
        listed = "You are on the list for Fri 27 Nov. When a place is free, you get a text."
        assert here.says(one, "LIST FRI 8") == listed
        here.at += timedelta(minutes=1)
        assert here.says(two, "BOOK FRI 8").startswith("Fri 27 Nov at 08:00 is full. Free:")
        assert here.says(two, "LIST") == listed
        self.drop(here, full[0])
        kept = [body for body in here.bodies() if body.startswith("A place is kept")]
        assert kept == ["A place is kept for you: Fri 27 Nov at 08:00. Reply TAKE before 07:31 to have it."]
        assert here.says(two, "TAKE").startswith("That place is not kept")
        assert here.says(one, "take").startswith("Booked: Fri 27 Nov at 08:00.")
        assert here.booked(one) == [kl(27, 8)]

    @pytest.mark.parametrize("yes", ["OK", "TAKE", "ambil", "接受"])
    def test_yes_is_said_in_several_ways(self, here: Line, full, yes: str) -> None:
        client = here.client()
        here.says(client, "LIST FRI 8")
        self.drop(here, full[0])
        here.says(client, yes)
        assert here.booked(client) == [kl(27, 8)]

    def test_no_leaves_it_to_the_next_who_is_told(self, here: Line, full) -> None:
        one, two = here.client(), here.client()
        here.says(one, "LIST FRI 8")
        here.says(two, "LIST FRI 8")
        self.drop(here, full[0])
        assert here.says(one, "no") == "All right, somebody else may have it. You stay on the list."
        assert len([body for body in here.bodies() if body.startswith("A place is kept")]) == 2
        assert here.says(two, "OK").startswith("Booked:")

    def test_the_clockwork_passes_an_unanswered_offer_on(self, here: Line, full) -> None:
        one, two = here.client(), here.client()
        here.says(one, "LIST FRI 8")
        here.says(two, "LIST FRI 8")
        self.drop(here, full[0])
        here.at += timedelta(minutes=31)
        clockwork.work_waiting_list(here.database, here.at)
        assert here.says(one, "TAKE").startswith("That place is not kept")
        assert here.says(two, "TAKE").startswith("Booked:")

    def test_what_is_free_is_offered_and_nobody_waits(self, here: Line) -> None:
        assert here.says(here.client(), "LIST FRI 8").startswith("Free: Fri 27 Nov")

    def test_who_gets_no_texts_is_called_and_reception_takes_it(self, here: Line, full) -> None:
        client = here.clinic.client()
        desk = {"actor": here.clinic.pharmacist, "site": here.site, "at": here.at}
        with here.database.writing() as session:
            offers.ask_for(session, client_id=client, day=date(2026, 11, 27), starts_at=kl(27, 8), **desk)
        self.drop(here, full[0])
        with here.database.reading() as session:
            assert [each.cause for each in tasks(session, site_id=here.site.id, at=here.at)] == [OFFERED]
            (waits,) = offers.line(session, site=here.site, at=here.at)
        with here.database.writing() as session:
            offers.take_for(session, offer_id=waits.offer.id, **desk)
        assert here.booked(client) == [kl(27, 8)]
        assert "took an offered place" in acts(here)


class TestClosures:
    def test_a_kept_place_is_taken_back_its_holder_told_and_offered_again_when_it_opens(self, here: Line) -> None:
        booking = here.book(here.client(), kl(27, 8))
        here.book(here.client(), kl(27, 8))
        waits, weekly = here.client(), here.client()
        here.says(waits, "LIST FRI 8")
        with here.database.writing() as session:
            front_desk.drop_for(
                session, actor=here.clinic.pharmacist, site=here.site, booking_id=booking.id, at=here.at
            )
        day = date(2026, 11, 27)
        close(here, day)
        assert here.says(weekly, "BOOK EVERY FRI 9").startswith(WEEKLY)
        assert kl(27, 9) not in here.booked(weekly)
        assert here.says(waits, "TAKE").startswith("That place is not kept")
        closed = "We will be closed on Fri 27 Nov. Please do not come then. Reply SLOTS for other times."
        assert here.bodies().count(closed) == 2
        with here.database.writing() as session:
            closure_id = scheduling.queries.newest_closure(session, here.site.id, day, day)
            opened = scheduling.service.reopen(
                session, place_id=here.site.id, closure_id=closure_id, today=here.site.dose_day(here.at)
            )
            tell_reopening(session, site=here.site, closure_id=closure_id, reopened=opened, at=here.at)
        assert kl(27, 9) in here.booked(weekly)
        with here.database.reading() as session:
            assert scheduling.queries.discrepancies(session) == []


class TestHeldPlacesAndLimits:
    def test_a_client_has_the_places_that_are_held_for_them_and_others_see_them_not(self, here: Line) -> None:
        shift, other = here.client(), here.client()
        with here.database.writing() as session:
            hours = [replace(each, held=held_of({SHIFT: 1})) for each in week()]
            scheduling.service.set_hours(session, place_id=here.site.id, hours=hours, from_day=date(2026, 11, 24))
            note_groups(session, actor=here.clinic.doctor, client_id=shift, words=[SHIFT], at=here.at)
        here.fill(kl(27, 8), 1)
        assert here.says(other, "BOOK FRI 8").startswith("Fri 27 Nov at 08:00 is full.")
        assert here.says(shift, "BOOK FRI 8").startswith("Booked:")

    def test_reception_gives_a_held_place_by_an_act_that_is_written_down(self, here: Line) -> None:
        client = here.client()
        with here.database.writing() as session:
            hours = [replace(each, held=held_of({"walk-in": 2})) for each in week()]
            scheduling.service.set_hours(session, place_id=here.site.id, hours=hours, from_day=date(2026, 11, 24))
        desk = {"actor": here.clinic.pharmacist, "site": here.site, "client_id": client, "starts_at": kl(27, 8)}
        with pytest.raises(Refused) as refused, here.database.writing() as session:
            front_desk.book_for(session, at=here.at, **desk)
        assert refused.value.first.code == "slot-held"
        with here.database.writing() as session:
            front_desk.book_for(session, at=here.at, give=True, **desk)
        assert front_desk.GAVE_HELD in acts(here)
        assert here.booked(client) == [kl(27, 8)]

    def test_who_is_new_follows_from_the_episode_and_the_sites_own_figure(self, here: Line) -> None:
        client = here.client()
        today = here.site.dose_day(here.at)
        with here.database.writing() as session:
            said = [
                NEW in groups_of(session, client, site_id=here.site.id, today=today + timedelta(days=days))
                for days in (0, 400)
            ]
            set_new_days(session, site_id=here.site.id, days=0)
            said.append(NEW in groups_of(session, client, site_id=here.site.id, today=today))
        assert said[1:] == [False, False]

    def test_a_limit_is_said_by_text(self, here: Line) -> None:
        client = here.client()
        with here.database.writing() as session:
            scheduling.setting.set_booking_rules(session, place_id=here.site.id, rules=BookingRules(most_open=1))
        assert here.says(client, "BOOK FRI 8").startswith("Booked:")
        assert here.says(client, "BOOK SAT 8").startswith("No more bookings can be open at once.")
        assert [at.astimezone(KL) for at in here.booked(client)] == [kl(27, 8)]
