"""Reception's page of the day so far: what was planned for each slot beside what happened in it. Numbers, no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from litestar import get
from litestar.response import Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
from dispensary.web.given import TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from dispensary.web.templating import page
from scheduling.advice import percentile
from scheduling.rules import NotFound
from scheduling.stamps import SlotDay, plan_and_day


@dataclass(frozen=True)
class Total:
    """All slots of the day together."""

    capacity: int
    booked: int
    arrived: int
    walk_ins: int
    median: float | None
    p95: float | None


def _total(slots: Sequence[SlotDay]) -> Total:
    waits = [wait for slot in slots for wait in slot.waits]
    return Total(
        sum(slot.capacity for slot in slots),
        sum(slot.booked for slot in slots),
        sum(slot.arrived for slot in slots),
        sum(slot.walk_ins for slot in slots),
        median(waits) if waits else None,
        percentile(waits, 95) if waits else None,
    )


@get("/reception/day", sync_to_thread=True, guards=[requires_booker])
def day(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Today's slots, booked, arrived, without a booking, and how long was waited; the slots to come are folded."""
    now = clock()
    with database.reading() as session:
        try:
            today = scheduling.queries.day_at(session, site.id, now)
            slots = plan_and_day(session, site.id, today)
            waiting_now = len(scheduling.waiting.queue(session, site.id, today, now))
        except NotFound:
            today, slots, waiting_now = site.dose_day(now), [], 0
    begun = [slot for slot in slots if slot.starts_at <= now]
    return page(
        "reception/day.html",
        today=today,
        now=now,
        begun=[slot for slot in begun if slot.booked or slot.walk_ins],
        to_come=[slot for slot in slots if slot.starts_at > now and (slot.booked or slot.walk_ins)],
        before_opening=bool(slots) and not begun,
        waiting_now=waiting_now,
        total=_total(begun),
        quiet=sum(not (slot.booked or slot.walk_ins) for slot in begun),
    )


HANDLERS: list[ControllerRouterHandler] = [day]
