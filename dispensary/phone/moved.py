"""Moving whoever is booked on days that a place closes: the plan, each move with its text, and giving the days back.

The closure is one unit, with an open case for each booking; each case is settled in a unit of its own. What a crash
leaves open the clockwork settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from time import monotonic
from uuid import UUID
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.queries
import scheduling.service
from dispensary.clients.groups import groups_of
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.phone import tasks
from dispensary.phone.withdrawing import heard, waiting, withdraw
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, the_program
from dispensary.supplies.covering import Cover, covers
from dispensary.units import ClientId
from notifications.models import Message
from notifications.queries import gets_texts
from scheduling import closing
from scheduling.acts_models import CaseState, ClosureCase
from scheduling.closing import Elsewhere, Way
from scheduling.models import Booking, BookingState, Closure
from scheduling.rules import Code, NotBooked
from scheduling.service import Reopened

WHILE_WAITED_FOR = 4.0
"""Seconds for which bookings are moved while somebody waits for the page; the clockwork moves the rest."""
_TRIES = 3
"""So often a place is looked for that somebody else has taken meanwhile, before a person looks."""


@dataclass(frozen=True)
class Concerned:
    """Somebody who is booked on a day that is to be closed: what they have for these days, and where they would go."""

    booking: Booking
    cover: Cover
    way: Way

    @property
    def client_id(self) -> ClientId:
        return ClientId(self.booking.holder_id)


def plan(session: ReadSession, *, site: Place, first_day: date, last_day: date, at: datetime) -> list[Concerned]:
    """Whom a closure of these days would concern, by the time of their bookings, and where each would be moved now.

    Whoever has no dose for one of these days comes before them, to fetch it; everybody else after them. A pass, and
    no promise: what is taken meanwhile is looked for again when it is done.
    """
    bookings = [
        each
        for each in scheduling.queries.standing_between(session, site.id, first_day, last_day)
        if each.starts_at > at
    ]
    holders = {ClientId(each.holder_id) for each in bookings}
    known = covers(session, clients=holders, first_day=first_day, last_day=last_day)
    theirs = closing.bookings_around(session, site.id, holders, first_day, last_day)
    elsewhere = Elsewhere(session, site.id, first_day, last_day, at)
    today = site.dose_day(at)
    groups = {each: groups_of(session, each, site_id=site.id, today=today) for each in holders}
    found = []
    for booking in bookings:
        client_id = ClientId(booking.holder_id)
        outside = _outside(theirs.get(client_id, ()), first_day, last_day)
        way = elsewhere.way(booking, before=bool(known[client_id].without), groups=groups[client_id], theirs=outside)
        if way.state is CaseState.MOVED and way.starts_at is not None:
            day = scheduling.queries.day_at(session, site.id, way.starts_at)
            theirs.setdefault(client_id, []).append(
                Booking(holder_id=client_id, day=day, starts_at=way.starts_at, state=booking.state)
            )
        found.append(Concerned(booking, known[client_id], way))
    return found


def _outside(bookings: Sequence[Booking], first_day: date, last_day: date) -> list[Booking]:
    return [each for each in bookings if not first_day <= each.day <= last_day]


def settle_open(database: Database, *, site: Place, actor: Actor, at: datetime, patience: float | None = None) -> int:
    """Settles the open cases of a site, each in a unit of its own, and says how many. Run again it finds what is left.

    Where each goes is read once for all of a closure; what is taken meanwhile is looked for again. After `patience`
    seconds it begins no other: somebody waits for an answer, and the clockwork goes on.
    """
    give_up = None if patience is None else monotonic() + patience
    with database.reading() as session:
        waiting = closing.open_ones(session, site.id)
        days = {(first_day, last_day) for _, _, first_day, last_day in waiting}
        planned = {
            (each.booking.id, first_day): each.way
            for first_day, last_day in sorted(days)
            for each in plan(session, site=site, first_day=first_day, last_day=last_day, at=at)
        }
    settled = 0
    for case_id, booking_id, first_day, _ in waiting:
        if give_up is not None and monotonic() > give_up:
            break
        way = planned.get((booking_id, first_day))
        settled += database.write(partial(settle_case, site=site, actor=actor, case_id=case_id, at=at, way=way))
    return settled


def settle_case(
    session: WriteSession, *, site: Place, actor: Actor, case_id: UUID, at: datetime, way: Way | None = None
) -> bool:
    """Moves one booking of a closed day and tells its holder, or leaves a person to do it. False when it was settled.

    `way` is where a plan has it go: tried first. A booking whose time has passed is nobody's to move any more.
    """
    claimed = closing.claim(session, place_id=site.id, case_id=case_id, now=at)
    if claimed is None:
        return False
    case, booking, closure = claimed
    client_id = ClientId(booking.holder_id)
    if booking.starts_at <= at:
        closing.settle(session, case, CaseState.ASKED, now=at)
        tasks.leave_task(session, cause=tasks.NOWHERE, client_id=client_id, site_id=site.id, at=at)
        return True
    groups = groups_of(session, client_id, site_id=site.id, today=site.dose_day(at))
    state, stands = CaseState.ASKED, booking
    for _ in range(_TRIES):
        way = way or _way_of(session, site, booking, closure, groups, at)
        try:
            stands = _go(session, site, booking, way, groups, at)
        except NotBooked:
            way = None
            continue
        state = way.state
        break
    closing.settle(session, case, state, now=at, moved_to=stands.id if state is CaseState.MOVED else None)
    _tell(session, site, booking, stands, state, closure.id, at)
    act = {CaseState.MOVED: "moved", CaseState.BESIDE: "dropped"}.get(state)
    details = {"booking": booking.id, "closure": closure.id}
    if act is not None:
        audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
    return True


def _way_of(
    session: ReadSession, site: Place, booking: Booking, closure: Closure, groups: frozenset[str], at: datetime
) -> Way:
    """Where this one booking goes now."""
    client_id = ClientId(booking.holder_id)
    first_day, last_day = closure.first_day, closure.last_day
    cover = covers(session, clients=[client_id], first_day=first_day, last_day=last_day)[client_id]
    around = closing.bookings_around(session, site.id, [client_id], first_day, last_day).get(client_id, ())
    return Elsewhere(session, site.id, first_day, last_day, at).way(
        booking, before=bool(cover.without), groups=groups, theirs=_outside(around, first_day, last_day)
    )


def _go(
    session: WriteSession, site: Place, booking: Booking, way: Way, groups: frozenset[str], at: datetime
) -> Booking:
    """Goes there, and returns the booking that its holder has now. Raises NotBooked when it cannot be any more."""
    if way.starts_at is None:
        return booking
    if way.state is CaseState.MOVED:
        return scheduling.service.move(session, booking_id=booking.id, starts_at=way.starts_at, now=at, groups=groups)
    day = scheduling.queries.day_at(session, site.id, way.starts_at)
    there = closing.bookings_around(session, site.id, [booking.holder_id], day, day).get(booking.holder_id, ())
    stands = next((each for each in there if each.starts_at == way.starts_at), None)
    if stands is None or stands.state is not BookingState.BOOKED:
        raise NotBooked(Code.NOT_LIVE, "Its holder does not come then any more.")
    scheduling.service.drop(session, booking_id=booking.id, now=at)
    return stands


def _tell(
    session: WriteSession, site: Place, old: Booking, stands: Booking, state: CaseState, closure_id: UUID, at: datetime
) -> None:
    client_id = ClientId(old.holder_id)
    moved = state is not CaseState.ASKED
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="closure_moved" if moved else "closure",
        reason_key=told_of(closure_id, old),
        fields={"day": old.day, "bookings": [stands.starts_at]} if moved else {"day": old.day},
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=min(old.starts_at, stands.starts_at),
    )
    if not moved:
        tasks.leave_task(session, cause=tasks.NOWHERE, client_id=client_id, site_id=site.id, at=at)
    elif not gets_texts(session, client_id):
        tasks.leave_task(session, cause=tasks.MOVED, client_id=client_id, site_id=site.id, at=at)


def told_of(closure_id: UUID, booking: Booking) -> str:
    """The reason of the text that tells where this booking has gone: one for each booking, also of one holder."""
    return f"closure:{closure_id}:{booking.holder_id}:{booking.id}"


def give_back(session: WriteSession, *, site: Place, closure_id: UUID, reopened: Reopened, at: datetime) -> None:
    """Offers those whom the closure sent elsewhere their day again; once for each. In the unit that opens it again.

    Who has not heard yet that they were moved has their old place back, if it is free, and never hears of it. Who has
    heard keeps their new time, and is told that the day is open. Who comes on another day anyway, as every day, has
    the closed one back. A person asks those who get no texts.
    """
    days = set(scheduling.queries.days(reopened.first_day, reopened.last_day)) - set(reopened.still_shut)
    for case, old in closing.sent_elsewhere(session, closure_id=closure_id, days=days):
        if old.starts_at > at:
            _give_back_one(session, site, case, old, closure_id, at)


def _give_back_one(
    session: WriteSession, site: Place, case: ClosureCase, old: Booking, closure_id: UUID, at: datetime
) -> None:
    client_id, key = ClientId(old.holder_id), told_of(closure_id, old)
    unheard = bool(withdraw(session, waiting(session, Message.reason_key == key), at))
    there: Booking | None = None
    if case.state == CaseState.BESIDE or unheard:
        there = _old_place(session, site, case, old, at)
    now_booked = there or _stands(session, case)
    case.restored_at = at
    session.flush()
    if not gets_texts(session, client_id):
        tasks.leave_task(session, cause=tasks.BACK, client_id=client_id, site_id=site.id, at=at)
        return
    if there is not None and not heard(session, [key]):
        return
    if now_booked is None or now_booked.starts_at <= at:
        return
    kind, fields = "open_after_all_moved", {"day": old.day, "bookings": [now_booked.starts_at]}
    if there is not None:
        kind, fields = "open_after_all_booked", {"bookings": [there.starts_at]}
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind=kind,
        reason_key=f"open:{site.id}:{old.day}:{closure_id}:{client_id}",
        fields=fields,
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=min(old.starts_at, now_booked.starts_at),
    )


def _old_place(session: WriteSession, site: Place, case: ClosureCase, old: Booking, at: datetime) -> Booking | None:
    """The booking in the old place, when it is free for its holder still and they have not chosen otherwise."""
    client_id = ClientId(old.holder_id)
    groups = groups_of(session, client_id, site_id=site.id, today=site.dose_day(at))
    try:
        if case.state == CaseState.MOVED:
            stands = _stands(session, case)
            if stands is None:
                return None
            booking = scheduling.service.move(
                session, booking_id=stands.id, starts_at=old.starts_at, now=at, groups=groups
            )
        else:
            booking = scheduling.service.book(
                session,
                place_id=site.id,
                holder_id=client_id,
                starts_at=old.starts_at,
                now=at,
                channel=old.channel,
                groups=groups,
            )
    except NotBooked:
        return None
    closing.forget_skip(session, old)
    details = {"booking": booking.id, "open again": old.day}
    program = the_program(site.id)
    session.last(
        lambda: audit.record(
            session, actor=program, act="moved", subject="client", subject_id=client_id, at=at, details=details
        )
    )
    return booking


def _stands(session: ReadSession, case: ClosureCase) -> Booking | None:
    """The booking that the closure made, while its holder has left it as it is."""
    made = session.get(Booking, case.moved_to, populate_existing=True) if case.moved_to is not None else None
    return made if made is not None and made.state is BookingState.BOOKED else None
