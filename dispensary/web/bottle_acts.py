"""Bottles that come back to the counter and are counted, for pages and API alike.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same bottles brought back the same way by the same person are then found done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.models import Bottle, BottleReturn, Recall
from dispensary.supplies.recalls import call_off, count
from dispensary.supplies.returns import TakenBack, take_back
from dispensary.units import ClientId, DoseDay


@dataclass(frozen=True)
class Brought:
    """What lies on the counter, bottle by bottle."""

    full: Mapping[UUID, bool]
    """Each bottle that was brought: full, or empty. What is left out was not brought."""
    reason: str = ""
    """Why full bottles come back, when they stay here."""
    stay: bool = True
    """Whether the full ones stay here, to be destroyed. At a count they may go home again."""
    others_full: int = 0
    """Full bottles that are not among those that the client must have."""
    portions_taken: int = 0
    """The last portion of today that was taken; none as yet when it is 0."""
    note: str = ""
    """What the client says, when the count is not right."""


@dataclass(frozen=True)
class Answer:
    """What stays here, and the recall that was counted with it."""

    back: TakenBack | None
    recall: Recall | None


def bring(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    recall_id: UUID | None,
    brought: Brought,
    today: DoseDay,
    at: datetime,
) -> Answer:
    """Counts what was brought against what there must be, where it was called back, and takes back what stays.

    It is counted before anything is taken back: a bottle that has come back is no longer one that the client must
    have. Bottles that were not called back may be brought too, and are not counted; nor are those that were reported
    lost and turned up again, which stay here. Raises BadInput with everything that is missing of both, Refused, or
    NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    faults: list[Refusal] = []
    recall, back = None, None
    turned_up = _turned_up(session, client_id, brought)
    if recall_id is not None:
        asked = recall_of(session, client_id=client_id, recall_id=recall_id)
        besides = _not_called_back(session, asked, brought, today) | turned_up
        try:
            recall = count(
                session,
                actor=actor,
                recall_id=recall_id,
                counted_full=sum(full for bottle, full in brought.full.items() if bottle not in besides)
                + brought.others_full,
                portions_taken=brought.portions_taken,
                note=brought.note,
                today=today,
                at=at,
            )
        except BadInput as why:
            faults += why.refusals
    stays = [
        (bottle_id, full)
        for bottle_id, full in brought.full.items()
        if brought.stay or not full or bottle_id in turned_up
    ]
    if stays or recall_id is None:
        try:
            back = take_back_once(
                session, actor=actor, client_id=client_id, bottles=stays, reason=brought.reason, today=today, at=at
            )
        except BadInput as why:
            faults += why.refusals
    if faults:
        raise BadInput(*faults)
    return Answer(back, recall)


def _not_called_back(session: ReadSession, recall: Recall, brought: Brought, today: DoseDay) -> set[UUID]:
    """Bottles that are rightly full and that the recall does not ask for: of today and later, before its first day."""
    return set(
        session.scalars(
            select(Bottle.id).where(
                Bottle.id.in_(brought.full),
                Bottle.client_id == recall.client_id,
                Bottle.dose_day >= today,
                Bottle.dose_day < recall.from_day,
            )
        )
    )


def _turned_up(session: ReadSession, client_id: ClientId, brought: Brought) -> set[UUID]:
    """Bottles that were reported lost and are here: nobody expects them, and nobody sends them home again."""
    return set(
        session.scalars(
            select(Bottle.id).where(
                Bottle.id.in_(brought.full), Bottle.client_id == client_id, Bottle.state == BottleState.LOST
            )
        )
    )


def take_back_once(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    bottles: Sequence[tuple[UUID, bool]],
    reason: str,
    today: DoseDay,
    at: datetime,
) -> TakenBack:
    """Takes back bottles, empty or full. Raises as `returns.take_back`, but for the same act repeated."""
    lock_client(session, client_id, actor.site_id)  # a repeated request waits here for the first
    asked = dict(bottles)
    known = session.scalars(
        select(BottleReturn).where(
            BottleReturn.bottle_id.in_(asked), BottleReturn.client_id == client_id, BottleReturn.returned_on == today
        )
    ).all()
    alike = [
        one
        for one in known
        if one.recorded_by == actor.account_id and one.is_full is asked[one.bottle_id]
        if not one.is_full or one.reason == reason.strip()
    ]
    if bottles and len(alike) == len(bottles):
        return TakenBack(
            empty=sum(not one.is_full for one in alike),
            full=sum(one.is_full for one in alike),
            uncovered=tuple(sorted({DoseDay(one.dose_day) for one in alike if one.is_full})),
        )
    return take_back(session, actor=actor, client_id=client_id, bottles=bottles, reason=reason, today=today, at=at)


def end_recall(session: WriteSession, *, actor: Actor, recall_id: UUID, note: str, at: datetime) -> Recall:
    """Ends a recall without a count, once. Raises as `recalls.call_off`."""
    recall = session.get(Recall, recall_id)
    if recall is not None and recall.site_id == actor.site_id:
        lock_client(session, ClientId(recall.client_id), actor.site_id)  # a repeated request waits here for the first
        session.refresh(recall)
        if (recall.state, recall.closed_by, recall.note) == ("cancelled", actor.account_id, note.strip()):
            return recall
    return call_off(session, actor=actor, recall_id=recall_id, note=note, at=at)


def recall_of(session: ReadSession, *, client_id: ClientId, recall_id: UUID) -> Recall:
    """A recall of this client, and of nobody else. Raises NotThere."""
    recall = session.get(Recall, recall_id)
    if recall is None or recall.client_id != client_id:
        raise NotThere(Refusal("no-recall", "There is no such recall at this site.", "Open the client again."))
    return recall
