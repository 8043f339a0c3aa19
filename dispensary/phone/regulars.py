"""Standing bookings as reception and the clockwork keep them: begun, ended, paused, and made up to the horizon."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.standing
from dispensary.clients.groups import groups_of
from dispensary.clients.living import refuse_dead
from dispensary.database import WriteSession
from dispensary.phone import tasks
from dispensary.phone.front_desk import client_here, said_like_a_desk
from dispensary.phone.offering import tell_offers
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from notifications.queries import gets_texts
from scheduling.models import Booking
from scheduling.standing import Made, NotMade

TELL_WITHIN = timedelta(days=14)
"""A day on which the usual time is full is told when it is so near: until then its place may yet come free."""


def begin_for(
    session: WriteSession,
    *,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    weekdays: Collection[int],
    clock: time,
    at: datetime,
) -> Made:
    """The client comes at this time on these weekdays until they say otherwise. Raises NotThere and Refused."""
    client_here(session, client_id, site)
    refuse_dead(session, client_id)
    with said_like_a_desk(site):
        made = set_and_tell(session, site=site, client_id=client_id, weekdays=weekdays, clock=clock, at=at)
    details = {"weekdays": sorted(weekdays), "at": clock, "booked": len(made.bookings)}
    _record(session, actor, "set weekly times", client_id, at, details)
    return made


def set_and_tell(
    session: WriteSession, *, site: Place, client_id: ClientId, weekdays: Collection[int], clock: time, at: datetime
) -> Made:
    """Makes the weekly times and their bookings, and tells the client of both: of the times, and of what is full.

    Raises what `scheduling` raises for a time that the site does not have.
    """
    made = scheduling.standing.set_weekly(
        session,
        place_id=site.id,
        holder_id=client_id,
        weekdays=weekdays,
        at=clock,
        now=at,
        channel="desk",
        groups=_groups(session, site, client_id, at),
    )
    if made.bookings:
        fields = {"weekdays": tuple(sorted(weekdays)), "at": made.bookings[0].starts_at}
        _text(session, site, client_id, "regular_set", f"regular:{made.bookings[0].id}", fields, at)
    tell_not_made(session, site=site, client_id=client_id, not_made=made.not_made, at=at)
    return made


def end_for(
    session: WriteSession, *, actor: Actor, site: Place, client_id: ClientId, at: datetime
) -> Sequence[Booking]:
    """Ends the client's standing bookings from now on and gives up what was made from them. Raises NotThere."""
    client_here(session, client_id, site)
    ended, dropped = scheduling.standing.end(
        session, place_id=site.id, holder_id=client_id, from_day=site.dose_day(at), now=at
    )
    if ended:
        _text(session, site, client_id, "regular_ended", f"regular-ended:{ended[0].id}", {}, at)
        tell_offers(session, site=site, at=at)
        _record(session, actor, "ended weekly times", client_id, at, {"dropped": len(dropped)})
    return dropped


def pause_for(
    session: WriteSession,
    *,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    first_day: date,
    last_day: date | None,
    at: datetime,
) -> Sequence[Booking]:
    """No weekly bookings from one day to another inclusive, or until they go on. Raises NotThere."""
    client_here(session, client_id, site)
    until = last_day + timedelta(days=1) if last_day is not None else None
    dropped = scheduling.standing.pause(
        session, place_id=site.id, holder_id=client_id, first_day=first_day, until_day=until, now=at
    )
    _text(session, site, client_id, "regular_paused", f"pause:{client_id}:{at.isoformat()}", {"day": first_day}, at)
    tell_offers(session, site=site, at=at)
    details = {"from": first_day, "last": last_day, "dropped": len(dropped)}
    _record(session, actor, "paused weekly times", client_id, at, details)
    return dropped


def go_on_for(session: WriteSession, *, actor: Actor, site: Place, client_id: ClientId, at: datetime) -> Made:
    """Ends the pause: weekly bookings are made again from today on. Raises NotThere."""
    client_here(session, client_id, site)
    made = scheduling.standing.resume(
        session,
        place_id=site.id,
        holder_id=client_id,
        today=site.dose_day(at),
        groups=_groups(session, site, client_id, at),
        now=at,
    )
    tell_not_made(session, site=site, client_id=client_id, not_made=made.not_made, at=at)
    _record(session, actor, "went on with weekly times", client_id, at, {"booked": len(made.bookings)})
    return made


def make_for(session: WriteSession, *, site: Place, client_id: ClientId, at: datetime) -> Made:
    """Makes a client's bookings that are not there yet, and tells them of a near day on which there is no place."""
    groups = _groups(session, site, client_id, at)
    made = scheduling.standing.make(session, place_id=site.id, holder_id=client_id, groups=groups, now=at)
    tell_not_made(session, site=site, client_id=client_id, not_made=made.not_made, at=at)
    return made


def tell_not_made(
    session: WriteSession, *, site: Place, client_id: ClientId, not_made: Sequence[NotMade], at: datetime
) -> None:
    """Tells once of each near day on which the usual time could not be booked; who gets no texts is called."""
    for day in not_made:
        if day.starts_at > at + TELL_WITHIN:
            continue
        key = f"regular-full:{day.standing.id}:{day.day}"
        _text(session, site, client_id, "regular_full", key, {"at": day.starts_at}, at, until=day.starts_at)
        if not gets_texts(session, client_id):
            tasks.leave_task(session, cause=tasks.NOT_BOOKED, client_id=client_id, site_id=site.id, at=at)


def _groups(session: WriteSession, site: Place, client_id: ClientId, at: datetime) -> frozenset[str]:
    return groups_of(session, client_id, site_id=site.id, today=site.dose_day(at))


def _text(
    session: WriteSession,
    site: Place,
    client_id: ClientId,
    kind: str,
    key: str,
    fields: dict[str, object],
    at: datetime,
    until: datetime | None = None,
) -> None:
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind=kind,
        reason_key=key,
        fields=fields,
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=until or at + timedelta(hours=12),
    )


def _record(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: Mapping[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
