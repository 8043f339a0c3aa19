"""The waiting list as reception works it: who is put in line, leaves it, or takes the place that is kept for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import scheduling.queries
import scheduling.waitlist
from dispensary.clients.groups import groups_of
from dispensary.clients.living import refuse_dead
from dispensary.database import ReadSession, WriteSession
from dispensary.phone.front_desk import client_here, said_like_a_desk
from dispensary.phone.offering import tell_offers
from dispensary.refusals import NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from scheduling.models import Booking
from scheduling.waiting_models import Offer, Wait
from scheduling.waitlist import InLine


def ask_for(
    session: WriteSession,
    *,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    day: date,
    starts_at: datetime | None = None,
    at: datetime,
) -> Wait:
    """Puts a client of the site in line for a full day, or one slot of it. Raises NotThere and Refused."""
    client_here(session, client_id, site)
    refuse_dead(session, client_id)
    groups = groups_of(session, client_id, site_id=site.id, today=site.dose_day(at))
    with said_like_a_desk(site):
        wait = scheduling.waitlist.ask(
            session,
            place_id=site.id,
            holder_id=client_id,
            day=day,
            starts_at=starts_at,
            groups=groups,
            channel="desk",
            now=at,
        )
    if wait.asked_at == at:
        _record(session, actor, "asked for a place", client_id, at, {"wait": wait.id, "day": day})
    return wait


def leave_line(session: WriteSession, *, actor: Actor, site: Place, wait_id: UUID, at: datetime) -> Wait:
    """Takes a client's wish out of the line; a place that was kept for it goes to the next. Raises NotThere."""
    known = session.get(Wait, wait_id)
    if known is None or known.place_id != site.id:
        raise NotThere(Refusal("no-wait", "Nobody waits by this.", "Look at the list again."))
    wait = scheduling.waitlist.withdraw(session, wait_id=wait_id, now=at)
    tell_offers(session, site=site, at=at)
    if wait.settled_at == at:
        _record(session, actor, "left the waiting list", ClientId(wait.holder_id), at, {"wait": wait.id})
    return wait


def take_for(session: WriteSession, *, actor: Actor, site: Place, offer_id: UUID, at: datetime) -> Booking:
    """Takes the place that is kept for a client, as they said at the desk or on the phone. Raises Refused."""
    known = session.get(Offer, offer_id)
    if known is None or known.place_id != site.id:
        raise NotThere(Refusal("no-offer", "There is no such offer.", "Look at the list again."))
    with said_like_a_desk(site):
        booking = scheduling.waitlist.accept(session, offer_id=offer_id, now=at)
    tell_offers(session, site=site, at=at)
    if booking.made_at == at:
        _record(session, actor, "took an offered place", ClientId(known.holder_id), at, {"booking": booking.id})
    return booking


def line(session: ReadSession, *, site: Place, at: datetime) -> Sequence[InLine]:
    """Who waits for a place at the site, from today on."""
    return scheduling.waitlist.line(session, site.id, scheduling.queries.day_at(session, site.id, at))


def _record(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: Mapping[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
