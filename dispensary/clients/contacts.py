"""Keeping in touch: what was tried, what a client said, whether they want visits at home; and a site's figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from dispensary.clients.contact_models import ContactNote, FollowUpSetting, VisitWish
from dispensary.clients.contact_rules import DAYS, CameOf, FollowUp, How, Why
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, SiteId, new_id

LONGEST_NOTE = 500
MOST_CONTACTS = 20


@dataclass(frozen=True)
class Contact:
    """A contact that was noted."""

    id: UUID
    at: datetime
    by: str
    reached: bool
    words: str
    how: How = How.TALK
    came_of: CameOf | None = None
    why: Why | None = None
    stops: bool = False
    """Whether nobody follows them up after it, for the reason in its words."""


def write_contact(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    reached: bool,
    words: str,
    key: UUID,
    at: datetime,
    how: How = How.TALK,
    came_of: CameOf | None = None,
    why: Why | None = None,
    stops: bool = False,
) -> bool:
    """Writes down that the actor was in touch with a client, or tried to; says whether it was not written before.

    The same key again is the same contact. With `stops` nobody follows them up after it, until they come back or
    somebody notes another contact: whoever decides that says why, and is one of those who treat.
    The caller has made sure that the client is the actor's to know. Raises BadInput for words that are too long, or
    none after a talk of which nothing else is known; Refused for a visit that the client does not want; NotAllowed.
    """
    words = words.strip()
    if stops and not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("not-to-stop", "Whoever treats them decides that.", "Tell a nurse.", field="stops"))
    if stops and not words:
        sentence = "Say why nobody follows them up any more."
        raise BadInput(Refusal("stop-words", sentence, f"At most {LONGEST_NOTE} letters.", field="words"))
    said_nothing = reached and not words and came_of is None
    if len(words) > LONGEST_NOTE or said_nothing:
        sentence = "Say in a few words what is worth knowing."
        raise BadInput(Refusal("contact-words", sentence, f"At most {LONGEST_NOTE} letters.", field="words"))
    if not reached and (came_of or why):
        sentence = "Somebody who was not reached has said nothing."
        raise BadInput(Refusal("contact-not-reached", sentence, "Say that they were reached.", field="reached"))
    noted = session.get(ContactNote, key)
    if noted is not None and noted.voided_at is not None:
        sentence = "This contact was taken back since it was noted."
        raise Refused(Refusal("contact-taken-back", sentence, "Open the page anew, and note what is right."))
    if noted is not None and (noted.account_id, noted.client_id) == (actor.account_id, client_id):
        return False
    if how is How.VISIT and not wants_visits(session, [client_id])[client_id]:
        raise Refused(
            Refusal("no-visits", "They have not agreed to visits.", "Ask them first; a no costs nothing.", field="how")
        )
    assert actor.account_id is not None, "whoever keeps in touch has an account"
    session.add(
        ContactNote(
            id=key,
            client_id=client_id,
            site_id=actor.site_id,
            account_id=actor.account_id,
            at=at,
            reached=reached,
            words_sealed=session.vault.seal("contact_note.words", key, words, of=client_id),
            how=how.value,
            came_of=came_of.value if came_of else "",
            why=why.value if why else "",
            stops=stops,
        )
    )
    session.flush()
    details: dict[str, object] = {"how": how.value, "reached": reached}
    audit.record(
        session, actor=actor, act="noted contact", subject="client", subject_id=client_id, at=at, details=details
    )
    if stops:
        details = {"contact": key}
        audit.record(
            session, actor=actor, act="ended follow-up", subject="client", subject_id=client_id, at=at, details=details
        )
    return True


def contacts_of(session: ReadSession, *, client_id: ClientId) -> list[Contact]:
    """The newest contacts of a client, whoever noted them. Ask for a client whom the reader may look at.

    They hold what nurses and doctors wrote: a peer worker reads `own_contacts`.
    """
    return [_read(session, note, by) for note, by in _newest(session, client_id)]


@dataclass(frozen=True)
class OthersContact:
    """Of a contact that somebody else noted: when and how, and whether the client was reached."""

    at: datetime
    how: How
    reached: bool


def contacts_known_to(
    session: ReadSession, *, client_id: ClientId, account_id: AccountId
) -> list[Contact | OthersContact]:
    """The newest contacts of a client as somebody knows them who does not treat: their own notes, of others no word.

    What others wrote is not opened at all.
    """
    return [
        _read(session, note, by)
        if note.account_id == account_id
        else OthersContact(note.at, How(note.how), note.reached)
        for note, by in _newest(session, client_id)
    ]


def _newest(session: ReadSession, client_id: ClientId) -> list[tuple[ContactNote, str]]:
    rows = session.execute(
        select(ContactNote, Account.name)
        .join(Account, Account.id == ContactNote.account_id)
        .where(ContactNote.client_id == client_id, ContactNote.voided_at.is_(None))
        .order_by(ContactNote.at.desc(), ContactNote.id)
        .limit(MOST_CONTACTS)
    )
    return [(note, by) for note, by in rows]


def _read(session: ReadSession, note: ContactNote, by: str) -> Contact:
    return Contact(
        note.id,
        note.at,
        by,
        note.reached,
        session.vault.open_unless_erased("contact_note.words", note.id, note.words_sealed, gone=ERASED),
        How(note.how),
        CameOf(note.came_of) if note.came_of else None,
        Why(note.why) if note.why else None,
        note.stops,
    )


@dataclass(frozen=True)
class Wish:
    """Whether a client wants to be visited at home, as they last said it."""

    agreed: bool
    where: str
    said_on: date


def note_visit_wish(
    session: WriteSession, *, actor: Actor, client_id: ClientId, agreed: bool, where: str, today: date, at: datetime
) -> None:
    """Writes down whether the client wants visits, and where to come; said again in the same words it is one wish.

    A no costs nothing and stands until they say otherwise. Raises BadInput without a place, NotThere.
    """
    where = where.strip() if agreed else ""
    if agreed and not 0 < len(where) <= LONGEST_NOTE:
        sentence = "Say where to come, and how whoever comes is to behave there."
        raise BadInput(Refusal("visit-where", sentence, f"At most {LONGEST_NOTE} letters.", field="where"))
    lock_client(session, client_id, actor.site_id)
    before = visit_wish(session, client_id=client_id)
    if before is not None and (before.agreed, before.where) == (agreed, where):
        return
    wish_id = new_id()
    assert actor.account_id is not None, "a client says it to a person"
    session.add(
        VisitWish(
            id=wish_id,
            client_id=client_id,
            site_id=actor.site_id,
            agreed=agreed,
            where_sealed=session.vault.seal("visit_wish.where", wish_id, where, of=client_id) if agreed else None,
            said_on=today,
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    details = {"agreed": agreed}
    audit.record(
        session, actor=actor, act="noted visit wish", subject="client", subject_id=client_id, at=at, details=details
    )


def visit_wish(session: ReadSession, *, client_id: ClientId) -> Wish | None:
    """What a client last said about visits; nothing when nobody has asked."""
    return visit_wishes(session, [client_id]).get(client_id)


def visit_wishes(session: ReadSession, clients: Collection[ClientId]) -> Mapping[ClientId, Wish]:
    """What each of these clients last said about visits; nothing of whom nobody has asked."""
    newest = (
        select(VisitWish)
        .ext(distinct_on(VisitWish.client_id))
        .where(VisitWish.client_id.in_(list(clients)))
        .order_by(VisitWish.client_id, VisitWish.noted_at.desc(), VisitWish.id.desc())
    )
    open_where = session.vault.open_unless_erased
    return {
        ClientId(row.client_id): Wish(row.agreed, open_where("visit_wish.where", row.id, row.where_sealed), row.said_on)
        for row in session.scalars(newest)
    }


def wants_visits(session: ReadSession, clients: Collection[ClientId]) -> Mapping[ClientId, bool]:
    """Whether each of these clients has agreed to visits at home; not asked is no."""
    newest = (
        select(VisitWish.client_id, VisitWish.agreed)
        .ext(distinct_on(VisitWish.client_id))
        .where(VisitWish.client_id.in_(list(clients)))
        .order_by(VisitWish.client_id, VisitWish.noted_at.desc(), VisitWish.id.desc())
    )
    said = {ClientId(client_id): agreed for client_id, agreed in session.execute(newest)}
    return {client_id: said.get(client_id, False) for client_id in clients}


def follow_up_of(session: ReadSession, site_id: SiteId) -> FollowUp:
    """The figures that a site follows."""
    row = session.get(FollowUpSetting, site_id)
    return FollowUp() if row is None else FollowUp(row.text_day, row.call_day, row.visit_day, row.again_days)


def set_follow_up(session: WriteSession, *, actor: Actor, days: FollowUp, at: datetime) -> None:
    """Sets them for the actor's site. Raises NotAllowed for anybody but its administrator, BadInput."""
    if not actor.may(Act.RUN_SITE):
        raise NotAllowed(Refusal("not-allowed", "The site's administrator sets this.", "Ask them."))
    given = vars(days)
    faults = [
        Refusal("follow-up-day", f"A day is from {DAYS[0]} to {DAYS[1]}.", "Correct it, or leave it empty.", field=name)
        for name, day in given.items()
        if day is not None and not DAYS[0] <= day <= DAYS[1]
    ]
    if faults:
        raise BadInput(*faults)
    put = insert(FollowUpSetting).values(site_id=actor.site_id, **given)
    session.execute(put.on_conflict_do_update(index_elements=["site_id"], set_=given))
    session.expire_all()
    audit.record(
        session, actor=actor, act="set follow-up", subject="site", subject_id=actor.site_id, at=at, details=given
    )
