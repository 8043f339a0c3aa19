from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

import notifications.service
import scheduling.service
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.phone import answer, tell_closure
from dispensary.phone import rules as phone_rules
from dispensary.phone.tasks import ASKS, NOT_RECEIVED, OPTED_OUT, SHUT, WHOSE, settle, tasks
from dispensary.refusals import NotThere
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, new_id
from notifications.discretion import reveals
from notifications.gateways import Inbound
from notifications.models import Inbound as InboundRow
from notifications.models import Message, State
from notifications.words import LEXICONS
from scheduling.models import Booking
from tests.builders import clinic
from tests.dispensary.phones import KL, Line, kl, line

STRANGER = "+60111111111"
UNKNOWN = "This number is not known here. Nothing was changed."
NOT_UNDERSTOOD = "Sorry, that was not understood. Reply MENU for what you can write."
NOTHING_CHANGED = "Nothing was changed. Reply MENU for what you can write."
SEE_US = "Please speak to us at the desk the next time you come."


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


CONVERSATIONS: dict[str, list[tuple[str, str]]] = {
    "a day and a time are booked, and the same text again is answered like the first": [
        ("BOOK FRI 7", "Booked: Fri 27 Nov at 07:00. To change it reply MOVE, to give it up DROP."),
        ("book friday 7am please", "Booked: Fri 27 Nov at 07:00. To change it reply MOVE, to give it up DROP."),
        ("WHEN", "You are booked for Fri 27 Nov 07:00. Reply MOVE or DROP to change."),
    ],
    "a day and a time alone are the wish to book": [
        ("fri 7.30", "Booked: Fri 27 Nov at 07:30. To change it reply MOVE, to give it up DROP."),
    ],
    "a day without a time is answered with its free times, which are chosen by number": [
        ("book sat", "Free: Sat 28 Nov 1) 07:00 2) 07:45 3) 08:30 4) 09:00 5) 09:45. Reply with a number."),
        ("4", "Booked: Sat 28 Nov at 09:00. To change it reply MOVE, to give it up DROP."),
    ],
    "a time may be written in place of its number": [
        ("slots sat", "Free: Sat 28 Nov 1) 07:00 2) 07:45 3) 08:30 4) 09:00 5) 09:45. Reply with a number."),
        ("8.30", "Booked: Sat 28 Nov at 08:30. To change it reply MOVE, to give it up DROP."),
    ],
    "another time of the offered day may be written too": [
        ("slots sat", "Free: Sat 28 Nov 1) 07:00 2) 07:45 3) 08:30 4) 09:00 5) 09:45. Reply with a number."),
        ("8.15", "Booked: Sat 28 Nov at 08:15. To change it reply MOVE, to give it up DROP."),
    ],
    "a time without a day is confirmed for its next day": [
        ("book 8.30", "Book Tue 24 Nov at 08:30? Reply OK to book it."),
        ("ok", "Booked: Tue 24 Nov at 08:30. To change it reply MOVE, to give it up DROP."),
    ],
    "an hour that is asked for may be a digit alone": [
        ("BOOK", "For which day and time? For example FRI 7.30."),
        ("8", "Book Tue 24 Nov at 08:00? Reply OK to book it."),
        ("no", NOTHING_CHANGED),
        ("when", "You have nothing booked. Reply SLOTS for free times."),
    ],
    "a time at which there is no slot is answered with the nearest ones": [
        ("book fri 7.20", "Free: Fri 27 Nov 1) 07:00 2) 07:15 3) 07:30. Reply with a number."),
        ("2", "Booked: Fri 27 Nov at 07:15. To change it reply MOVE, to give it up DROP."),
    ],
    "a time that is over is answered with the next ones": [
        ("book today 6.45", "Free: Tue 24 Nov 1) 07:00 2) 07:15 3) 07:30. Reply with a number."),
    ],
    "a day of rest is said to be one, and SLOTS then shows the days around it": [
        ("book sun 8", "We are closed on Sun 29 Nov. Reply SLOTS for free times."),
        ("slots", "Free: Mon 30 Nov 1) 07:00 2) 07:15 3) 07:30. Reply with a number."),
        ("1", "Booked: Mon 30 Nov at 07:00. To change it reply MOVE, to give it up DROP."),
    ],
    "a day beyond the horizon cannot be booked yet": [
        ("book 2027-11-26 7", "Fri 26 Nov at 07:00 cannot be booked. Reply SLOTS for free times."),
        ("slots", "Free: Sat 23 Jan 1) 07:00 2) 07:15 3) 07:30. Reply with a number."),
    ],
    "a second booking on one day is not made; MOVE then takes the first to the wanted time": [
        ("book fri 7", "Booked: Fri 27 Nov at 07:00. To change it reply MOVE, to give it up DROP."),
        ("book fri 9", "You are already booked for Fri 27 Nov at 07:00. To change it reply MOVE."),
        ("MOVE", "Moved. You are now booked for Fri 27 Nov at 09:00."),
    ],
    "a booking is moved to a day by choosing among its times, those near the old time first": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("move to sat", "Free: Sat 28 Nov 1) 07:30 2) 07:45 3) 08:00 4) 08:15 5) 08:30. Reply with a number."),
        ("5", "Moved. You are now booked for Sat 28 Nov at 08:30."),
    ],
    "a booking is moved to another time of its day": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("move 9.45", "Moved. You are now booked for Fri 27 Nov at 09:45."),
    ],
    "MOVE alone asks where to, and a day that follows is where": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("move", "For which day and time? For example FRI 7.30."),
        ("sat 9", "Moved. You are now booked for Sat 28 Nov at 09:00."),
    ],
    "of several bookings the one that moves is asked for, and the time is remembered": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("book sat 8", "Booked: Sat 28 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("move thu 9", "Which one? Fri 27 Nov 1) 08:00; Sat 28 Nov 2) 08:00. Reply with a number."),
        ("2", "Moved. You are now booked for Thu 26 Nov at 09:00."),
    ],
    "of several bookings the day tells which one is to be dropped": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("book sat 8", "Booked: Sat 28 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("drop sat", "Your booking for Sat 28 Nov at 08:00 is dropped. To book again reply BOOK."),
        ("when", "You are booked for Fri 27 Nov 08:00. Reply MOVE or DROP to change."),
    ],
    "of several bookings the one to be dropped is asked for": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("book sat 8", "Booked: Sat 28 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("drop", "Which one? Fri 27 Nov 1) 08:00; Sat 28 Nov 2) 08:00. Reply with a number."),
        ("9", "Which one? Fri 27 Nov 1) 08:00; Sat 28 Nov 2) 08:00. Reply with a number."),
        ("fri", "Your booking for Fri 27 Nov at 08:00 is dropped. To book again reply BOOK."),
    ],
    "a misspelt DROP drops nothing until it is confirmed": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("drp", "Give up your booking for Fri 27 Nov at 08:00? Reply OK to drop it."),
        ("when", "You are booked for Fri 27 Nov 08:00. Reply MOVE or DROP to change."),
        ("OK", "Your booking for Fri 27 Nov at 08:00 is dropped. To book again reply BOOK."),
    ],
    "a misspelt MOVE moves nothing until it is confirmed": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("mvoe sat 8", "Move your booking to Sat 28 Nov at 08:00? Reply OK to move it."),
        ("no", NOTHING_CHANGED),
        ("ok", "Thank you. See you on Fri 27 Nov at 08:00."),
    ],
    "a guess at a day that is booked already is not booked again": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        (
            "my bus comes late on friday at 9",
            "You are already booked for Fri 27 Nov at 08:00. To change it reply MOVE.",
        ),
    ],
    "there is nothing to move, drop or keep": [
        ("move fri 8", "You have nothing booked. Reply SLOTS for free times."),
        ("drop", "You have nothing booked. Reply SLOTS for free times."),
        ("ok", "You have nothing booked. Reply SLOTS for free times."),
        ("3", NOTHING_CHANGED),
    ],
    "a sentence with a word that ends texts changes nothing": [
        ("book fri 8", "Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."),
        ("please cancel friday", NOT_UNDERSTOOD),
        ("when", "You are booked for Fri 27 Nov 08:00. Reply MOVE or DROP to change."),
    ],
    "in Malay": [
        ("lang ms", "Mesej kini dalam Bahasa Melayu."),
        ("tempah jumaat 7", "Ditempah: Jum 27 Nov jam 07:00. Balas TUKAR untuk menukar, BATAL untuk membatalkan."),
        ("tukar ke sabtu", "Kosong: Sab 28 Nov 1) 07:00 2) 07:15 3) 07:30 4) 07:45 5) 08:00. Balas dengan nombor."),
        ("3", "Ditukar. Tempahan anda kini Sab 28 Nov jam 07:30."),
        ("bila", "Tempahan anda: Sab 28 Nov 07:30. Balas TUKAR atau BATAL untuk mengubah."),
        ("btal", "Batalkan tempahan Sab 28 Nov jam 07:30? Balas OK untuk membatalkan."),
        ("ya", "Tempahan anda Sab 28 Nov jam 07:30 dibatalkan. Balas TEMPAH untuk tempah semula."),
        ("kosong ahad", "Kami tutup pada Ahd 29 Nov. Balas KOSONG untuk masa kosong."),
    ],
    "in Chinese": [
        ("中文", "短信将使用中文。"),
        ("预约周五7点", "已预约：11月27日周五 07:00。回复“改期”更改，回复“取消”放弃。"),
        ("改到周六", "空位：11月28日周六 1) 07:00 2) 07:15 3) 07:30 4) 07:45 5) 08:00。请回复数字。"),
        ("三", "已改期。您现在的预约是11月28日周六 07:30。"),
        ("查询", "您的预约：11月28日周六 07:30。回复“改期”或“取消”更改。"),
        ("取消预约", "您11月28日周六 07:30的预约已取消。回复“预约”重新预约。"),
        ("星期天8点", "11月29日周日不开门。回复“空位”查看可约时间。"),
    ],
}


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_a_conversation(phone_line: Line, conversation: list[tuple[str, str]]) -> None:
    client = phone_line.client()
    heard = [(text, phone_line.says(client, text)) for text, _ in conversation]
    assert heard == conversation
    assert [body for body in phone_line.bodies() if reveals(body)] == []


