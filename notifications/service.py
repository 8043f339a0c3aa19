"""What is done with contacts and the outbox: keep a number and its wishes, queue a text, take in a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CursorResult, Table, Update, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications.models import Contact, Message, State, Wording, new_id
from notifications.numbers import e164
from notifications.queries import language_written, opted_out_since, wants
from notifications.rules import earlier
from notifications.sealing import (
    CONTACT_PHONE,
    MESSAGE_BODY,
    MESSAGE_PHONE,
    Vault,
    forgotten_reasons,
    phone_index,
)
from notifications.segments import measure
from notifications.texts import CATALOGUES, language_for, render

OPTED_OUT = "opted-out"
"""The error code of a text that was not sent because its number asked for none."""


WITHDRAWN = "withdrawn"
"""The error code of a text that was taken back before it was sent: nobody misses it."""

NOT_TAKEN: Mapping[str, None] = {"charged_on": None, "charge": None}
"""What a message says of money when no gateway has surely taken it."""


class UnknownLanguage(ValueError):
    """There are no texts in that language."""


def set_contact(
    session: Session,
    *,
    vault: Vault,
    recipient_id: UUID,
    phone: str,
    language: str,
    region: str,
    now: datetime,
    wording: str = Wording.COVERT,
    consented: bool = True,
    place_id: UUID | None = None,
) -> None:
    """Keeps how a recipient is reached; `phone` as dialled in `region`. Raises BadNumber, UnknownLanguage.

    The rules of the place `place_id` hold for texts to them from now on; without one, those that held, or the house's.

    Texts that still wait go to the new number. An opt-out is the wish of a number: a new number begins with its own.
    Without consent nothing is queued.
    """
    number = e164(phone, region)
    if language not in CATALOGUES:
        raise UnknownLanguage(f"There are no texts in “{language}”. Choose one of {', '.join(CATALOGUES)}.")
    index = phone_index(session, vault, number)
    contact = session.get(Contact, recipient_id, with_for_update=True)
    moved = contact is not None and contact.phone_index != index
    opted_out_at = opted_out_since(session, index)
    if contact is None:
        contact = Contact(recipient_id=recipient_id, consented_at=None)
        session.add(contact)
    contact.phone_sealed = vault.seal(CONTACT_PHONE, recipient_id, number, of=recipient_id)
    contact.phone_index = index
    contact.language = language
    contact.wording = Wording(wording).value
    contact.consented_at = (contact.consented_at or now) if consented else None
    contact.opted_out_at = opted_out_at
    contact.changed_at = now
    contact.place_id = place_id or contact.place_id
    session.flush()
    if moved:
        _readdress(session, vault, recipient_id, number)
    if opted_out_at is not None:
        opt_out(session, index=index, now=now)


def go_over(session: Session, *, recipient_id: UUID, place_id: UUID, now: datetime) -> None:
    """The rules of another place hold for texts to this recipient from now on. Nobody is known: nothing is done."""
    session.execute(
        update(Contact).where(Contact.recipient_id == recipient_id).values(place_id=place_id, changed_at=now)
    )


def _readdress(session: Session, vault: Vault, recipient_id: UUID, number: str) -> None:
    waiting = select(Message).where(Message.recipient_id == recipient_id, Message.state == State.QUEUED)
    for message in session.scalars(waiting.with_for_update()):
        message.phone_sealed = vault.seal(MESSAGE_PHONE, message.id, number, of=recipient_id)
        message.phone_index = phone_index(session, vault, number)
    session.flush()


def set_language(session: Session, *, recipient_id: UUID, language: str, now: datetime) -> bool:
    """Writes to this recipient in another language from now on. False when nobody is known by this id."""
    if language not in CATALOGUES:
        raise UnknownLanguage(f"There are no texts in “{language}”. Choose one of {', '.join(CATALOGUES)}.")
    changed = update(Contact).where(Contact.recipient_id == recipient_id).values(language=language, changed_at=now)
    return _count(session.execute(changed)) == 1


def opt_out(session: Session, *, index: bytes, now: datetime) -> None:
    """No more texts to the number behind this index: not to anybody who shares it, nor what still waits."""
    session.execute(
        update(Contact)
        .where(Contact.phone_index == index, Contact.opted_out_at.is_(None))
        .values(opted_out_at=now, changed_at=now)
    )
    session.execute(
        update(Message)
        .where(
            Message.phone_index == index,
            or_(Message.state == State.QUEUED, (Message.state == State.SENDING) & Message.claimed_at.is_(None)),
        )
        .values(state=State.FAILED, error_code=OPTED_OUT, next_attempt_at=None, changed_at=now, **NOT_TAKEN)
    )


def opt_in(session: Session, *, index: bytes, now: datetime) -> None:
    """Texts to the number behind this index again."""
    session.execute(
        update(Contact)
        .where(Contact.phone_index == index, Contact.opted_out_at.is_not(None))
        .values(opted_out_at=None, changed_at=now)
    )


def withdraw(session: Session, *, recipient_id: UUID, kinds: Collection[str], now: datetime) -> None:
    """Takes back texts of these kinds to a recipient that no sender has in hand, also those to be tried again later.

    The contact is held until the transaction ends: a text that is being queued now is found, or asks afterwards.
    """
    session.execute(select(Contact.recipient_id).where(Contact.recipient_id == recipient_id).with_for_update())
    session.execute(
        update(Message)
        .where(
            Message.recipient_id == recipient_id,
            Message.kind.in_(kinds),
            or_(Message.state == State.QUEUED, (Message.state == State.SENDING) & Message.claimed_at.is_(None)),
            ~Message.is_reply,
        )
        .values(state=State.EXPIRED, error_code=WITHDRAWN, next_attempt_at=None, changed_at=now, **NOT_TAKEN)
    )


def queue(
    session: Session,
    *,
    vault: Vault,
    recipient_id: UUID,
    kind: str,
    reason_key: str,
    fields: Mapping[str, object],
    zone: ZoneInfo,
    now: datetime,
    valid_until: datetime,
) -> UUID | None:
    """Puts a text to this recipient in the outbox, in the caller's transaction, and returns its id.

    Nothing when there is no number, no consent, an opt-out, no wish for this kind, or already a text with this
    `reason_key`, which names what the text is about and the moment it is about. The contact is held until the
    transaction ends, so that an opt-out that comes at the same time finds the text. Raises texts.BadFields.
    """
    contact = session.get(Contact, recipient_id, with_for_update={"read": True}, populate_existing=True)
    if contact is None or contact.consented_at is None or contact.opted_out_at is not None:
        return None
    if not wants(session, recipient_id=recipient_id, kind=kind):
        return None
    number = vault.open(CONTACT_PHONE, recipient_id, contact.phone_sealed)
    language = language_written(session, recipient_id=recipient_id, language=contact.language)
    phone_index(session, vault, number)  # who shares the phone is asked by its digest
    body = render(kind, language, fields, zone=zone, wording=_wording(session, contact))
    return _put(
        session,
        vault,
        recipient_id=recipient_id,
        number=number,
        kind=kind,
        reason_key=reason_key,
        language=language,
        body=body,
        place_id=contact.place_id,
        zone=zone,
        is_reply=False,
        now=now,
        valid_until=valid_until,
    )


def queue_reply(
    session: Session,
    *,
    vault: Vault,
    phone: str,
    recipient_id: UUID | None,
    kind: str,
    reason_key: str,
    fields: Mapping[str, object],
    zone: ZoneInfo,
    now: datetime,
    valid_until: datetime,
    language: str | None = None,
) -> UUID | None:
    """Puts the answer to a text that came from `phone` (E.164) in the outbox, and returns its id.

    It goes to the phone that wrote, whoever it belongs to, in the language of the recipient or of somebody with this
    number, unless `language` says another. Nothing when the number opted out or the answer is queued already.
    """
    index = phone_index(session, vault, phone)
    if opted_out_since(session, index) is not None:
        return None
    known = session.scalars(select(Contact).where(Contact.phone_index == index).order_by(Contact.recipient_id)).all()
    contact = next((c for c in known if c.recipient_id == recipient_id), known[0] if known else None)
    wanted = language_for(language or (contact.language if contact else ""))
    spoken = language_written(session, recipient_id=contact.recipient_id, language=wanted) if contact else wanted
    return _put(
        session,
        vault,
        recipient_id=recipient_id,
        number=phone,
        kind=kind,
        reason_key=reason_key,
        language=spoken,
        body=render(kind, spoken, fields, zone=zone, wording=_wording(session, contact) if contact else Wording.COVERT),
        place_id=contact.place_id if contact else None,
        zone=zone,
        is_reply=True,
        now=now,
        valid_until=valid_until,
    )


def _wording(session: Session, contact: Contact) -> str:
    """How a contact is written to: on a phone that several share always covertly, whoever of them chose otherwise."""
    if contact.wording == Wording.COVERT:
        return Wording.COVERT
    others = exists().where(Contact.phone_index == contact.phone_index, Contact.recipient_id != contact.recipient_id)
    return Wording.COVERT if session.scalar(select(others)) else contact.wording


def _put(
    session: Session,
    vault: Vault,
    *,
    recipient_id: UUID | None,
    number: str,
    kind: str,
    reason_key: str,
    language: str,
    body: str,
    place_id: UUID | None,
    zone: ZoneInfo,
    is_reply: bool,
    now: datetime,
    valid_until: datetime,
) -> UUID | None:
    if session.scalar(select(exists().where(Message.reason_key.in_(forgotten_reasons(vault, reason_key))))):
        return None
    message_id = new_id()
    put = (
        insert(Message)
        .values(
            id=message_id,
            recipient_id=recipient_id,
            phone_sealed=vault.seal(MESSAGE_PHONE, message_id, number, of=recipient_id),
            phone_index=phone_index(session, vault, number),
            kind=kind,
            reason_key=reason_key,
            language=language,
            body_sealed=vault.seal(MESSAGE_BODY, message_id, body, of=recipient_id),
            segments=measure(body).segments,
            place_id=place_id,
            zone=zone.key,
            is_reply=is_reply,
            state=State.QUEUED,
            attempts=0,
            next_attempt_at=now,
            valid_until=valid_until,
            created_at=now,
            changed_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Message.reason_key])
        .returning(Message.id)
    )
    return session.scalar(put)


def record_status(
    session: Session,
    *,
    gateway: str,
    provider_id: str,
    state: State,
    code: str | None,
    now: datetime,
    reference: UUID | None = None,
    opted_out: bool = False,
) -> bool:
    """Takes in a gateway's report of a message. False when it changes nothing.

    Reports come out of order and more than once: a state only moves forward, and the first end stands. With
    `reference`, our own id, a report also finds the message whose sender was killed before it wrote the provider's id.
    """
    ours = (Message.gateway == gateway) & (Message.provider_id == provider_id)
    if reference is not None:
        ours |= (Message.id == reference) & (Message.gateway == gateway) & Message.provider_id.is_(None)
    message = session.scalars(select(Message).where(ours).order_by(Message.provider_id).limit(1)).first()
    if message is None:
        return False
    if opted_out:
        opt_out(session, index=message.phone_index, now=now)
    return move(session, message_id=message.id, state=state, code=code, provider_id=provider_id, now=now)


def move(
    session: Session,
    *,
    message_id: UUID,
    state: State,
    code: str | None,
    provider_id: str | None,
    now: datetime,
    not_taken: bool = False,
) -> bool:
    """Moves a message to a state in which no sender looks at it any more. False when it is already as far.

    With `not_taken` it costs nothing: no gateway has it.
    """
    values = {"message": message_id, "moment": now, "code": code, "provider": provider_id}
    moved = session.connection().execute(_moved(state, provider_id is not None, not_taken), values)
    return _count(moved) == 1


@cache
def _moved(state: State, known: bool, not_taken: bool) -> Update:
    """The statement of a move, built once: a sender runs it for every text, and building it cost more than running."""
    moment = bindparam("moment", type_=Message.changed_at.type)
    values: dict[str, object] = {
        "state": state.value,
        "error_code": bindparam("code", type_=Message.error_code.type),
        "next_attempt_at": None,
        "claimed_at": None,
        "changed_at": moment,
    }
    if known:
        values["provider_id"] = bindparam("provider", type_=Message.provider_id.type)
    if state in (State.SENT, State.DELIVERED, State.UNDELIVERED):
        values["sent_at"] = func.coalesce(Message.__table__.c.sent_at, moment)
    if not_taken:
        values |= NOT_TAKEN
    outbox = Message.__table__
    assert isinstance(outbox, Table)
    ours = (outbox.c.id == bindparam("message", type_=outbox.c.id.type)) & outbox.c.state.in_(earlier(state))
    return update(outbox).where(ours).values(values)


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
