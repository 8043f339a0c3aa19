"""Twenty phones write whatever comes to mind, in eleven languages, and a model follows what they are answered."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select

from dispensary.database import Database
from notifications.discretion import reveals
from notifications.models import Message
from notifications.segments import Encoding, measure
from notifications.texts import CATALOGUES
from notifications.words import LEXICONS, Verb
from scheduling.models import Booking, BookingState
from tests.dispensary.phones import Line, line, with_pin

PHONES = 20
TEXTS = 160
CHANGES = {"booked": 1, "moved": 0, "dropped": -1}
PINS = ("4821", "7395", "590263")
SHARING = 3
"""So many numbers have two clients, each with a PIN of their own."""
SAID = ("7", "7.30", "8", "28/11", "1", "2", "3", "ok", "fri 7", "sat 8.15", "OK", "STOP?", "abc", "methadone", "?", "")


def words(language: str, chance: Random) -> str:
    """A text of somebody who reads this language: their own commands and days, sometimes another's."""
    own = LEXICONS[language if chance.random() < 0.8 else chance.choice(sorted(LEXICONS))].meanings
    verbs = [word for word, meaning in own.items() if isinstance(meaning, Verb)]
    days = [word for word, meaning in own.items() if not isinstance(meaning, Verb)]
    pieces = [chance.choice(verbs)] if chance.random() < 0.7 else []
    pieces += chance.sample(days, chance.randint(0, 2)) if chance.random() < 0.7 else []
    pieces += [chance.choice(SAID)] if chance.random() < 0.6 else []
    chance.shuffle(pieces)
    return " ".join(pieces)


@pytest.mark.parametrize("seed", [1, 2])
def test_bookings_are_what_the_phones_were_told_and_no_reply_tells_more(
    database: Database, now: datetime, seed: int
) -> None:
    chance = Random(seed)
    phone_line: Line = line(database, now, capacity=3)
    languages = [chance.choice(sorted(CATALOGUES)) for _ in range(PHONES)]
    clients = [phone_line.client(language=language) for language in languages]
    booked: Counter[object] = Counter()
    answered_by: dict[object, str] = {}
    heard: list[tuple[str, str, str]] = []
    for turn in range(TEXTS):
        phone_line.at = now + timedelta(seconds=20 * turn)
        who = chance.randrange(PHONES)
        client, text = clients[who], words(languages[who], chance)
        if heard and chance.random() < 0.1:  # a gateway delivers again
            message_id, phone, text = chance.choice(heard)
            assert phone_line.receives(phone, text, message_id=message_id).repeated
            continue
        message_id, phone = f"SM{seed}-{turn}", phone_line.numbers[client]
        heard.append((message_id, phone, text))
        answered = phone_line.receives(phone, text, message_id=message_id)
        assert not answered.repeated
        booked[client] += CHANGES.get(answered.outcome, 0)
        if answered.reply_id is not None:
            assert answered.reply_id not in answered_by
            body = answered_by[answered.reply_id] = phone_line.body(answered)
            size = measure(body)
            assert not reveals(body), (text, body)
            assert size.segments <= (1 if size.encoding is Encoding.GSM7 else 2), body
    with database.reading() as session:
        standing = session.scalars(select(Booking).where(Booking.state == BookingState.BOOKED)).all()
        assert Counter(each.holder_id for each in standing) == +booked
        assert set(session.scalars(select(Message.id))) == set(answered_by)
    assert sum(booked.values()) > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_number_with_pins_does_only_what_the_owner_of_the_last_right_one_asks(
    database: Database, now: datetime, seed: int
) -> None:
    """The model knows the gate alone: who may be meant by a text, and when nobody is. It never looks into a booking."""
    chance = Random(seed)
    phone_line: Line = line(database, now, capacity=3)
    gates = [Gated(phone_line, number, chance) for number in range(SHARING)]
    for turn in range(TEXTS):
        phone_line.at = now + timedelta(seconds=90 * turn)
        chance.choice(gates).hears(words("en", chance), chance)
    assert sum(gate.opened for gate in gates) > 10
    assert any(gate.asked for gate in gates)


class Gated:
    """One number, two clients and their PINs, with what should be so by the rules of the gate."""

    def __init__(self, phone_line: Line, number: int, chance: Random) -> None:
        self.line = phone_line
        first = phone_line.client()
        self.pins = dict(
            zip(chance.sample(PINS, 2), (first, phone_line.client(phone_line.numbers[first])), strict=True)
        )
        for pin, client in self.pins.items():
            with_pin(phone_line, client, pin)
        self.phone = phone_line.numbers[first]
        self.owner: object = None
        self.until = self.shut = phone_line.at
        self.wrong: list[datetime] = []
        self.opened = self.asked = 0

    def hears(self, text: str, chance: Random) -> None:
        at = self.line.at
        pin = chance.choice((*self.pins, *PINS, "6174")) if chance.random() < 0.4 else ""
        before = {client: self.line.booked(client) for client in self.pins.values()}
        answered = self.line.receives(self.phone, f"{pin} {text}".strip())
        after = {client: self.line.booked(client) for client in self.pins.values()}
        body = self.line.body(answered)
        assert not any(digits in body for digits in (*PINS, "6174"))
        assert not reveals(body)
        if answered.outcome == "opted_out" or at < self.shut:
            assert before == after
            return
        self.wrong = [when for when in self.wrong if when > at - timedelta(hours=1)]
        if pin in self.pins:
            self.owner, self.until = self.pins[pin], at + timedelta(minutes=15)
        elif pin:
            self.wrong.append(at)
            if len(self.wrong) == 5:
                self.wrong, self.until, self.shut = [], at, at + timedelta(hours=1)
        is_open = self.owner is not None and at < self.until and (not pin or pin in self.pins)
        changed = [client for client in before if before[client] != after[client]]
        assert changed == [] or (is_open and changed == [self.owner]), (text, pin)
        assert is_open or answered.outcome in SHUT_OUTCOMES, (text, pin, answered.outcome)
        self.opened += is_open
        self.asked += answered.outcome == "asked_pin"


SHUT_OUTCOMES = ("asked_pin", "wrong_pin", "line_shut", "told", "asked_human", "not_answered")
"""What becomes of a text without a PIN; `told` is the menu."""
