"""What names a person goes after its days; what counts texts stays, and a wish to get none is honoured for ever."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from notifications import conversation
from notifications.forgetting import end_conversations, wipe_inbound, wipe_messages
from notifications.inbound import receive
from notifications.models import Conversation, Inbound, Message
from notifications.queries import discrepancies, opted_out_since, texts_with
from notifications.sealing import phone_index

PHONE = "+60123456789"


def wipe(outbox, place_id=None, **more):
    with outbox.database.writing() as session:
        return wipe_messages(session, vault=outbox.vault, place_id=place_id, now=outbox.clock(), **more)


def came_in(outbox, words, message_id):
    with outbox.database.writing() as session:
        receive(
            session,
            vault=outbox.vault,
            gateway="remembering",
            message_id=message_id,
            phone=PHONE,
            text=words,
            at=outbox.clock(),
        )


class TestAMessage:
    def test_loses_what_names_a_person_and_keeps_what_counts_it(self, outbox, gateway, clock, database, vault):
        message_id = outbox.queue(outbox.contact(), "reminder:of a booking")
        outbox.send(gateway)
        before = outbox.message(message_id)
        clock.pass_(days=91)
        assert wipe(outbox) == 1
        after = outbox.message(message_id)
        kept = (
            "kind",
            "state",
            "created_at",
            "sent_at",
            "changed_at",
            "segments",
            "charged_on",
            "provider_id",
            "language",
        )
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
        assert (after.phone_sealed, after.phone_index, after.body_sealed, after.recipient_id) == (b"", b"", b"", None)
        assert after.wiped_at == clock()
        assert "booking" not in after.reason_key
        with database.reading() as session:
            assert texts_with(session, vault=vault, phone=PHONE) == []
            assert discrepancies(session, now=clock()) == []

    def test_is_still_sent_once_for_its_reason(self, outbox, gateway, clock):
        recipient_id = outbox.contact()
        outbox.queue(recipient_id, "feedback of november")
        outbox.send(gateway)
        clock.pass_(days=91)
        wipe(outbox)
        assert outbox.queue(recipient_id, "feedback of november") is None
        assert outbox.queue(recipient_id, "feedback of february") is not None

    def test_is_kept_while_it_is_young_or_not_over(self, outbox, gateway, clock):
        outbox.queue(outbox.contact())
        outbox.send(gateway)
        outbox.queue(outbox.contact("0198765432"), "waits", valid=timedelta(days=400))
        clock.pass_(days=89)
        assert wipe(outbox) == 0
        clock.pass_(days=2)
        assert wipe(outbox) == 1

    def test_is_kept_for_as_long_as_its_place_says(self, outbox, gateway, clock):
        short, long = outbox.rules(uuid4(), keep_days=7), outbox.rules(uuid4(), keep_days=400)
        for place in (short, long):
            outbox.queue(outbox.contact(place_id=place), f"{place}")
        outbox.send(gateway)
        clock.pass_(days=8)
        assert (wipe(outbox, short), wipe(outbox, long), wipe(outbox)) == (1, 0, 0)

    def test_goes_in_batches(self, outbox, gateway, clock):
        recipient_id = outbox.contact()
        for number in range(5):
            outbox.queue(recipient_id, f"{number}")
        outbox.send(gateway)
        clock.pass_(days=91)
        assert [wipe(outbox, most=2) for _ in range(4)] == [2, 2, 1, 0]

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE message SET wiped_at = NULL",
            "UPDATE message SET reason_key = 'another'",
            "UPDATE message SET recipient_id = gen_random_uuid()",
            "UPDATE message SET phone_sealed = 'x'",
        ],
    )
    def test_is_not_unwiped(self, outbox, gateway, clock, database, damage):
        outbox.queue(outbox.contact())
        outbox.send(gateway)
        clock.pass_(days=91)
        wipe(outbox)
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(damage))

    def test_is_not_called_wiped_while_its_words_are_there(self, outbox, database):
        outbox.queue(outbox.contact())
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text("UPDATE message SET wiped_at = now()"))


class TestATextThatCameIn:
    def test_loses_its_number_and_its_words(self, outbox, clock, database):
        came_in(outbox, "book fri 7", "1")
        clock.pass_(days=91)
        with database.writing() as session:
            assert wipe_inbound(session, keep_days=90, now=clock()) == 1
            assert wipe_inbound(session, keep_days=90, now=clock()) == 0
        with database.reading() as session:
            kept = session.scalars(select(Inbound)).one()
        assert (kept.phone_sealed, kept.body_sealed, kept.phone_index) == (b"", b"", b"")
        assert (kept.message_id, kept.wiped_at) == ("1", clock())

    def test_is_still_taken_in_once(self, outbox, clock, database):
        came_in(outbox, "book fri 7", "1")
        clock.pass_(days=91)
        with database.writing() as session:
            wipe_inbound(session, keep_days=90, now=clock())
        came_in(outbox, "book fri 7", "1")
        with database.reading() as session:
            assert len(session.scalars(select(Inbound)).all()) == 1

    def test_leaves_the_wish_to_get_no_more_texts(self, outbox, clock, database, vault):
        came_in(outbox, "STOP", "1")
        clock.pass_(days=91)
        with database.writing() as session:
            wipe_inbound(session, keep_days=90, now=clock())
        with database.reading() as session:
            assert opted_out_since(session, phone_index(session, vault, PHONE)) is not None
            kept = session.scalars(select(Inbound)).one()
        assert (kept.phone_sealed, kept.body_sealed) == (b"", b"")
        assert outbox.queue(outbox.contact()) is None


def test_what_a_phone_was_asked_goes_when_it_can_no_longer_be_answered(outbox, clock, database, vault):
    with database.writing() as session:
        conversation.remember(session, vault=vault, phone=PHONE, state={}, now=clock())
    clock.pass_(hours=11)
    with database.writing() as session:
        end_conversations(session, now=clock())
        assert session.scalars(select(Conversation)).all()
    clock.pass_(hours=2)
    with database.writing() as session:
        end_conversations(session, now=clock())
        assert not session.scalars(select(Conversation)).all()


def test_a_wiped_message_opens_for_nobody(outbox, gateway, clock, database):
    outbox.queue(outbox.contact())
    outbox.send(gateway)
    clock.pass_(days=91)
    wipe(outbox)
    with database.reading() as session:
        row = session.scalars(select(Message)).one()
    with pytest.raises(Exception):  # noqa: B017 - whatever the keys say of nothing
        outbox.vault.open("message.body_sealed", row.id, row.body_sealed)
