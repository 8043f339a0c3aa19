"""What this house asks of the keys: to seal a number or a text, to open it, and to find it without opening."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class Vault(Protocol):
    """Seals for one column of one row, so that a field copied elsewhere does not open there."""

    def seal(self, column: str, row: UUID, value: str | bytes, *, of: UUID | None = None) -> bytes:
        """`of` is the recipient whom it says something of: what is sealed of them can be made unreadable at once."""
        ...

    def open(self, column: str, row: UUID, sealed: bytes) -> str: ...

    def blind(self, kind: str, value: str) -> bytes:
        """A keyed digest: equal values have equal digests, and nobody reads the value from it."""
        ...


CONTACT_PHONE = "contact.phone_sealed"
MESSAGE_PHONE = "message.phone_sealed"
MESSAGE_BODY = "message.body_sealed"
INBOUND_PHONE = "inbound.phone_sealed"
INBOUND_BODY = "inbound.body_sealed"


def phone_index(vault: Vault, phone: str) -> bytes:
    """The digest by which a number in E.164 is found in every table of this house."""
    return vault.blind("notifications.phone", phone)


def forgotten_reason(vault: Vault, reason_key: str) -> str:
    """What stands in place of a message's reason once it is wiped: it still tells that reason from another, no more."""
    return "wiped:" + vault.blind("notifications.reason", reason_key).hex()
