"""Who missed several bookings in a row is called and asked how they are; nothing else follows from it.

A booking that nobody came to is a record for the capacity of a day. It blocks no dose and no later booking.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Client, Episode
from dispensary.clients.tasks import open_task
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, DoseDay
from scheduling.models import Booking
from scheduling.waiting import missed_in_a_row, queue_rules


def ask_after_them(
    session: WriteSession, *, actor: Actor, missed: Sequence[Booking], day: DoseDay, at: datetime
) -> int:
    """Opens a call for the nurse, for the day after, about each holder whose missed bookings in a row reach the figure.

    Once at the figure and again at each multiple of it; only about clients of the site who are in treatment. It is
    part of the close of the day, and its entry in the audit trail.
    """
    after = queue_rules(session, actor.site_id).missed_in_a_row
    counts = missed_in_a_row(session, actor.site_id, sorted({booking.holder_id for booking in missed}))
    reached: list[UUID] = [holder for holder, count in counts.items() if count and count % after == 0]
    here = session.scalars(
        select(Client.id)
        .join(Episode, Episode.client_id == Client.id)
        .where(Client.id.in_(reached), Client.site_id == actor.site_id, Episode.ended_on.is_(None))
        .order_by(Client.id)
    )
    return sum(
        open_task(
            session,
            site_id=actor.site_id,
            client_id=ClientId(client_id),
            role=Role.NURSE,
            kind="call",
            sentence=f"Did not come to {counts[client_id]} booked times in a row. Ask how they are, and what suits.",
            due_on=day + timedelta(days=1),
            opened_by=actor.account_id,
            at=at,
        )
        for client_id in here
    )
