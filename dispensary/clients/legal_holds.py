"""Legal holds: keeping a client's record from being wiped or erased, for as long as an order or a case asks for it.

A hold keeps what is there and opens nothing: nobody may see more because of one, and nothing is handed over by it. It
follows no country's law by itself; whoever sets it names the order or the case, and lifts it when that has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.legal_hold_models import LegalHold
from dispensary.clients.models import Client
from dispensary.clients.own_keys import refuse_erased
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import names_of
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId, new_id

LONGEST_WORDS = 500


@dataclass(frozen=True)
class Hold:
    """A legal hold as people read it."""

    id: UUID
    client_id: ClientId
    number: str
    """The client's number; nobody's name."""
    reason: str
    authority: str
    set_by: str
    set_at: datetime
    lifted_by: str
    lifted_at: datetime | None
    lift_reason: str


def held(session: ReadSession, client_id: ClientId) -> LegalHold | None:
    """The oldest hold that stands on this client's record, at whatever site; nothing when it may be erased."""
    standing = select(LegalHold).where(LegalHold.client_id == client_id, LegalHold.lifted_at.is_(None))
    return session.scalars(standing.order_by(LegalHold.set_at, LegalHold.id).limit(1)).first()


def held_clients(session: ReadSession, *, site_id: SiteId | None = None) -> list[ClientId]:
    """Everybody whose record is held now: of every site, or of one."""
    standing = select(LegalHold.client_id).where(LegalHold.lifted_at.is_(None)).distinct()
    return list(session.scalars(standing if site_id is None else standing.where(LegalHold.site_id == site_id)))


def refuse_while_held(session: ReadSession, client_id: ClientId) -> None:
    """Raises NotAllowed while a hold stands: call it in the unit of work that would wipe or erase."""
    standing = held(session, client_id)
    if standing is not None:
        raise NotAllowed(
            Refusal(
                "legal-hold",
                "This record is under a legal hold: nothing of it may be erased or wiped.",
                "The hold's page says whose order it is. It is lifted there when that has ended.",
                {"since": standing.set_at},
            )
        )


def set_hold(
    session: WriteSession, *, actor: Actor, client_id: ClientId, reason: str, authority: str, at: datetime
) -> LegalHold:
    """Keeps a client of the actor's site from being wiped or erased, from now on.

    Several may stand at once, each lifted by itself; the same one by the same person is found, not doubled. Raises
    NotAllowed for anybody but a doctor or an administrator, NotThere, or BadInput with a fault a field.
    """
    _may(actor)
    faults = [*_words("reason", reason, "Why is it kept?"), *_words("authority", authority, "Whose order or case?")]
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    assert actor.account_id is not None, "whoever may has an account"
    vault, hold_id = session.vault, new_id()
    standing = session.scalars(
        select(LegalHold).where(
            LegalHold.client_id == client_id, LegalHold.lifted_at.is_(None), LegalHold.set_by == actor.account_id
        )
    )
    for one in standing:
        said = tuple(vault.open(f"legal_hold.{each}", one.id, getattr(one, f"{each}_sealed")) for each in _WORDS)
        if said == (reason.strip(), authority.strip()):
            return one
    hold = LegalHold(
        id=hold_id,
        client_id=client_id,
        site_id=actor.site_id,
        reason_sealed=vault.seal("legal_hold.reason", hold_id, reason.strip(), of=client_id),
        authority_sealed=vault.seal("legal_hold.authority", hold_id, authority.strip(), of=client_id),
        set_by=actor.account_id,
        set_at=at,
    )
    session.add(hold)
    session.flush()
    _written(session, actor, "set legal hold", hold, at)
    return hold


def lift_hold(session: WriteSession, *, actor: Actor, hold_id: UUID, reason: str, at: datetime) -> LegalHold:
    """Lifts a hold of the actor's site, once: from now on the record is wiped and erased as any other.

    Pressed again by the same person it is found lifted. Raises NotAllowed, NotThere, or BadInput without a reason.
    """
    _may(actor)
    if faults := _words("lift_reason", reason, "Why does it end?"):
        raise BadInput(*faults)
    hold = session.get(LegalHold, hold_id, with_for_update=True)
    if hold is None or hold.site_id != actor.site_id or hold.lifted_by not in (None, actor.account_id):
        raise NotThere(Refusal("no-hold", "There is no such legal hold.", "Look at the list again."))
    if hold.lifted_at is None:
        hold.lifted_by, hold.lifted_at = actor.account_id, at
        hold.lift_reason_sealed = session.vault.seal(
            "legal_hold.lift_reason", hold.id, reason.strip(), of=hold.client_id
        )
        session.flush()
        _written(session, actor, "lifted legal hold", hold, at)
    return hold


def holds_of(session: ReadSession, *, client_id: ClientId) -> list[Hold]:
    """Every hold that there was on a client's record, those that stand first, then the newest."""
    chosen = select(LegalHold).where(LegalHold.client_id == client_id)
    return _read(session, session.scalars(chosen.order_by(LegalHold.lifted_at.desc(), LegalHold.set_at.desc())).all())


def holds_at(session: ReadSession, *, site_id: SiteId, most: int = 200) -> list[Hold]:
    """Every hold of a site, those that stand first, then the newest."""
    chosen = select(LegalHold).where(LegalHold.site_id == site_id)
    chosen = chosen.order_by(LegalHold.lifted_at.desc(), LegalHold.set_at.desc()).limit(most)
    return _read(session, session.scalars(chosen).all())


_WORDS = ("reason", "authority")


def _may(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.KEEP_RECORD):
        raise NotAllowed(
            Refusal("may-not-hold", "A doctor or an administrator of the site sets and lifts these.", "Ask one.")
        )


def _words(field: str, typed: str, asked: str) -> list[Refusal]:
    if not typed.strip():
        return [Refusal(f"{field.replace('_', '-')}-missing", "This is missing.", asked, field=field)]
    if len(typed) > LONGEST_WORDS:
        return [
            Refusal(
                f"{field.replace('_', '-')}-long",
                f"Write at most {LONGEST_WORDS} letters.",
                "Shorten it.",
                field=field,
            )
        ]
    return []


def _written(session: WriteSession, actor: Actor, act: str, hold: LegalHold, at: datetime) -> None:
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="client",
        subject_id=hold.client_id,
        at=at,
        details={"hold": hold.id},
    )


def _read(session: ReadSession, holds: Sequence[LegalHold]) -> list[Hold]:
    numbers: dict[UUID, str] = dict(
        session.execute(select(Client.id, Client.number).where(Client.id.in_({hold.client_id for hold in holds}))).all()
    )
    people = names_of(session, [who for hold in holds for who in (hold.set_by, hold.lifted_by) if who])

    def opened(hold: LegalHold, column: str) -> str:
        sealed = getattr(hold, f"{column}_sealed")
        gone = ERASED if sealed else ""
        return session.vault.open_unless_erased(f"legal_hold.{column}", hold.id, sealed, gone=gone)

    return [
        Hold(
            id=hold.id,
            client_id=hold.client_id,
            number=numbers[hold.client_id],
            reason=opened(hold, "reason"),
            authority=opened(hold, "authority"),
            set_by=people[hold.set_by],
            set_at=hold.set_at,
            lifted_by=people[hold.lifted_by] if hold.lifted_by else "",
            lifted_at=hold.lifted_at,
            lift_reason=opened(hold, "lift_reason"),
        )
        for hold in holds
    ]
