import logging

from sqlalchemy import text

from notifications.gateways import Accepted, Rejected, Unknown
from notifications.gateways.console import ConsoleGateway
from notifications.queries import undelivered
from notifications.rules import HOLD
from notifications.service import opt_out


class TestADueMessage:
    def test_is_handed_over_with_its_text_and_recorded(self, outbox, gateway, clock):
        message_id = outbox.queue(outbox.contact(), kind="nothing_booked")
        sent = outbox.send(gateway)
        assert (sent.claimed, sent.sent) == (1, 1)
        assert gateway.taken == [
            ("+60123456789", "You have nothing booked. Reply SLOTS for free times.", message_id),
        ]
        message = outbox.message(message_id)
        assert (message.state, message.provider_id, message.gateway) == ("sent", "P1", "remembering")
        assert (message.attempts, message.next_attempt_at, message.claimed_at) == (1, None, None)
        assert outbox.send(gateway).claimed == 0

    def test_goes_to_the_telephone_page_by_the_console(self, outbox):
        message_id = outbox.queue(outbox.contact())
        outbox.send(ConsoleGateway())
        assert outbox.state(message_id) == "sent"

    def test_is_not_sent_when_it_would_come_too_late(self, outbox, gateway, clock, database):
        message_id = outbox.queue(outbox.contact())
        clock.pass_(hours=12)
        sent = outbox.send(gateway)
        assert (sent.expired, gateway.asked) == (1, 0)
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.state) == (message_id, "expired")

    def test_is_one_of_at_most_a_batch_oldest_first(self, outbox, gateway, clock):
        recipient_id, ids = outbox.contact(), []
        for number in range(5):
            ids.append(outbox.queue(recipient_id, f"{number}"))
            clock.pass_(seconds=1)
        assert outbox.send(gateway, batch=3).claimed == 3
        assert [reference for _, _, reference in gateway.taken] == ids[:3]

    def test_no_transaction_is_open_while_the_gateway_is_called(self, outbox, gateway, database):
        open_ones = []

        def look(reference):
            with database.reading() as session:
                open_ones.append(
                    session.execute(
                        text(
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                            " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
                        )
                    ).scalar_one()
                )
            return Accepted(f"P-{reference}")

        gateway.answer = look
        outbox.queue(outbox.contact())
        outbox.send(gateway)
        assert open_ones == [0]


class TestARefusal:
    def test_for_good_fails_the_message_and_tells_reception(self, outbox, gateway, database):
        gateway.answer = lambda reference: Rejected("21211", permanent=True)
        message_id = outbox.queue(outbox.contact())
        assert outbox.send(gateway).failed == 1
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.code) == (message_id, "21211")

    def test_for_now_is_tried_again_after_growing_waits_and_at_last_fails(self, outbox, gateway, clock, database):
        gateway.answer = lambda reference: Rejected("429", permanent=False)
        message_id = outbox.queue(outbox.contact(), valid=14 * HOLD * 144)
        waits = []
        for _ in range(9):
            tried_at = clock()
            sent = outbox.send(gateway)
            assert sent.claimed == 1
            due = outbox.message(message_id).next_attempt_at
            if due is not None:
                waits.append(due - tried_at)
                clock.moment = due
        assert sent.failed == 1
        assert (outbox.state(message_id), outbox.message(message_id).error_code) == ("failed", "429")
        assert waits == sorted(waits)
        assert (len(waits), gateway.asked) == (8, 9)

    def test_for_now_ends_when_the_text_is_of_no_more_use(self, outbox, gateway, clock):
        gateway.answer = lambda reference: Rejected("429", permanent=False)
        message_id = outbox.queue(outbox.contact(), valid=HOLD)
        for _ in range(9):
            outbox.send(gateway)
            clock.moment = outbox.message(message_id).next_attempt_at or clock()
        assert outbox.state(message_id) == "expired"
        assert clock() - outbox.message(message_id).created_at == HOLD

    def test_for_now_is_followed_by_one_sending(self, outbox, gateway, clock):
        gateway.answer = lambda reference: Rejected("429", permanent=False)
        message_id = outbox.queue(outbox.contact())
        outbox.send(gateway)
        assert outbox.state(message_id) == "sending"
        gateway.answer = None
        assert outbox.send(gateway).claimed == 0
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 1
        assert (len(gateway.taken), gateway.looked_up) == (1, 0)

    def test_because_the_number_opted_out_stops_all_texts_to_it(self, outbox, gateway):
        recipient_id = outbox.contact()
        first, second = outbox.queue(recipient_id, "1"), outbox.queue(recipient_id, "2")
        gateway.answer = lambda reference: Rejected("21610", permanent=True, opted_out=True)
        outbox.send(gateway, batch=1)
        assert (outbox.message(first).error_code, outbox.state(first)) == ("21610", "failed")
        assert (outbox.message(second).error_code, outbox.state(second)) == ("opted-out", "failed")
        assert outbox.queue(recipient_id, "3") is None

    def test_and_an_opt_out_before_the_next_try_end_it(self, outbox, gateway, clock, database):
        gateway.answer = lambda reference: Rejected("429", permanent=False)
        message_id = outbox.queue(outbox.contact())
        outbox.send(gateway)
        with database.writing() as session:
            opt_out(session, index=outbox.message(message_id).phone_index, now=clock())
        assert outbox.state(message_id) == "failed"


