from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

import scheduling.service
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.phone import tell_closure
from dispensary.phone.tasks import ASKS, NOT_RECEIVED, OPTED_OUT, SHUT, settle, tasks
from dispensary.refusals import NotThere
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, new_id
from notifications.models import Message, State
from tests.builders import clinic
from tests.dispensary.phones import Line, kl, line, listed

NOT_UNDERSTOOD = "Sorry, that was not understood. Reply MENU for what you can write."


SEE_US = "Please speak to us at the desk the next time you come."


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


class TestAskingForAHuman:
    def test_the_third_text_in_a_row_that_is_not_understood_does(self, phone_line: Line) -> None:
        client = phone_line.client()
        words = ("hrmpf", "grmbl", "wzzk", "xyzzy")
        assert [phone_line.says(client, word) for word in words] == [NOT_UNDERSTOOD, NOT_UNDERSTOOD, SEE_US, ""]
        assert listed(phone_line) == [(ASKS, client)]
        assert phone_line.says(client, "menu").startswith("Write BOOK, MOVE or DROP")
        assert phone_line.says(client, "hrmpf") == NOT_UNDERSTOOD

    def test_not_when_one_between_was_understood(self, phone_line: Line) -> None:
        client = phone_line.client()
        for word in ("hrmpf", "grmbl", "when", "wzzk", "xyzzy"):
            phone_line.says(client, word)
        assert listed(phone_line) == []

    def test_what_was_on_offer_still_is(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.says(client, "slots fri")
        for word in ("hrmpf", "grmbl", "wzzk"):
            phone_line.says(client, word)
        assert phone_line.says(client, "1").startswith("Booked: Fri 27 Nov at 07:00.")


class TestClosures:
    def closed(self, phone_line: Line, first: int, last: int) -> None:
        first_day, last_day = date(2026, 11, first), date(2026, 11, last)
        with phone_line.database.writing() as session:
            bookings = scheduling.service.close(
                session, place_id=phone_line.site.id, first_day=first_day, last_day=last_day, reason="flood"
            )
            tell_closure(
                session,
                site=phone_line.site,
                bookings=bookings,
                first_day=first_day,
                last_day=last_day,
                at=phone_line.at,
            )

    def test_everybody_booked_is_told_and_who_gets_no_texts_is_on_receptions_list(self, phone_line: Line) -> None:
        told, silent, elsewhere = phone_line.client(), phone_line.client(), phone_line.client()
        without_phone = phone_line.clinic.client()
        for client, hour in ((told, 7), (silent, 8), (without_phone, 9)):
            phone_line.book(client, kl(27, hour))
        phone_line.book(elsewhere, kl(28, 8))
        phone_line.says(silent, "STOP")
        self.closed(phone_line, 27, 27)
        assert [body for body in phone_line.bodies() if "closed" in body] == [
            "We will be closed on Fri 27 Nov. Please do not come then. Reply SLOTS for other times."
        ]
        assert sorted(task for task in listed(phone_line) if task[0] == SHUT) == sorted(
            [(SHUT, silent), (SHUT, without_phone)]
        )

    def test_several_days_are_one_text_to_somebody_with_several_bookings(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(26, 8))
        phone_line.book(client, kl(27, 8))
        self.closed(phone_line, 26, 27)
        self.closed(phone_line, 26, 27)
        assert phone_line.bodies() == [
            "We will be closed from Thu 26 Nov to Fri 27 Nov. Please do not come then. Reply SLOTS for other times."
        ]

    def test_the_time_that_is_chosen_after_it_is_where_the_booking_goes(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(27, 8))
        self.closed(phone_line, 27, 27)
        assert phone_line.says(client, "when") == "We are closed on Fri 27 Nov. Reply SLOTS for free times."
        assert phone_line.says(client, "slots").startswith("Free: Sat 28 Nov 1) 07:00 2) 07:15")
        assert phone_line.says(client, "2") == "Moved. You are now booked for Sat 28 Nov at 07:15."
        assert phone_line.booked(client) == [kl(28, 7, 15)]

    def test_a_closed_day_is_neither_offered_nor_confirmed(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(27, 8))
        self.closed(phone_line, 27, 27)
        other = phone_line.client()
        assert phone_line.says(other, "book fri 8") == "We are closed on Fri 27 Nov. Reply SLOTS for free times."
        assert phone_line.says(client, "ok") == "We are closed on Fri 27 Nov. Reply SLOTS for free times."


class TestTasks:
    def settled(self, phone_line: Line, client: ClientId, cause: str) -> None:
        with phone_line.database.writing() as session:
            settle(
                session,
                actor=Actor(phone_line.clinic.pharmacist.account_id, phone_line.site.id, frozenset({Role.RECEPTION})),
                client_id=client,
                cause=cause,
                resolution="Told at the desk",
                at=phone_line.at,
            )

    def lost(self, phone_line: Line, client: ClientId, state: State = State.UNDELIVERED) -> None:
        """A text to the client that ended like this just now."""
        answered = phone_line.receives(phone_line.numbers[client], "when")
        with phone_line.database.writing() as session:
            message = session.get_one(Message, answered.reply_id)
            message.state, message.provider_id = state, str(new_id())
            message.next_attempt_at, message.changed_at = None, phone_line.at

    def test_lost_texts_are_one_task_until_it_is_settled_and_a_later_one_is_another(self, phone_line: Line) -> None:
        client = phone_line.client()
        self.lost(phone_line, client)
        self.lost(phone_line, client, State.FAILED)
        assert listed(phone_line) == [(NOT_RECEIVED, client)]
        self.settled(phone_line, client, NOT_RECEIVED)
        assert listed(phone_line) == []
        phone_line.at += timedelta(minutes=1)
        self.lost(phone_line, client)
        assert listed(phone_line) == [(NOT_RECEIVED, client)]

    def test_a_text_that_was_lost_last_week_is_told_to_nobody(self, phone_line: Line) -> None:
        self.lost(phone_line, phone_line.client())
        phone_line.at += timedelta(days=8)
        assert listed(phone_line) == []

    @pytest.mark.parametrize(("words", "cause"), [(["STOP"], OPTED_OUT), (["hrmpf", "grmbl", "wzzk"], ASKS)])
    def test_a_task_is_settled_once_with_what_was_done(self, phone_line: Line, words: list[str], cause: str) -> None:
        client = phone_line.client()
        for word in words:
            phone_line.says(client, word)
        self.settled(phone_line, client, cause)
        with pytest.raises(NotThere):
            self.settled(phone_line, client, cause)
        assert listed(phone_line) == []
        with phone_line.database.reading() as session:
            assert session.scalars(select(Alert.resolution)).all() == ["Told at the desk"]

    def test_each_site_has_its_own(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.says(client, "STOP")
        elsewhere = clinic(phone_line.database, phone_line.at, code="SAT")
        with phone_line.database.reading() as session:
            assert tasks(session, site_id=elsewhere.site_id, at=phone_line.at) == []
