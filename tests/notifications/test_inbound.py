from datetime import timedelta
from threading import Barrier, Thread
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text

from notifications.conversation import forget, recall, remember
from notifications.inbound import receive, record_outcome
from notifications.models import Inbound
from notifications.queries import contact_details, opted_out, texts_with
from notifications.rules import Wish
from notifications.service import queue

from .test_outbox import run

PHONE = "+60123456789"


@pytest.fixture
def write(outbox):
    def write_(written: str, message_id: str = "SM1", phone: str = PHONE, outcome: str | None = None, **more):
        with outbox.database.writing() as session:
            received = receive(
                session,
                vault=outbox.vault,
                gateway=more.pop("gateway", "twilio"),
                message_id=message_id,
                phone=phone,
                text=written,
                at=outbox.clock(),
                **more,
            )
            if outcome and received.already is None:
                record_outcome(session, inbound_id=received.id, outcome=outcome)
            return received

    return write_


class TestATextThatComesIn:
    def test_belongs_to_all_who_share_the_phone(self, outbox, write):
        both = sorted([outbox.contact(), outbox.contact()])
        received = write("book fri 7")
        assert (received.recipients, received.text, received.already) == (both, "book fri 7", None)

    def test_may_come_from_a_number_that_nobody_is_known_by(self, write):
        assert write("hello", phone="+66812345678").recipients == []

    def test_is_kept_sealed(self, write, database, vault):
        write("my secret \ud800 words")
        with database.reading() as session:
            row = session.execute(text("SELECT inbound::text FROM inbound")).scalar_one()
            (kept,) = texts_with(session, vault=vault, phone=PHONE)
        assert "secret" not in row
        assert b"secret".hex() not in row
        assert (kept.from_phone, kept.body) == (True, "my secret ? words")

    def test_does_nothing_again_when_it_comes_again(self, outbox, write):
        outbox.contact()
        first = write("book fri 7", outcome="booked")
        again = write("book fri 7", outcome="booked twice")
        assert (again.id, again.already, again.repeated) == (first.id, "booked", True)

    def test_is_settled_even_when_nobody_wrote_what_came_of_it(self, write):
        write("hello")
        assert write("hello").already == "received"

    def test_is_another_text_at_another_gateway(self, write):
        assert write("hello").id != write("hello", gateway="console").id

    def test_is_kept_once_when_it_comes_many_times_at_the_same_moment(self, outbox, write, database):
        barrier, received = Barrier(8), []

        def deliver() -> None:
            barrier.wait()
            received.append(write("book fri 7", outcome="booked"))

        run(deliver, 8)
        assert sorted(r.already or "" for r in received) == ["", *["booked"] * 7]
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Inbound)) == 1

    @pytest.mark.parametrize(("phone", "message_id"), [("", "SM1"), (PHONE, " "), (PHONE, "a\x00b")])
    def test_needs_a_number_and_an_id(self, write, phone, message_id):
        with pytest.raises(ValueError, match="a number and an id"):
            write("hello", phone=phone, message_id=message_id)


