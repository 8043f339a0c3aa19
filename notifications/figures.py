"""How texts fared, by day and kind: counts, segments and cost, and nothing that tells one person from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from notifications.models import Contact, Message, State

COLUMNS: Mapping[str, Sequence[State]] = {
    "queued": (State.QUEUED, State.SENDING),
    "sent": (State.SENT,),
    "delivered": (State.DELIVERED,),
    "undelivered": (State.UNDELIVERED,),
    "failed": (State.FAILED,),
    "expired": (State.EXPIRED,),
    "unknown": (State.UNKNOWN,),
}
"""What is told of texts, and the states that count as it. Each text is in one column: the furthest that it has come."""


@dataclass(frozen=True)
class Line:
    """The texts of one kind that were queued on one local day."""

    day: date
    kind: str
    counts: Mapping[str, int]
    """By the names of `COLUMNS`."""
    segments: int
    """Of those that count as taken by the gateway."""
    cost: Decimal

    @property
    def texts(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Figures:
    lines: Sequence[Line]
    """The newest day first, its kinds by name."""
    opted_out: Mapping[date, int]
    """How many recipients of the place asked for no more texts on a day, and still do."""

    @property
    def total(self) -> Mapping[str, int]:
        return {name: sum(line.counts[name] for line in self.lines) for name in COLUMNS}

    @property
    def segments(self) -> int:
        return sum(line.segments for line in self.lines)

    @property
    def cost(self) -> Decimal:
        return sum((line.cost for line in self.lines), Decimal(0))


def figures(session: Session, *, place_id: UUID, zone: ZoneInfo, since: datetime) -> Figures:
    """How the texts of a place have fared that were queued since that moment, by the days of its zone."""
    local = cast(func.timezone(zone.key, Message.created_at), Date)
    rows = session.execute(
        select(
            local.label("day"),
            Message.kind,
            Message.state,
            func.count(),
            func.coalesce(func.sum(Message.segments).filter(Message.charged_on.is_not(None)), 0),
            func.sum(Message.charge),
        )
        .where(Message.place_id == place_id, Message.created_at >= since)
        .group_by(local, Message.kind, Message.state)
    )
    column_of = {state: name for name, states in COLUMNS.items() for state in states}
    found: dict[tuple[date, str], tuple[dict[str, int], int, Decimal]] = {}
    for day, kind, state, count, segments, cost in rows:
        counts, those, so_far = found.get((day, kind), (dict.fromkeys(COLUMNS, 0), 0, Decimal(0)))
        counts[column_of[State(state)]] += count
        found[day, kind] = counts, those + segments, so_far + (cost or Decimal(0))
    lines = [Line(day, kind, *each) for (day, kind), each in found.items()]
    return Figures(
        sorted(lines, key=lambda line: (-line.day.toordinal(), line.kind)),
        _opted_out(session, place_id, zone, since),
    )


def _opted_out(session: Session, place_id: UUID, zone: ZoneInfo, since: datetime) -> Mapping[date, int]:
    local = cast(func.timezone(zone.key, Contact.opted_out_at), Date)
    rows = session.execute(
        select(local, func.count())
        .where(Contact.place_id == place_id, Contact.opted_out_at >= since)
        .group_by(local)
        .order_by(local.desc())
    )
    return {row[0]: row[1] for row in rows}
