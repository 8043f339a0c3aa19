"""The whole act at the counter: the supply, the end of the visit, and the text that something was collected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import notifications.service
import scheduling.service
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor
from dispensary.supplies import passes
from dispensary.supplies.pickups import Prepared, prepare_pickup
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import Handed, dispense
from dispensary.supplies.shown import Shown
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
    shown: Shown | None = None,
) -> Handed:
    """Dispenses, ends the visit of a client who waits, and tells them by text when a pickup was collected.

    The text lets a client notice that somebody else collected in their name. All of it commits together.
    """
    handed = dispense(
        session, actor=actor, client_id=client_id, wanted=wanted, key=key, today=today, at=at, shown=shown
    )
    if not handed.repeated:
        scheduling.service.finish_for(session, place_id=actor.site_id, holder_id=client_id, now=at)
        if wanted.pickup_id:
            notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client_id,
                kind="collected",
                reason_key=f"collected:{handed.supply_id}",
                fields={"at": at},
                zone=ZoneInfo(zone),
                now=at,
                valid_until=at + timedelta(hours=12),
            )
    return handed


def prepare_and_tell(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    collect_on: DoseDay,
    take_home_days: Sequence[DoseDay],
    valid: tuple[datetime, datetime],
    public_base_url: str,
    zone: str,
    today: DoseDay,
    at: datetime,
) -> Prepared:
    """Prepares a pickup and texts its code and its page to the client. Both commit together."""
    prepared = prepare_pickup(
        session,
        actor=actor,
        client_id=client_id,
        collect_on=collect_on,
        take_home_days=take_home_days,
        valid=valid,
        today=today,
        at=at,
    )
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="pickup_ready",
        reason_key=f"pickup:{prepared.pass_id}",
        fields={"code": passes.spoken(prepared.code), "link": f"{public_base_url}/p/{prepared.token}"},
        zone=ZoneInfo(zone),
        now=at,
        valid_until=valid[1],
    )
    return prepared
