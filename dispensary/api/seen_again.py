"""Whom the counter observes or sees again today."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get
from litestar.types import ControllerRouterHandler

from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.unusual import Unusual, awaiting_review, to_see_again
from dispensary.units import DoseDay
from dispensary.web.given import TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.unusual_acts import Next, what_comes_next


class SeenAgain(msgspec.Struct):
    """A client who is observed or seen again today, and why; what was written of it is read with the client."""

    id: UUID
    client_id: UUID
    kind: ExceptionKind
    day: date
    observe_until: datetime | None
    recorded_at: datetime
    next: list[Next]


@get("/exceptions", sync_to_thread=True, operation_id="listSeenAgain", tags=["exceptions"], guards=[requires_dispenser])
def seen_again(database: TheDatabase, site: TheSite, clock: TheClock) -> list[SeenAgain]:
    """Whom the counter observes or sees again today: wrong doses that wait for a review, then what is still to give."""
    today = site.dose_day(clock())
    with database.reading() as session:
        found = [
            *awaiting_review(session, site_id=site.id, today=today),
            *to_see_again(session, site_id=site.id, day=today),
        ]
        return [_again(one, today) for one in found]


def _again(one: Unusual, today: DoseDay) -> SeenAgain:
    return SeenAgain(
        id=one.row.id,
        client_id=one.client_id,
        kind=ExceptionKind(one.row.kind),
        day=one.row.dose_day,
        observe_until=one.row.observe_until,
        recorded_at=one.row.recorded_at,
        next=list(what_comes_next(one, today)),
    )


HANDLERS: list[ControllerRouterHandler] = [seen_again]
