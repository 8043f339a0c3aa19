"""Giving out records that name clients, and the register of it.

Consent, or a ground that the law has for it: an approved study, or an audit or evaluation of the programme under an
agreement (42 CFR 2.31, 2.52 and 2.53 name them; a programme elsewhere reads its own law). A demand of police or of a
court is none of these, and what reads like one is refused: it is about one person, and whoever answers for the
programme answers it (`demands`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, insert, select

from dispensary.clients.consent_rules import Information
from dispensary.clients.demand_rules import a_demand, looks_like_demand
from dispensary.clients.disclosure_models import Disclosure, Release, ReleaseNote
from dispensary.clients.own_keys import sealed_for
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import names_of
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId, new_id

LONGEST_WORDS = 500


class Ground(StrEnum):
    """Why a record may leave the programme with the client's name."""

    CONSENT = "consent"
    """Each client agreed, in writing, to this recipient and purpose."""
    RESEARCH = "research"
    """A study that those approved who may."""
    AUDIT = "audit"
    """An audit or evaluation of the programme, under an agreement that binds who receives it."""
    EMERGENCY = "emergency"
    """Somebody's life or health is at stake now, and nobody can ask the client (42 CFR 2.51)."""
    COURT_ORDER = "court_order"
    """A court has ordered it, and the person whom the site has named answers its demand."""


FOR_EXPORTS = (Ground.CONSENT, Ground.RESEARCH, Ground.AUDIT)
"""On what ground records of many may leave at once. An emergency is one person's, and so is a court's order."""


@dataclass(frozen=True)
class Told:
    """What whoever gives records out says of it."""

    recipient: str
    reason: str
    ground: Ground
    authority: str

    def faults(self) -> list[Refusal]:
        """What is missing, field by field."""
        asked = {
            "recipient": (self.recipient, "Who receives it is missing.", "Name the institution, and who there."),
            "reason": (self.reason, "What it is for is missing.", "Say it as the agreement or consent does."),
            "authority": (
                self.authority,
                "What the ground can be looked up by is missing.",
                "Name the approval, the agreement, or where the signed consents are kept.",
            ),
        }
        faults = []
        if self.ground not in FOR_EXPORTS:
            sentence = "An export does not leave on this ground."
            faults.append(
                Refusal("no-such-ground", sentence, "It is told of one client, at their page.", field="ground")
            )
        for field, (typed, sentence, remedy) in asked.items():
            if not typed.strip():
                faults.append(Refusal(f"{field}-missing", sentence, remedy, field=field))
            elif len(typed) > LONGEST_WORDS:
                sentence = f"Write at most {LONGEST_WORDS} letters."
                faults.append(Refusal(f"{field}-long", sentence, "Shorten it.", field=field))
            elif looks_like_demand(typed):
                faults.append(a_demand(field))
        return faults


@dataclass(frozen=True)
class Released:
    """A line of the register."""

    at: datetime
    by: str
    what: str
    ground: str
    authority: str
    recipient: str
    reason: str
    clients: int
    release_id: UUID
    kinds: tuple[Information, ...] = ()
    """Which information, from the least to the most; none is named for an export."""
    notice: str = ""
    owes_words: bool = False
    """An emergency of which nobody has written down yet what it was."""


def disclose(
    session: WriteSession, *, actor: Actor, clients: Collection[ClientId], what: str, told: Told, at: datetime
) -> Release:
    """Puts on the register that this is given out of these clients of the actor's site, and into the trail of each.

    It gives nothing out itself: do so in the same unit of work. Raises NotAllowed, or BadInput with a fault a field.
    """
    if actor.account_id is None or not actor.may(Act.DISCLOSE):
        raise NotAllowed(
            Refusal(
                "may-not-disclose", "A doctor of the site gives out records with names, and nobody else.", "Ask one."
            )
        )
    faults = told.faults()
    if not clients:
        faults.append(Refusal("nobody", "No client is in it.", "Look at the period and at whom it names."))
    if faults:
        raise BadInput(*faults)
    ordered = sorted(set(clients))
    line = Line(what, told.ground, authority=told.authority, recipient=told.recipient, reason=told.reason)
    return put_on_register(session, actor=actor, clients=ordered, line=line, at=at)


