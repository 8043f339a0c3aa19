"""What people write: kept once, with the wish to get no more texts honoured before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications.models import Inbound, new_id
from notifications.queries import OPTED_IN_OUTCOME, OPTED_OUT_OUTCOME, contacts_at, opted_out_since
from notifications.rules import Wish, wish
from notifications.sealing import INBOUND_BODY, INBOUND_PHONE, Vault, phone_index
from notifications.service import opt_in, opt_out

HELP_OUTCOME = "answered_by_gateway"
NO_OUTCOME = "received"
"""What came of a text whose outcome nobody recorded."""


@dataclass(frozen=True)
class Received:
    """A text that came in."""

    id: UUID
    recipients: list[UUID]
    """Who has this number: nobody, one, or several who share the phone."""
    text: str
    already: str | None
    """What came of it, when that is settled: by an earlier delivery of the same text, or because it was a wish about
    the number itself, such as `opted_out`. Then nothing more is to be done."""
    reply_id: UUID | None = None
    """The message that answered it, for a text that came before."""
    wish: Wish | None = None
    """What a one-word text such as STOP asked of the number; it is done."""
    repeated: bool = False


def receive(
    session: Session,
    *,
    vault: Vault,
    gateway: str,
    message_id: str,
    phone: str,
    text: str,
    at: datetime,
    opt_out_type: str = "",
) -> Received:
    """Keeps a text from `phone` (E.164), once for each gateway and message id; a repeat changes nothing.

    Two deliveries at the same moment wait for each other. STOP and its like opt the number out and START in again,
    for all who share it; such a text asks for nothing else, and `already` says so. START and YES from a number that
    never opted out are texts like any other.
    """
    phone, message_id = phone.strip(), message_id.strip()
    if not phone or not message_id or "\x00" in message_id:
        raise ValueError("an inbound text has a number and an id")
    inbound_id = new_id()
    index = phone_index(session, vault, phone)
    recipients = contacts_at(session, vault=vault, phone=phone)
    alone = recipients[0] if len(recipients) == 1 else None
    kept = session.scalar(
        insert(Inbound)
        .values(
            id=inbound_id,
            gateway=gateway,
            message_id=message_id,
            phone_sealed=vault.seal(INBOUND_PHONE, inbound_id, phone, of=alone),
            phone_index=index,
            body_sealed=vault.seal(INBOUND_BODY, inbound_id, text.encode("utf-8", "replace"), of=alone),
            recipient_id=alone,
            received_at=at,
        )
        .on_conflict_do_nothing(index_elements=[Inbound.gateway, Inbound.message_id])
        .returning(Inbound.id)
    )
    if kept is None:
        return _repeat(session, vault, gateway, message_id, recipients)
    asked = wish(text, opt_out_type)
    if asked is Wish.IN and opted_out_since(session, index) is None:
        asked = None
    outcome = None
    if asked is Wish.OUT:
        opt_out(session, index=index, now=at)
        outcome = OPTED_OUT_OUTCOME
    elif asked is Wish.IN:
        opt_in(session, index=index, now=at)
        outcome = OPTED_IN_OUTCOME
    elif asked is Wish.HELP:
        outcome = HELP_OUTCOME
    if outcome is not None:
        record_outcome(session, inbound_id=inbound_id, outcome=outcome)
    return Received(inbound_id, recipients, text, outcome, wish=asked)


def _repeat(session: Session, vault: Vault, gateway: str, message_id: str, recipients: list[UUID]) -> Received:
    first = session.scalars(select(Inbound).where(Inbound.gateway == gateway, Inbound.message_id == message_id)).one()
    text = vault.open(INBOUND_BODY, first.id, first.body_sealed) if first.wiped_at is None else ""
    return Received(first.id, recipients, text, first.outcome or NO_OUTCOME, first.reply_id, repeated=True)


def text_of(session: Session, *, vault: Vault, inbound_id: UUID) -> str:
    """The words of a text that came in, as they were kept; none once they are wiped."""
    kept = session.get(Inbound, inbound_id)
    return vault.open(INBOUND_BODY, kept.id, kept.body_sealed) if kept is not None and kept.wiped_at is None else ""


def record_outcome(session: Session, *, inbound_id: UUID, outcome: str, reply_id: UUID | None = None) -> None:
    """Writes down what came of a text: a word such as `booked`, and the message that answers it."""
    session.execute(update(Inbound).where(Inbound.id == inbound_id).values(outcome=outcome, reply_id=reply_id))
