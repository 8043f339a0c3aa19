"""How far the doses are known of a client whom a satellite on a server of its own may serve (docs/satellite.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from dispensary.clients.guest_models import GuestStay
from dispensary.database import ReadSession, through
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Site
from dispensary.units import ClientId
from dispensary.wall import Door


@dataclass(frozen=True)
class Heard:
    """A satellite that runs alone, and until when what it wrote is known here."""

    code: str
    at: datetime


@through(Door.GUEST_STAYS)
def heard_of(session: ReadSession, *, client_id: ClientId) -> Heard | None:
    """The satellite apart to which the client goes, or went when it was lent: it may not know yet that they do not.

    Nothing where every site that gives this client doses is written on this server.
    """
    row = session.execute(
        select(Site.code, func.coalesce(SiteApart.heard_at, SiteApart.since))
        .join(SiteApart, SiteApart.site_id == Site.id)
        .join(GuestStay, GuestStay.guest_site_id == SiteApart.site_id)
        .where(SiteApart.whole, SiteApart.until.is_(None), GuestStay.client_id == client_id)
        .where(GuestStay.verified_at.is_not(None))
        .where(or_(GuestStay.ended_at.is_(None), GuestStay.ended_at >= SiteApart.since))
        .order_by(GuestStay.verified_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Heard(*row)
