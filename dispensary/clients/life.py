"""How somebody works and lives over time; the newest of it answers what take-home assessments ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.life_models import LifeStatus
from dispensary.clients.life_rules import Aspect, stands_for, words_of
from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId

LONGEST_AGO = 60 * 366


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
    assert actor.account_id is not None, "somebody tells it to a person"
    session.add(
        LifeStatus(
            id=key,
            client_id=client_id,
            site_id=actor.site_id,
            aspect=aspect.value,
            word=word,
            from_day=from_day,
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    details = {"aspect": aspect.value, "from": from_day}
    audit.record(session, actor=actor, act="noted life", subject="client", subject_id=client_id, at=at, details=details)
    newest = life_of(session, client_id=client_id, aspect=aspect)[0]
    if newest.id == key:
        names = Circumstances.__dataclass_fields__
        told = Circumstances(**{name: getattr(client, name) for name in names})
        question = "employed" if aspect is Aspect.WORK else "housing_stable"
        told = replace(told, **{question: stands_for(aspect, word)})
        note_circumstances(session, actor=actor, client_id=client_id, told=told, at=at)


def life_of(session: ReadSession, *, client_id: ClientId, aspect: Aspect | None = None) -> Sequence[LifeStatus]:
    """What they told of it, the newest day first."""
    said = select(LifeStatus).where(LifeStatus.client_id == client_id)
    if aspect is not None:
        said = said.where(LifeStatus.aspect == aspect.value)
    newest = (LifeStatus.from_day.desc(), LifeStatus.noted_at.desc(), LifeStatus.id.desc())
    return session.scalars(said.order_by(*newest)).all()
