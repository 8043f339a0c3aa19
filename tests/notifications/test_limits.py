"""Quiet hours, a rate, and a day's money: what is due waits for them, and what cannot wait goes its other way."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Lock
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from notifications.gateways import Accepted, Rejected, Unknown
from notifications.models import Message, State
from notifications.places import waiting_for_money
from notifications.queries import discrepancies, undelivered
from notifications.rules import HOLD
from notifications.sending import send_due
from notifications.service import opt_out, queue_reply

from .test_outbox import run

KL = ZoneInfo("Asia/Kuala_Lumpur")
EVENING = datetime(2026, 11, 24, 22, 0, tzinfo=KL).astimezone(UTC)
MORNING = datetime(2026, 11, 25, 7, 0, tzinfo=KL).astimezone(UTC)


def reply(outbox, reason="reply:1"):
    with outbox.database.writing() as session:
        return queue_reply(
            session,
            vault=outbox.vault,
            phone="+60123456789",
            recipient_id=None,
            kind="nothing_booked",
            reason_key=reason,
            fields={},
            zone=KL,
            now=outbox.clock(),
            valid_until=outbox.clock() + timedelta(hours=1),
        )


class TestInQuietHours:
    def test_a_text_waits_until_they_end(self, outbox, gateway, clock):
        clock.moment = EVENING
        message_id = outbox.queue(outbox.contact())
        sent = outbox.send(gateway)
        assert (sent.waiting, gateway.asked) == (1, 0)
        message = outbox.message(message_id)
        assert (message.state, message.attempts, message.next_attempt_at) == ("queued", 0, MORNING)
        assert (message.error_code, message.charged_on) == ("quiet-hours", None)
        clock.moment = MORNING
        assert outbox.send(gateway).sent == 1
        assert outbox.message(message_id).error_code is None

    def test_one_that_would_come_too_late_after_them_is_told_to_reception_at_once(
        self, outbox, gateway, clock, database
    ):
        clock.moment = EVENING
        message_id = outbox.queue(outbox.contact(), valid=MORNING - EVENING)
        assert outbox.send(gateway).expired == 1
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.state, lost.code, lost.at) == (message_id, "expired", "quiet-hours", EVENING)

    def test_an_answer_goes_to_whoever_is_awake_and_has_just_written(self, outbox, gateway, clock):
        clock.moment = EVENING
        assert outbox.state(reply(outbox)) == "queued"
        assert outbox.send(gateway).sent == 1

    def test_each_place_has_its_own_and_each_text_its_own_clock(self, outbox, gateway, clock):
        clock.moment = EVENING
        wakeful, usual = outbox.rules(uuid4(), quiet=None), uuid4()
        ids = [outbox.queue(outbox.contact(place_id=place), f"{place}") for place in (wakeful, usual)]
        sent = outbox.send(gateway)
        assert (sent.sent, sent.waiting) == (1, 1)
        assert [outbox.state(each) for each in ids] == ["sent", "queued"]

    def test_what_is_unknown_is_looked_up_but_not_sent_again_before_they_end(self, outbox, gateway, clock):
        clock.moment = EVENING - timedelta(hours=1, minutes=1)
        message_id = outbox.queue(outbox.contact())
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        outbox.send(gateway)
        gateway.answer = None
        clock.moment = EVENING
        assert outbox.send(gateway).waiting == 1
        assert (gateway.looked_up, gateway.asked, outbox.state(message_id)) == (1, 1, "unknown")
        clock.moment = MORNING
        assert outbox.send(gateway).sent == 1
        assert (gateway.looked_up, gateway.asked) == (2, 2)

    def test_what_is_unknown_and_too_late_after_them_expires(self, outbox, gateway, clock):
        clock.moment = EVENING - timedelta(hours=1, minutes=1)
        message_id = outbox.queue(outbox.contact(), valid=timedelta(hours=5))
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        outbox.send(gateway)
        clock.moment = EVENING
        assert outbox.send(gateway).expired == 1
        message = outbox.message(message_id)
        assert (message.state, message.error_code, message.charged_on) == ("expired", "quiet-hours", None)


class TestARate:
    def test_lets_a_text_go_when_its_turn_comes(self, outbox, gateway, clock):
        gateway.per_second = 4
        began, went = clock(), []

        def take(reference):
            went.append((clock() - began).total_seconds())
            return gateway.take("", "", reference)

        gateway.answer = take
        for number in range(8):
            outbox.queue(outbox.contact(f"01234567{number:02}"), f"{number}", kind="nothing_booked")
        assert outbox.send(gateway).sent == 8
        assert went == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]

    def test_is_kept_by_many_senders_together(self, outbox, gateway, clock, database):
        """Four senders whose clock is one: no second has more texts in it than the rate."""
        gateway.per_second, lock, went = 10, Lock(), []
        recipient_id = outbox.contact()
        for number in range(120):
            outbox.queue(recipient_id, f"{number}")
        began = clock()

        class Own:
            """The clock of one sender: it moves by its own pauses alone."""

            def __init__(self):
                self.passed = timedelta()

            def __call__(self):
                return began + self.passed

            def pause(self, seconds):
                self.passed += timedelta(seconds=seconds)

        def sender():
            own = Own()

            def take(to, body, reference, valid):
                with lock:
                    went.append(own.passed.total_seconds())
                return gateway.take(to, body, reference)

            mine = type(gateway)(per_second=10)
            mine.send = take
            for _ in range(60):
                sent = send_due(database.writing, vault=outbox.vault, gateway=mine, now=own, batch=10, pause=own.pause)
                if not sent.claimed:
                    own.pause(1)

        run(sender, 4)
        went.sort()
        assert len(went) == 120
        assert len({reference for _, _, reference in gateway.taken}) == 120
        apart = [later - earlier for earlier, later in pairwise(went)]
        assert min(apart) >= 0.1 - 1e-6

    def test_takes_no_more_in_hand_than_will_go_within_seconds(self, outbox, gateway, clock):
        gateway.per_second = 1
        recipient_id = outbox.contact()
        for number in range(30):
            outbox.queue(recipient_id, f"{number}")
        sent = outbox.send(gateway)
        assert (sent.claimed, sent.sent, sent.more) == (5, 5, True)

    def test_of_less_than_one_a_second_still_lets_texts_go(self, outbox, gateway, clock):
        gateway.per_second = 0.1
        recipient_id = outbox.contact()
        for number in range(2):
            outbox.queue(recipient_id, f"{number}")
        assert outbox.send(gateway).sent == 1
        assert outbox.send(gateway).claimed == 0
        clock.pass_(seconds=10)
        assert outbox.send(gateway).sent == 1

    def test_too_high_for_the_gateway_lets_every_sender_wait(self, outbox, gateway, clock):
        recipient_id = outbox.contact()
        ids = [outbox.queue(recipient_id, f"{number}") for number in range(3)]
        gateway.answer = lambda reference: Rejected("429", permanent=False, slow_down=True)
        sent = outbox.send(gateway)
        assert (sent.retried, sent.given_back, gateway.asked, sent.more) == (1, 2, 1, False)
        assert [outbox.message(each).attempts for each in ids] == [1, 0, 0]
        gateway.answer = None
        assert outbox.send(gateway).claimed == 0
        clock.pass_(seconds=31)
        assert outbox.send(gateway).sent == 3
        assert len(gateway.taken) == 3


class TestADaysMoney:
    @pytest.fixture
    def place(self, outbox):
        return outbox.rules(uuid4(), quiet=None, price=Decimal("0.05"), currency="MYR", cap=Decimal("0.10"))

    def test_once_spent_lets_reminders_wait_for_the_next_day(self, outbox, gateway, clock, database, place):
        clock.moment = datetime(2026, 11, 24, 18, 0, tzinfo=KL).astimezone(UTC)
        recipient_id = outbox.contact(place_id=place)
        ids = [outbox.queue(recipient_id, f"{number}") for number in range(3)]
        sent = outbox.send(gateway)
        assert (sent.sent, sent.waiting) == (2, 1)
        waits = outbox.message(ids[2])
        midnight = datetime(2026, 11, 25, tzinfo=KL).astimezone(UTC)
        assert (waits.state, waits.error_code, waits.next_attempt_at) == ("queued", "price-cap", midnight)
        with database.reading() as session:
            assert waiting_for_money(session, place_id=place) == 1
        clock.moment = midnight
        assert outbox.send(gateway).sent == 1
        with database.reading() as session:
            assert waiting_for_money(session, place_id=place) == 0

    @pytest.mark.parametrize("kind", ["closure", "call_first"])
    def test_never_stops_what_cannot_wait(self, outbox, gateway, clock, place, kind):
        recipient_id = outbox.contact(place_id=place)
        for number in range(4):
            outbox.queue(recipient_id, f"{number}", kind=kind, day=clock().date())
        assert outbox.send(gateway).sent == 4

    def test_never_stops_an_answer(self, outbox, gateway, place):
        outbox.contact(place_id=place)
        for number in range(4):
            reply(outbox, f"reply:{number}")
        assert outbox.send(gateway).sent == 4

    def test_is_spent_by_segments(self, outbox, gateway, database, place):
        recipient_id = outbox.contact(place_id=place)
        for number in range(2):
            outbox.queue(recipient_id, f"{number}", valid=timedelta(hours=30))
        with database.writing() as session:
            session.execute(update(Message).values(segments=2))
        sent = outbox.send(gateway)
        assert (sent.sent, sent.waiting) == (1, 1)

    def test_sends_one_that_would_be_too_late_tomorrow_its_other_way(self, outbox, gateway, database, place):
        recipient_id = outbox.contact(place_id=place)
        ids = [outbox.queue(recipient_id, f"{number}", valid=timedelta(hours=2)) for number in range(3)]
        assert outbox.send(gateway).expired == 1
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.code) == (ids[2], "price-cap")

    def test_is_not_spent_by_what_the_gateway_refused(self, outbox, gateway, clock, place):
        gateway.answer = lambda reference: Rejected("21211", permanent=True)
        recipient_id = outbox.contact(place_id=place)
        for number in range(5):
            outbox.queue(recipient_id, f"refused {number}")
        assert outbox.send(gateway, batch=1).failed == 1
        gateway.answer = lambda reference: Rejected("500", permanent=False)
        assert outbox.send(gateway, batch=2).retried == 2
        gateway.answer = None
        assert outbox.send(gateway).sent == 2

    def test_is_spent_by_what_it_may_have_taken_until_it_is_known_not_to_have(self, outbox, gateway, clock, place):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        recipient_id = outbox.contact(place_id=place)
        ids = [outbox.queue(recipient_id, f"{n}", valid=timedelta(minutes=5)) for n in range(2)]
        later = outbox.queue(recipient_id, "later", valid=timedelta(hours=30))
        assert (outbox.send(gateway).unknown, outbox.state(later)) == (2, "queued")
        assert outbox.message(later).error_code == "price-cap"
        gateway.answer = None
        clock.pass_(minutes=6)
        assert outbox.send(gateway).expired == 2
        assert [outbox.message(each).charge for each in ids] == [None, None]

    def test_is_counted_once_for_a_text_that_was_sent_after_a_look_up(self, outbox, gateway, clock, place):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact(place_id=place))
        outbox.send(gateway)
        gateway.answer = None
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 1
        assert outbox.message(message_id).charge == Decimal("0.05")

    def test_is_never_overspent_by_many_senders(self, outbox, gateway, database):
        place = outbox.rules(uuid4(), quiet=None, price=Decimal("0.05"), cap=Decimal("1.00"))
        recipient_id = outbox.contact(place_id=place)
        for number in range(60):
            outbox.queue(recipient_id, f"{number}", valid=timedelta(hours=40))

        def sender():
            while outbox.send(gateway, batch=5).claimed:
                pass

        run(sender, 4)
        with database.reading() as session:
            assert session.scalar(select(func.count()).where(Message.state == State.SENT)) == 20
            assert session.scalar(select(func.sum(Message.charge))) == Decimal("1.00")


class TestAnOptOut:
    def test_ends_a_text_that_was_in_hand_and_is_due_again(self, outbox, gateway, clock, database):
        message_id = outbox.queue(outbox.contact())

        def refused_while_opting_out(reference):
            with database.writing() as session:
                opt_out(session, index=outbox.message(reference).phone_index, now=clock())
            return Rejected("500", permanent=False)

        gateway.answer = refused_while_opting_out
        assert outbox.send(gateway).retried == 1
        gateway.answer = None
        clock.pass_(minutes=1)
        assert outbox.send(gateway).failed == 1
        assert (gateway.taken, outbox.message(message_id).error_code) == ([], "opted-out")

    def test_ends_one_that_was_unknown_and_that_the_gateway_has_not(self, outbox, gateway, clock, database):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact())
        outbox.send(gateway)
        with database.writing() as session:
            opt_out(session, index=outbox.message(message_id).phone_index, now=clock())
        gateway.answer = None
        clock.pass_(minutes=1)
        assert outbox.send(gateway).failed == 1
        assert (gateway.taken, gateway.looked_up, outbox.message(message_id).error_code) == ([], 1, "opted-out")


class TestAnotherGateway:
    def test_leaves_what_the_first_may_have_taken_to_reception_when_its_time_is_over(
        self, outbox, gateway, clock, database
    ):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact(), valid=HOLD)
        outbox.send(gateway)
        other = type(gateway)(name="other", answer=lambda reference: Accepted("O1"))
        clock.pass_(minutes=11)
        assert outbox.send(other).claimed == 0
        assert other.asked == 0
        with database.reading() as session:
            (lost,) = undelivered(session)
            assert discrepancies(session, now=clock()) == []
        assert (lost.message_id, lost.state) == (message_id, "unknown")
