"""The gateway that needs no network: a text is on the phone in the browser as soon as the outbox says it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from notifications.gateways import Accepted, Inbound, Seen, Status
from notifications.models import State


class ConsoleGateway:
    """Takes every text. Our own id is the provider's, so that a second try is the same text."""

    name = "console"

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted:
        return Accepted(f"console-{reference}")

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen]:
        return [Seen(f"console-{reference}", State.SENT)]

    def parse_inbound(self, form: Mapping[str, str]) -> Sequence[Inbound]:
        """Reads the form of the telephone page: `message_id`, `phone` and `text`."""
        if not form.get("message_id") or not form.get("phone"):
            return []
        return [Inbound(form["message_id"], form["phone"], form.get("text", ""))]

    def parse_status(self, form: Mapping[str, str]) -> Sequence[Status]:
        return []

    def verify(self, url: str, form: Mapping[str, str], signature: str) -> bool:
        """Never: nobody outside speaks for the telephone page, which has a session of its own."""
        return False
