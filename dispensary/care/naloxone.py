"""Naloxone: kits come in, are given to clients, peers, families and neighbours, and what became of one is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from dispensary.care.naloxone_models import NaloxoneAnswer, NaloxoneKit, NaloxoneLot, NaloxoneUse
from dispensary.care.naloxone_rules import REPLACE_WITHIN, Outcome, Said, ToWhom
from dispensary.clients.own import own_client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, SiteId, new_id

LONGEST_WORD = 60
MOST_RECEIVED, MOST_GIVEN, MOST_USED = 100_000, 100, 20
LONGEST_AGO = 3 * 366


def receive_kits(
    session: WriteSession,
    *,
    actor: Actor,
    batch: str,
    product: str,
    expires_on: date,
    kits: int,
    today: date,
    at: datetime,
) -> NaloxoneLot:
    """Enters kits of a batch. Raises BadInput for a batch that is there already, is over, or for no kits."""
    refuse_others(actor)
    named, boxed = batch.strip().upper(), " ".join(product.split())
    faults = []
    for field, word in (("batch", named), ("product", boxed)):
        if not 0 < len(word) <= LONGEST_WORD:
            faults.append(
                Refusal(f"{field}-missing", "This is missing or too long.", "As the box has it.", field=field)
            )
    if expires_on <= today:
        faults.append(Refusal("kit-over", "These kits are over.", "Send them back.", field="expires_on"))
    if not 1 <= kits <= MOST_RECEIVED:
        faults.append(Refusal("kits", "Say how many kits came.", "Count them.", field="kits"))
    if faults:
        raise BadInput(*faults)
    lot = NaloxoneLot(
        id=new_id(),
        site_id=actor.site_id,
        batch=named,
        product=boxed,
        expires_on=expires_on,
        received=kits,
        left_over=kits,
        discarded=0,
        received_by=_person(actor),
        received_at=at,
    )
    try:
        with session.begin_nested():
            session.add(lot)
            session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) == "uq_naloxone_lot_site_id_batch":
            raise BadInput(
                Refusal("batch-known", "This batch is here already.", "Enter a batch once.", field="batch")
            ) from None
        raise
    _write_down(session, actor, "received naloxone", "site", actor.site_id, at, {"lot": lot.id, "kits": kits})
    return lot


def discard_kits(session: WriteSession, *, actor: Actor, lot_id: UUID, kits: int, reason: str, at: datetime) -> None:
    """Puts kits away that are over, broken or lost, with a reason. Raises BadInput, Refused where so many are not left,
    NotThere."""
    refuse_others(actor)
    if not reason.strip() or len(reason) > 200:
        raise BadInput(Refusal("reason", "Say why.", "Over, broken, or lost.", field="reason"))
    _take_from(session, actor, lot_id, kits, discarded=True)
    details = {"lot": lot_id, "kits": kits, "reason": reason.strip()}
    _write_down(session, actor, "discarded naloxone", "site", actor.site_id, at, details)


def give_kit(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    to_whom: ToWhom,
    client_id: ClientId | None,
    code: str = "",
    kits: int,
    trained: bool,
    key: UUID,
    today: date,
    at: datetime,
) -> NaloxoneKit:
    """Gives kits out of a lot that is in date. The same key again is the same gift.

    `client_id` is whose they are, or whose family's; anybody else may say a code, by which they are counted once.
    Who keeps in touch without treating gives to their own clients, and to whoever is none. Raises BadInput, Refused
    where so many are not left, NotThere for another site's client or lot, or one who is not theirs.
    """
    refuse_strangers(session, actor, client_id)
    if not 1 <= kits <= MOST_GIVEN:
        raise BadInput(Refusal("kits", f"From 1 to {MOST_GIVEN} kits at once.", "Correct it.", field="kits"))
    if to_whom is ToWhom.CLIENT and client_id is None:
        raise BadInput(Refusal("whose-kit", "It does not say which client.", "Open the client.", field="to_whom"))
    if client_id is not None:
        lock_client(session, client_id, actor.site_id)
    known = session.get(NaloxoneKit, key)
    if known is not None and known.given_by == actor.account_id:
        return known
    lot = _take_from(session, actor, lot_id, kits)
    if lot.expires_on <= today:
        raise Refused(Refusal("kit-over", f"These kits were good until {lot.expires_on}.", "Take others.", field="lot"))
    kit = NaloxoneKit(
        id=key,
        site_id=actor.site_id,
        lot_id=lot_id,
        client_id=client_id,
        to_whom=to_whom.value,
        code_digest=digest_of(session, code) if client_id is None else None,
        kits=kits,
        trained=trained,
        given_on=today,
        given_by=_person(actor),
        given_at=at,
    )
    session.add(kit)
    session.flush()
    details: dict[str, object] = {"kits": kits, "to": to_whom.value, "trained": trained}
    about = "site" if client_id is None else "client"
    _write_down(session, actor, "gave naloxone", about, client_id or actor.site_id, at, details)
    return kit


def answer_offer(
    session: WriteSession, *, actor: Actor, client_id: ClientId, said: Said, key: UUID, today: date, at: datetime
) -> None:
    """Writes down that a client wants no kit, or has one, which costs them nothing. Raises NotThere."""
    refuse_others(actor)
    lock_client(session, client_id, actor.site_id)
    if session.get(NaloxoneAnswer, key) is not None:
        return
    session.add(
        NaloxoneAnswer(
            id=key,
            client_id=client_id,
            site_id=actor.site_id,
            answer=said.value,
            said_on=today,
            noted_by=_person(actor),
            noted_at=at,
        )
    )
    session.flush()
    _write_down(session, actor, "offered naloxone", "client", client_id, at, {"said": said.value})


def report_use(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId | None,
    told_by: ToWhom,
    happened_on: date,
    kits: int,
    outcome: Outcome,
    key: UUID,
    today: date,
    at: datetime,
) -> NaloxoneUse:
    """Writes down that a kit was used, as it was told; nothing follows for anybody. The same key is the same report.

    Raises BadInput for a day that is to come or three years ago, NotThere, also for a peer worker's no own client.
    """
    refuse_strangers(session, actor, client_id)
    faults = []
    if not 0 <= (today - happened_on).days <= LONGEST_AGO:
        faults.append(Refusal("happened-on", "This day cannot be.", "Correct the day.", field="happened_on"))
    if not 1 <= kits <= MOST_USED:
        faults.append(Refusal("kits", f"From 1 to {MOST_USED} kits.", "Correct it.", field="kits"))
    if told_by is ToWhom.CLIENT and client_id is None:
        faults.append(Refusal("whose-kit", "It does not say which client.", "Open the client.", field="told_by"))
    if faults:
        raise BadInput(*faults)
    if client_id is not None:
        lock_client(session, client_id, actor.site_id)
    known = session.get(NaloxoneUse, key)
    if known is not None and known.noted_by == actor.account_id:
        return known
    use = NaloxoneUse(
        id=key,
        site_id=actor.site_id,
        client_id=client_id,
        told_by=told_by.value,
        happened_on=happened_on,
        kits=kits,
        outcome=outcome.value,
        noted_by=_person(actor),
        noted_at=at,
    )
    session.add(use)
    session.flush()
    details: dict[str, object] = {"kits": kits, "outcome": outcome.value}
    about = "site" if client_id is None else "client"
    _write_down(session, actor, "noted use of naloxone", about, client_id or actor.site_id, at, details)
    return use


def digest_of(session: ReadSession, code: str) -> bytes | None:
    """A keyed digest of a code that somebody gave for themselves; blanks and capitals make no other person of them."""
    plain = "".join(code.split()).casefold()
    return session.vault.blind("person.code", plain) if plain else None


def lots_of(session: ReadSession, *, site_id: SiteId) -> Sequence[NaloxoneLot]:
    """The lots of which something is left, what is over first."""
    kept = select(NaloxoneLot).where(NaloxoneLot.site_id == site_id, NaloxoneLot.left_over > 0)
    return session.scalars(kept.order_by(NaloxoneLot.expires_on, NaloxoneLot.batch)).all()


@dataclass(frozen=True)
class Replacement:
    """A client whose newest kit was used, is over, or soon will be."""

    client_id: ClientId
    number: str
    expires_on: date
    used: bool


_REPLACE = text("""
SELECT newest.client_id, c.number, newest.expires_on, used.at IS NOT NULL AS used FROM (
    SELECT DISTINCT ON (k.client_id) k.client_id, l.expires_on,
        max(k.given_at) OVER (PARTITION BY k.client_id) AS given_at
    FROM naloxone_kit k JOIN naloxone_lot l ON l.id = k.lot_id
    WHERE k.to_whom = 'client' AND k.voided_at IS NULL ORDER BY k.client_id, l.expires_on DESC
) newest JOIN client c ON c.id = newest.client_id
CROSS JOIN LATERAL (SELECT max(u.noted_at) AS at FROM naloxone_use u
    WHERE u.client_id = c.id AND u.voided_at IS NULL AND u.noted_at >= newest.given_at) used