class TestFullSlots:
    def test_a_full_slot_is_answered_with_the_nearest_free_ones_and_a_digit_takes_one(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.fill(kl(27, 8))
        assert phone_line.says(client, "book fri 8") == (
            "Fri 27 Nov at 08:00 is full. Free: Fri 27 Nov 1) 07:30 2) 07:45 3) 08:15. Reply with a number."
        )
        phone_line.says(client, "2")
        assert phone_line.booked(client) == [kl(27, 7, 45)]

    def test_a_place_that_was_lost_between_offer_and_choice_is_offered_elsewhere(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.says(client, "slots fri 8")
        phone_line.fill(kl(27, 8))
        assert phone_line.says(client, "3") == (
            "Fri 27 Nov at 08:00 is full. Free: Fri 27 Nov 1) 07:30 2) 07:45 3) 08:15. Reply with a number."
        )

    def test_a_move_into_a_full_slot_keeps_the_old_one_and_a_digit_moves_it(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(26, 8))
        phone_line.fill(kl(27, 8))
        assert "is full" in phone_line.says(client, "move fri 8")
        assert phone_line.booked(client) == [kl(26, 8)]
        assert phone_line.says(client, "1") == "Moved. You are now booked for Fri 27 Nov at 07:30."

    def test_a_place_full_for_two_months_says_that_one_may_come_all_the_same(
        self, database: Database, now: datetime
    ) -> None:
        phone_line = line(database, now)
        with database.writing() as session:
            scheduling.service.close(
                session,
                place_id=phone_line.site.id,
                first_day=date(2026, 11, 24),
                last_day=date(2027, 3, 1),
                reason="x",
            )
        client = phone_line.client()
        answered = phone_line.says(client, "slots")
        assert answered == "No free time was found. You can always come without a booking while we are open."

    def test_the_last_place_goes_to_one_of_many_who_text_at_once_and_the_others_are_offered_other_times(
        self, phone_line: Line
    ) -> None:
        clients = [phone_line.client() for _ in range(8)]
        phone_line.fill(kl(27, 8), capacity=1)
        together = Barrier(len(clients))

        def texts(client: ClientId) -> str:
            together.wait()
            return phone_line.says(client, "book fri 8")

        with ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(texts, clients))
        assert sum(answer.startswith("Booked: Fri 27 Nov at 08:00") for answer in answers) == 1
        assert sum(answer.startswith("Fri 27 Nov at 08:00 is full. Free: ") for answer in answers) == 7
        assert sum(bool(phone_line.booked(client)) for client in clients) == 1


class TestReceiving:
    def test_the_same_message_again_changes_nothing_and_has_the_first_outcome(self, phone_line: Line) -> None:
        client = phone_line.client()
        number = phone_line.numbers[client]
        first = phone_line.receives(number, "book fri 8", message_id="SM1")
        phone_line.says(client, "drop")
        again = phone_line.receives(number, "book fri 8", message_id="SM1")
        assert (again.outcome, again.reply_id, again.repeated) == ("booked", first.reply_id, True)
        assert phone_line.booked(client) == []
        assert len(phone_line.bodies()) == 2

    def test_two_deliveries_at_once_book_once(self, phone_line: Line) -> None:
        client = phone_line.client()
        together = Barrier(6)

        def deliver(_: int) -> bool:
            together.wait()
            return phone_line.receives(phone_line.numbers[client], "book fri 8", message_id="SM1").repeated

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(deliver, range(6))) == [False, True, True, True, True, True]
        assert len(phone_line.bodies()) == 1

    def test_nothing_is_done_when_the_reply_cannot_be_queued(
        self, phone_line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = phone_line.client()

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("the outbox is gone")

        monkeypatch.setattr(notifications.service, "queue_reply", broken)
        with pytest.raises(RuntimeError):
            phone_line.receives(phone_line.numbers[client], "book fri 8")
        assert phone_line.booked(client) == []

    def test_what_a_text_changed_is_in_the_audit_trail(self, phone_line: Line) -> None:
        client = phone_line.client()
        for written in ("book fri 8", "move 9", "drop", "when", "slots"):
            phone_line.says(client, written)
        with phone_line.database.reading() as session:
            acts = session.scalars(
                select(AuditEntry.act).where(AuditEntry.act.like("% by text")).order_by(AuditEntry.seq)
            ).all()
        assert acts == ["booked by text", "moved by text", "dropped by text"]

    def test_a_stranger_is_told_that_the_number_is_unknown_and_changes_nothing(self, phone_line: Line) -> None:
        phone_line.client()
        answers = [phone_line.body(phone_line.receives(STRANGER, text)) for text in ("book fri 8", "when", "menu")]
        assert answers == [UNKNOWN] * 3
        with phone_line.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Booking)) == 0

    def test_two_machines_that_answer_each_other_come_to_an_end(self, phone_line: Line) -> None:
        for _ in range(9):
            phone_line.receives(STRANGER, UNKNOWN)
        client = phone_line.client()
        for _ in range(9):
            phone_line.says(client, NOT_UNDERSTOOD.replace("MENU", ""))
        assert len(phone_line.bodies()) == 6

    def test_a_picture_without_words_is_not_understood(self, phone_line: Line) -> None:
        assert phone_line.says(phone_line.client(), "") == NOT_UNDERSTOOD


