"""Bottles that are scanned one after the other as they come back: what each scan means, and how many are back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import select

from dispensary.database import WriteSession
from dispensary.refusals import Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies.bottle_rules import WITH_CLIENT, BottleState
from dispensary.supplies.models import Bottle, BottleReturn
from dispensary.supplies.scanned import scan_bottle
from dispensary.units import ClientId

Content = Literal["empty", "full"]
CAN_COME_BACK: Final = WITH_CLIENT | {BottleState.LOST}
"""What may stand on the counter: what the client has, and what was reported lost and turned up again."""
_OTHER: Final[Mapping[str, Content]] = {"empty": "full", "full": "empty"}


def usually(dose_day: date, *, today: date) -> Content:
    """What a bottle is when it comes back and nobody has said more: empty, but for one whose day is still to come."""
    return "full" if dose_day > today else "empty"


def turned(chosen: str, dose_day: date, *, today: date) -> Content:
    """What a scan of its label says of a bottle: the usual at first, and each further scan the other of both."""
    return _OTHER.get(chosen) or usually(dose_day, today=today)


@dataclass(frozen=True)
class Scan:
    """What a scan of a label says: a bottle of the client and what it is taken for, or why it is none to take back."""

    bottle_id: UUID | None = None
    content: Content | None = None
    refusal: Refusal | None = None


def scan_brought(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    text: str,
    chosen: Mapping[UUID, str],
    today: date,
    at: datetime,
) -> Scan:
    """The client's bottle whose label was scanned, and what it is taken for after this scan.

    `chosen` is what each bottle was taken for before. Nothing is taken back by it; the log says that the label was
    scanned, also where it is of another client, of a bottle that came back before, or of one that was never given.
    Raises Refused as `scan_bottle` for a label that is none of this site's.
    """
    scanned = scan_bottle(session, actor=actor, text=text, at=at)
    if scanned.client_id != client_id:
        return Scan(
            refusal=Refusal(
                "bottle-other-client",
                "This bottle is another client's.",
                "Keep it apart, and scan it on the counter's first page when you are done here.",
            )
        )
    bottle = session.get_one(Bottle, scanned.bottle_id)
    back = session.scalar(select(BottleReturn).where(BottleReturn.bottle_id == bottle.id))
    if back is not None:
        return Scan(
            refusal=Refusal(
                "bottle-back-before",
                f"This bottle came back before, on {back.returned_on:%d %b %Y}.",
                "It needs nothing more. If it stands here again, show it to a colleague.",
            )
        )
    if bottle.state not in CAN_COME_BACK:
        return Scan(
            refusal=Refusal(
                "bottle-not-with-client",
                "The client was not given this bottle, as far as anybody wrote down.",
                "Keep it apart, and look at the record of its supply.",
            )
        )
    return Scan(bottle.id, turned(chosen.get(bottle.id, ""), bottle.dose_day, today=today))


@dataclass(frozen=True)
class Tally:
    """How many of the bottles that are due back have come, and for which days the others are."""

    due: int
    back: int
    missing: tuple[date, ...]
    besides: int
    """Marked as brought, though nobody waits for them yet."""


def tally(due: Iterable[tuple[UUID, date]], *, came: int, brought: Iterable[UUID]) -> Tally:
    """Counts what is marked as brought, and what `came` today, against what is due back and still out."""
    here, awaited = set(brought), list(due)
    missing = tuple(day for bottle_id, day in awaited if bottle_id not in here)
    return Tally(
        due=len(awaited) + came,
        back=len(awaited) - len(missing) + came,
        missing=missing,
        besides=len(here - {bottle_id for bottle_id, _ in awaited}),
    )
