from datetime import timedelta
from itertools import permutations
from threading import Barrier, Thread
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from notifications.models import State
from notifications.queries import counts, discrepancies, texts_with, undelivered
from notifications.rules import RANK
from notifications.sealing import MESSAGE_BODY, MESSAGE_PHONE
from notifications.service import opt_out, queue_reply, record_status
from notifications.texts import BadFields

PHONE = "+60123456789"


class TestQueueing:
    def test_seals_the_text_in_the_language_of_its_recipient(self, outbox, database, vault):
        message = outbox.message(outbox.queue(outbox.contact(language="ms"), kind="nothing_booked"))
        assert vault.open(MESSAGE_BODY, message.id, message.body_sealed).startswith("Anda tiada tempahan.")
        assert vault.open(MESSAGE_PHONE, message.id, message.phone_sealed) == PHONE
        assert (message.state, message.segments, message.attempts) == ("queued", 1, 0)
        with database.reading() as session:
            row = session.execute(text("SELECT message::text FROM message")).scalar_one()
        assert "123456789" not in row
        assert b"tempahan".hex() not in row

    def test_happens_once_for_a_reason_and_a_moment(self, outbox):
        recipient_id = outbox.contact()
        assert outbox.queue(recipient_id, "reminder:1:07:00") is not None
        assert outbox.queue(recipient_id, "reminder:1:07:00") is None
        assert outbox.queue(recipient_id, "reminder:1:07:30") is not None

    def test_happens_once_when_many_ask_at_the_same_moment(self, outbox, database):
        recipient_id = outbox.contact()
        barrier, answers = Barrier(12), []

        def ask() -> None:
            barrier.wait()
            answers.append(outbox.queue(recipient_id))

        run(ask, 12)
        assert sum(answer is not None for answer in answers) == 1
        with database.reading() as session:
            assert counts(session)[State.QUEUED] == 1

    def test_needs_a_number_and_consent_and_no_opt_out(self, outbox, database, clock):
        assert outbox.queue(uuid4()) is None
        assert outbox.queue(outbox.contact(consented=False)) is None
        recipient_id = outbox.contact()
        message_id = outbox.queue(recipient_id, "before")
        with database.writing() as session:
            opt_out(session, index=outbox.message(message_id).phone_index, now=clock())
        assert outbox.queue(recipient_id, "after") is None
        assert (outbox.state(message_id), outbox.message(message_id).error_code) == ("failed", "opted-out")

    def test_is_undone_with_the_unit_of_work_around_it(self, outbox, database):
        with pytest.raises(BadFields):
            outbox.queue(outbox.contact(), kind="booking_kept", at="no moment")
        with database.reading() as session:
            assert sum(counts(session).values()) == 0

    def test_goes_to_the_new_number_while_it_waits(self, outbox, vault):
        recipient_id = outbox.contact("0123456789")
        message_id = outbox.queue(recipient_id)
        outbox.change_contact(recipient_id, "0198765432")
        message = outbox.message(message_id)
        assert vault.open(MESSAGE_PHONE, message.id, message.phone_sealed) == "+60198765432"


class TestAReply:
    def reply(self, outbox, phone, recipient_id=None, kind="unknown_number", **more):
        with outbox.database.writing() as session:
            return queue_reply(
                session,
                vault=outbox.vault,
                phone=phone,
                recipient_id=recipient_id,
                kind=kind,
                reason_key="reply:1",
                fields={},
                zone=ZoneInfo("Asia/Kuala_Lumpur"),
                now=outbox.clock(),
                valid_until=outbox.clock() + timedelta(hours=1),
                **more,
            )

    def test_goes_to_a_phone_that_nobody_is_known_by(self, outbox, database, vault):
        message_id = self.reply(outbox, "+66812345678")
        assert outbox.message(message_id).recipient_id is None
        with database.reading() as session:
            (sent,) = texts_with(session, vault=vault, phone="+66812345678")
        assert sent.body == "This number is not known here. Nothing was changed."

    def test_is_in_the_language_of_who_wrote_and_is_queued_once(self, outbox, database, vault):
        recipient_id = outbox.contact(language="zh_Hans")
        assert self.reply(outbox, PHONE, recipient_id, "nothing_booked") is not None
        assert self.reply(outbox, PHONE, recipient_id, "nothing_booked") is None
        with database.reading() as session:
            (sent,) = texts_with(session, vault=vault, phone=PHONE)
        assert sent.body.startswith("您没有预约")

    def test_is_in_another_language_where_it_says_so(self, outbox):
        recipient_id = outbox.contact(language="ms")
        assert outbox.message(self.reply(outbox, PHONE, recipient_id, language="en")).language == "en"

    def test_is_not_sent_to_a_number_that_opted_out(self, outbox, database, clock):
        recipient_id = outbox.contact()
        index = outbox.message(outbox.queue(recipient_id)).phone_index
        with database.writing() as session:
            opt_out(session, index=index, now=clock())
        assert self.reply(outbox, PHONE, recipient_id) is None


