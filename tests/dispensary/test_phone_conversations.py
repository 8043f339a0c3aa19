from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from threading import Barrier

import pytest

import scheduling.service
from dispensary.database import Database
from dispensary.units import ClientId
from notifications.discretion import reveals
from tests.dispensary.phones import Line, kl, line

NOTHING_CHANGED = "Nothing was changed. Reply MENU for what you can write."


NOT_UNDERSTOOD = "Sorry, that was not understood. Reply MENU for what you can write."


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
            "Fri 27 Nov at 08:00 is full. Free: Fri 27 Nov 1) 07:30 2) 07:45 3) 08:15. "
            "Reply a number, or LIST to wait for it."
        )
        phone_line.says(client, "2")
        assert phone_line.booked(client) == [kl(27, 7, 45)]

    def test_a_place_that_was_lost_between_offer_and_choice_is_offered_elsewhere(self, phone_line: Line) -> None:
        client = phone_line.client()
        phone_line.says(client, "slots fri 8")
        phone_line.fill(kl(27, 8))
        assert phone_line.says(client, "3") == (
            "Fri 27 Nov at 08:00 is full. Free: Fri 27 Nov 1) 07:30 2) 07:45 3) 08:15. "
            "Reply a number, or LIST to wait for it."
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