class TestReminders:
    def reminded(self, phone_line: Line, client: ClientId, starts_at: datetime) -> None:
        with phone_line.database.writing() as session:
            notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client,
                kind="booking_reminder",
                reason_key=f"reminder:{client}:{starts_at}",
                fields={"at": starts_at},
                zone=KL,
                now=phone_line.at,
                valid_until=starts_at,
            )

    def test_ok_keeps_what_a_reminder_is_about(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(25, 8))
        self.reminded(phone_line, client, kl(25, 8))
        assert phone_line.says(client, "ok") == "Thank you. See you on Wed 25 Nov at 08:00."
        assert phone_line.booked(client) == [kl(25, 8)]

    def test_ok_to_a_reminder_never_drops_what_was_to_be_confirmed_before_it(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(25, 8))
        assert phone_line.says(client, "drp").startswith("Give up your booking")
        self.reminded(phone_line, client, kl(25, 8))
        assert phone_line.says(client, "OK") == "Thank you. See you on Wed 25 Nov at 08:00."
        assert phone_line.booked(client) == [kl(25, 8)]

    def test_an_ok_that_comes_hours_later_confirms_nothing(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(27, 8))
        phone_line.says(client, "drp")
        phone_line.at += timedelta(hours=1, minutes=1)
        assert phone_line.says(client, "OK") == "Thank you. See you on Fri 27 Nov at 08:00."

    def test_somebody_who_is_late_can_still_move(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(24, 7))
        phone_line.at = kl(24, 7, 20)
        assert phone_line.says(client, "move 9") == "Moved. You are now booked for Tue 24 Nov at 09:00."

    def test_who_has_been_here_today_is_offered_other_days(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(24, 7))
        with phone_line.database.writing() as session:
            scheduling.service.check_in(session, place_id=phone_line.site.id, holder_id=client, now=phone_line.at)
        assert phone_line.says(client, "book today 9").startswith("Free: Wed 25 Nov 1) 07:00")


