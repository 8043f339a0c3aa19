"""The whole act at the counter: the supply, the end of the visit, and the text that something was collected."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.service
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import Handed, dispense
from dispensary.units import ClientId, DoseDay


def hand_over(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    wanted: Wanted,
    key: str,
    today: DoseDay,
    zone: str,
    at: datetime,
) -> Handed:
    """Dispenses, ends the visit of a client who waits, and tells them by text when a pickup was collected.

    The text lets a client notice that somebody else collected in their name. All of it commits together.
    """
    handed = dispense(session, actor=actor, client_id=client_id, wanted=wanted, key=key, today=today, at=at)
    if not handed.repeated:
        scheduling.service.finish_for(session, place_id=actor.site_id, holder_id=client_id, now=at)
        if wanted.pickup_id:
            notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client_id,
                kind="collected",
                reason_key=f"collected:{handed.supply_id}",
                fields={"starts_at": at},
                zone=ZoneInfo(zone),
                now=at,
                valid_until=at + timedelta(hours=12),
            )
    return handed
