from __future__ import annotations

from datetime import datetime

import pytest

import notifications.service
from dispensary.database import Database
from dispensary.phone.tasks import OPTED_OUT, WHOSE
from dispensary.units import ClientId
from tests.builders import clinic
from tests.dispensary.phones import Line, kl, line, listed

SEE_US = "Please speak to us at the desk the next time you come."


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


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
