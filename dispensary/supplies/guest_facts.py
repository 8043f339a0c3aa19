"""What home confirms before another site of the programme gives a client's doses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dispensary.database import ReadSession
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import OrderInForce
from dispensary.units import ClientId, DoseDay, SiteId, plain


@dataclass(frozen=True)
class Facts:
    """What home confirms before a stay: what another counter will go by."""

    order: OrderInForce | None
    """In force on the first day."""
    changes: Sequence[DoseDay]
    """Days of the stay on which another order begins, or none is in force any more."""
    last_day: date | None
    last_mg: str
    bottles: Sequence[DoseDay]
    """Days from the first on for which the client has the dose already."""
    holds: Sequence[tuple[DoseDay, str]]

    def as_json(self) -> dict[str, Any]:
        return {
            "order_mg": plain(self.order.mg) if self.order else None,
            "changes": [day.isoformat() for day in self.changes],
            "last_day": self.last_day.isoformat() if self.last_day else None,
            "last_mg": self.last_mg or None,
            "bottles": [day.isoformat() for day in self.bottles],
            "holds": [[day.isoformat(), reason] for day, reason in self.holds],
        }


def facts_of(
    session: ReadSession, *, client_id: ClientId, home_id: SiteId, today: DoseDay, first: date, until: date
) -> Facts:
    """What is in force for the days of a stay, as home sees it on `today`."""
    first = max(first, today)
    days = [DoseDay(first + timedelta(days=n)) for n in range(max((until - first).days, 1))]
    moment = read_moment(session, site_id=home_id, client_id=client_id, today=today, days=days).moment
    orders = [moment.orders.get(day) for day in days]
    ids = [order.order_id if order else None for order in orders]
    return Facts(
        order=orders[0],
        changes=[day for n, day in enumerate(days) if n and ids[n] != ids[n - 1]],
        last_day=today if today in moment.covered else moment.last_covered,
        last_mg=plain(moment.last_mg) if moment.last_mg is not None else "",
        bottles=[day for day in days if moment.covered.get(day)],
        holds=[(day, moment.held[day]) for day in days if day in moment.held],
    )
