"""So many texts a second by one gateway, from all its senders together: PostgreSQL holds the clock that they go by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications.gateways import Gateway
from notifications.models import Pace

AHEAD = timedelta(seconds=5)
"""For how long a sender takes texts in hand at once: what it holds, no other sends meanwhile."""
SLOW_DOWN = timedelta(seconds=30)
"""For how long every sender waits when the gateway says that there are too many."""


@dataclass(frozen=True)
class Turns:
    """When the texts that a sender took in hand may go: the first then, and the others one after another."""

    first: datetime
    apart: timedelta

    def of(self, number: int) -> datetime:
        return self.first + number * self.apart


def room(session: Session, gateway: Gateway, now: datetime, batch: int) -> int:
    """How many texts a sender may take in hand now; none while the gateway has enough of them before it."""
    free_at = session.scalar(select(Pace.free_at).where(Pace.gateway == gateway.name))
    if free_at is not None and free_at > now + AHEAD:
        return 0
    if gateway.per_second is None:
        return batch if free_at is None or free_at <= now else 0
    return min(batch, max(1, int(gateway.per_second * AHEAD.total_seconds())))


def take_turns(session: Session, gateway: Gateway, now: datetime, texts: int) -> Turns:
    """The turns of so many texts, after those that other senders have; they are held until the unit of work ends."""
    if gateway.per_second is None or not texts:
        return Turns(now, timedelta())
    apart = timedelta(seconds=1 / gateway.per_second)
    ends = session.scalar(
        insert(Pace)
        .values(gateway=gateway.name, free_at=now + texts * apart)
        .on_conflict_do_update(
            index_elements=[Pace.gateway],
            set_={"free_at": func.greatest(Pace.free_at, literal(now)) + texts * apart},
        )
        .returning(Pace.free_at)
    )
    assert ends is not None
    return Turns(ends - texts * apart, apart)


def slow_down(session: Session, gateway_name: str, now: datetime) -> None:
    """Lets every sender of this gateway wait."""
    until = now + SLOW_DOWN
    session.execute(
        insert(Pace)
        .values(gateway=gateway_name, free_at=until)
        .on_conflict_do_update(
            index_elements=[Pace.gateway], set_={"free_at": func.greatest(Pace.free_at, literal(until))}
        )
    )
