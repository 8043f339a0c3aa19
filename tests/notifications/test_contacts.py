from uuid import uuid4

import pytest
from sqlalchemy import text

from notifications.inbound import receive
from notifications.numbers import BadNumber, e164
from notifications.queries import contact_details, contacts_at, opted_out
from notifications.sealing import phone_index
from notifications.service import UnknownLanguage, opt_out, set_language

PHONE = "+60123456789"


@pytest.mark.parametrize(
    ("typed", "region", "kept"),
    [
        ("012-345 6789", "MY", PHONE),
        ("+60 12 345 6789", "MY", PHONE),
        ("0060123456789", "MY", PHONE),
        ("+84 91 234 56 78", "MY", "+84912345678"),
        ("138 0013 8000", "CN", "+8613800138000"),
        ("０１２３４５６７８９", "MY", PHONE),
    ],
)
def test_a_number_is_typed_as_it_is_dialled_and_kept_as_e164(typed, region, kept):
    assert e164(typed, region) == kept


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "not a phone number"),
        ("hello", "not a phone number"),
        ("012", "does not exist"),
        ("+60 12 345 6789 012 345", "does not exist"),
        ("012-3456789 ext 5", "does not exist"),
        ("03-2282 1234", "landline"),
        ("1" * 41, "too long"),
    ],
)
def test_what_is_no_number_is_refused_with_an_example_and_not_repeated(typed, said):
    with pytest.raises(BadNumber) as refused:
        e164(typed, "MY")
    assert said in str(refused.value)
    assert "012-345 6789" in str(refused.value)


def test_an_unknown_country_is_refused():
    with pytest.raises(BadNumber, match="two letters"):
        e164("012-345 6789", "Malaysia")


class TestAContact:
    def test_is_found_by_any_way_of_writing_its_number(self, outbox, database, vault):
        recipient_id = outbox.contact("012-345 6789")
        with database.reading() as session:
            assert contacts_at(session, vault=vault, phone=PHONE) == [recipient_id]
            details = contact_details(session, vault=vault, recipient_id=recipient_id)
            assert (details.phone, details.wording, details.consented_at) == (PHONE, "covert", outbox.clock())
            assert contact_details(session, vault=vault, recipient_id=uuid4()) is None

    def test_may_share_its_phone(self, outbox, database, vault):
        both = sorted([outbox.contact("0123456789"), outbox.contact("0123456789")])
        with database.reading() as session:
            assert contacts_at(session, vault=vault, phone=PHONE) == both

    def test_is_not_readable_in_the_database(self, outbox, database):
        outbox.contact("0123456789")
        with database.reading() as session:
            row = session.execute(text("SELECT contact::text FROM contact")).scalar_one()
        for readable in ("123456789", b"123456789".hex()):
            assert readable not in row

    def test_is_not_changed_by_a_bad_number_or_language(self, outbox, database, vault):
        recipient_id = outbox.contact("0123456789")
        with pytest.raises(BadNumber):
            outbox.change_contact(recipient_id, "0")
        with pytest.raises(UnknownLanguage, match="Choose one of en, ms, zh_Hans"):
            outbox.change_contact(recipient_id, "0198765432", language="xx")
        with database.reading() as session:
            assert contact_details(session, vault=vault, recipient_id=recipient_id).phone == PHONE

    def test_changes_its_language(self, outbox, database, vault):
        recipient_id = outbox.contact()
        with database.writing() as session:
            assert set_language(session, recipient_id=recipient_id, language="ms", now=outbox.clock())
            assert not set_language(session, recipient_id=uuid4(), language="ms", now=outbox.clock())
        with database.reading() as session:
            assert contact_details(session, vault=vault, recipient_id=recipient_id).language == "ms"


class TestAnOptOut:
    def test_is_of_the_number_and_so_of_all_who_share_it(self, outbox, database, vault, clock):
        sharing = {outbox.contact("0123456789"), outbox.contact("0123456789")}
        outbox.contact("0198765432")
        with database.writing() as session:
            opt_out(session, index=phone_index(session, vault, PHONE), now=clock())
        with database.reading() as session:
            assert {entry.recipient_id for entry in opted_out(session)} == sharing
        newcomer = outbox.contact("0123456789")
        assert outbox.queue(newcomer) is None

    def test_ends_with_a_new_number_and_is_there_again_with_the_old_one(self, outbox, database, vault, clock):
        recipient_id = outbox.contact("0123456789")
        with database.writing() as session:
            receive(session, vault=vault, gateway="console", message_id="1", phone=PHONE, text="STOP", at=clock())
        outbox.change_contact(recipient_id, "0198765432")
        assert outbox.queue(recipient_id, "a") is not None
        outbox.change_contact(recipient_id, "0123456789")
        assert outbox.queue(recipient_id, "b") is None
        assert outbox.state(outbox_first(outbox)) == "failed"


def outbox_first(outbox):
    with outbox.database.reading() as session:
        return session.execute(text("SELECT id FROM message ORDER BY id LIMIT 1")).scalar_one()
