from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

import notifications.service
import scheduling.service
from dispensary.database import Database
from dispensary.phone.tasks import OPTED_OUT
from dispensary.staff.models import AuditEntry
from dispensary.units import ClientId
from scheduling.models import Booking
from tests.dispensary.phones import KL, Line, kl, line, listed

STRANGER = "+60111111111"


UNKNOWN = "This number is not known here. Nothing was changed."


NOT_UNDERSTOOD = "Sorry, that was not understood. Reply MENU for what you can write."


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


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
