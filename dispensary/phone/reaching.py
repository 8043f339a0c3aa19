"""How a client is reached, as reception or a nurse writes it down with them: number, language, wording, PIN."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

import notifications.service
from dispensary.clients.models import Client
from dispensary.clients.queries import face_of
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import pins
from dispensary.phone.front_desk import client_here
from dispensary.phone.pin_rules import pin_fits
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from notifications.models import Contact, Wording
from notifications.numbers import BadNumber, e164
from notifications.queries import contact_details
from notifications.texts import CATALOGUES


@dataclass(frozen=True)
class Reach:
    """What was written down. Both PINs are empty where nothing is said of a PIN."""

    phone: str
    language: str
    consented: bool
    wording: str = Wording.COVERT
    pin: str = ""
    again: str = ""
    without_pin: bool = False
    """The client wants no PIN."""


def reach_at(
    session: WriteSession, *, actor: Actor, site: Place, client_id: ClientId, reach: Reach, at: datetime
) -> None:
    """Keeps how a client of the site is reached. Raises NotThere, or BadInput with all that does not fit.

    A PIN is for one number. With another number it is typed anew, or the client says that they want none: it never
    ends unnoticed. The new number gets a first text, by which a mistyped one is found; the old one is told nothing,
    since whoever has that phone now need not be its owner.
    """
    client_here(session, client_id, site)
    client = session.get_one(Client, client_id)
    before = contact_details(session, vault=session.vault, recipient_id=client_id)
    had_pin = pins.has_pin(session, client_id)
    faults: list[Refusal] = []
    number = ""
    try:
        number = e164(reach.phone, site.region)
    except BadNumber as reason:
        faults.append(Refusal("bad-number", str(reason), field="phone"))
    if reach.language not in CATALOGUES:
        faults.append(Refusal("bad-language", "There are no texts in this language.", field="language"))
    if reach.wording not in set(Wording):
        faults.append(Refusal("bad-wording", "Choose how texts begin.", field="wording"))
    moved = before is not None and bool(number) and before.phone != number
    if reach.pin or reach.again:
        faults += pin_fits(reach.pin, reach.again, born=face_of(session, client).born, number=client.number)
        if reach.without_pin:
            faults.append(Refusal("pin-or-none", "A PIN was typed, and “no PIN” is ticked.", field="without_pin"))
    elif moved and had_pin and not reach.without_pin:
        faults.append(
            Refusal(
                "pin-of-old-number",
                "The number changes, and their PIN is for the old one.",
                "Let them type a PIN, the same or another, or tick that they want none.",
                field="pin",
            )
        )
    if faults:
        raise BadInput(*faults)
    if had_pin and (moved or reach.without_pin):
        pins.end_pin(session, client_ids=[client_id])
    notifications.service.set_contact(
        session,
        vault=session.vault,
        recipient_id=client_id,
        phone=number,
        language=reach.language,
        region=site.region,
        now=at,
        wording=reach.wording,
        consented=reach.consented,
        place_id=site.id,
    )
    if moved or before is None:
        notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind="welcome",
            reason_key=f"welcome:{client_id}:{at.isoformat()}",
            fields={},
            zone=ZoneInfo(site.zone),
            now=at,
            valid_until=at + timedelta(hours=12),
        )
    if had_pin and reach.without_pin:
        audit.record(session, actor=actor, act="removed phone PIN", subject="client", subject_id=client_id, at=at)
    if reach.pin:
        pins.set_pin(session, actor=actor, client=client, pin=reach.pin, again=reach.again, at=at)
    changed = [
        name
        for name, old, new in (
            ("number", before.phone if before else "", number),
            ("language", before.language if before else "", reach.language),
            ("wording", before.wording if before else "", reach.wording),
            ("texts", before is not None and before.consented_at is not None, reach.consented),
        )
        if old != new
    ]
    if changed:
        audit.record(
            session,
            actor=actor,
            act="changed how they are reached",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"changed": changed},
        )


def others_at_number(session: ReadSession, *, client_id: ClientId) -> int:
    """How many other clients have this client's number."""
    contact = session.get(Contact, client_id)
    if contact is None:
        return 0
    others = select(func.count()).where(Contact.phone_index == contact.phone_index, Contact.recipient_id != client_id)
    return session.scalar(others) or 0
