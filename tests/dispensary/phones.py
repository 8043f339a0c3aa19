"""A phone line for tests: a clinic with hours, clients with phones, and what is written and answered."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select

import scheduling.queries
import scheduling.service
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.phone import Answered, answer
from dispensary.phone.pins import set_pin
from dispensary.phone.tasks import tasks
from dispensary.staff.queries import Place, place
from dispensary.units import ClientId
from notifications.gateways import Inbound
from notifications.models import Inbound as InboundRow
from notifications.models import Message
from notifications.sealing import INBOUND_BODY, MESSAGE_BODY
from notifications.service import set_contact
from scheduling.models import Booking
from scheduling.rules import Hours
from tests.builders import Clinic, clinic

KL = ZoneInfo("Asia/Kuala_Lumpur")
_ids = itertools.count(1)


def week(capacity: int = 2, days: int = 6) -> list[Hours]:
    """Seven to ten in quarters of an hour, from Monday on."""
    return [Hours(weekday, time(7), time(10), 15, capacity) for weekday in range(days)]


def kl(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """A moment of 2026 on the clock of Kuala Lumpur."""
    return datetime(2026, month, day, hour, minute, tzinfo=KL)


@dataclass
class Line:
    """The clinic's phone line. Its clock stands still until a test moves it."""

    clinic: Clinic
    site: Place
    at: datetime
    numbers: dict[ClientId, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.clinic.database

    def client(self, phone: str | None = None, *, language: str = "en") -> ClientId:
        """A client with a phone of their own, or with one that somebody has already."""
        client_id = self.clinic.client()
        self.numbers[client_id] = phone or f"+6012{3_000_000 + next(_ids):07d}"
        with self.database.writing() as session:
            set_contact(
                session,
                vault=session.vault,
                recipient_id=client_id,
                phone=self.numbers[client_id],
                language=language,
                region="MY",
                now=self.at,
            )
        return client_id

    def number(self, client_id: ClientId) -> str:
        """The client's card number."""
        with self.database.reading() as session:
            return session.get_one(Client, client_id).number

    def receives(self, phone: str, text: str, *, message_id: str = "", opt_out_type: str = "") -> Answered:
        message_id = message_id or f"SM{next(_ids):032d}"
        return self.database.write(
            lambda session: answer(
                session, gateway="console", inbound=Inbound(message_id, phone, text, opt_out_type), at=self.at
            )
        )

    def body(self, answered: Answered) -> str:
        """The text of the reply; empty when there is none."""
        with self.database.reading() as session:
            message = session.get(Message, answered.reply_id) if answered.reply_id else None
            return session.vault.open(MESSAGE_BODY, message.id, message.body_sealed) if message else ""

    def says(self, client_id: ClientId, text: str) -> str:
        """What is written back when the client writes this."""
        return self.body(self.receives(self.numbers[client_id], text))

    def book(self, client_id: ClientId, starts_at: datetime) -> Booking:
        with self.database.writing() as session:
            return scheduling.service.book(
                session, place_id=self.site.id, holder_id=client_id, starts_at=starts_at, now=self.at, channel="desk"
            )

    def fill(self, starts_at: datetime, capacity: int = 2) -> None:
        """Others take all places of the slot."""
        for _ in range(capacity):
            self.book(self.clinic.client(), starts_at)

    def booked(self, client_id: ClientId) -> list[datetime]:
        """When the client is booked, on the clock of Kuala Lumpur."""
        with self.database.reading() as session:
            found = scheduling.queries.bookings_of(session, client_id, kl(1, 0))
            return [booking.starts_at.astimezone(KL) for booking in found]

    def bodies(self) -> list[str]:
        """Every text that was ever queued."""
        with self.database.reading() as session:
            return [session.vault.open(MESSAGE_BODY, m.id, m.body_sealed) for m in session.scalars(select(Message))]


def line(database: Database, now: datetime, *, capacity: int = 2) -> Line:
    """A clinic that opens from seven to ten, Monday to Saturday."""
    here = clinic(database, now)
    with database.writing() as session:
        scheduling.service.set_hours(session, place_id=here.site_id, hours=week(capacity), from_day=date(2026, 1, 1))
        return Line(here, place(session, here.site_id), now)


def listed(phone_line: Line) -> list[tuple[str, ClientId]]:
    """What is on reception's list."""
    with phone_line.database.reading() as session:
        return [(task.cause, task.client_id) for task in tasks(session, site_id=phone_line.site.id, at=phone_line.at)]


def with_pin(phone_line: Line, client_id: ClientId, pin: str) -> ClientId:
    """The client, who has set this PIN at the desk."""
    with phone_line.database.writing() as session:
        client = session.get_one(Client, client_id)
        actor = phone_line.clinic.pharmacist
        set_pin(session, actor=actor, client=client, pin=pin, again=pin, at=phone_line.at)
    return client_id


def heard_as(phone_line: Line) -> list[str]:
    """Every text that came in, as it was kept, oldest first."""
    with phone_line.database.reading() as session:
        rows = session.scalars(select(InboundRow).order_by(InboundRow.id))
        return [session.vault.open(INBOUND_BODY, row.id, row.body_sealed) for row in rows]
