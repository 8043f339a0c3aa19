"""What a place sets for its bookings: the limit of open ones, and how places are offered."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from scheduling import rows
from scheduling.rules import BadHours, BookingRules
from scheduling.waiting_models import BookingRule


def set_booking_rules(session: Session, *, place_id: UUID, rules: BookingRules) -> None:
    """What the place sets for bookings from now on. Bookings that are there stay. Raises BadHours and NotFound."""
    fault = rules.fault()
    if fault:
        raise BadHours("bad-rules", fault)
    rows.lock_place(session, place_id, changing=True)
    values = vars(rules)
    session.execute(
        insert(BookingRule)
        .values(place_id=place_id, **values)
        .on_conflict_do_update(index_elements=["place_id"], set_=values)
    )
    session.expire_all()
