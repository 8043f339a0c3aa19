"""The door of the phone line: whose number a text came from, and whether its PIN opens what it asks for.

A number at which nobody has a PIN is open. Where somebody has one, nothing is told of bookings until a PIN has come,
and only to the one whose it is: two who share a phone are told apart by it. There a PIN alone lets in no text that came
before it, for that may have been the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import select

from dispensary.clients.living import alive
from dispensary.clients.models import Client
from dispensary.database import WriteSession
from dispensary.phone.memory import Memory
from dispensary.phone.pin_rules import Read, read, unmasked
from dispensary.phone.pins import Gate, Guard, guard_of, try_pin
from dispensary.phone.rules import named
from dispensary.phone.talk import Writer, writers_of
from dispensary.units import ClientId
from notifications.inbound import text_of
from notifications.queries import contacts_at


@dataclass(frozen=True)
class Heard:
    """A text before it is kept: who has its number, the PINs there, and what it says without its PIN."""

    writers: list[Writer]
    guard: Guard
    read: Read
    card: ClientId | None
    """Whose card number stands in it."""

    @property
    def shared(self) -> bool:
        """Whether more than one has the number."""
        return len(self.writers) > 1


@dataclass(frozen=True)
class Entered:
    """What is to be understood, by whom it was written as far as that is known, and how it stands with the PIN."""

    gate: Gate
    writers: list[Writer]
    text: str
    memory: Memory
    phone: str
    """The number that a wish for another one names."""


def hear(session: WriteSession, *, phone: str, text: str) -> Heard:
    """Finds out who has the number, and takes the PIN out of the text before anything of it is kept.

    Nobody writes any more who has died: whoever has their phone now is a stranger, unless it is another client's too.
    """
    there = contacts_at(session, vault=session.vault, phone=phone)
    writers = writers_of(
        session, session.scalars(select(Client.id).where(Client.id.in_(there), alive(Client.id))).all()
    )
    guard = guard_of(session, phone)
    guarded = bool(guard.by_digest)
    without_card, card = named(text, {writer.number: writer.client_id for writer in writers})
    region = writers[0].place.region if writers else ""
    found = read(without_card if guarded else text, guarded=guarded, region=region)
    if guarded and card is not None:
        kept = text if found.pin is None else found.kept  # a card number in digits is no PIN
        found = Read(found.rest, found.pin, kept, found.phone)
    return Heard(writers, guard, found, card)


def enter(session: WriteSession, heard: Heard, *, phone: str, memory: Memory, at: datetime) -> Entered:
    """Lets the text in or not. A PIN alone lets in the text that waited for it, where that can be nobody else's."""
    wanted = heard.read
    if not heard.guard.by_digest:
        said = "pin" if wanted.pin is not None and wanted.empty else wanted.rest
        return Entered(Gate.OPEN, heard.writers, said, memory, wanted.phone)
    passed = try_pin(session, guard=heard.guard, pin=wanted.pin, named=heard.card, at=at)
    if passed.gate is not Gate.OPEN:
        return Entered(passed.gate, heard.writers, wanted.rest, memory, "")
    asked = memory.asked
    if asked is not None and asked.holder != passed.client_id:
        memory = msgspec.structs.replace(memory, asked=None)  # it was about somebody else
    writers = [writer for writer in heard.writers if writer.client_id == passed.client_id]
    if wanted.empty and memory.held is not None:
        held = unmasked(text_of(session, vault=session.vault, inbound_id=memory.held))
        without_card, meant = named(held, {writer.number: writer.client_id for writer in heard.writers})
        if not heard.shared or meant == passed.client_id:
            wanted = read(without_card, guarded=True, region=writers[0].place.region)
    return Entered(Gate.OPEN, writers, "pin" if wanted.empty else wanted.rest, memory, wanted.phone)
