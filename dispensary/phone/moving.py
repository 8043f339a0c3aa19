"""Another number by text: asked from the old one with the PIN, in force once the new one has written OK.

Who has found a phone has no PIN and moves nothing. Who has the PIN still needs the new phone in hand, so that a number
that was typed wrongly never gets a word about anybody's bookings. Reception hears of each move.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

import notifications.service
from dispensary.clients.living import alive
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import index_key_of
from dispensary.phone import tasks
from dispensary.phone.entering import Heard
from dispensary.phone.memory import told_since
from dispensary.phone.pin_models import NumberChange, PhonePin
from dispensary.phone.pins import end_pin, guard_of, keep_pin, pin_digests
from dispensary.phone.talk import Reply, Talk, Writer, writers_of
from dispensary.units import ClientId, new_id
from notifications.commands import Verb, parse
from notifications.models import Contact, Message
from notifications.numbers import BadNumber, e164
from notifications.queries import contact_details, language_written
from notifications.sealing import phone_digests, phone_index

AGREE_WITHIN: Final = timedelta(hours=24)
"""For so long the new number may answer OK."""
MOST_ASKED: Final = 3
"""Requests of one client within a day: nobody makes us write to number after number."""
ASKS_NEW_NUMBER: Final = "number_confirm"
_SEALED: Final = "number_change.phone_sealed"
_WORTH_SENDING: Final = timedelta(hours=12)


def ask_move(talk: Talk, typed: str, heard: Heard) -> Reply:
    """Texts the new number and waits for its OK. Without a PIN in this very text there is no move. Raises Whose."""
    pin = heard.read.pin
    writer = talk.the_one()
    session, at = talk.session, talk.at
    if session.get(PhonePin, writer.client_id) is None:
        return Reply("refused", "see_reception")
    try:
        number = e164(typed, writer.place.region)
    except BadNumber:
        return Reply("asked", "ask_number", asked=talk.asked)
    if pin is None:
        return Reply("asked_pin", "ask_text_with_pin" if heard.shared else "ask_pin", asked=talk.asked, holds=True)
    index = phone_index(session, session.vault, number)
    old = session.get_one(Contact, writer.client_id).phone_index
    digest = pin_digests(session.vault, number, pin)[0]
    forget_unanswered(session, at=at)
    taken = session.scalar(select(NumberChange.client_id).where(NumberChange.phone_index == index))
    if (
        index == old
        or guard_of(session, number).owner(session.vault, pin) is not None
        or taken not in (None, writer.client_id)
        or _asked_lately(session, writer.client_id, at) >= MOST_ASKED
    ):
        return Reply("refused", "see_reception")
    values = {
        "phone_sealed": session.vault.seal(_SEALED, writer.client_id, number, of=writer.client_id),
        "phone_index": index,
        "pin_digest": digest,
        "asked_at": at,
        "expires_at": at + AGREE_WITHIN,
    }
    put = insert(NumberChange).values(client_id=writer.client_id, **values)
    session.execute(put.on_conflict_do_update(index_elements=[NumberChange.client_id], set_=values))
    notifications.service.queue_reply(
        session,
        vault=session.vault,
        phone=number,
        recipient_id=writer.client_id,
        kind=ASKS_NEW_NUMBER,
        reason_key=f"number:{new_id()}",
        fields={},
        zone=talk.zone,
        now=at,
        valid_until=at + AGREE_WITHIN,
        language=language_written(session, recipient_id=writer.client_id, language=writer.language),
    )
    return Reply("asked another number", "number_asked", about=writer)


def _asked_lately(session: ReadSession, client_id: ClientId, at: datetime) -> int:
    asked = select(func.count()).select_from(Message)
    lately = (
        Message.recipient_id == client_id,
        Message.kind == ASKS_NEW_NUMBER,
        Message.created_at > at - timedelta(days=1),
    )
    return session.scalar(asked.where(*lately)) or 0


def forget_unanswered(session: WriteSession, *, at: datetime) -> int:
    """Removes the numbers that did not agree in time, and says how many."""
    gone = session.scalars(
        delete(NumberChange).where(NumberChange.expires_at <= at).returning(NumberChange.client_id)
    ).all()
    return len(gone)


def agreeing(session: WriteSession, *, phone: str, text: str, at: datetime) -> Writer | None:
    """Whose number this becomes by this text: an OK to the question whether it should, which nothing has followed."""
    change = session.scalar(
        select(NumberChange)
        .where(NumberChange.phone_index.in_(phone_digests(session.vault, phone)), NumberChange.expires_at > at)
        .where(alive(NumberChange.client_id))
        .with_for_update()
    )
    told = told_since(session, phone, None) if change is not None else None
    if change is None or told is None or told.kind != ASKS_NEW_NUMBER:
        return None
    (writer,) = writers_of(session, [change.client_id])
    command = parse(text, at.astimezone(ZoneInfo(writer.place.zone)).date(), writer.language)
    return writer if command.verb is Verb.OK and not command.unread else None


def move(session: WriteSession, *, writer: Writer, phone: str, at: datetime) -> Reply:
    """Reaches the client at this number from now on, with the PIN that they have. The old number is told that it ended.

    It was the old number that asked, with the PIN: who reads there what was not their own doing shall know of it.
    """
    client_id = writer.client_id
    change = session.get_one(NumberChange, client_id)
    digest = change.pin_digest
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    assert contact is not None, "a PIN is for a number"
    under_todays_key = index_key_of(digest) == session.vault.ring.index.current
    if not under_todays_key or digest in guard_of(session, phone).by_digest:
        # Somebody there has chosen the same one meanwhile, or may have: under two keys the same one is not told.
        session.delete(change)
        session.flush()
        return Reply("refused", "see_reception")
    end_pin(session, client_ids=[client_id])
    notifications.service.set_contact(
        session,
        vault=session.vault,
        recipient_id=client_id,
        phone=phone,
        language=contact.language,
        region=writer.place.region,
        now=at,
        wording=contact.wording,
        consented=contact.consented_at is not None,
        place_id=writer.place.id,
    )
    index = phone_index(session, session.vault, phone)
    keep_pin(session, client_id=client_id, index=index, digest=digest, set_by=None, at=at)
    notifications.service.queue_reply(
        session,
        vault=session.vault,
        phone=contact.phone,
        recipient_id=client_id,
        kind="number_left",
        reason_key=f"number left:{new_id()}",
        fields={},
        zone=ZoneInfo(writer.place.zone),
        now=at,
        valid_until=at + _WORTH_SENDING,
        language=language_written(session, recipient_id=client_id, language=contact.language),
    )
    tasks.leave_task(session, cause=tasks.NEW_NUMBER, client_id=client_id, site_id=writer.place.id, at=at)
    return Reply("changed number", "number_changed", about=writer)