WHERE c.site_id = :site AND (newest.expires_on <= :until OR used.at IS NOT NULL)
    AND EXISTS (SELECT FROM episode e WHERE e.client_id = c.id AND e.ended_on IS NULL)
    AND NOT EXISTS (SELECT FROM naloxone_answer a WHERE a.client_id = c.id
        AND CASE WHEN used.at IS NULL THEN a.said_on > newest.expires_on - :within ELSE a.noted_at >= used.at END)
ORDER BY newest.expires_on, c.number
""")


def replacements(session: ReadSession, *, site_id: SiteId, today: date) -> list[Replacement]:
    """Clients in treatment whose newest kit was used or is to be replaced, and who have not said no to it since."""
    bound = {"site": site_id, "until": today + REPLACE_WITHIN, "within": REPLACE_WITHIN.days}
    return [
        Replacement(ClientId(row.client_id), row.number, row.expires_on, row.used)
        for row in session.execute(_REPLACE, bound)
    ]


@dataclass(frozen=True)
class Counts:
    """What a site did with naloxone since a day."""

    kits: int
    people: int
    """Clients, and others by the code that they gave; who gave none counts once for each time."""
    trained: int
    uses: int
    lives: int


_COUNTS = text("""
WITH told AS (
    SELECT outcome FROM naloxone_use WHERE site_id = :site AND happened_on >= :since AND voided_at IS NULL
)
SELECT coalesce(sum(kits), 0), count(DISTINCT coalesce(client_id::text, encode(code_digest, 'hex'), id::text)),
    count(*) FILTER (WHERE trained),
    (SELECT count(*) FROM told), (SELECT count(*) FROM told WHERE outcome = 'lives')
