"""The PIN of the phone line: what opens, what stays shut, what is kept of it, and how a number moves with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.phone.pin_models import NumberChange, PhonePin, PinGate
from dispensary.phone.pin_rules import pin_fits, read
from dispensary.phone.tasks import GUESSED, NEW_NUMBER
from dispensary.refusals import BadInput
from dispensary.staff.models import AuditEntry
from dispensary.units import ClientId
from notifications.models import Message
from notifications.queries import contact_details
from tests.dispensary.phones import Line, heard_as, kl, line, listed, with_pin

ASKED = "Please reply with your PIN first."
ASKED_TOGETHER = "Please write it again, with your PIN in the same text."
WRONG = "This PIN is not right. Please try again, or ask at the desk."
SEE_US = "Please speak to us at the desk the next time you come."
NEW = "+60198765432"


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def client(phone_line: Line) -> ClientId:
    """Has a PIN, and is booked on Friday at eight."""
    client = with_pin(phone_line, phone_line.client(), "4821")
    phone_line.book(client, kl(27, 8))
    return client


BOOKED = "You are booked for Fri 27 Nov 08:00. Reply MOVE or DROP to change."


class TestOpening:
    @pytest.mark.parametrize(
        "written", ["4821 WHEN", "WHEN 4821", "PIN 4821 when", "pin:4821, when?", "๔๘๒๑ when", "my pin is 4821 when"]
    )
    def test_the_pin_stands_anywhere_in_a_text(self, phone_line: Line, client: ClientId, written: str) -> None:
        assert phone_line.says(client, written) == BOOKED

    @pytest.mark.parametrize("pin", ["4821", "PIN 4821", "pin4821", "My PIN is 4821."])
    def test_what_was_written_before_the_pin_is_done_once_it_has_come(
        self, phone_line: Line, client: ClientId, pin: str
    ) -> None:
        assert phone_line.says(client, "move sat 9") == ASKED
        assert phone_line.booked(client) == [kl(27, 8)]
        assert phone_line.says(client, pin) == "Moved. You are now booked for Sat 28 Nov at 09:00."

    def test_it_is_open_for_a_quarter_of_an_hour(self, phone_line: Line, client: ClientId) -> None:
        phone_line.says(client, "4821 when")
        phone_line.at += timedelta(minutes=14)
        assert phone_line.says(client, "when") == BOOKED
        phone_line.at += timedelta(minutes=1)
        assert phone_line.says(client, "when") == ASKED

    @pytest.mark.parametrize(
        "written", ["when", "slots", "book sat 8", "drop", "ok", "wait", "lang ms", "1", "list sat", "hrmpf"]
    )
    def test_nothing_is_told_or_done_without_it(self, phone_line: Line, client: ClientId, written: str) -> None:
        assert phone_line.says(client, written) == ASKED
        assert phone_line.booked(client) == [kl(27, 8)]

    def test_the_menu_and_an_opt_out_need_none(self, phone_line: Line, client: ClientId) -> None:
        assert phone_line.says(client, "menu").startswith("Write BOOK, MOVE or DROP")
        assert phone_line.receives(phone_line.numbers[client], "STOP").outcome == "opted_out"

    def test_a_time_is_never_taken_for_a_pin(self, phone_line: Line, client: ClientId) -> None:
        phone_line.says(client, "4821")
        assert phone_line.says(client, "book sat 0730").startswith("Booked: Sat 28 Nov at 07:30.")
        assert phone_line.says(client, "move sat 0900").startswith("Moved. You are now booked for Sat 28 Nov at 09:00")

    def test_an_ok_answers_what_was_said_before_the_pin_was_asked_for(self, phone_line: Line, client: ClientId) -> None:
        assert phone_line.says(client, "4821 drp").startswith("Give up your booking")
        phone_line.at += timedelta(minutes=20)
        assert phone_line.says(client, "ok") == ASKED
        assert phone_line.says(client, "4821").startswith("Your booking for Fri 27 Nov at 08:00 is dropped.")

    def test_two_machines_still_come_to_an_end(self, phone_line: Line, client: ClientId) -> None:
        for _ in range(9):
            phone_line.says(client, "zzz")
        assert len(phone_line.bodies()) == 3

    def test_a_pin_at_a_number_without_one_is_for_the_desk(self, phone_line: Line) -> None:
        assert phone_line.says(phone_line.client(), "PIN 4821") == SEE_US
        assert heard_as(phone_line) == ["PIN ****"]


class TestGuessing:
    def test_a_wrong_one_is_said_to_be_wrong_and_the_right_one_does_what_was_asked(
        self, phone_line: Line, client: ClientId
    ) -> None:
        assert phone_line.says(client, "4812 when") == WRONG
        assert phone_line.says(client, "4821") == BOOKED

    def test_the_fifth_within_an_hour_shuts_the_number_for_an_hour(self, phone_line: Line, client: ClientId) -> None:
        guesses = ["4812", "pin 4813", "4814 when", "4815", "4816"]
        assert [phone_line.says(client, guess) for guess in guesses] == [WRONG] * 4 + [SEE_US]
        assert listed(phone_line) == [(GUESSED, client)]
        assert [phone_line.says(client, written) for written in ("4821 when", "when", "menu")] == ["", "", ""]
        phone_line.at += timedelta(hours=1)
        assert phone_line.says(client, "4821 when") == BOOKED

    def test_wrong_ones_of_an_hour_ago_count_no_more_and_a_right_one_takes_none_back(
        self, phone_line: Line, client: ClientId
    ) -> None:
        for guess in ("4812", "4813", "4821 when", "4814", "4815"):
            phone_line.says(client, guess)
        phone_line.at += timedelta(hours=1)
        assert phone_line.says(client, "4816") == WRONG
        for guess in ("4812", "4813", "4821", "4814"):
            phone_line.says(client, guess)
        assert phone_line.says(client, "4815") == SEE_US

    def test_many_guesses_at_once_are_counted_each(self, phone_line: Line, client: ClientId) -> None:
        with ThreadPoolExecutor(6) as pool:
            said = list(pool.map(lambda pin: phone_line.says(client, pin), ["4811", "4812", "4813", "4814", "4815"]))
        assert sorted(said) == sorted([WRONG] * 4 + [SEE_US])

    def test_several_in_one_text_are_one_guess(self, phone_line: Line, client: ClientId) -> None:
        assert phone_line.says(client, "4811 4821 4813 when") == WRONG
        assert heard_as(phone_line) == ["**** **** **** when"]

    def test_the_desk_hears_it_again_at_once(self, phone_line: Line, client: ClientId) -> None:
        for guess in ("4812", "4813", "4814", "4815", "4816"):
            phone_line.says(client, guess)
        with_pin(phone_line, client, "590263")
        assert phone_line.says(client, "590263 when") == BOOKED


class TestWhatIsKept:
    def test_no_pin_stands_in_a_text_that_is_kept_nor_in_an_answer(self, phone_line: Line, client: ClientId) -> None:
        for written in ("4821 WHEN", "Pin: 4812", "๔๘๒๑", "NUMBER 019-876 5432 4821", "number 4829"):
            phone_line.says(client, written)
        kept = heard_as(phone_line)
        assert kept == ["**** WHEN", "Pin: ****", "****", "NUMBER 019-876 5432 ****", "number ****"]
        assert not any("48" in body for body in phone_line.bodies())

    def test_neither_the_pin_nor_a_plain_digest_is_in_the_tables(self, phone_line: Line, client: ClientId) -> None:
        with phone_line.database.reading() as session:
            kept = session.execute(text("SELECT p::text FROM phone_pin p")).scalar_one()
            entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "set phone PIN")).one()
        assert "4821" not in kept.split(",", 2)[2][:80]
        assert "4821" not in entry.details

    def test_the_same_pin_at_two_numbers_looks_different(self, phone_line: Line) -> None:
        for _ in range(2):
            with_pin(phone_line, phone_line.client(), "4821")
        with phone_line.database.reading() as session:
            assert len(set(session.scalars(select(PhonePin.pin_digest)))) == 2


class TestSharedNumber:
    @pytest.fixture
    def couple(self, phone_line: Line) -> tuple[ClientId, ClientId]:
        first = with_pin(phone_line, phone_line.client(), "4821")
        second = with_pin(phone_line, phone_line.client(phone_line.numbers[first]), "7395")
        phone_line.book(first, kl(27, 8))
        phone_line.book(second, kl(28, 9))
        return first, second

    def test_each_hears_of_their_own(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        assert "27 Nov" in phone_line.says(couple[0], "4821 when")
        assert "28 Nov" in phone_line.says(couple[0], "7395 when")
        assert "28 Nov" in phone_line.says(couple[0], "when")
        assert phone_line.says(couple[0], "book mon 8 4821").startswith("Booked")
        assert (len(phone_line.booked(couple[0])), len(phone_line.booked(couple[1]))) == (2, 1)

    def test_a_question_to_the_one_is_not_answered_by_the_other(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        phone_line.says(couple[0], "4821 drp")
        assert phone_line.says(couple[1], "7395 ok") == "Thank you. See you on Sat 28 Nov at 09:00."
        assert phone_line.booked(couple[0]) == [kl(27, 8)]

    @pytest.mark.parametrize("written", ["drop", "4812 drop", "move sat 10"])
    def test_what_the_one_wrote_is_not_done_for_the_other_whose_pin_comes_next(
        self, phone_line: Line, couple: tuple[ClientId, ClientId], written: str
    ) -> None:
        assert phone_line.says(couple[0], written) in (ASKED_TOGETHER, WRONG)
        assert phone_line.says(couple[1], "7395").startswith("Write BOOK, MOVE or DROP")
        assert [phone_line.booked(each) for each in couple] == [[kl(27, 8)], [kl(28, 9)]]

    def test_nor_is_a_number_changed(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        phone_line.says(couple[0], "4821")
        assert phone_line.says(couple[0], "number 0198765432") == ASKED_TOGETHER
        assert phone_line.says(couple[1], "7395").startswith("Write BOOK, MOVE or DROP")

    def test_what_names_its_writer_by_the_card_waits_for_their_pin(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        assert phone_line.says(couple[0], f"drop {phone_line.number(couple[0])}") == ASKED_TOGETHER
        assert phone_line.says(couple[0], "4821").startswith("Your booking for Fri 27 Nov at 08:00 is dropped.")

    def test_a_card_number_with_the_others_pin_opens_nothing(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        assert phone_line.says(couple[0], f"when {phone_line.number(couple[0])} 7395") == WRONG

    def test_who_has_none_writes_their_card_number(self, phone_line: Line, couple: tuple[ClientId, ClientId]) -> None:
        third = phone_line.client(phone_line.numbers[couple[0]])
        assert phone_line.says(third, "when") == ASKED_TOGETHER
        assert phone_line.says(third, f"book mon 8 {phone_line.number(third)}").startswith("Booked: Mon 30 Nov")
        assert phone_line.booked(third) == [kl(30, 8)]

    def test_nobody_chooses_the_pin_of_the_other_and_is_not_told_why(
        self, phone_line: Line, couple: tuple[ClientId, ClientId]
    ) -> None:
        refusals = []
        for pin in ("4821", "1234"):
            with pytest.raises(BadInput) as refused:
                with_pin(phone_line, couple[1], pin)
            refusals.append(refused.value.refusals)
        assert refusals[0] == refusals[1]
        assert "28 Nov" in phone_line.says(couple[1], "7395 when")

    def test_texts_to_it_name_no_sender_whoever_chose_so(self, phone_line: Line) -> None:
        first = phone_line.client()
        with phone_line.database.writing() as session:
            session.execute(text("UPDATE contact SET wording = 'open'"))
        phone_line.client(phone_line.numbers[first])
        assert phone_line.says(first, "menu").startswith("Write BOOK")


def confirm(phone_line: Line, client: ClientId, *, pin: str = "4821") -> str:
    return phone_line.says(client, f"NUMBER {NEW[3:]} {pin}".replace("NUMBER ", "NUMBER 0"))


class TestAnotherNumber:
    def test_it_stands_once_the_new_number_has_agreed(self, phone_line: Line, client: ClientId) -> None:
        old = phone_line.numbers[client]
        assert confirm(phone_line, client) == (
            "A text was sent to the new number. Texts go there once OK is written from it."
        )
        assert self.number(phone_line, client) == old
        assert self.told(phone_line, NEW) == ["number_confirm"]
        assert phone_line.body(phone_line.receives(NEW, "ok")).startswith("Done. Texts now come to this number.")
        assert self.number(phone_line, client) == NEW
        assert phone_line.body(phone_line.receives(NEW, "4821 when")) == BOOKED
        assert phone_line.body(phone_line.receives(old, "when")).startswith("This number is not known here.")
        assert listed(phone_line) == [(NEW_NUMBER, client)]
        assert [body for body in phone_line.bodies() if body.startswith("Texts do not come to this number any more.")]
        with phone_line.database.reading() as session:
            acts = session.scalars(select(AuditEntry.act).where(AuditEntry.act.like("%number by text"))).all()
        assert acts == ["asked another number by text", "changed number by text"]

    def number(self, phone_line: Line, client: ClientId) -> str:
        with phone_line.database.reading() as session:
            details = contact_details(session, vault=session.vault, recipient_id=client)
        assert details is not None
        return details.phone

    def told(self, phone_line: Line, number: str) -> list[str]:
        from notifications.sealing import phone_digests

        with phone_line.database.reading() as session:
            index = phone_digests(session.vault, number)[0]
            return list(session.scalars(select(Message.kind).where(Message.phone_index == index)))

    @pytest.mark.parametrize(
        "written",
        ["NUMBER 0198765432 PIN 4821", "4821 number 019-876 5432", "pin 4821: my new number +60 19 876 5432"],
    )
    def test_it_is_read_as_people_write_it(self, phone_line: Line, client: ClientId, written: str) -> None:
        assert phone_line.says(client, written).startswith("A text was sent to the new number.")

    def test_the_pin_is_asked_for_even_while_the_number_is_open(self, phone_line: Line, client: ClientId) -> None:
        phone_line.says(client, "4821 when")
        assert phone_line.says(client, "number 0198765432") == ASKED
        assert self.told(phone_line, NEW) == []
        assert phone_line.says(client, "4821").startswith("A text was sent to the new number.")

    def test_a_wrong_pin_moves_nothing(self, phone_line: Line, client: ClientId) -> None:
        assert confirm(phone_line, client, pin="4812") == WRONG
        assert phone_line.body(phone_line.receives(NEW, "ok")).startswith("This number is not known here.")

    def test_what_is_no_number_is_explained(self, phone_line: Line, client: ClientId) -> None:
        assert phone_line.says(client, "4821 number") == "Write NUMBER, then the new number and your PIN."

    def test_without_a_pin_it_is_for_the_desk(self, phone_line: Line) -> None:
        assert phone_line.says(phone_line.client(), "number 0198765432") == SEE_US

    @pytest.mark.parametrize("later", [timedelta(hours=24)])
    def test_an_ok_that_comes_a_day_later_agrees_to_nothing(
        self, phone_line: Line, client: ClientId, later: timedelta
    ) -> None:
        old = phone_line.numbers[client]
        confirm(phone_line, client)
        phone_line.at += later
        phone_line.receives(NEW, "ok")
        assert self.number(phone_line, client) == old

    def test_anything_but_ok_agrees_to_nothing(self, phone_line: Line, client: ClientId) -> None:
        confirm(phone_line, client)
        for written in ("no", "who is this", "not ok", "when"):
            phone_line.receives(NEW, written)
        assert self.number(phone_line, client) == phone_line.numbers[client]

    def test_nobody_has_us_write_to_number_after_number(self, phone_line: Line, client: ClientId) -> None:
        said = [phone_line.says(client, f"4821 number 01987654{n}") for n in (32, 33, 34, 35)]
        assert [each == SEE_US for each in said] == [False, False, False, True]

    def test_at_a_number_where_another_has_the_same_pin_it_is_for_the_desk(
        self, phone_line: Line, client: ClientId
    ) -> None:
        with_pin(phone_line, phone_line.client(NEW), "4821")
        assert confirm(phone_line, client) == SEE_US

    def test_who_chose_the_same_pin_meanwhile_keeps_it_and_the_mover_stays(
        self, phone_line: Line, client: ClientId
    ) -> None:
        there = phone_line.client(NEW)
        confirm(phone_line, client)
        with_pin(phone_line, there, "4821")
        assert phone_line.body(phone_line.receives(NEW, "ok")) == SEE_US
        assert self.number(phone_line, client) == phone_line.numbers[client]


class TestLanguage:
    def test_it_is_changed_with_the_pin_and_written_down(self, phone_line: Line, client: ClientId) -> None:
        assert phone_line.says(client, "lang ms") == ASKED
        assert phone_line.says(client, "4821") == "Mesej kini dalam Bahasa Melayu."
        with phone_line.database.reading() as session:
            acts = session.scalars(select(AuditEntry.act).where(AuditEntry.act == "language by text")).all()
        assert acts == ["language by text"]


class TestTables:
    @pytest.mark.parametrize(
        ("sql", "refused"),
        [
            ("UPDATE contact SET phone_index = '\\x01'", "tr_contact_takes_its_pin|end it first"),
            ("DELETE FROM contact", "end it first"),
            ("UPDATE phone_pin SET phone_index = '\\x01'", "for the number that its client has"),
            (
                "INSERT INTO phone_pin SELECT c.recipient_id, c.phone_index, (SELECT pin_digest FROM phone_pin), now()"
                " FROM contact c WHERE recipient_id NOT IN (SELECT client_id FROM phone_pin)",
                "uq_phone_pin_pin_digest",
            ),
            ("UPDATE pin_gate SET shut_until = now()", "ck_pin_gate_shut"),
            ("UPDATE pin_gate SET open_until = NULL", "ck_pin_gate_open"),
            ("UPDATE pin_gate SET wrong_at = array_fill(now(), ARRAY[6])", "ck_pin_gate_wrong"),
            (
                "UPDATE pin_gate SET open_for = (SELECT recipient_id FROM contact WHERE recipient_id NOT IN"
                " (SELECT client_id FROM phone_pin))",
                "fk_pin_gate_open_for",
            ),
            ("DELETE FROM phone_pin", "fk_pin_gate_open_for"),
        ],
        ids=["number", "contact", "pin", "same", "shut", "open", "wrong", "for", "closed"],
    )
    def test_refuse_what_breaks_it(self, phone_line: Line, client: ClientId, sql: str, refused: str) -> None:
        phone_line.client(phone_line.numbers[client])
        phone_line.says(client, "4821 when")
        with pytest.raises(IntegrityError, match=refused), phone_line.database.writing() as session:
            session.execute(text(sql))

    def test_a_pin_that_ends_takes_what_was_open_and_what_waited_with_it(
        self, phone_line: Line, client: ClientId
    ) -> None:
        confirm(phone_line, client)
        with_pin(phone_line, client, "590263")
        with phone_line.database.reading() as session:
            assert session.scalars(select(NumberChange)).all() == []
            assert session.scalars(select(PinGate).where(PinGate.open_for.is_not(None))).all() == []


class TestRules:
    @pytest.mark.parametrize(
        "pin",
        [
            *("1234", "4321", "0000", "1212", "1122", "1987", "2031", "0730", "2359", "123456", "484848", "890123"),
            *("3103", "0331", "310391", "910331", "481481", "0012", "12", "1234567", "48a1", "", "٤٨٢١"),
        ],
    )
    def test_what_is_easily_guessed_is_no_pin(self, pin: str) -> None:
        assert pin_fits(pin, pin, born=date(1991, 3, 31), number="H0012")

    @pytest.mark.parametrize("pin", ["4821", "7395", "590263", "48213"])
    def test_others_are_when_both_are_the_same(self, pin: str) -> None:
        assert pin_fits(pin, pin, born=date(1991, 3, 31), number="H0012") == ()
        assert [fault.field for fault in pin_fits(pin, "4822", born=None, number="H1")] == ["again"]

    @given(st.text(max_size=80), st.booleans())
    def test_any_text_is_read_and_its_pin_is_not_kept(self, written: str, guarded: bool) -> None:
        found = read(f"{written} pin 4821", guarded=guarded, region="MY")
        assert "4821" not in found.kept

    @pytest.mark.parametrize("written", ["密码4821 查询", "4821查询", "รหัส 4821 ดูนัด", "xem ma pin 4821"])
    def test_it_is_found_in_other_scripts(self, written: str) -> None:
        found = read(written, guarded=True, region="MY")
        assert (found.pin, found.empty) == ("4821", False)
