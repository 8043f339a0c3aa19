"""What this house asks of the keys: to seal a number or a text, to open it, and to find it without opening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from notifications.models import Contact, Inbound, Message, NumberExchange


class Vault(Protocol):
    """Seals for one column of one row, so that a field copied elsewhere does not open there."""

    def seal(self, column: str, row: UUID, value: str | bytes, *, of: UUID | None = None) -> bytes:
        """`of` is the recipient whom it says something of: what is sealed of them can be made unreadable at once."""
        ...

    def open(self, column: str, row: UUID, sealed: bytes) -> str: ...

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed digest: equal values have equal digests, and nobody reads the value from it."""
        ...

    def blinds(self, kind: str, value: str) -> Sequence[bytes]:
        """Every digest under which a value may be found, that of `blind` first: several while keys are exchanged."""
        ...


CONTACT_PHONE = "contact.phone_sealed"
MESSAGE_PHONE = "message.phone_sealed"
MESSAGE_BODY = "message.body_sealed"
INBOUND_PHONE = "inbound.phone_sealed"
INBOUND_BODY = "inbound.body_sealed"


def phone_digests(vault: Vault, phone: str) -> Sequence[bytes]:
    """By which a number in E.164 is looked up: all of its rows have one of these, the same in every table."""
    return vault.blinds("notifications.phone", phone)


def phone_index(session: Session, vault: Vault, phone: str) -> bytes:
    """The digest under which whatever is written of a number in E.164 stands.

    While keys are exchanged, all that stands under an older digest of the number comes under this one first, so that a
    number never stands under two: who shares a phone is found by the digest.
    """
    newest, *older = phone_digests(vault, phone)
    for was in older:
        session.execute(insert(NumberExchange).values(was=was, becomes=newest))
    if older:
        session.flush()
        for known in session.identity_map.values():
            if isinstance(known, (Contact, Message, Inbound)):
                session.expire(known, ["phone_index"])
    return newest


def forgotten_reason(vault: Vault, reason_key: str) -> str:
    """What stands in place of a message's reason once it is wiped: it still tells that reason from another, no more."""
    return forgotten_reasons(vault, reason_key)[0]


def forgotten_reasons(vault: Vault, reason_key: str) -> list[str]:
    """Each form in which a wiped reason may stand."""
    return ["wiped:" + digest.hex() for digest in vault.blinds("notifications.reason", reason_key)]
