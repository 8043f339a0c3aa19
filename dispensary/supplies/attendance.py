"""On which days a client came, of those agreed beforehand: days and nothing else, whatever they came for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, union

from dispensary.care.session_models import SessionState
from dispensary.care.sessions import sessions_between
from dispensary.database import ReadSession
from dispensary.supplies.models import Supply
from dispensary.units import ClientId
from scheduling.models import Booking, BookingState, Visit


@dataclass(frozen=True)
class Attendance:
    """Days within a period, each once and in order."""

    first: date
    last: date
    agreed: tuple[date, ...]
    """Days for which a time was booked and not given up before."""
    came: tuple[date, ...]
    """Days on which they checked in or stood at a counter."""
    sessions: tuple[date, ...] = ()
    """Days of sessions that were agreed, marked, and not called off; a day with two stands twice."""
    sessions_kept: tuple[date, ...] = ()
    """Those to which they came."""

    @property
    def kept(self) -> tuple[date, ...]:
        """Agreed days on which they came."""
        return tuple(day for day in self.agreed if day in set(self.came))

    @property
    def besides(self) -> tuple[date, ...]:
        """Days on which they came without a booking: nobody needs one."""
        return tuple(day for day in self.came if day not in set(self.agreed))


def attendance_of(session: ReadSession, *, client_id: ClientId, first: date, last: date) -> Attendance:
    """Reads them for the days from `first` to `last`, both included, at whatever site.

    A time that was moved counts on the day to which it was moved; one that was given up, or that a closure ended,
    counts nowhere. Bottles that somebody else collected are no day on which the client came. A session counts once it
    was marked; of what it was about nothing is read.
    """
    lies = (BookingState.BOOKED, BookingState.ARRIVED, BookingState.MISSED)
    agreed = (
        select(Booking.day)
        .where(Booking.holder_id == client_id, Booking.day.between(first, last), Booking.state.in_(lies))
        .distinct()
    )
    came = union(
        select(Visit.day).where(Visit.holder_id == client_id, Visit.day.between(first, last)),
        select(Supply.dose_day).where(
            Supply.client_id == client_id,
            Supply.dose_day.between(first, last),
            Supply.voided_at.is_(None),
            Supply.collected_by == "client",
        ),
    )
    marked = [
        each
        for each in sessions_between(session, client_id=client_id, first=first, last=last)
        if each.state != SessionState.PLANNED
    ]
    return Attendance(
        first,
        last,
        agreed=tuple(sorted(session.scalars(agreed))),
        came=tuple(sorted(session.scalars(came))),
        sessions=tuple(each.on_day for each in marked),
        sessions_kept=tuple(each.on_day for each in marked if each.state == SessionState.ATTENDED),
    )