class TestNoAnswer:
    def taken_in_silence(self, gateway):
        def silent(reference):
            gateway.take("+60123456789", "You have nothing booked. Reply SLOTS for free times.", reference)
            return Unknown("ReadTimeout")

        return silent

    def test_is_looked_up_and_not_sent_again_when_the_gateway_has_the_text(self, outbox, gateway, clock):
        gateway.answer = self.taken_in_silence(gateway)
        message_id = outbox.queue(outbox.contact(), kind="nothing_booked")
        assert outbox.send(gateway).unknown == 1
        assert outbox.state(message_id) == "unknown"
        assert outbox.send(gateway).claimed == 0  # a slow gateway is given a minute
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 1
        assert (gateway.asked, len(gateway.taken), gateway.looked_up) == (1, 1, 1)
        assert outbox.message(message_id).provider_id == "P1"

    def test_is_sent_again_after_the_look_up_when_the_gateway_has_it_not(self, outbox, gateway, clock):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact(), kind="nothing_booked")
        outbox.send(gateway)
        gateway.answer = None
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 1
        assert (gateway.looked_up, len(gateway.taken)) == (1, 1)
        assert outbox.state(message_id) == "sent"

    def test_to_the_look_up_either_sends_nothing(self, outbox, gateway, clock, monkeypatch):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        outbox.queue(outbox.contact())
        outbox.send(gateway)
        monkeypatch.setattr(gateway, "look_up", lambda *_: Unknown("ConnectTimeout"))
        clock.pass_(minutes=1)
        assert outbox.send(gateway).unknown == 1
        assert gateway.asked == 1

    def test_at_all_leaves_it_unknown_for_reception_and_is_not_asked_for_ever(
        self, outbox, gateway, clock, database, monkeypatch
    ):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        monkeypatch.setattr(gateway, "look_up", lambda *_: Unknown("ReadTimeout"))
        message_id = outbox.queue(outbox.contact())
        while (due := outbox.message(message_id).next_attempt_at) is not None:
            clock.moment = due
            assert outbox.send(gateway).unknown == 1
        assert gateway.asked == 1
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.state) == (message_id, "unknown")

    def test_then_a_look_up_after_its_time_expires_what_the_gateway_has_not(self, outbox, gateway, clock):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact())
        outbox.send(gateway)
        clock.pass_(hours=13)
        assert outbox.send(gateway).expired == 1
        assert (gateway.asked, outbox.state(message_id)) == (1, "expired")

    def test_is_also_what_a_broken_gateway_gives(self, outbox, gateway):
        def broken(reference):
            raise RuntimeError("a mistake in a gateway")

        gateway.answer = broken
        outbox.queue(outbox.contact())
        assert outbox.send(gateway).unknown == 1

    def test_of_the_same_words_to_a_shared_phone_is_told_apart(self, outbox, gateway, clock):
        """Two clients, one phone, one wording: the gateway took one text, and must be given the other."""
        answers = [self.taken_in_silence(gateway), lambda reference: Unknown("ReadTimeout")]
        gateway.answer = lambda reference: answers.pop(0)(reference)
        ids = [outbox.queue(outbox.contact(), f"{n}", kind="nothing_booked") for n in range(2)]
        assert outbox.send(gateway).unknown == 2
        gateway.answer = None
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 2
        assert len(gateway.taken) == 2
        assert {outbox.message(message_id).provider_id for message_id in ids} == {"P1", "P2"}


def test_no_line_of_the_log_holds_a_number_or_a_text(outbox, gateway, clock, caplog):
    caplog.set_level(logging.DEBUG)
    outbox.queue(outbox.contact(), "1", kind="nothing_booked")
    outbox.send(gateway)

    def broken(reference):
        raise RuntimeError("+60123456789: You have nothing booked")

    gateway.answer = broken
    outbox.queue(outbox.contact(), "2", kind="nothing_booked")
    outbox.send(gateway)
    lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert any("a gateway failed" in line for line in lines)
    assert not [line for line in lines if "123456789" in line or "nothing booked" in line]
