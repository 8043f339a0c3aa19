"""A place that is kept for somebody is texted to them, or reception calls.

Offers are made by the scheduling house, in the unit in which a place is given up. Here they are told, once each.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.waitlist
from dispensary.database import WriteSession
from dispensary.phone import tasks
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from notifications.queries import gets_texts
from scheduling.waiting_models import Offer


def tell_offers(session: WriteSession, *, site: Place, at: datetime) -> int:
    """Texts each holder of a kept place that it is theirs until when; once each. Who gets no texts is called.

    Call it in the unit that gave a place back, and from time to time: what is told already is not told again.
    """
    told = 0
    for offer in scheduling.waitlist.open_offers(session, site.id):
        client_id = ClientId(offer.holder_id)
        message = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind="place_offered",
            reason_key=offer_key(offer),
            fields={"at": offer.starts_at, "until": offer.expires_at},
            zone=ZoneInfo(site.zone),
            now=at,
            valid_until=offer.expires_at,
        )
        told += message is not None
        if message is None and not gets_texts(session, client_id):
            tasks.leave_task(session, cause=tasks.OFFERED, client_id=client_id, site_id=site.id, at=at)
    return told


def offer_key(offer: Offer) -> str:
    """The reason of the text that tells of this offer."""
    return f"offer:{offer.id}"