class TestOptingOut:
    @pytest.mark.parametrize(
        ("written", "by_gateway"),
        [("STOP", ""), ("Cancel", ""), ("unsubscribe", ""), ("no more", "STOP"), ("退订", "")],
    )
    def test_stops_all_texts_and_asks_nothing_else(self, outbox, write, database, written, by_gateway):
        recipient_id = outbox.contact()
        message_id = outbox.queue(recipient_id)
        received = write(written, opt_out_type=by_gateway)
        assert (received.wish, received.already) == (Wish.OUT, "opted_out")
        assert outbox.state(message_id) == "failed"
        assert outbox.queue(recipient_id, "another") is None
        with database.reading() as session:
            (entry,) = opted_out(session)
        assert (entry.recipient_id, entry.at) == (recipient_id, outbox.clock())

    def test_is_ended_by_opting_in(self, outbox, write, database, vault):
        recipient_id = outbox.contact()
        write("STOP", "SM1")
        received = write("START", "SM2")
        assert (received.wish, received.already) == (Wish.IN, "opted_in")
        with database.reading() as session:
            assert contact_details(session, vault=vault, recipient_id=recipient_id).opted_out_at is None
        assert outbox.queue(recipient_id) is not None

    def test_yes_is_an_answer_from_a_number_that_never_opted_out(self, outbox, write):
        outbox.contact()
        received = write("YES")
        assert (received.wish, received.already) == (None, None)

    def test_a_repeated_stop_does_not_undo_a_later_start(self, outbox, write):
        recipient_id = outbox.contact()
        write("STOP", "SM1")
        write("START", "SM2")
        assert write("STOP", "SM1").already == "opted_out"
        assert outbox.queue(recipient_id) is not None

    def test_help_that_the_gateway_answered_is_not_answered_again(self, write):
        assert write("HELP", opt_out_type="HELP").already == "answered_by_gateway"

    def test_waits_for_a_text_that_is_being_queued_and_stops_it(self, outbox, write):
        recipient_id = outbox.contact()
        stopping = Thread(target=write, args=("STOP",))
        with outbox.database.writing() as session:
            message_id = queue(
                session,
                vault=outbox.vault,
                recipient_id=recipient_id,
                kind="nothing_booked",
                reason_key="reason",
                fields={},
                zone=ZoneInfo("Asia/Kuala_Lumpur"),
                now=outbox.clock(),
                valid_until=outbox.clock() + timedelta(hours=1),
            )
            stopping.start()
            stopping.join(timeout=0.5)
            assert stopping.is_alive()
        stopping.join()
        assert outbox.state(message_id) == "failed"


def test_both_directions_stand_in_their_order(outbox, write, gateway, clock, database, vault):
    recipient_id = outbox.contact()
    outbox.queue(recipient_id, kind="nothing_booked")
    clock.pass_(minutes=5)
    write("book fri 7")
    outbox.queue(recipient_id, "reply", kind="booking_confirmed", at=clock() + timedelta(days=3))
    write("hello", "SM9", "+66812345678")
    with database.reading() as session:
        texts = texts_with(session, vault=vault, phone=PHONE)
    assert [(t.from_phone, t.body.split()[0], t.state) for t in texts] == [
        (False, "You", "queued"),
        (True, "book", None),
        (False, "Booked:", "queued"),
    ]


class TestAConversation:
    def test_is_remembered_until_it_is_too_old(self, database, vault, clock):
        slots = [str(uuid4()), str(uuid4())]
        with database.writing() as session:
            remember(session, vault=vault, phone=PHONE, state={"offered": slots}, now=clock())
        with database.writing() as session:
            assert recall(session, vault=vault, phone=PHONE, now=clock()) == {"offered": slots}
            assert recall(session, vault=vault, phone="+66812345678", now=clock()) is None
            assert recall(session, vault=vault, phone=PHONE, now=clock.pass_(hours=12)) is None

    def test_is_replaced_by_the_next_and_forgotten_when_it_is_over(self, database, vault, clock):
        with database.writing() as session:
            remember(session, vault=vault, phone=PHONE, state={"offered": [1]}, now=clock())
            remember(session, vault=vault, phone=PHONE, state={"confirm": 2}, now=clock(), lasts=timedelta(hours=1))
            assert recall(session, vault=vault, phone=PHONE, now=clock()) == {"confirm": 2}
            forget(session, vault=vault, phone=PHONE)
            assert recall(session, vault=vault, phone=PHONE, now=clock()) is None

    def test_is_taken_up_once_when_two_answers_come_at_once(self, database, vault, clock):
        with database.writing() as session:
            remember(session, vault=vault, phone=PHONE, state={"confirm": 1}, now=clock())
        taken = []

        def answer() -> None:
            with database.writing() as session:
                taken.append(recall(session, vault=vault, phone=PHONE, now=clock()))

        second = Thread(target=answer)
        with database.writing() as session:
            assert recall(session, vault=vault, phone=PHONE, now=clock()) == {"confirm": 1}
            second.start()
            second.join(timeout=0.5)
            assert second.is_alive()
            forget(session, vault=vault, phone=PHONE)
        second.join()
        assert taken == [None]
