"""How somebody stands with the law over time: written down sealed, read at their home site by those who need it.

It is on no list, in no export, on no paper, and nothing is decided from it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.legal_status_models import LegalStatusNote
from dispensary.clients.legal_status_rules import LegalStatus, Said, newest_first, read, written
from dispensary.clients.own_keys import refuse_erased
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back import back_of
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId

LONGEST_AGO: Final = 60 * 366
"""Days."""


def note_legal_status(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    word: LegalStatus,
    from_day: date,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes down what they said, sealed under their own key. The same key again is the same.

    The audit trail has that something was written down, and not what. Raises NotAllowed, NotThere, Refused for somebody
    who was erased, BadInput for a day that is to come.
    """
    _refuse_others(actor)
    if not 0 <= (today - from_day).days <= LONGEST_AGO:
        raise BadInput(Refusal("from-day", "It is so since today or an earlier day.", "Correct it.", field="from_day"))
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    known = session.get(LegalStatusNote, key)
    if known is not None:
        if known.client_id != client_id:
            raise Refused(Refusal("another-form", "This form was sent before for somebody else.", "Open it anew."))
        return
    session.add(
        LegalStatusNote(
            id=key,
            client_id=client_id,
            said_sealed=session.vault.seal("legal_status.said", key, written(word, from_day), of=client_id),
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    audit.record(session, actor=actor, act="noted legal status", subject="client", subject_id=client_id, at=at)


def take_legal_status_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, status_id: UUID, why: Wrong, at: datetime
) -> None:
    """What was written down in error is taken back, once. It stays sealed as it is.

    Raises NotAllowed, NotThere, Refused for somebody who was erased.
    """
    _refuse_others(actor)
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    row = session.get(LegalStatusNote, status_id, with_for_update=True)
    if row is None or row.client_id != client_id:
        raise NotThere(Refusal("no-entry", "There is no such entry.", "Look at the list again."))
    if row.voided_at is not None:
        return
    row.voided_at, row.voided_by, row.void_reason = at, actor.account_id, why.value
    session.flush()
    audit.record(session, actor=actor, act="took legal status back", subject="client", subject_id=client_id, at=at)


def legal_status_of(session: WriteSession, *, actor: Actor, client_id: ClientId) -> list[Said]:
    """What they said, the newest first, what was taken back too; nothing where nobody has asked.

    That is not that nothing is open.

    Raises NotAllowed, NotThere for a client whose home is elsewhere, Refused for somebody who was erased.
    """
    _refuse_others(actor)
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    rows = session.execute(
        select(LegalStatusNote, Account.name)
        .outerjoin(Account, Account.id == LegalStatusNote.voided_by)
        .where(LegalStatusNote.client_id == client_id)
    )
    return newest_first(
        Said(
            *read(session.vault.open("legal_status.said", row.id, row.said_sealed)),
            row.noted_at,
            row.id,
            back_of(row.voided_at, row.void_reason, by),
        )
        for row, by in rows
    )


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.LEGAL_STATUS):
        raise NotAllowed(
            Refusal("may-not-hear", "Your work at this site does not include this.", "Ask whoever treats them.")
        )
