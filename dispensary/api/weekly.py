"""Weekly times: the same time on some weekdays until the client says otherwise, paused for a while, or ended."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.standing
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import front_desk, regulars
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from scheduling.standing import Made

Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]
"""0 is Monday."""
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time on the site's own clock, such as 07:30."""


class WeeklyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The time at which a client comes on these weekdays, on the site's own clock. It replaces what stood on them."""

    weekdays: Annotated[list[Weekday], msgspec.Meta(min_length=1, max_length=7)]
    at: Clock


class PauseRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The first day without weekly bookings and the last; without a last one they pause until they go on."""

    first_day: date
    last_day: date | None = None


class WeeklyAnswer(msgspec.Struct):
    """A weekday's time. It counts from `from_day`; `paused_until` is the first day on which it counts again."""

    weekday: int
    at: Clock
    from_day: date
    until_day: date | None
    paused_from: date | None
    paused_until: date | None


class NotMadeAnswer(msgspec.Struct):
    """A day on which the time could not be booked; `code` is slot-full or outside-hours."""

    day: date
    starts_at: datetime
    code: str


class MadeAnswer(msgspec.Struct):
    """The weekly times as they stand, the starts that were booked by this, and the days that could not be."""

    weekly: list[WeeklyAnswer]
    booked: list[datetime]
    not_made: list[NotMadeAnswer]


class DroppedAnswer(msgspec.Struct):
    """The weekly times as they stand, and the starts of the bookings that were given up by this."""

    weekly: list[WeeklyAnswer]
    dropped: list[datetime]


def _weekly(session: ReadSession, site: Place, client_id: ClientId, at: datetime) -> list[WeeklyAnswer]:
    today = scheduling.queries.day_at(session, site.id, at)
    return [
        WeeklyAnswer(
            rule.weekday,
            f"{rule.at:%H:%M}",
            rule.from_day,
            rule.until_day,
            rule.paused_from,
            rule.paused_until,
        )
        for rule in scheduling.standing.of_holder(session, site.id, client_id, today)
    ]


def _made(session: ReadSession, site: Place, client_id: ClientId, made: Made, at: datetime) -> MadeAnswer:
    return MadeAnswer(
        _weekly(session, site, client_id, at),
        [booking.starts_at for booking in made.bookings],
        [NotMadeAnswer(each.day, each.starts_at, each.code.value) for each in made.not_made],
    )


@get(
    "/clients/{client_id:uuid}/weekly",
    sync_to_thread=True,
    operation_id="listWeeklyTimes",
    tags=["bookings"],
    guards=[requires_booker],
)
def listed(client_id: FromPath[UUID], database: TheDatabase, site: TheSite, clock: TheClock) -> list[WeeklyAnswer]:
    """The weekly times of a client that have not ended, by weekday."""
    with database.reading() as session, front_desk.where_it_opens():
        front_desk.client_here(session, ClientId(client_id), site)
        return _weekly(session, site, ClientId(client_id), clock())


@post(
    "/clients/{client_id:uuid}/weekly",
    sync_to_thread=True,
    operation_id="setWeeklyTimes",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def begin(
    client_id: FromPath[UUID],
    data: JSONBody[WeeklyRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> MadeAnswer:
    """The client comes then until they say otherwise, and is booked up to the horizon. The same again books nothing.

    409 when there is no such slot on any of the weekdays, with the nearest free starts as evidence.
    """
    at, holder = clock(), ClientId(client_id)
    weekdays, wanted = sorted(set(data.weekdays)), time.fromisoformat(data.at)
    return database.write(
        lambda session: _made(
            session,
            site,
            holder,
            regulars.begin_for(
                session,
                actor=actor,
                site=site,
                client_id=holder,
                weekdays=weekdays,
                clock=wanted,
                at=at,
            ),
            at,
        )
    )


@post(
    "/clients/{client_id:uuid}/weekly/pause",
    sync_to_thread=True,
    operation_id="pauseWeeklyTimes",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def pause(
    client_id: FromPath[UUID],
    data: JSONBody[PauseRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> DroppedAnswer:
    """No weekly bookings on these days; what was booked from them is given up. It takes the place of another pause."""
    at, holder = clock(), ClientId(client_id)
    if data.first_day < site.dose_day(at) or (data.last_day is not None and data.last_day < data.first_day):
        words = "A pause begins today or later, and ends after it began."
        raise BadInput(Refusal("bad-pause", words, "Correct the days.", field="first_day"))
    first, last = data.first_day, data.last_day

    def act(session: WriteSession) -> DroppedAnswer:
        dropped = regulars.pause_for(
            session, actor=actor, site=site, client_id=holder, first_day=first, last_day=last, at=at
        )
        return DroppedAnswer(_weekly(session, site, holder, at), [each.starts_at for each in dropped])

    return database.write(act)


@post(
    "/clients/{client_id:uuid}/weekly/resume",
    sync_to_thread=True,
    operation_id="resumeWeeklyTimes",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def resume(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> MadeAnswer:
    """Ends the pause: weekly bookings are made again from today on."""
    at, holder = clock(), ClientId(client_id)
    return database.write(
        lambda session: _made(
            session,
            site,
            holder,
            regulars.go_on_for(session, actor=actor, site=site, client_id=holder, at=at),
            at,
        )
    )


@post(
    "/clients/{client_id:uuid}/weekly/end",
    sync_to_thread=True,
    operation_id="endWeeklyTimes",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def end(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> DroppedAnswer:
    """Ends all weekly times from now on, and gives up what was booked from them. Asked again, it ends nothing."""
    at, holder = clock(), ClientId(client_id)

    def act(session: WriteSession) -> DroppedAnswer:
        dropped = regulars.end_for(session, actor=actor, site=site, client_id=holder, at=at)
        return DroppedAnswer(_weekly(session, site, holder, at), [each.starts_at for each in dropped])

    return database.write(act)


HANDLERS: list[ControllerRouterHandler] = [listed, begin, pause, resume, end]
