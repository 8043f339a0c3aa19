"""Moving bottles from state to state: each move is a line of the bottle's record, and the record moves the bottle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm.util import identity_key

from dispensary.database import ReadSession, WriteSession
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.supplies.bottle_models import BottleEvent
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.models import Bottle
from dispensary.units import AccountId

_MOVE = """
INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, second_id, dose_id, note)
VALUES (%(bottle)s, 0, %(state)s, %(at)s, %(account)s, %(second)s, %(dose)s, %(note)s)
"""


def move_bottles(
    session: WriteSession,
    *,
    actor: Actor,
    bottle_ids: Iterable[UUID],
    into: BottleState,
    at: datetime,
    note: str = "",
    second_id: AccountId | None = None,
    dose_ids: Mapping[UUID, UUID] | None = None,
) -> None:
    """Writes for each bottle that it came into a state, and by that brings it there.

    `dose_ids` names the dose that each prepared bottle becomes when it is handed over. PostgreSQL numbers the lines and
    refuses a move that cannot be (`bottle_moves_forward`). Lock the client first, as every act at the counter does.
    """
    rows = [
        {
            "bottle": bottle_id,
            "state": into.value,
            "at": at,
            "account": actor.account_id,
            "second": second_id,
            "dose": (dose_ids or {}).get(bottle_id),
            "note": note.strip(),
        }
        for bottle_id in bottle_ids
    ]
    if not rows:
        return
    session.flush()
    session.straight.run_each(_MOVE, rows)
    for row in rows:
        known = session.identity_map.get(identity_key(Bottle, row["bottle"]))
        if known is not None:
            session.expire(known)


@dataclass(frozen=True)
class Moved:
    """A line of a bottle's record, as people read it."""

    event: BottleEvent
    by: str
    """Initials of who did it; empty when the program did."""
    second: str


def record_of(session: ReadSession, *, bottle_id: UUID) -> Sequence[Moved]:
    """What became of a bottle, from the moment it was packed."""
    events = session.scalars(
        select(BottleEvent).where(BottleEvent.bottle_id == bottle_id).order_by(BottleEvent.seq)
    ).all()
    people = {event.account_id for event in events} | {event.second_id for event in events}
    known = session.execute(select(Account.id, Account.initials).where(Account.id.in_(people - {None})))
    initials: dict[AccountId, str] = {row.id: row.initials for row in known}
    return [
        Moved(
            event,
            initials.get(event.account_id, "") if event.account_id else "",
            initials.get(event.second_id, "") if event.second_id else "",
        )
        for event in events
    ]
