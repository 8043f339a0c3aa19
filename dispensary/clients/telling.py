"""Telling something of one client to somebody outside: by a consent that covers it, in an emergency, or on a ground.

Each puts its line on the register of disclosures. It gives nothing out itself: whoever calls it draws the paper in the
same unit of work, and hands it over when that is kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from dispensary.clients.consent_rules import Consent, Information, Telling, covers
from dispensary.clients.consents import Agreed, consent_of
from dispensary.clients.disclosing import Ground, Line, Told, put_on_register
from dispensary.clients.disclosure_models import Disclosure, Release, ReleaseNote
from dispensary.clients.models import Task
from dispensary.clients.notices import notice_of
from dispensary.clients.service import lock_client
from dispensary.clients.tasks import finish_task, open_task
from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId

LONGEST_WORDS = 500
WORDS_WITHIN = timedelta(days=1)
_WHAT_IT_WAS = "Write down what the emergency was for which something was told"


def tell_by_consent(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    consent_id: UUID,
    kinds: frozenset[Information],
    event_not_come: bool,
    what: str,
    key: UUID,
    today: date,
    at: datetime,
    by: Act = Act.DISCLOSE,
) -> Release:
    """Puts on the register that this is told to the recipient whom the consent names, for its purpose.

    `event_not_come`: where the consent lasts until an event, somebody says that it has not come. Raises Refused with
    the rule's reason where the consent does not cover it, NotAllowed without the right `by`, NotThere for another's.
    """
    _refuse_others(actor, by)
    lock_client(session, client_id, actor.site_id)
    if (known := _told_already(session, actor, client_id, key)) is not None:
        return known
    agreed = consent_of(session, client_id=client_id, consent_id=consent_id)
    if refusal := covers(agreed.rule, _telling(agreed, kinds, today, at)):
        raise Refused(replace(refusal, field="kinds"))
    if agreed.until_event and not event_not_come:
        raise BadInput(
            Refusal(
                "event-come",
                f"It lasts until: {agreed.until_event}. Nobody says that this has not come.",
                "Tick it where it has not; else end the consent.",
                field="event_not_come",
            )
        )
    line = Line(
        what,
        Ground.CONSENT,
        authority=agreed.signature,
        recipient=agreed.rule.recipient,
        reason=agreed.purpose,
        kinds=kinds,
        consent_id=consent_id,
        notice=notice_of(session, site_id=actor.site_id).key,
        key=key,
    )
    try:
        return put_on_register(session, actor=actor, clients=[client_id], line=line, at=at)
    except IntegrityError as reason:
        if broken_constraint(reason) == "disclosure_is_covered":
            raise Refused(
                Refusal("consent-revoked", "The client has revoked this consent.", "Ask them for another one.")
            ) from None
        raise


def tell_in_emergency(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    recipient: str,
    kinds: frozenset[Information],
    what: str,
    key: UUID,
    today: date,
    at: datetime,
) -> Release:
    """Puts on the register that this is told to somebody who treats the client now, and asks for the words later.

    Who is told is all that it waits for (42 CFR 2.51); a task of the doctors asks by the next day what it was. Raises
    NotAllowed, NotThere, or BadInput where nobody or nothing is named.
    """
    _refuse_others(actor, Act.TELL_EMERGENCY)
    faults = _missing(recipient, "recipient", "Who is told is missing.", "Their name, and where they work.")
    if not kinds:
        faults.append(Refusal("nothing-told", "Nothing was chosen that is to be told.", field="kinds"))
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    if (known := _told_already(session, actor, client_id, key)) is not None:
        return known
    line = Line(
        what,
        Ground.EMERGENCY,
        authority="",
        recipient=recipient,
        reason="",
        kinds=kinds,
        notice=notice_of(session, site_id=actor.site_id).key,
        key=key,
    )
    open_task(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        role=Role.DOCTOR,
        kind="other",
        sentence=_WHAT_IT_WAS,
        due_on=today + WORDS_WITHIN,
        opened_by=actor.account_id,
        at=at,
    )
    return put_on_register(session, actor=actor, clients=[client_id], line=line, at=at)


def tell_on_ground(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    told: Told,
    kinds: frozenset[Information],
    what: str,
    key: UUID,
    at: datetime,
) -> Release:
    """Puts on the register what is told of one client for a study or an audit. By consent it is `tell_by_consent`.

    Raises NotAllowed, NotThere, or BadInput with a fault a field.
    """
    _refuse_others(actor, Act.DISCLOSE)
    faults = told.faults()
    if told.ground is Ground.CONSENT:
        faults.append(Refusal("no-such-ground", "Choose the consent itself.", field="ground"))
    if not kinds:
        faults.append(Refusal("nothing-told", "Nothing was chosen that is to be told.", field="kinds"))
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    if (known := _told_already(session, actor, client_id, key)) is not None:
        return known
    line = Line(
        what,
        told.ground,
        authority=told.authority,
        recipient=told.recipient,
        reason=told.reason,
        kinds=kinds,
        notice=notice_of(session, site_id=actor.site_id).key,
        key=key,
    )
    return put_on_register(session, actor=actor, clients=[client_id], line=line, at=at)


def write_what_it_was(
    session: WriteSession, *, actor: Actor, client_id: ClientId, release_id: UUID, words: str, at: datetime
) -> ReleaseNote:
    """Writes down what an emergency was, once. The same words by the same person are found written.

    The task that asked for it is done when no other emergency of the client waits. Raises NotAllowed, NotThere,
    BadInput.
    """
    _refuse_others(actor, Act.TELL_EMERGENCY)
    if faults := _missing(words, "words", "What it was is missing.", "Whose life or health, and how."):
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    release = session.scalar(
        select(Release)
        .join(Disclosure, Disclosure.release_id == Release.id)
        .where(Release.id == release_id, Disclosure.client_id == client_id, Release.ground == Ground.EMERGENCY.value)
    )
    kept = session.get(ReleaseNote, release_id)
    if release is None or (kept is not None and (kept.written_by != actor.account_id)):
        raise NotThere(Refusal("no-emergency", "Nothing waits here for words.", "Look at the page again."))
    if kept is not None:
        return kept
    assert actor.account_id is not None, "whoever may has an account"
    sealed = session.vault.seal("release_note.words", release_id, words.strip(), of=client_id)
    note = ReleaseNote(release_id=release_id, words_sealed=sealed, written_by=actor.account_id, written_at=at)
    session.add(note)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="wrote what the emergency was",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"release": release_id},
    )
    if not _owing(session, client_id):
        asked = select(Task.id).where(
            Task.client_id == client_id, Task.sentence == _WHAT_IT_WAS, Task.done_at.is_(None)
        )
        for task_id in session.scalars(asked).all():
            finish_task(session, actor=actor, task_id=task_id, outcome="Written down", at=at)
    return note


def words_of(session: ReadSession, *, release_id: UUID) -> str:
    """What was written of an emergency afterwards; empty while nobody has."""
    note = session.get(ReleaseNote, release_id)
    sealed = note.words_sealed if note else None
    return session.vault.open_unless_erased("release_note.words", release_id, sealed, gone=ERASED if note else "")


def _owing(session: ReadSession, client_id: ClientId) -> bool:
    waits = (
        select(Release.id)
        .join(Disclosure, Disclosure.release_id == Release.id)
        .outerjoin(ReleaseNote, ReleaseNote.release_id == Release.id)
        .where(Disclosure.client_id == client_id, Release.ground == Ground.EMERGENCY.value)
        .where(ReleaseNote.release_id.is_(None))
    )
    return session.scalar(waits.limit(1)) is not None


def _refuse_others(actor: Actor, act: Act) -> None:
    if actor.account_id is None or not actor.may(act):
        raise NotAllowed(
            Refusal(
                "may-not-tell", "Your work at this site does not include telling this.", "Ask a doctor of the site."
            )
        )


def _missing(typed: str, field: str, sentence: str, remedy: str) -> list[Refusal]:
    if not typed.strip():
        return [Refusal(f"{field}-missing", sentence, remedy, field=field)]
    if len(typed) > LONGEST_WORDS:
        return [Refusal(f"{field}-long", f"Write at most {LONGEST_WORDS} letters.", "Shorten it.", field=field)]
    return []


def _telling(agreed: Agreed, kinds: frozenset[Information], today: date, at: datetime) -> Telling:
    """What is told goes to whom the consent names, by choosing it: nobody types a recipient a second time."""
    rule: Consent = agreed.rule
    return Telling(kinds, rule.recipient_kind, rule.recipient, today, at)


def _told_already(session: ReadSession, actor: Actor, client_id: ClientId, key: UUID) -> Release | None:
    """The line that this very form has put on the register before, by the same person about the same client."""
    return session.scalar(
        select(Release)
        .join(Disclosure, Disclosure.release_id == Release.id)
        .where(Release.key == key, Disclosure.client_id == client_id, Release.account_id == actor.account_id)
    )
