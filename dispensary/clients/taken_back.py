"""What was taken back and is open again: it is kept with what stood there, and shown beside what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select

from dispensary.clients.taken_back_models import EntryTakenBack
from dispensary.clients.taken_back_rules import TakenBack, Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, ClientId

Thing = str
"""The column of the table that names what it is about, such as `referral_id`."""
REFERRAL: Final = "referral_id"
VISIT: Final = "home_visit_id"
SESSION: Final = "session_id"
PLAN: Final = "plan_id"
GOAL: Final = "goal_id"


def keep_taken_back(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    thing: Thing,
    thing_id: UUID,
    was: str,
    why: Wrong,
    at: datetime,
    was_on: date | None = None,
    said_at: datetime | None = None,
    said_by: AccountId | None = None,
    note_id: UUID | None = None,
) -> None:
    """Keeps what stood there, before it is opened again: PostgreSQL opens nothing of which no row says it."""
    assert actor.account_id is not None, "people take back what people entered"
    session.add(
        EntryTakenBack(
            **{thing: thing_id},
            client_id=client_id,
            site_id=actor.site_id,
            was=was,
            was_on=was_on,
            said_at=said_at,
            said_by=said_by,
            note_id=note_id,
            back_at=at,
            back_by=actor.account_id,
            why=why.value,
        )
    )
    session.flush()


def changed_since() -> Refused:
    """Somebody else has written another answer there since the page was opened: it is not theirs to take back."""
    return Refused(
        Refusal(
            "changed-since",
            "Something else was written there since this page was opened: nothing was taken back.",
            "Look at it as it is now, and take it back if it is wrong.",
        )
    )


def taken_back_of(session: ReadSession, *, client_id: ClientId) -> dict[UUID, list[TakenBack]]:
    """What was taken back about a client by the thing that it is about, the newest first."""
    return _by_thing(session, EntryTakenBack.client_id == client_id)


def taken_back_of_visits(session: ReadSession, *, visit_ids: Iterable[UUID]) -> dict[UUID, list[TakenBack]]:
    """The same of these visits."""
    return _by_thing(session, EntryTakenBack.home_visit_id.in_(list(visit_ids)))


def _by_thing(session: ReadSession, where: ColumnElement[bool]) -> dict[UUID, list[TakenBack]]:
    rows = session.execute(
        select(EntryTakenBack, Account.name)
        .join(Account, Account.id == EntryTakenBack.back_by)
        .where(where)
        .order_by(EntryTakenBack.back_at.desc(), EntryTakenBack.id.desc())
    )
    found: dict[UUID, list[TakenBack]] = {}
    for row, by in rows:
        about = row.referral_id or row.home_visit_id or row.session_id or row.plan_id or row.goal_id
        assert about is not None, "it is about one thing"
        found.setdefault(about, []).append(TakenBack(Wrong(row.why), by, row.back_at, row.was))
    return found


def back_of(voided_at: datetime | None, void_reason: str | None, by: str | None) -> TakenBack | None:
    """Why a row that keeps this itself counts nowhere, and who says so; nothing while it stands."""
    if voided_at is None or void_reason is None:
        return None
    return TakenBack(Wrong(void_reason), by or "", voided_at)
