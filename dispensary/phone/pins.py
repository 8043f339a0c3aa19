"""PINs of the phone line: set at the desk, heard by text, counted, and shut when too many wrong ones came.

What keeps four digits is the count: each text holds one guess, five wrong ones within an hour shut the number for an
hour, and the digest of a PIN is of no use without the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from dispensary.clients.living import alive
from dispensary.clients.models import Client
from dispensary.clients.queries import face_of
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import Vault, index_key_of
from dispensary.phone.pin_models import PhonePin, PinGate
from dispensary.phone.pin_rules import MOST_WRONG, OPEN_FOR, SHUT_FOR, not_usable, pin_fits, still_wrong
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, ClientId
from notifications.models import Contact
from notifications.sealing import CONTACT_PHONE, phone_digests, phone_index


@dataclass(frozen=True)
class Guard:
    """The PINs of one number."""

    phone: str
    by_digest: dict[bytes, ClientId]

    def owner(self, vault: Vault, pin: str) -> ClientId | None:
        """Whose PIN this is."""
        return next(
            (self.by_digest[each] for each in pin_digests(vault, self.phone, pin) if each in self.by_digest), None
        )

    @property
    def clients(self) -> set[ClientId]:
        return set(self.by_digest.values())


class Gate(StrEnum):
    """What the phone line does with a text from a number that has PINs."""

    OPEN = "open"
    ASK = "ask"
    WRONG = "wrong"
    SHUTS = "shuts"
    """With this wrong one it is shut."""
    SHUT = "shut"


@dataclass(frozen=True)
class Passed:
    """How the text stands with the number's PINs, and who wrote it when it is open."""

    gate: Gate
    client_id: ClientId | None = None


def pin_digests(vault: Vault, phone: str, pin: str) -> list[bytes]:
    """What may be kept of a PIN: a keyed digest of it together with the number (E.164) that it is for.

    That of the key of today comes first. Another key makes it of its own digest of the number.
    """
    return [
        digest
        for number in phone_digests(vault, phone)
        for digest in vault.blinds("phone.pin", f"{number.hex()}|{pin}")
        if index_key_of(digest) == index_key_of(number)
    ]


def guard_of(session: ReadSession, phone: str) -> Guard:
    """The PINs of this number (E.164); none of somebody who has died opens anything."""
    of_number = (PhonePin.phone_index.in_(phone_digests(session.vault, phone)), alive(PhonePin.client_id))
    rows = session.execute(select(PhonePin.pin_digest, PhonePin.client_id).where(*of_number))
    return Guard(phone, {row.pin_digest: row.client_id for row in rows})


def has_pin(session: ReadSession, client_id: ClientId) -> bool:
    """Whether the client has a PIN."""
    return bool(session.scalar(select(exists().where(PhonePin.client_id == client_id))))


def try_pin(session: WriteSession, *, guard: Guard, pin: str | None, named: ClientId | None, at: datetime) -> Passed:
    """Lets a text in, or counts its wrong PIN. `named` is whose card number stands in it.

    The number is held until the unit ends: of many guesses at once each is counted. A right PIN takes no wrong ones
    back, or whoever shares a phone could guess for ever between their own.
    """
    index = phone_index(session, session.vault, guard.phone)
    session.execute(insert(PinGate).values(phone_index=index, wrong_at=[]).on_conflict_do_nothing())
    line = session.get_one(PinGate, index, with_for_update=True, populate_existing=True)
    if line.shut_until is not None and line.shut_until > at:
        return Passed(Gate.SHUT)
    line.shut_until = None
    line.wrong_at = still_wrong(line.wrong_at, at)
    if named is not None and named not in guard.clients and pin is None:
        return Passed(Gate.OPEN, named)  # they have none
    if pin is None:
        is_open = line.open_until is not None and line.open_until > at and named in (None, line.open_for)
        return Passed(Gate.OPEN, line.open_for) if is_open else Passed(Gate.ASK)
    owner = guard.owner(session.vault, pin)
    if owner is not None and named in (None, owner):
        line.open_for, line.open_until = owner, at + OPEN_FOR
        session.flush()
        _under_todays_key(session, guard, owner, pin)
        return Passed(Gate.OPEN, owner)
    line.wrong_at = [*line.wrong_at, at]
    if len(line.wrong_at) < MOST_WRONG:
        session.flush()
        return Passed(Gate.WRONG)
    line.wrong_at, line.shut_until, line.open_for, line.open_until = [], at + SHUT_FOR, None, None
    session.flush()
    return Passed(Gate.SHUTS)


def _under_todays_key(session: WriteSession, guard: Guard, owner: ClientId, pin: str) -> None:
    """Nobody but its client knows a PIN: while keys are exchanged it comes under the newer one when it is typed."""
    newest = pin_digests(session.vault, guard.phone, pin)[0]
    if newest not in guard.by_digest:
        session.execute(update(PhonePin).where(PhonePin.client_id == owner).values(pin_digest=newest))


def set_pin(session: WriteSession, *, actor: Actor, client: Client, pin: str, again: str, at: datetime) -> None:
    """Keeps a client's PIN for the number that they have, in place of an earlier one. Raises BadInput.

    What is open at the number ends with it, and so does a move to another number that has not agreed yet.
    """
    contact = session.get(Contact, client.id, with_for_update=True, populate_existing=True)
    faults = list(pin_fits(pin, again, born=face_of(session, client).born, number=client.number))
    if contact is None:
        faults.append(Refusal("no-phone", "A PIN is for a phone number, and none is known.", field="phone"))
    if faults or contact is None:
        raise BadInput(*faults)
    end_pin(session, client_ids=[client.id])
    phone = session.vault.open(CONTACT_PHONE, client.id, contact.phone_sealed)
    if guard_of(session, phone).owner(session.vault, pin) is not None:
        raise BadInput(not_usable())
    index = phone_index(session, session.vault, phone)
    digest = pin_digests(session.vault, phone, pin)[0]
    keep_pin(session, client_id=client.id, index=index, digest=digest, set_by=actor.account_id, at=at)
    reopen(session, index)
    audit.record(session, actor=actor, act="set phone PIN", subject="client", subject_id=client.id, at=at)


def keep_pin(
    session: WriteSession, *, client_id: ClientId, index: bytes, digest: bytes, set_by: AccountId | None, at: datetime
) -> None:
    """Keeps it, unless somebody else at the number has the same. Raises BadInput."""
    try:
        with session.begin_nested():
            session.execute(
                insert(PhonePin).values(
                    client_id=client_id, phone_index=index, pin_digest=digest, set_at=at, set_by=set_by
                )
            )
    except IntegrityError as reason:
        if "uq_phone_pin_pin_digest" not in str(reason.orig):
            raise
        raise BadInput(not_usable()) from None


def remove_pin(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime) -> None:
    """The client wants none any more."""
    if has_pin(session, client_id):
        end_pin(session, client_ids=[client_id])
        audit.record(session, actor=actor, act="removed phone PIN", subject="client", subject_id=client_id, at=at)


def end_pin(session: WriteSession, *, client_ids: Sequence[ClientId]) -> None:
    """Ends these clients' PINs, and what is open or waits because of them."""
    closed = update(PinGate).where(PinGate.open_for.in_(client_ids)).values(open_for=None, open_until=None)
    session.execute(closed)
    session.execute(delete(PhonePin).where(PhonePin.client_id.in_(client_ids)))
    session.expire_all()


def reopen(session: WriteSession, index: bytes) -> None:
    """Hears PINs from this number again: its client stood at the desk."""
    session.execute(delete(PinGate).where(PinGate.phone_index == index))
    session.expire_all()
