"""What pages, reception and `verify` read of texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, cast, exists, func, literal, select, text
from sqlalchemy import Text as Tag
from sqlalchemy.orm import Session

from notifications.models import LOST, Contact, Inbound, Message, State
from notifications.sealing import CONTACT_PHONE, INBOUND_BODY, MESSAGE_BODY, Vault, phone_digests
from notifications.texts import CATALOGUES, Status, language_for

OPTED_OUT_OUTCOME = "opted_out"
OPTED_IN_OUTCOME = "opted_in"
STUCK_AFTER = timedelta(hours=1)


@dataclass(frozen=True, repr=False)
class ContactDetails:
    phone: str
    """E.164."""
    language: str
    wording: str
    consented_at: datetime | None
    opted_out_at: datetime | None


@dataclass(frozen=True)
class NotReached:
    """A text that somebody did not get."""

    message_id: UUID
    recipient_id: UUID | None
    kind: str
    state: State
    code: str | None
    at: datetime


@dataclass(frozen=True)
class OptedOut:
    recipient_id: UUID
    at: datetime


@dataclass(frozen=True, repr=False)
class Text:
    """One text of a phone, in either direction."""

    id: UUID
    at: datetime
    from_phone: bool
    """Written on the phone; otherwise written by us."""
    body: str
    state: State | None
    """How far a text of ours has come; nothing for one that came in."""


@dataclass(frozen=True)
class Discrepancy:
    """A row that breaks what must hold."""

    rule: str
    row: UUID
    sentence: str


def contact_details(session: Session, *, vault: Vault, recipient_id: UUID) -> ContactDetails | None:
    """How this recipient is reached; nothing when no number is known."""
    contact = session.get(Contact, recipient_id)
    if contact is None:
        return None
    phone = vault.open(CONTACT_PHONE, recipient_id, contact.phone_sealed)
    return ContactDetails(phone, contact.language, contact.wording, contact.consented_at, contact.opted_out_at)


def languages_of(session: Session, recipient_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """The language of each of these recipients that has a number."""
    rows = session.execute(
        select(Contact.recipient_id, Contact.language).where(Contact.recipient_id.in_(recipient_ids))
    )
    return {row.recipient_id: row.language for row in rows}


def language_written(session: Session, *, recipient_id: UUID, language: str) -> str:
    """The language in which a recipient is written to who reads this one: a draft must be accepted at their place.

    Which that is, and what it has accepted, the database answers by `language_to_write`; this house knows no places.
    """
    checked = cast([tag for tag, status in CATALOGUES.items() if status is Status.REVIEWED], ARRAY(Tag))
    asked = select(func.language_to_write(recipient_id, cast(language, Tag), checked))
    return language_for(session.scalar(asked) or "")


def wants(session: Session, *, recipient_id: UUID, kind: str) -> bool:
    """Whether a recipient wants texts of this kind. The database answers: this house knows no wishes but opt-outs."""
    return bool(session.scalar(select(func.wants_text(recipient_id, cast(kind, Tag)))))


def contacts_at(session: Session, *, vault: Vault, phone: str) -> list[UUID]:
    """The recipients who have this number (E.164), in the order of their ids; several may share a phone."""
    at = select(Contact.recipient_id).where(Contact.phone_index.in_(phone_digests(vault, phone)))
    return list(session.scalars(at.order_by(Contact.recipient_id)))


def opted_out_since(session: Session, index: bytes) -> datetime | None:
    """Since when the number behind this index wants no texts.

    A contact says it; the last such word that came in also does, for a number that nobody has at present.
    """
    since = session.scalar(select(func.min(Contact.opted_out_at)).where(Contact.phone_index == index))
    if since is not None:
        return since
    if session.scalar(select(exists().where(Contact.phone_index == index))):
        return None
    last = session.execute(
        select(Inbound.outcome, Inbound.received_at)
        .where(Inbound.phone_index == index, Inbound.outcome.in_((OPTED_OUT_OUTCOME, OPTED_IN_OUTCOME)))
        .order_by(Inbound.received_at.desc(), Inbound.id.desc())
        .limit(1)
    ).first()
    return last.received_at if last is not None and last.outcome == OPTED_OUT_OUTCOME else None


def undelivered(
    session: Session, *, since: datetime | None = None, recipients: Collection[UUID] | None = None
) -> list[NotReached]:
    """The texts that were not or may not have been received, oldest first: reception tells the client some other way.

    Failed, undelivered and expired texts, and those whose fate stayed unknown until the last look-up. To these
    recipients alone where some are given: however many were lost in the country, theirs are found by an index.
    """
    rows = select(Message).where(text(f"({LOST})")).order_by(Message.changed_at, Message.id)
    if recipients is not None:
        rows = rows.where(Message.recipient_id == any_(literal(list(recipients), ARRAY(Uuid))))
    if since is not None:
        rows = rows.where(Message.changed_at >= since)
    return [
        NotReached(m.id, m.recipient_id, m.kind, State(m.state), m.error_code, m.changed_at)
        for m in session.scalars(rows)
    ]


def opted_out(session: Session, *, recipients: Collection[UUID] | None = None) -> list[OptedOut]:
    """Those of these recipients, or of all, who get no texts because their number asked for none, the latest last."""
    rows = select(Contact.recipient_id, Contact.opted_out_at).where(Contact.opted_out_at.is_not(None))
    if recipients is not None:
        rows = rows.where(Contact.recipient_id == any_(literal(list(recipients), ARRAY(Uuid))))
    return [
        OptedOut(recipient_id, at)
        for recipient_id, at in session.execute(rows.order_by(Contact.opted_out_at, Contact.recipient_id))
        if at is not None
    ]


def texts_with(session: Session, *, vault: Vault, phone: str) -> list[Text]:
    """All texts to and from this number (E.164) in their order, a text before the answer to it."""
    digests = phone_digests(vault, phone)
    ours = session.scalars(select(Message).where(Message.phone_index.in_(digests)))
    theirs = session.scalars(select(Inbound).where(Inbound.phone_index.in_(digests), Inbound.wiped_at.is_(None)))
    texts = [
        Text(m.id, m.created_at, False, vault.open(MESSAGE_BODY, m.id, m.body_sealed), State(m.state)) for m in ours
    ]
    texts += [Text(i.id, i.received_at, True, vault.open(INBOUND_BODY, i.id, i.body_sealed), None) for i in theirs]
    return sorted(texts, key=lambda text: (text.at, not text.from_phone, text.id))


def counts(session: Session, *, place_id: UUID | None = None, since: datetime | None = None) -> Mapping[State, int]:
    """How many messages are in each state, of one place and written since a moment where these are given.

    Every state is named.
    """
    asked = select(Message.state, func.count()).group_by(Message.state)
    if place_id is not None:
        asked = asked.where(Message.place_id == place_id)
    if since is not None:
        asked = asked.where(Message.created_at >= since)
    rows = session.execute(asked).all()
    found = {row[0]: row[1] for row in rows}
    return {state: found.get(state, 0) for state in State}


def discrepancies(session: Session, *, now: datetime) -> list[Discrepancy]:
    """Each row that breaks what must hold of texts; empty when all is well."""
    in_hand = Message.state.in_((State.SENDING, State.UNKNOWN))
    open_states = (State.QUEUED, State.SENDING)
    rules: Sequence[tuple[str, str, object]] = (
        (
            "stuck",
            "was taken in hand more than an hour ago and nobody has looked since",
            in_hand & Message.next_attempt_at.is_not(None) & (Message.claimed_at < now - STUCK_AFTER),
        ),
        (
            "no-provider-id",
            "counts as sent, but the gateway gave it no id",
            Message.state.in_((State.SENT, State.DELIVERED, State.UNDELIVERED)) & Message.provider_id.is_(None),
        ),
        (
            "forgotten",
            "waits, but no sender will look at it",
            Message.state.in_(open_states) & Message.next_attempt_at.is_(None),
        ),
        (
            "not-over",
            "is over, but a sender would look at it again",
            Message.state.not_in((*open_states, State.UNKNOWN)) & Message.next_attempt_at.is_not(None),
        ),
        (
            "against-opt-out",
            "was queued after its number asked for no more texts",
            (Message.state != State.FAILED)
            & exists().where(Contact.phone_index == Message.phone_index, Contact.opted_out_at < Message.created_at),
        ),
    )
    found = []
    for rule, sentence, broken in rules:
        for message_id in session.scalars(select(Message.id).where(broken).order_by(Message.id)):  # type: ignore[arg-type]
            found.append(Discrepancy(rule, message_id, f"Message {message_id} {sentence}."))
    return found


def gets_texts(session: Session, recipient_id: UUID) -> bool:
    """Whether this recipient has a number, agreed to texts, and did not opt out."""
    contact = session.get(Contact, recipient_id)
    return contact is not None and contact.consented_at is not None and contact.opted_out_at is None
