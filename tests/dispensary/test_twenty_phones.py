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
from tests.dispensary.phones import Line, line

PHONES = 20
TEXTS = 160
CHANGES = {"booked": 1, "moved": 0, "dropped": -1}
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
