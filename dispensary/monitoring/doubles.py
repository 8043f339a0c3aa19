"""Enrolled twice: found by a keyed digest across sites, told to both desks without name or site, settled above.

Nobody is refused treatment for it. The desk asks the client, or whoever runs both sites and sees the numbers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update

from dispensary.clients.double_models import DoubleEnrolment
from dispensary.clients.models import Client
from dispensary.clients.service import index_everywhere
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert
from dispensary.refusals import NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.branch_queries import sites_run_by
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId, SiteId, new_id
from dispensary.wall import Door

TOLD = "This person may be enrolled at another site too. Ask them, or whoever runs the programme."
TWICE = "This person is enrolled at another site too. One site alone may give a day's dose: decide with them which."

_SAME = """
SELECT DISTINCT ON (other.client_id) other.client_id, c.site_id, other.kind
FROM client_index other JOIN client c ON c.id = other.client_id
WHERE other.digest = ANY(%(digests)s) AND other.client_id <> %(client)s
    AND other.kind IN ('programme.national_id', 'programme.person')
    AND EXISTS (SELECT FROM episode e WHERE e.client_id = other.client_id AND e.ended_on IS NULL)
    AND EXISTS (SELECT FROM episode e WHERE e.client_id = %(client)s AND e.ended_on IS NULL)
ORDER BY other.client_id, other.kind
"""
_UNINDEXED = """
SELECT c.id FROM client c WHERE c.id > :after AND NOT EXISTS (SELECT FROM erasure WHERE erasure.client_id = c.id)
    AND NOT EXISTS (SELECT FROM client_index i WHERE i.client_id = c.id AND i.kind LIKE 'programme.%')
    AND (c.national_id_sealed IS NOT NULL OR c.born_sealed IS NOT NULL) ORDER BY c.id LIMIT 500
