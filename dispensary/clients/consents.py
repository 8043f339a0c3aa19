"""A client's consents: taking one with all that it must say, revoking it at once, and reading what holds.

They are about telling something of the client to somebody outside. Texts, and who may collect bottles, are agreed to
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.consent_models import ClientConsent
from dispensary.clients.consent_rules import Asked, Consent, Information, RecipientKind, Revoked, Signed
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import names_of
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, new_id


@dataclass(frozen=True)
class Agreed:
    """A consent as people read it."""

    id: UUID
    rule: Consent
    purpose: str
    until_event: str
    signed: Signed
    signature: str
    taken_by: str
    taken_at: datetime
    revoked_by: str
    revoked_how: Revoked | None

    @property
    def kinds(self) -> list[Information]:
        """In the order from the least to the most."""
        return [kind for kind in Information if kind in self.rule.kinds]

    def holds(self, today: date) -> bool:
        """Whether it is neither revoked nor over, nor still to begin."""
        rule = self.rule
        over = rule.until_day is not None and rule.until_day < today
        return rule.revoked_at is None and not over and rule.from_day <= today


def take_consent(
    session: WriteSession, *, actor: Actor, client_id: ClientId, asked: Asked, today: date, at: datetime
) -> ClientConsent:
    """Keeps what a client of the actor's site has agreed to. The same, taken by the same person today, is found.

    Raises NotAllowed for who may not, NotThere, or BadInput with a fault for each element that is missing.
    """
    account = _may(actor)
    faults = asked.faults()
    if asked.until_day is not None and asked.until_day < today:
        faults.append(Refusal("ended-already", "It has ended already.", "Correct the day.", field="until_day"))
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    for one in consents_of(session, client_id=client_id):
        if one.rule.revoked_at is None and one.taken_at.date() == at.date() and _said(one) == _asked(asked):
            return session.get_one(ClientConsent, one.id)
    vault, consent_id = session.vault, new_id()

    def sealed(column: str, words: str) -> bytes:
        return vault.seal(f"consent.{column}", consent_id, words.strip(), of=client_id)

    consent = ClientConsent(
        id=consent_id,
        client_id=client_id,
        site_id=actor.site_id,
        kinds=[kind.value for kind in Information if kind in asked.kinds],
        recipient_kind=asked.recipient_kind.value,
        recipient_sealed=sealed("recipient", asked.recipient),
        purpose_sealed=sealed("purpose", asked.purpose),
        from_day=asked.from_day,
        until_day=asked.until_day,
        until_event_sealed=sealed("until_event", asked.until_event) if asked.until_event.strip() else None,
        signed=asked.signed.value,
        signature_sealed=sealed("signature", asked.signature),
        taken_by=account,
        taken_at=at,
    )
    session.add(consent)
    session.flush()
    details = {"consent": consent_id, "kinds": consent.kinds, "recipient_kind": consent.recipient_kind}
    audit.record(
        session, actor=actor, act="took consent", subject="client", subject_id=client_id, at=at, details=details
    )
    return consent


def revoke_consent(
    session: WriteSession, *, actor: Actor, client_id: ClientId, consent_id: UUID, how: Revoked, at: datetime
) -> ClientConsent:
    """Ends a consent at once: from this moment it covers nothing. What was told before stays told.

    Whoever presses again finds it revoked. Raises NotAllowed, or NotThere for another client's.
    """
    account = _may(actor)
    consent = session.get(ClientConsent, consent_id, with_for_update=True)
    if consent is None or (consent.client_id, consent.site_id) != (client_id, actor.site_id):
        raise no_consent()
    if consent.revoked_at is None:
        consent.revoked_at, consent.revoked_by, consent.revoked_how = at, account, how.value
        session.flush()
        details = {"consent": consent_id, "how": how.value}
        audit.record(
            session, actor=actor, act="revoked consent", subject="client", subject_id=client_id, at=at, details=details
        )
    return consent


def consents_of(session: ReadSession, *, client_id: ClientId) -> list[Agreed]:
    """Every consent of a client, the newest first."""
    chosen = select(ClientConsent).where(ClientConsent.client_id == client_id)
    return _read(session, session.scalars(chosen.order_by(ClientConsent.taken_at.desc(), ClientConsent.id)).all())


def consent_of(session: ReadSession, *, client_id: ClientId, consent_id: UUID) -> Agreed:
    """One consent of a client. Raises NotThere."""
    consent = session.get(ClientConsent, consent_id)
    if consent is None or consent.client_id != client_id:
        raise no_consent()
    return _read(session, [consent])[0]


def no_consent() -> NotThere:
    """That the client has no such consent."""
    return NotThere(Refusal("no-consent", "There is no such consent of this client.", "Look at the list again."))


def _may(actor: Actor) -> AccountId:
    if actor.account_id is None or not actor.may(Act.TAKE_CONSENT):
        raise NotAllowed(
            Refusal("may-not-consent", "A doctor, nurse or pharmacist takes and ends these.", "Ask one of them.")
        )
    return actor.account_id


def _said(one: Agreed) -> tuple[object, ...]:
    rule = one.rule
    words = (rule.recipient, one.purpose, one.until_event, one.signature)
    return (rule.kinds, rule.recipient_kind, rule.from_day, rule.until_day, one.signed, *words)


def _asked(asked: Asked) -> tuple[object, ...]:
    words = (asked.recipient, asked.purpose, asked.until_event, asked.signature)
    dated = (frozenset(asked.kinds), asked.recipient_kind, asked.from_day, asked.until_day, asked.signed)
    return (*dated, *(word.strip() for word in words))


def _read(session: ReadSession, consents: Sequence[ClientConsent]) -> list[Agreed]:
    people = names_of(session, [who for one in consents for who in (one.taken_by, one.revoked_by) if who])

    def opened(one: ClientConsent, column: str) -> str:
        sealed = getattr(one, f"{column}_sealed")
        gone = ERASED if sealed else ""
        return session.vault.open_unless_erased(f"consent.{column}", one.id, sealed, gone=gone)

    return [
        Agreed(
            id=one.id,
            rule=Consent(
                kinds=frozenset(Information(kind) for kind in one.kinds),
                recipient_kind=RecipientKind(one.recipient_kind),
                recipient=opened(one, "recipient"),
                from_day=one.from_day,
                until_day=one.until_day,
                revoked_at=one.revoked_at,
            ),
            purpose=opened(one, "purpose"),
            until_event=opened(one, "until_event"),
            signed=Signed(one.signed),
            signature=opened(one, "signature"),
            taken_by=people[one.taken_by],
            taken_at=one.taken_at,
            revoked_by=people[one.revoked_by] if one.revoked_by else "",
            revoked_how=Revoked(one.revoked_how) if one.revoked_how else None,
        )
        for one in consents
    ]
