"""A clock that is moved by hand, a gateway that remembers, people with phones, and texts for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.keys import Vault
from notifications.gateways import Accepted, Called, Heard, Inbound, Rejected, Seen, Status, Unknown
from notifications.models import Message, State
from notifications.places import set_rules
from notifications.sending import Sent, send_due
from notifications.service import queue, set_contact
from notifications.waiting import TextRules

from .fake_twilio import FakeTwilio

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")


@dataclass
class Clock:
    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **duration: float) -> datetime:
        self.moment += timedelta(**duration)
        return self.moment


@dataclass
class RememberingGateway:
    """Takes texts and lists them as a provider does. `answer` may refuse, be silent, or raise after taking."""

    name: str = "remembering"
    per_second: float | None = None
    heard: Heard = field(default_factory=lambda: Heard("", "text/plain"))
    answer: Callable[[UUID], Accepted | Rejected | Unknown] | None = None
    taken: list[tuple[str, str, UUID]] = field(default_factory=list)
    asked: int = 0
    looked_up: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, to: str, body: str, reference: UUID) -> Accepted:
        with self._lock:
            self.taken.append((to, body, reference))
            return Accepted(f"P{len(self.taken)}")

    def send(self, to: str, body: str, reference: UUID, valid_seconds: int) -> Accepted | Rejected | Unknown:
        self.asked += 1
        if self.answer is not None:
            return self.answer(reference)
        return self.take(to, body, reference)

    def look_up(self, to: str, body: str, reference: UUID, since: datetime) -> Sequence[Seen] | Unknown:
        self.looked_up += 1
        return [
            Seen(f"P{number}", State.SENT)
            for number, (their_to, their_body, _) in enumerate(self.taken, 1)
            if (their_to, their_body) == (to, body)
        ]

    def parse_inbound(self, called: Called) -> Sequence[Inbound]:
        return []

    def parse_status(self, called: Called) -> Sequence[Status]:
        return []

    def verify(self, called: Called) -> bool:
        return False


@dataclass
class Outbox:
    """The outbox of one test, with its clock."""

    database: Database
    vault: Vault
    clock: Clock

    def contact(self, phone: str = "012-345 6789", *, language: str = "en", **wishes: object) -> UUID:
        recipient_id = uuid4()
        self.change_contact(recipient_id, phone, language=language, **wishes)
        return recipient_id

    def change_contact(self, recipient_id: UUID, phone: str, *, language: str = "en", **wishes: object) -> None:
        with self.database.writing() as session:
            set_contact(
                session,
                vault=self.vault,
                recipient_id=recipient_id,
                phone=phone,
                language=language,
                region="MY",
                now=self.clock(),
                **wishes,
            )

    def queue(
        self,
        recipient_id: UUID,
        reason_key: str = "reminder:1",
        *,
        kind: str = "booking_reminder",
        valid: timedelta = timedelta(hours=12),
        **fields: object,
    ) -> UUID | None:
        if not fields and kind == "booking_reminder":
            fields = {"at": self.clock() + timedelta(hours=12)}
        with self.database.writing() as session:
            return queue(
                session,
                vault=self.vault,
                recipient_id=recipient_id,
                kind=kind,
                reason_key=reason_key,
                fields=fields,
                zone=KUALA_LUMPUR,
                now=self.clock(),
                valid_until=self.clock() + valid,
            )

    def rules(self, place_id: UUID, **rules: object) -> UUID:
        """Sets what holds for the texts of a place."""
        with self.database.writing() as session:
            set_rules(session, place_id=place_id, rules=TextRules(**rules), now=self.clock())
        return place_id

    def send(self, gateway: object, **more: object) -> Sent:
        more = {"pause": lambda seconds: self.clock.pass_(seconds=seconds), **more}
        return send_due(self.database.writing, vault=self.vault, gateway=gateway, now=self.clock, **more)

    def message(self, message_id: UUID | None) -> Message:
        with self.database.reading() as session:
            return session.scalars(select(Message).where(Message.id == message_id)).one()

    def state(self, message_id: UUID | None) -> str:
        return self.message(message_id).state


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def outbox(database: Database, vault: Vault, clock: Clock) -> Outbox:
    return Outbox(database, vault, clock)


@pytest.fixture
def gateway() -> RememberingGateway:
    return RememberingGateway()


@pytest.fixture
def fake_twilio() -> Iterator[FakeTwilio]:
    server = FakeTwilio()
    yield server
    server.close()