class TestReports:
    def sent(self, outbox, gateway, reason_key) -> UUID:
        message_id = outbox.queue(outbox.contact(), reason_key)
        outbox.send(gateway)
        return message_id

    def report(self, outbox, message_id, state, code=None, **more) -> bool:
        provider_id = more.pop("provider_id", None) or outbox.message(message_id).provider_id
        with outbox.database.writing() as session:
            return record_status(
                session,
                gateway="remembering",
                provider_id=provider_id,
                state=state,
                code=code,
                now=outbox.clock(),
                **more,
            )

    def test_move_a_message_forward_in_whatever_order_they_come(self, outbox, gateway):
        reports = (State.SENT, State.DELIVERED, State.UNDELIVERED, State.FAILED)
        for number, order in enumerate(permutations(reports)):
            message_id = self.sent(outbox, gateway, f"order {number}")
            rank, ends = RANK[State.SENT], []
            for state in order:
                changed = self.report(outbox, message_id, state)
                now_in = State(outbox.state(message_id))
                assert RANK[now_in] >= rank
                rank = RANK[now_in]
                ends += [state] if changed else []
            assert ends == [next(state for state in order if state is not State.SENT)]
            assert outbox.state(message_id) == ends[0]

    def test_keep_the_code_and_tell_reception(self, outbox, gateway, database):
        message_id = self.sent(outbox, gateway, "lost")
        assert self.report(outbox, message_id, State.UNDELIVERED, "30003")
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.state, lost.code) == (message_id, State.UNDELIVERED, "30003")

    def test_of_another_gateway_or_an_unknown_message_change_nothing(self, outbox, gateway):
        self.sent(outbox, gateway, "a")
        assert not self.report(outbox, None, State.DELIVERED, provider_id="P999")
        with outbox.database.writing() as session:
            assert not record_status(
                session, gateway="twilio", provider_id="P1", state=State.DELIVERED, code=None, now=outbox.clock()
            )

    def test_find_a_message_by_our_own_id_when_its_sender_was_killed_before_it_wrote(self, outbox, gateway):
        message_id = outbox.queue(outbox.contact())

        def killed(reference):
            gateway.take("+60123456789", "a text", reference)
            raise KeyboardInterrupt

        gateway.answer = killed
        with pytest.raises(KeyboardInterrupt):
            outbox.send(gateway)
        assert self.report(outbox, message_id, State.DELIVERED, provider_id="P1", reference=message_id)
        assert (outbox.state(message_id), outbox.message(message_id).provider_id) == ("delivered", "P1")
        outbox.clock.pass_(hours=1)
        assert outbox.send(gateway).claimed == 0

    def test_that_the_number_opted_out_stop_all_texts_to_it(self, outbox, gateway):
        recipient_id = outbox.contact()
        message_id = outbox.queue(recipient_id, "first")
        outbox.send(gateway)
        self.report(outbox, message_id, State.FAILED, "21610", opted_out=True)
        assert outbox.queue(recipient_id, "second") is None


class TestTheTable:
    @pytest.mark.parametrize(
        "change",
        [
            "state = 'queued'",
            "state = 'sending'",
            "provider_id = 'another'",
            "provider_id = NULL",
            "reason_key = 'another'",
            "state = 'lost'",
        ],
    )
    def test_lets_no_message_go_back_whoever_writes(self, outbox, gateway, database, change):
        outbox.queue(outbox.contact())
        outbox.send(gateway)
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(f"UPDATE message SET {change}"))

    def test_counts_as_sent_only_what_the_gateway_gave_an_id(self, outbox, database):
        outbox.queue(outbox.contact())
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text("UPDATE message SET state = 'sent'"))


class TestVerifying:
    def test_finds_nothing_in_a_sound_outbox(self, outbox, gateway, database, clock):
        recipient_id = outbox.contact()
        for number in range(5):
            outbox.queue(recipient_id, f"reminder:{number}")
        outbox.send(gateway, batch=3)
        with database.reading() as session:
            assert discrepancies(session, now=clock()) == []

    @pytest.mark.parametrize(
        ("rule", "damage"),
        [
            ("stuck", "state = 'sending', claimed_at = created_at - interval '2 hours'"),
            ("no-provider-id", "state = 'sent', next_attempt_at = NULL"),
            ("forgotten", "next_attempt_at = NULL"),
            ("not-over", "state = 'failed'"),
            ("against-opt-out", "created_at = created_at + interval '1 second'"),
        ],
    )
    def test_names_the_row_that_breaks_a_rule(self, outbox, database, clock, rule, damage):
        message_id = outbox.queue(outbox.contact())
        with database.writing() as session:
            session.execute(text("ALTER TABLE message DISABLE TRIGGER ALL"))
            session.execute(text("ALTER TABLE message DROP CONSTRAINT ck_message_sent"))
            if rule == "against-opt-out":
                session.execute(text("UPDATE contact SET opted_out_at = changed_at"))
            session.execute(text(f"UPDATE message SET {damage}"))
        with database.reading() as session:
            (found,) = discrepancies(session, now=clock())
        assert (found.rule, found.row) == (rule, message_id)
        assert str(message_id) in found.sentence


def run(work, threads: int) -> None:
    running = [Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
