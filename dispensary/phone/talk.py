"""One text being answered: who may have written it, what they have booked, what is free, and the reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from dispensary.clients.groups import groups_of
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.phone.memory import Ask, Asked, Memory, written_to_since
from dispensary.phone.rules import LATE, first_days, offered
from dispensary.staff.queries import Place, place
from dispensary.units import ClientId
from notifications.commands import Command, Verb
from notifications.queries import languages_of
from scheduling import queries
from scheduling.models import Booking
from scheduling.rules import Refusal

_ENOUGH_TO_CHOOSE_FROM = 80


@dataclass(frozen=True)
class Writer:
    """A client who has the number that a text came from."""

    client_id: ClientId
    number: str
    place: Place
    language: str
    """In which they read and write texts."""


class Whose(Exception):
    """Several clients share the phone, and it cannot be told which of them is meant."""


@dataclass(frozen=True)
class Talk:
    """A text with everything that its answer depends on."""

    session: WriteSession
    phone: str
    writers: Sequence[Writer]
    """Who may be meant: one, or all who share the phone."""
    command: Command
    memory: Memory
    at: datetime

    @property
    def asked(self) -> Asked | None:
        return self.memory.asked

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days and times were written."""
        return ZoneInfo(self.writers[0].place.zone)

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()

    @property
    def interrupted(self) -> bool:
        """Whether something else was texted to the phone since our last answer, such as a reminder."""
        return written_to_since(self.session, self.phone, self.memory.said)

    def asks(self, ask: Ask, do: Verb, **what: Any) -> Asked:
        """A question to go with the reply, and whom it is asked, when that is known."""
        holder = self.writers[0].client_id if len(self.writers) == 1 else None
        return Asked(ask=ask, do=do, since=self.at, holder=holder, **what)

    def the_one(self) -> Writer:
        """The client who is meant. Raises Whose."""
        if len(self.writers) > 1:
            raise Whose
        return self.writers[0]

    def place_id(self) -> UUID:
        """Where the writers go. Raises Whose when they go to different places."""
        found = {writer.place.id for writer in self.writers}
        if len(found) > 1:
            raise Whose
        return found.pop()

    def writer_of(self, booking: Booking) -> Writer:
        return next(writer for writer in self.writers if writer.client_id == booking.holder_id)

    def bookings(self) -> list[Booking]:
        """What the writers have booked, earliest first; also what began a little while ago."""
        found = [
            booking
            for writer in self.writers
            for booking in queries.bookings_of(self.session, writer.client_id, self.at - LATE)
        ]
        return sorted(found, key=lambda booking: (booking.starts_at, booking.id))

    def local_day(self, start: datetime) -> date:
        return start.astimezone(self.zone).date()

    def groups(self) -> frozenset[str]:
        """Whose held places the writer may have; none while it is not known who writes."""
        if len(self.writers) != 1:
            return frozenset()
        writer = self.writers[0]
        return groups_of(self.session, writer.client_id, site_id=writer.place.id, today=self.today)

    def is_shut(self, booking: Booking) -> bool:
        """Whether the place does not open on the day of this booking any more."""
        return not queries.is_open(self.session, booking.place_id, booking.day)

    def free_on(self, place_id: UUID, day: date) -> list[datetime]:
        """The starts of the slots of a day that can be booked now and have a free place."""
        known = queries.timetable(self.session, place_id, day, day)
        return [
            slot.starts_at
            for slot in queries.slots_on(self.session, place_id, day, self.groups())
            if slot.free and not isinstance(known.bookable(slot.starts_at, self.at), Refusal)
        ]

    def starts_on(self, place_id: UUID, day: date) -> list[datetime]:
        """The starts of all slots of a day, free or not."""
        return [slot.starts_at for slot in queries.slots_on(self.session, place_id, day)]

    def free_soon(self, place_id: UUID, *, after: date | None = None) -> list[datetime]:
        """What is offered when no day was named: the next days that have free times, from the day after `after` on."""
        found = queries.next_free(self.session, place_id, self.at, _ENOUGH_TO_CHOOSE_FROM, self.groups())
        free = [view.starts_at for view in found if after is None or self.local_day(view.starts_at) > after]
        return offered(first_days(free, self.zone))

    def free_near(self, place_id: UUID, wanted: datetime) -> list[datetime]:
        """The free times nearest to one that cannot be had."""
        return queries.free_near(self.session, place_id, wanted, self.at, groups=self.groups())


@dataclass(frozen=True)
class Reply:
    """What is written back, what came of the text in a word, and what the phone is asked with it."""

    outcome: str
    kind: str
    fields: Mapping[str, object] = field(default_factory=dict)
    asked: Asked | None = None
    changed: Booking | None = None
    """The booking that was made, moved or dropped."""
    about: Writer | None = None
    """Whose weekly times or turn in the waiting list were changed, when no single booking was."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What the audit trail keeps of that."""
    understood: bool = True
    language: str | None = None
    """Another language than the phone's own."""
    others: Sequence[Writer] = ()
    """Who shares the phone and what was changed about it."""
    before_pin: bool = False
    """It asks for a PIN: an OK still answers what was said before it."""
    holds: bool = False
    """What was written is done once the PIN has come."""


def writers_of(session: ReadSession, recipients: Sequence[UUID]) -> list[Writer]:
    """The clients among these recipients, by number."""
    rows = session.execute(
        select(Client.id, Client.number, Client.site_id).where(Client.id.in_(recipients)).order_by(Client.number)
    ).all()
    places = {site_id: place(session, site_id) for site_id in {row.site_id for row in rows}}
    spoken = languages_of(session, [row.id for row in rows])
    return [Writer(row.id, row.number, places[row.site_id], spoken[row.id]) for row in rows]


def the_next(bookings: Sequence[Booking], at: datetime) -> Booking:
    """The first booking to come, or the one that somebody is late for."""
    return next((booking for booking in bookings if booking.starts_at >= at), bookings[-1])
