"""How somebody works and lives over time; the newest of it answers what take-home assessments ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.life_models import LifeStatus
from dispensary.clients.life_rules import Aspect, stands_for, words_of
from dispensary.clients.models import Client
from dispensary.clients.service import the_client
from dispensary.clients.taken_back import back_of
from dispensary.clients.taken_back_rules import TakenBack, Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account, AuditEntry
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, ClientId

LONGEST_AGO = 60 * 366
_QUESTION: Final = {Aspect.WORK: "employed", Aspect.HOUSING: "housing_stable"}
"""Which question of the circumstances the newest of each answers."""


def note_life(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    aspect: Aspect,
    word: str,
    from_day: date,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes down how they work or live from a day on; the newest day also answers the circumstances' own question.

    The same key again is the same. Raises BadInput for a word that there is not, or a day that is to come; NotThere.
    """
    faults = []
    if word not in words_of(aspect):
        faults.append(Refusal("no-choice", "Nothing was chosen here.", "Choose one.", field="word"))
    if not 0 <= (today - from_day).days <= LONGEST_AGO:
        faults.append(Refusal("from-day", "It is so since today or an earlier day.", "Correct it.", field="from_day"))
    if faults:
        raise BadInput(*faults)
    client = the_client(session, client_id, actor.site_id)
    if session.get(LifeStatus, key) is not None:
        return
    session.add(
        LifeStatus(
            id=key,
            client_id=client_id,
            site_id=actor.site_id,
            aspect=aspect.value,
            word=word,
            from_day=from_day,
            noted_by=_person(actor),
            noted_at=at,
        )
    )
    session.flush()
    details = {"aspect": aspect.value, "from": from_day}
    audit.record(session, actor=actor, act="noted life", subject="client", subject_id=client_id, at=at, details=details)
    newest = life_of(session, client_id=client_id, aspect=aspect)[0]
    if newest.id == key:
        _answer(session, actor, client, aspect, stands_for(aspect, word), at)


def take_life_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, status_id: UUID, why: Wrong, at: datetime
) -> None:
    """What was written down in error of how they work or live is taken back, once; it stays, and counts nowhere.

    Where it was the newest, the circumstances' own question has the answer of the one before it again, or what stood
    there before anybody wrote it down here; what was told otherwise since is left alone. Raises NotThere.
    """
    client = the_client(session, client_id, actor.site_id)
    row = session.get(LifeStatus, status_id, with_for_update=True)
    if row is None or row.client_id != client_id:
        raise NotThere(Refusal("no-entry", "There is no such entry.", "Look at the list again."))
    if row.voided_at is not None:
        return
    aspect = Aspect(row.aspect)
    was_newest = life_of(session, client_id=client_id, aspect=aspect)[0].id == row.id
    row.voided_at, row.voided_by, row.void_reason = at, _person(actor), why.value
    session.flush()
    details = {"aspect": row.aspect, "from": row.from_day, "why": why.value}
    audit.record(
        session, actor=actor, act="took life back", subject="client", subject_id=client_id, at=at, details=details
    )
    if was_newest and getattr(client, _QUESTION[aspect]) == stands_for(aspect, row.word):
        before = life_of(session, client_id=client_id, aspect=aspect)
        answer = stands_for(aspect, before[0].word) if before else _stood_before(session, row)
        _answer(session, actor, client, aspect, answer, at)


def _answer(
    session: WriteSession, actor: Actor, client: Client, aspect: Aspect, answer: bool | None, at: datetime
) -> None:
    names = Circumstances.__dataclass_fields__
    told = Circumstances(**{name: getattr(client, name) for name in names})
    told = replace(told, **{_QUESTION[aspect]: answer})
    note_circumstances(session, actor=actor, client_id=ClientId(client.id), told=told, at=at)


def _stood_before(session: ReadSession, row: LifeStatus) -> bool | None:
    """What the circumstances' question had before this was written down: the trail has it where that changed it."""
    said = select(AuditEntry.details).where(
        AuditEntry.subject_id == row.client_id, AuditEntry.act == "noted circumstances", AuditEntry.at == row.noted_at
    )
    question = _QUESTION[Aspect(row.aspect)]
    for details in session.scalars(said):
        was: dict[str, bool | None] = json.loads(details).get("was", {})
        if question in was:
            return was[question]
    return stands_for(Aspect(row.aspect), row.word)


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "somebody tells it to a person"
    return actor.account_id


def life_of(session: ReadSession, *, client_id: ClientId, aspect: Aspect | None = None) -> Sequence[LifeStatus]:
    """What they told of it and was not taken back, the newest day first."""
    said = select(LifeStatus).where(LifeStatus.client_id == client_id, LifeStatus.voided_at.is_(None))
    if aspect is not None:
        said = said.where(LifeStatus.aspect == aspect.value)
    newest = (LifeStatus.from_day.desc(), LifeStatus.noted_at.desc(), LifeStatus.id.desc())
    return session.scalars(said.order_by(*newest)).all()


@dataclass(frozen=True)
class Told:
    """What they told of it, as its page shows it."""

    id: UUID
    aspect: Aspect
    word: str
    from_day: date
    back: TakenBack | None


def told_of_life(session: ReadSession, *, client_id: ClientId) -> list[Told]:
    """Everything that was written down, the newest day first; what was taken back too."""
    rows = session.execute(
        select(LifeStatus, Account.name)
        .outerjoin(Account, Account.id == LifeStatus.voided_by)
        .where(LifeStatus.client_id == client_id)
        .order_by(LifeStatus.from_day.desc(), LifeStatus.noted_at.desc(), LifeStatus.id.desc())
    )
    return [
        Told(row.id, Aspect(row.aspect), row.word, row.from_day, back_of(row.voided_at, row.void_reason, by))
        for row, by in rows
    ]