class TestOptingOut:
    @pytest.mark.parametrize("word", ["STOP", "cancel", "Unsubscribe.", "berhenti", "停止"])
    def test_it_changes_no_booking_and_is_on_receptions_list(self, phone_line: Line, word: str) -> None:
        client = phone_line.client()
        phone_line.book(client, kl(27, 8))
        answered = phone_line.receives(phone_line.numbers[client], word)
        assert (answered.outcome, answered.reply_id) == ("opted_out", None)
        assert phone_line.booked(client) == [kl(27, 8)]
        assert listed(phone_line) == [(OPTED_OUT, client)]

    def test_the_gateways_own_word_for_it_counts(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.receives(phone_line.numbers[client], "basta", opt_out_type="STOP")
        assert listed(phone_line) == [(OPTED_OUT, client)]

    def test_texts_after_it_are_done_and_not_answered_until_start(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.says(client, "STOP")
        assert phone_line.says(client, "book fri 8") == ""
        assert phone_line.booked(client) == [kl(27, 8)]
        assert phone_line.says(client, "START").startswith("You will get texts about your bookings here.")
        assert phone_line.says(client, "when").startswith("You are booked for Fri 27 Nov 08:00.")
        assert listed(phone_line) == []


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


class TestSharedPhones:
    @pytest.fixture
    def couple(self, phone_line: Line) -> tuple[ClientId, ClientId]:
        first = phone_line.client()
        return first, phone_line.client(phone_line.numbers[first])

    def test_whose_booking_it_is_is_not_guessed(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        assert phone_line.says(couple[0], "book fri 8") == SEE_US
        assert (phone_line.booked(couple[0]), phone_line.booked(couple[1])) == ([], [])
        assert listed(phone_line) == [(WHOSE, client) for client in sorted(couple)]

    def test_a_card_number_says_for_whom(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        for client in couple:
            written = f"BOOK FRI 8 {phone_line.number(client).lower()}"
            assert phone_line.says(client, written).startswith("Booked: Fri 27 Nov at 08:00.")
        assert [phone_line.booked(client) for client in couple] == [[kl(27, 8)], [kl(27, 8)]]

    def test_what_is_offered_to_one_is_chosen_by_the_same(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        phone_line.says(couple[1], f"slots fri {phone_line.number(couple[1])}")
        phone_line.says(couple[1], "2")
        assert [len(phone_line.booked(client)) for client in couple] == [0, 1]

    def test_a_choice_among_free_times_may_say_for_whom(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        phone_line.says(couple[0], "slots fri")
        assert phone_line.says(couple[0], "1") == SEE_US
        assert phone_line.says(couple[0], f"1 {phone_line.number(couple[0])}").startswith("Booked: Fri 27 Nov at 07:00")

    def test_bookings_are_told_apart_by_their_time_as_far_as_they_can_be(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        phone_line.book(couple[0], kl(27, 8))
        phone_line.book(couple[1], kl(27, 9))
        assert phone_line.says(couple[0], "when").startswith("You are booked for Fri 27 Nov 08:00 09:00.")
        assert phone_line.says(couple[0], "drop fri 9").startswith("Your booking for Fri 27 Nov at 09:00 is dropped.")
        phone_line.book(couple[1], kl(27, 8))
        assert phone_line.says(couple[0], "drop fri 8") == SEE_US
        assert phone_line.booked(couple[0]) == phone_line.booked(couple[1]) == [kl(27, 8)]

    def test_a_question_about_the_ones_booking_is_not_answered_for_the_other(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        first, second = couple
        phone_line.book(first, kl(27, 8))
        phone_line.book(second, kl(28, 8))
        phone_line.says(first, f"drp {phone_line.number(first)}")
        assert (
            phone_line.says(second, f"ok {phone_line.number(second)}") == "Thank you. See you on Sat 28 Nov at 08:00."
        )
        assert (phone_line.booked(first), phone_line.booked(second)) == ([kl(27, 8)], [kl(28, 8)])

    def test_those_who_go_to_different_places_are_not_taken_for_each_other(self, phone_line: Line) -> None:
        first = phone_line.client()
        elsewhere = clinic(phone_line.database, phone_line.at, code="SAT")
        other = elsewhere.client()
        with phone_line.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=other,
                phone=phone_line.numbers[first],
                language="en",
                region="MY",
                now=phone_line.at,
            )
        assert phone_line.says(first, "slots fri") == SEE_US
        assert phone_line.says(first, f"slots fri {phone_line.number(first)}").startswith("Free: Fri 27 Nov 1) 07:00")

    def test_stop_counts_for_all_who_share_it(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        phone_line.says(couple[0], "STOP")
        assert listed(phone_line) == [(OPTED_OUT, client) for client in sorted(couple)]


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


def listed(phone_line: Line) -> list[tuple[str, ClientId]]:
    """What is on reception's list."""
    with phone_line.database.reading() as session:
        return [(task.cause, task.client_id) for task in tasks(session, site_id=phone_line.site.id, at=phone_line.at)]


WORDS = st.sampled_from(
    [
        *sorted({word for lexicon in LEXICONS.values() for word in lexicon.meanings}),
        "fri 7",
        "周五7点",
        "7.30",
        "28/11",
        "2",
        "9",
        "0",
        "99",
        "0001-01-01",
        "9999-12-31",
        "24:00",
        "am",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=5).map(" ".join),
    st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=6).map(" ".join),
)


class TestAnyText:
    @pytest.fixture
    def numbers(self, phone_line: Line) -> list[str]:
        first = phone_line.client()
        shared = phone_line.numbers[first]
        phone_line.client(shared)
        phone_line.book(first, kl(27, 8))
        own = [phone_line.client(language=language) for language in ("en", "ms", "zh_Hans")]
        return [shared, *(phone_line.numbers[client] for client in own)]

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        written=st.lists(TEXTS, min_size=1, max_size=4), who=st.integers(0, 4), phone=st.text(min_size=1, max_size=20)
    )
    @example(written=["book 9999-12-31 23:59", "0001-01-01 7", "1"], who=1, phone="x")
    @example(written=["\x00", "book fri 7\x00", "2"], who=2, phone="\x00")
    def test_from_any_number_is_answered_without_revealing_anything(
        self, phone_line: Line, numbers: list[str], written: list[str], who: int, phone: str
    ) -> None:
        if not phone.strip():
            phone = STRANGER
        for each in written:
            answered = phone_line.receives(numbers[who] if who < len(numbers) else phone, each)
            body = phone_line.body(answered)
            assert reveals(body) == ""
            assert answered.outcome

    def test_leaves_the_slots_as_full_as_their_bookings_are_many(self, phone_line: Line, numbers: list[str]) -> None:
        for written in ("book fri 8", "move 9", "move sat", "1", "drop", "book mon 7", "book tue 7", "drop", "1"):
            for number in numbers:
                phone_line.receives(number, written)
        with phone_line.database.reading() as session:
            from scheduling.queries import discrepancies

            assert discrepancies(session) == []


def test_a_text_without_a_number_or_an_id_is_a_mistake_of_the_gateway(phone_line: Line) -> None:
    for inbound in (Inbound("SM1", " ", "book"), Inbound("", STRANGER, "book"), Inbound("a\x00b", STRANGER, "book")):
        with pytest.raises(ValueError), phone_line.database.writing() as session:
            answer(session, gateway="console", inbound=inbound, at=phone_line.at)


def test_a_text_that_came_in_is_kept_sealed_with_its_outcome(phone_line: Line) -> None:
    client = phone_line.client()
    phone_line.says(client, "book fri 8 for ahmad")
    with phone_line.database.reading() as session:
        assert session.scalars(select(InboundRow.outcome)).all() == ["asked"]
        kept = session.execute(
            text("SELECT i::text || (SELECT string_agg(c::text, '') FROM conversation c) FROM inbound i")
        )
        assert b"ahmad".hex() not in kept.scalar_one()


class TestRules:
    def test_an_hour_without_its_half_is_the_one_at_which_slots_start(self) -> None:
        afternoon = [kl(27, 14), kl(27, 15)]
        assert phone_rules.meant(time(2), afternoon, KL, either_half=True) == time(14)
        assert phone_rules.meant(time(2), afternoon, KL, either_half=False) == time(2)
        assert phone_rules.meant(time(2), [kl(27, 2), *afternoon], KL, either_half=True) == time(2)
        assert phone_rules.meant(time(5), afternoon, KL, either_half=True) == time(5)

    @given(st.lists(st.integers(0, 2000), unique=True), st.one_of(st.none(), st.integers(0, 2000)))
    def test_what_is_offered_is_free_in_order_and_never_more_than_five(
        self, minutes: list[int], near: int | None
    ) -> None:
        free = [kl(27, 7) + timedelta(minutes=number) for number in minutes]
        wanted = None if near is None else kl(27, 7) + timedelta(minutes=near)
        offered = phone_rules.offered(free, near=wanted)
        assert len(offered) == min(5, len(free))
        assert offered == sorted(set(offered))
        assert set(offered) <= set(free)

    def test_a_lone_last_place_of_today_is_not_all_that_is_offered(self) -> None:
        free = [kl(27, 9, 45), *(kl(28, 7, minute) for minute in (0, 15, 30, 45)), kl(30, 7)]
        assert phone_rules.first_days(free, KL) == free[:5]
        assert phone_rules.first_days([], KL) == []

    @pytest.mark.parametrize(
        ("written", "rest", "whose"),
        [
            ("book fri 8 h0012", "book fri 8  ", "H0012"),
            ("H0012: drop", " : drop", "H0012"),
            ("book fri 8 h00123", "book fri 8 h00123", None),
            ("h0012 h0013 drop", "h0012 h0013 drop", None),
            ("book fri 1230", "book fri 1230", None),
            ("drop 200417", "drop  ", "200417"),
        ],
    )
    def test_a_card_number_is_read_where_it_cannot_be_a_time(self, written: str, rest: str, whose: str | None) -> None:
        numbers = {number: ClientId(new_id()) for number in ("H0012", "H0013", "1230", "200417")}
        assert phone_rules.named(written, numbers) == (rest, numbers[whose] if whose else None)

    def test_a_time_that_the_clock_skips_is_the_moment_at_which_it_would_be(self) -> None:
        paris = ZoneInfo("Europe/Paris")
        skipped = phone_rules.moment_at(date(2026, 3, 29), time(2, 30), paris)
        assert skipped is not None
        assert skipped.astimezone(paris).time() == time(3, 30)
        assert phone_rules.moment_at(date.max, time(23, 59), paris) is None
