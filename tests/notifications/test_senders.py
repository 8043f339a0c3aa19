from collections import Counter
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from notifications.gateways import Accepted, Rejected, Unknown
from notifications.gateways.console import ConsoleGateway
from notifications.models import Message, State
from notifications.queries import counts
from notifications.service import record_status

from .test_outbox import run


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


class TestASenderThatIsKilled:
    def test_after_the_gateway_took_the_text_sends_it_not_again(self, outbox, gateway, clock):
        def killed(reference):
            gateway.take("+60123456789", "You have nothing booked. Reply SLOTS for free times.", reference)
            raise Killed

        gateway.answer = killed
        message_id = outbox.queue(outbox.contact(), kind="nothing_booked")
        with pytest.raises(Killed):
            outbox.send(gateway)
        assert outbox.state(message_id) == "sending"
        gateway.answer = None
        clock.pass_(minutes=9)
        assert outbox.send(gateway).claimed == 0
        clock.pass_(minutes=1)
        assert outbox.send(gateway).sent == 1
        assert (gateway.looked_up, len(gateway.taken)) == (1, 1)

    def test_before_the_gateway_took_the_text_loses_it_not(self, outbox, gateway, clock):
        def killed(reference):
            raise Killed

        gateway.answer = killed
        message_id = outbox.queue(outbox.contact())
        with pytest.raises(Killed):
            outbox.send(gateway)
        gateway.answer = None
        clock.pass_(minutes=10)
        assert outbox.send(gateway).sent == 1
        assert (gateway.looked_up, len(gateway.taken), outbox.state(message_id)) == (1, 1, "sent")

    def test_again_and_again_still_sends_each_text_once(self, outbox, gateway, clock, database):
        """A sender that dies at every third text, before or after the gateway took it, over 60 texts."""
        for number in range(60):
            outbox.queue(outbox.contact(f"0123456{number:03d}"), f"{number}", kind="nothing_booked")
        bodies = "You have nothing booked. Reply SLOTS for free times."

        def dying(reference):
            if gateway.asked % 3 == 0:
                if gateway.asked % 2 == 0:
                    gateway.take(phone_of(outbox, reference), bodies, reference)
                raise Killed
            return gateway.take(phone_of(outbox, reference), bodies, reference)

        gateway.answer = dying
        for _ in range(200):
            try:
                if outbox.send(gateway, batch=10).claimed == 0:
                    break
            except Killed:
                clock.pass_(minutes=1)
        clock.pass_(minutes=10)
        gateway.answer = None
        while outbox.send(gateway).claimed:
            pass
        assert Counter(to for to, _, _ in gateway.taken).most_common(1)[0][1] == 1
        assert len(gateway.taken) == 60
        with database.reading() as session:
            assert counts(session)["sent"] == 60

    def test_and_wakes_after_another_took_over_changes_nothing(self, outbox, gateway, clock):
        """The first sender sleeps through its hold while the gateway refuses; the second has sent the text by then."""
        message_id = outbox.queue(outbox.contact())

        def slow(reference):
            gateway.answer = None
            clock.pass_(minutes=11)
            assert outbox.send(gateway).sent == 1
            return Rejected("500", permanent=False)

        gateway.answer = slow
        outbox.send(gateway)
        assert (outbox.state(message_id), len(gateway.taken)) == ("sent", 1)
        assert outbox.message(message_id).next_attempt_at is None

    def test_and_wakes_while_another_waits_to_look_it_up_changes_nothing_either(self, outbox, gateway, clock):
        message_id = outbox.queue(outbox.contact())

        def slow(reference):
            gateway.answer = lambda reference: Unknown("ReadTimeout")
            clock.pass_(minutes=11)
            assert outbox.send(gateway).unknown == 1
            return Rejected("500", permanent=False)

        gateway.answer = slow
        outbox.send(gateway)
        message = outbox.message(message_id)
        assert (message.state, message.error_code, message.attempts) == ("unknown", "ReadTimeout", 2)

    @pytest.mark.parametrize("answer", [Unknown("ReadTimeout"), Rejected("500", permanent=False)])
    def test_or_slow_does_not_take_back_a_report_that_was_faster(self, outbox, gateway, clock, answer):
        message_id = outbox.queue(outbox.contact())

        def slow(reference):
            with outbox.database.writing() as session:
                record_status(
                    session,
                    gateway=gateway.name,
                    provider_id="P9",
                    state=State.DELIVERED,
                    code=None,
                    now=clock(),
                    reference=reference,
                )
            return answer

        gateway.answer = slow
        outbox.send(gateway)
        message = outbox.message(message_id)
        assert (message.state, message.provider_id, message.next_attempt_at) == ("delivered", "P9", None)

    def test_is_not_needed_for_a_slow_one_to_give_back_what_it_cannot_reach(self, outbox, gateway, clock):
        recipient_id = outbox.contact()
        first, second = outbox.queue(recipient_id, "1"), outbox.queue(recipient_id, "2", kind="nothing_booked")

        def slow(reference):
            clock.pass_(minutes=9, seconds=30)
            return Accepted("P-slow")

        gateway.answer = slow
        sent = outbox.send(gateway)
        assert (sent.sent, sent.given_back, gateway.asked) == (1, 1, 1)
        gateway.answer = None
        assert outbox.send(gateway).sent == 1
        assert (outbox.state(first), outbox.state(second)) == ("sent", "sent")


class TestManySenders:
    def test_never_send_one_of_500_twice(self, outbox, gateway, database):
        recipient_id = outbox.contact()
        for number in range(500):
            outbox.queue(recipient_id, f"{number}")
        barrier, rounds = Barrier(2), []

        def send() -> None:
            barrier.wait()
            while (sent := outbox.send(gateway, batch=20)).claimed:
                rounds.append(sent)

        run(send, 2)
        references = Counter(reference for _, _, reference in gateway.taken)
        assert len(references) == 500
        assert set(references.values()) == {1}
        assert sum(sent.sent for sent in rounds) == 500
        with database.reading() as session:
            assert counts(session)["sent"] == 500

    def test_recognise_one_text_at_the_gateway_as_one_message(self, outbox, gateway, clock, database):
        """Two unknown messages of the same words, one text at the gateway, two senders that look it up at once."""
        for number in range(2):
            outbox.queue(outbox.contact(), f"{number}", kind="nothing_booked")
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        outbox.send(gateway)
        gateway.answer = None
        gateway.take("+60123456789", "You have nothing booked. Reply SLOTS for free times.", outbox.contact())
        barrier, look_up = Barrier(2), gateway.look_up

        def look_up_together(*arguments):
            seen = look_up(*arguments)
            barrier.wait(5)
            return seen

        gateway.look_up = look_up_together
        clock.pass_(minutes=1)
        senders = [Thread(target=outbox.send, args=(gateway,), kwargs={"batch": 1}) for _ in range(2)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        gateway.look_up = look_up
        while outbox.send(gateway).claimed:
            pass
        assert len(gateway.taken) == 2
        with database.reading() as session:
            assert sorted(session.scalars(select(Message.provider_id))) == ["P1", "P2"]

    def test_leave_alone_what_another_gateway_may_have_taken(self, outbox, gateway, clock):
        gateway.answer = lambda reference: Unknown("ReadTimeout")
        message_id = outbox.queue(outbox.contact())
        outbox.send(gateway)
        clock.pass_(minutes=1)
        assert outbox.send(ConsoleGateway()).claimed == 0
        assert outbox.state(message_id) == "unknown"


def phone_of(outbox, reference) -> str:
    message = outbox.message(reference)
    return outbox.vault.open("message.phone_sealed", message.id, message.phone_sealed)
