"""What a site is told that asks for a client who is not its own: nothing, unless the client has been its guest."""

from __future__ import annotations

from sqlalchemy import select

from dispensary.clients.guest_models import GuestStay
from dispensary.database import ReadSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.models import Site
from dispensary.units import ClientId, SiteId


def not_here(session: ReadSession, client_id: ClientId, site_id: SiteId) -> NotThere:
    """That there is no such client; of one who is or was a guest here, which site is home and what to do."""
    home = session.scalar(
        select(Site.code)
        .join(GuestStay, GuestStay.home_site_id == Site.id)
        .where(GuestStay.client_id == client_id, GuestStay.guest_site_id == site_id)
        .where(GuestStay.verified_at.is_not(None))
        .limit(1)
    )
    if home is None:
        return NotThere(Refusal("no-client", "There is no such client at this site.", "Look for the client again."))
    return NotThere(
        Refusal(
            "guest-home-only",
            f"{home} is the client's home: orders, stops, recalls and returned bottles are written down there.",
            f"Call {home}. A bottle that was brought goes home with the client, shut. Here the counter gives the doses"
            " of the stay, and withholds one that is not safe.",
            {"home": home},
        )
    )