FROM naloxone_kit WHERE site_id = :site AND given_on >= :since AND voided_at IS NULL
""")


def counts_since(session: ReadSession, *, site_id: SiteId, since: date) -> Counts:
    """The site's own counts, as its page shows them."""
    return Counts(*session.execute(_COUNTS, {"site": site_id, "since": since}).one())


def _take_from(session: WriteSession, actor: Actor, lot_id: UUID, kits: int, *, discarded: bool = False) -> NaloxoneLot:
    """Takes kits from a lot of the actor's site, as long as so many are left."""
    more = {"discarded": NaloxoneLot.discarded + kits} if discarded else {}
    if kits < 1:
        raise BadInput(Refusal("kits", "Say how many.", "Count them.", field="kits"))
    taken = session.execute(
        update(NaloxoneLot)
        .where(NaloxoneLot.id == lot_id, NaloxoneLot.site_id == actor.site_id, NaloxoneLot.left_over >= kits)
        .values(left_over=NaloxoneLot.left_over - kits, **more)
        .returning(NaloxoneLot.id)
    ).scalar_one_or_none()
    lot = session.get(NaloxoneLot, lot_id, populate_existing=True)
    if taken is not None and lot is not None:
        return lot
    if lot is None or lot.site_id != actor.site_id:
        raise NotThere(Refusal("no-kits", "There are no such kits.", "Look at the list again."))
    raise Refused(
        Refusal("kits-left", f"{lot.left_over} of these are left.", "Count them, or take others.", field="kits")
    )


def treats(actor: Actor) -> bool:
    """Whether the cupboard is theirs, and every client of the site: whoever dispenses or takes clients on."""
    return actor.account_id is not None and (actor.may(Act.DISPENSE) or actor.may(Act.ENROL))


def refuse_strangers(session: ReadSession, actor: Actor, client_id: ClientId | None) -> None:
    """Raises NotThere for a client who is not the actor's own, of whom nobody can tell whether they are anybody.

    Raises NotAllowed for whoever neither treats nor keeps in touch with their own.
    """
    if treats(actor):
        return
    if not actor.may(Act.LOOK_AFTER_OWN):
        refuse_others(actor)
    if client_id is not None:
        own_client(session, actor=actor, client_id=client_id)


def refuse_others(actor: Actor) -> None:
    """Raises NotAllowed for whoever neither dispenses nor takes clients on."""
    if not treats(actor):
        raise NotAllowed(Refusal("no-naloxone", "Your work at this site does not include this.", "Ask a colleague."))


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "people give kits"
    return actor.account_id


def _write_down(
    session: WriteSession,
    actor: Actor,
    act: str,
    subject: str,
    subject_id: UUID | None,
    at: datetime,
    details: dict[str, object],
) -> None:
    audit.record(session, actor=actor, act=act, subject=subject, subject_id=subject_id, at=at, details=details)
