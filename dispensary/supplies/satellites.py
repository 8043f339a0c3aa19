"""Doses at a satellite of the client's main site: agreed as it is written, lasting until somebody ends it.

The main site prescribes and decides, as for a guest; the satellite's counter gives the doses, from its own safe and
into its own register. It is a stay without a last day, so that all which holds of a guest's days holds here too: one
counter gives the doses of a day, and its close freezes it.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.guests import lock_for_record
from dispensary.clients.numbers import with_number
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, through
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, place, site_by_code
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.guests import Asked, end, first_open, id_of, lock_sites, written
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door

FROM_NOW_ON = date.max


def satellites_of(session: ReadSession, *, site_id: SiteId) -> list[Place]:
    """The satellites of a main site, by code."""
    found = session.scalars(select(Site.id).where(Site.main_site_id == site_id).order_by(Site.code))
    return [place(session, each) for each in found.all()]


def main_of(session: ReadSession, *, site_id: SiteId) -> Place | None:
    """The main site of a satellite."""
    main = session.scalar(select(Site.main_site_id).where(Site.id == site_id))
    return place(session, main) if main else None


@through(Door.GUEST_STAYS)
def send_to(
    session: WriteSession, *, actor: Actor, client_id: ClientId, satellite: str, key: str, at: datetime
) -> GuestStay:
    """The client's doses are given at a satellite of the actor's site from the first open day on.

    Where another satellite gave them, that ends with it. The same request with the same key is found made. Raises
    NotAllowed, BadInput for a site that is no satellite, and Refused while the client is a guest elsewhere.
    """
    there = site_by_code(session, satellite)
    lock_sites(session, actor.site_id, SiteId(there.id))
    lock_client(session, client_id, actor.site_id)
    return _from_now_on(session, actor, client_id, actor.site_id, there, key, at)


@through(Door.GUEST_STAYS)
def take_on(session: WriteSession, *, actor: Actor, number: str, key: str, at: datetime) -> GuestStay:
    """The actor's satellite gives the doses of a client of its main site from now on, who stands at its counter.

    Raises as `send_to` does, and NotThere for a number that the main site does not have.
    """
    here = session.get_one(Site, actor.site_id)
    home_id = SiteId(here.main_site_id or here.id)
    client_id = with_number(session, site_id=home_id, number=number.partition("@")[0])
    if here.main_site_id is None or client_id is None:
        raise NotThere(
            Refusal("no-client", "The main site has no client with this number.", "Read the card.", field="number")
        )
    lock_sites(session, home_id, actor.site_id)
    lock_for_record(session, ClientId(client_id))
    return _from_now_on(session, actor, ClientId(client_id), home_id, here, key, at)


def _from_now_on(
    session: WriteSession, actor: Actor, client_id: ClientId, home_id: SiteId, there: Site, key: str, at: datetime
) -> GuestStay:
    if not actor.may(Act.ARRANGE_GUEST):
        raise NotAllowed(
            Refusal("not-allowed", "A pharmacist or prescriber of the main site or its satellite does this.")
        )
    if there.main_site_id != home_id:
        raise BadInput(
            Refusal("no-satellite", f"{there.code} is no satellite of this site.", "Choose one.", field="satellite")
        )
    stay_id = id_of(actor, client_id, key)
    if (known := session.get(GuestStay, stay_id)) is not None:
        return known
    running = session.scalar(
        select(GuestStay).where(GuestStay.client_id == client_id, GuestStay.satellite, GuestStay.ended_on.is_(None))
    )
    if running is not None and running.guest_site_id == there.id:
        return running
    if running is not None:
        end(session, actor=actor, stay_id=running.id, reason=f"comes to {there.code} from now on", at=at)
    first = first_open(session, place(session, home_id), place(session, there.id), at)
    asked = Asked(first, FROM_NOW_ON, bottles=True, reason=f"{there.code} is a satellite")
    stay = written(
        session,
        stay_id,
        client_id,
        home_id,
        SiteId(there.id),
        actor,
        asked,
        at,
        verified={"satellite": there.code},
        satellite=True,
    )
    audit.record(
        session,
        actor=actor,
        act="doses at satellite",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"stay": stay.id, "satellite": there.code, "from": first},
    )
    return stay
