"""Full bottles that came back from clients: apart from the stock, until two people destroy them or the site's rule
lets them go back into the safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.stock.models import Lot
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.units import SiteId


@dataclass(frozen=True)
class Awaiting:
    """A full bottle that came back and is still here."""

    bottle: Bottle
    number: str
    batch: str
    expires_on: date
    returned_on: date
    reason: str


def awaiting(session: ReadSession, *, site_id: SiteId) -> Sequence[Awaiting]:
    """The full bottles at a site that wait to be destroyed or put back, the longest here first."""
    rows = session.execute(
        select(Bottle, Client.number, Lot.batch, Lot.expires_on, BottleReturn.returned_on, BottleReturn.reason)
        .join(BottleReturn, BottleReturn.bottle_id == Bottle.id)
        .join(Client, Client.id == Bottle.client_id)
        .join(Lot, Lot.id == Bottle.lot_id)
        .where(BottleReturn.site_id == site_id, Bottle.state == BottleState.RETURNED_FULL)
        .order_by(BottleReturn.at, Bottle.dose_day, Bottle.portion)
    )
    return [Awaiting(*row) for row in rows]
