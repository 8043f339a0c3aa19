"""Watched records: of staff, of relatives, of people whom others know. Whoever opens one says why first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, select

from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import Erased
from dispensary.looks.models import WatchedRecord
from dispensary.looks.rules import LONGEST_WORDS
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.permission_rules import Act
from dispensary.staff.queries import names_of
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, ClientId, SiteId, new_id


class WatchKind(StrEnum):
    """Whose record it is."""

    STAFF = "staff"
    RELATIVE = "relative"
    KNOWN = "known"
    OTHER = "other"


@dataclass(frozen=True)
class Watch:
    """A watch as it was set, opened."""

    id: UUID
    client_id: ClientId
    number: str
    kind: WatchKind
    words: str
    account_id: AccountId | None
    """Whose account it is, when the client works here."""
    set_by: str
    set_at: datetime
    ended_at: datetime | None


def watch(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: WatchKind,
    words: str,
    account_id: AccountId | None,
    at: datetime,
) -> WatchedRecord:
    """Watches the record of a client of the actor's site from now on; one that is watched already stays as it is.

    The trail says that it is watched and not why. Raises NotAllowed for anybody but a doctor or an administrator,
    NotThere, or BadInput.
    """
    _refuse_unless_keeps(actor)
    if len(words) > LONGEST_WORDS:
        sentence = f"This is longer than {LONGEST_WORDS} characters."
        raise BadInput(Refusal("too-long", sentence, "Shorten it.", field="words"))
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(_open(client_id))
    if known is not None:
        return known
    row_id = new_id()
    why = json.dumps({"kind": kind.value, "words": words.strip(), "account": str(account_id) if account_id else ""})
    assert actor.account_id is not None, "whoever may has an account"
    row = WatchedRecord(
        id=row_id,
        client_id=client_id,
        site_id=actor.site_id,
        why_sealed=session.vault.seal("watched_record.why", row_id, why, of=client_id),
        set_by=actor.account_id,
        set_at=at,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor=actor, act="watched record", subject="client", subject_id=client_id, at=at)
    return row


def end_watch(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime) -> None:
    """Watches it no longer; pressed twice, it is ended once. Raises NotAllowed, or NotThere for another's client."""
    _refuse_unless_keeps(actor)
    lock_client(session, client_id, actor.site_id)
    row = session.scalar(_open(client_id))
    if row is not None:
        row.ended_by, row.ended_at = actor.account_id, at
        session.flush()
        audit.record(session, actor=actor, act="ended watch", subject="client", subject_id=client_id, at=at)


def _open(client_id: ClientId) -> Select[WatchedRecord]:
    return select(WatchedRecord).where(WatchedRecord.client_id == client_id, WatchedRecord.ended_at.is_(None))


def _refuse_unless_keeps(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.KEEP_RECORD):
        raise NotAllowed(Refusal("may-not-watch", "A doctor or an administrator sets and ends this.", "Ask one."))


def is_watched(session: ReadSession, client_id: ClientId) -> bool:
    """Whether the record is watched now."""
    return session.scalar(_open(client_id)) is not None


def watches_of(session: ReadSession, *, site_id: SiteId, standing: bool) -> list[Watch]:
    """The watches of a site, those that stand or all that there ever were, the newest first."""
    chosen = select(WatchedRecord, Client.number).join(Client, Client.id == WatchedRecord.client_id)
    chosen = chosen.where(WatchedRecord.site_id == site_id).order_by(WatchedRecord.set_at.desc())
    if standing:
        chosen = chosen.where(WatchedRecord.ended_at.is_(None))
    rows = session.execute(chosen).all()
    people = names_of(session, [row.set_by for row, _ in rows])
    return [_read(session, row, number, people) for row, number in rows]


def _read(session: ReadSession, row: WatchedRecord, number: str, people: dict[UUID, str]) -> Watch:
    try:
        why = json.loads(session.vault.open("watched_record.why", row.id, row.why_sealed))
    except Erased:
        why = {"kind": WatchKind.OTHER, "words": "", "account": ""}  # who it was went with the client's own key
    return Watch(
        id=row.id,
        client_id=row.client_id,
        number=number,
        kind=WatchKind(why["kind"]),
        words=why["words"],
        account_id=AccountId(UUID(why["account"])) if why["account"] else None,
        set_by=people[row.set_by],
        set_at=row.set_at,
        ended_at=row.ended_at,
    )