"""


class Outcome(StrEnum):
    """Why there are two records."""

    TWO_PEOPLE = "two_people"
    ONE_LEFT = "one_person_left"
    """One person, who has left one of the sites: it ends the stay there."""
    ONE_MOVED = "one_person_moved"
    """One person, who moves: the sites agree who gives the dose until then."""
    TYPED = "typed_wrongly"


@dataclass(frozen=True)
class Pair:
    """Two records by their numbers alone."""

    id: UUID
    by_kind: str
    found_at: datetime
    numbers: tuple[str, str]
    """Each with the code of its site."""


def look_for(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime) -> bool:
    """Looks whether the client's identity is on another record in treatment, and tells both desks. Says whether it is.

    Neither desk learns the other's site, or that record's number. Whoever was found and settled before is not told
    again.
    """
    said = index_everywhere(session, client_id=client_id)
    digests = sorted(digest for kind, value in said.items() for digest in session.vault.blinds(kind, value))
    for digest in digests:  # of two sites at once the second sees the first
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 0))"), {"digest": digest.hex()})
    with session.before_the_wall(Door.DOUBLES):
        found = session.run(_SAME, {"client": client_id, "digests": digests}).fetchall()
        new = [_pair(session, actor.site_id, client_id, row, at) for row in found]
    if any(new):
        audit.record(
            session, actor=actor, act="may be enrolled twice", subject="client", subject_id=client_id, at=at,
            details={"records": len(found)},
        )  # fmt: skip
    return any(new)


def _pair(session: WriteSession, site_id: SiteId, client_id: ClientId, row: Sequence[Any], at: datetime) -> bool:
    other_id, other_site, kind = row
    low, high = sorted((client_id, ClientId(other_id)))
    known = session.scalar(
        select(DoubleEnrolment.id).where(DoubleEnrolment.client_id == low, DoubleEnrolment.other_id == high)
    )
    if known is not None:
        return False
    pair_id = new_id()
    session.execute(
        insert(DoubleEnrolment).values(
            id=pair_id, client_id=low, other_id=high, by_kind=str(kind).removeprefix("programme."), found_at=at
        )
    )
    for whose, where in ((client_id, site_id), (ClientId(other_id), SiteId(other_site))):
        _tell(session, where, whose, pair_id, TOLD, at)
    return True


def _tell(
    session: WriteSession, site_id: SiteId, client_id: ClientId, pair_id: UUID, sentence: str, at: datetime
) -> None:
    open_alert(
        session, site_id=site_id, client_id=client_id, cause=f"double:{pair_id}", severity="warning", role=Role.DOCTOR,
        sentence=sentence, at=at,
    )  # fmt: skip


def index_next(session: WriteSession, *, after: UUID) -> UUID | None:
    """Indexes some of those whom nobody has looked for yet, after this client; nothing when there is none."""
    chosen = session.scalars(text(_UNINDEXED), {"after": after}).all()
    session.vault.know(chosen)
    for client_id in chosen:
        index_everywhere(session, client_id=ClientId(client_id))
    return UUID(str(chosen[-1])) if chosen else None


def look_for_everybody(session: WriteSession, *, actors: Mapping[SiteId, Actor], at: datetime) -> int:
    """Looks for everybody who is in treatment and indexed, for the command line. Says how many pairs are new."""
    before = session.scalar(text("SELECT count(*) FROM double_enrolment")) or 0
    twice = session.execute(
        text("""SELECT i.client_id, c.site_id FROM client_index i JOIN client c ON c.id = i.client_id
            WHERE i.kind IN ('programme.national_id', 'programme.person') AND EXISTS (SELECT FROM client_index o
                WHERE o.digest = i.digest AND o.kind = i.kind AND o.client_id <> i.client_id
                AND o.kind IN ('programme.national_id', 'programme.person'))
            GROUP BY 1, 2 ORDER BY 1""")
    ).all()
    for client_id, site_id in twice:
        look_for(session, actor=actors[SiteId(site_id)], client_id=ClientId(client_id), at=at)
    return (session.scalar(text("SELECT count(*) FROM double_enrolment")) or 0) - before


_PAIRS = text("""
SELECT d.id, d.by_kind, d.found_at, one.number || '@' || here.code, other.number || '@' || there.code
FROM double_enrolment d
JOIN client one ON one.id = d.client_id JOIN site here ON here.id = one.site_id
JOIN client other ON other.id = d.other_id JOIN site there ON there.id = other.site_id
WHERE d.resolved_at IS NULL AND one.site_id = ANY(:sites) AND other.site_id = ANY(:sites)
ORDER BY d.found_at LIMIT 200
""")


def pairs(session: ReadSession, *, account_id: UUID) -> list[Pair]:
    """Open pairs of whose both sites the account is an administrator, the oldest first."""
    rows = session.execute(_PAIRS, {"sites": list(sites_run_by(session, account_id))})
    return [Pair(row[0], row[1], row[2], (row[3], row[4])) for row in rows]


def settle(session: WriteSession, *, actor: Actor, pair_id: UUID, outcome: Outcome, at: datetime) -> DoubleEnrolment:
    """Says why there are two records, once. What was opened for it at both desks ends, or says that it is one person.

    Settled again in the same way by the same person it is found settled. Raises NotThere, NotAllowed, and Refused.
    """
    pair = session.scalar(select(DoubleEnrolment).where(DoubleEnrolment.id == pair_id).with_for_update())
    clients = {each.id: each for each in _clients(session, pair)} if pair else {}
    if pair is None or len(clients) < 2:
        raise NotThere(Refusal("no-pair", "There is no such pair of records at your sites.", "Look at the list again."))
    assert actor.account_id is not None, "a person settles it"
    runs = sites_run_by(session, actor.account_id)
    if not actor.may(Act.RUN_SITE) or not {each.site_id for each in clients.values()} <= runs:
        raise NotAllowed(Refusal("not-your-branch", "Only an administrator of both sites may do this."))
    if pair.resolved_at is not None:
        if (pair.outcome, pair.resolved_by) == (outcome.value, actor.account_id):
            return pair
        raise Refused(Refusal("pair-settled", "This was settled before.", "Look at the list again."))
    pair.outcome, pair.resolved_by, pair.resolved_at = outcome.value, actor.account_id, at
    session.flush()
    session.execute(
        update(Alert)
        .where(Alert.cause == f"double:{pair.id}", Alert.resolved_at.is_(None))
        .values(resolved_at=at, resolved_by=actor.account_id, resolution=f"settled: {outcome.value}")
        .execution_options(synchronize_session=False)
    )
    for client in sorted(clients.values(), key=lambda each: each.site_id):
        here = replace(actor, site_id=SiteId(client.site_id))
        if outcome in (Outcome.ONE_LEFT, Outcome.ONE_MOVED):
            _tell(session, here.site_id, ClientId(client.id), pair.id, TWICE, at)
        audit.record(
            session, actor=here, act="settled two records", subject="client", subject_id=client.id, at=at,
            details={"outcome": outcome.value},
        )  # fmt: skip
    return pair


def _clients(session: ReadSession, pair: DoubleEnrolment) -> Sequence[Client]:
    return session.scalars(select(Client).where(Client.id.in_([pair.client_id, pair.other_id]))).all()