@dataclass(frozen=True)
class Line:
    """What a new line of the register says."""

    what: str
    ground: Ground
    authority: str
    recipient: str
    reason: str
    kinds: frozenset[Information] = frozenset()
    consent_id: UUID | None = None
    notice: str = ""
    key: UUID | None = None
    legal_demand_id: UUID | None = None


def put_on_register(
    session: WriteSession, *, actor: Actor, clients: Sequence[ClientId], line: Line, at: datetime
) -> Release:
    """Adds a line, and an entry to the trail of each client. Whoever calls it has looked whether it may be told."""
    assert actor.account_id is not None, "a person gives out records"
    release_id, vault = new_id(), session.vault
    alone = sealed_for(session, clients[0]) if len(clients) == 1 else None
    sealed = {
        f"{column}_sealed": vault.seal(f"release.{column}", release_id, getattr(line, column).strip(), of=alone)
        for column in ("authority", "recipient", "reason")
    }
    release = Release(
        id=release_id,
        site_id=actor.site_id,
        at=at,
        account_id=actor.account_id,
        what=line.what,
        ground=line.ground.value,
        kinds=[kind.value for kind in Information if kind in line.kinds],
        consent_id=line.consent_id,
        notice=line.notice,
        key=line.key,
        legal_demand_id=line.legal_demand_id,
        client_id=alone,
        **sealed,
    )
    session.add(release)
    session.flush()
    if clients:  # nobody where it is about a person who is no client yet
        session.execute(insert(Disclosure), [{"release_id": release_id, "client_id": each} for each in clients])
    details = {"release": release_id, "what": line.what, "ground": line.ground.value}
    for client_id in clients:
        audit.record(
            session, actor=actor, act="disclosed", subject="client", subject_id=client_id, at=at, details=details
        )
    return release


def disclosures_of(session: ReadSession, *, client_id: ClientId) -> list[Released]:
    """What left the programme of a client, the newest first."""
    chosen = select(Release).join(Disclosure, Disclosure.release_id == Release.id)
    releases = session.scalars(
        chosen.where(Disclosure.client_id == client_id).order_by(Release.at.desc(), Release.id.desc())
    ).all()
    return _read(session, releases)


def register_of(session: ReadSession, *, site_id: SiteId, most: int = 200) -> list[Released]:
    """The site's register of disclosures, the newest first."""
    chosen = (
        select(Release).where(Release.site_id == site_id).order_by(Release.at.desc(), Release.id.desc()).limit(most)
    )
    return _read(session, session.scalars(chosen).all())


def released(session: ReadSession, release: Release) -> Released:
    """A line of the register as it is read."""
    return _read(session, [release])[0]


def _read(session: ReadSession, releases: Sequence[Release]) -> list[Released]:
    counted = select(Disclosure.release_id, func.count()).where(
        Disclosure.release_id.in_([release.id for release in releases])
    )
    counts: dict[UUID, int] = dict(session.execute(counted.group_by(Disclosure.release_id)).all())
    people = names_of(session, list({release.account_id for release in releases}))
    ids = [release.id for release in releases]
    written = set(session.scalars(select(ReleaseNote.release_id).where(ReleaseNote.release_id.in_(ids))))

    def opened(release: Release, column: str) -> str:
        sealed = getattr(release, f"{column}_sealed")
        return session.vault.open_unless_erased(f"release.{column}", release.id, sealed, gone=ERASED)

    return [
        Released(
            at=release.at,
            by=people[release.account_id],
            what=release.what,
            ground=release.ground,
            authority=opened(release, "authority"),
            recipient=opened(release, "recipient"),
            reason=opened(release, "reason"),
            clients=counts.get(release.id, 0),
            release_id=release.id,
            kinds=tuple(kind for kind in Information if kind.value in release.kinds),
            notice=release.notice,
            owes_words=release.ground == Ground.EMERGENCY and release.id not in written,
        )
        for release in releases
    ]
