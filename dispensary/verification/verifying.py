"""Verifying live data: every rule of “What never breaks” that the tables can show, with each row that breaks one.

The database refuses what would break these rules. This looks again, for the day on which somebody reached past it: a
restored backup, a repair by hand, a fault of the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import select, text

import notifications.queries
import scheduling.queries
from dispensary.client_keys import UnitVault
from dispensary.clients.models import Client, ClientIndex
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession
from dispensary.keys import BadKeys
from dispensary.staff import audit
from dispensary.staff.anchoring import unlike_table
from dispensary.staff.models import AuditChain, Site
from dispensary.supplies.agents_models import Agent
from dispensary.takehome.models import Assessment
from dispensary.takehome.service import replay
from dispensary.units import ClientId, SiteId
from dispensary.verification.checks import CHECKS
from dispensary.verification.safe import Check

ROWS_AT_ONCE = 1000
ASSESSMENTS_AT_ONCE = 200
"""Each holds a history of its own."""
_SEALED = ("name", "born", "national_id", "photo", "second_identifier")

INVARIANTS = {
    1: "a dose day and portion is covered at most once",
    2: "a supply and all that belongs to it stand together",
    3: "the register adds up",
    4: "orders neither overlap nor leave a gap that nobody chose",
    5: "no dose without an order in force, none above it",
    6: "a closed day has its outcomes, as they were",
    7: "take-home stays within a decision, and a decision rests on its assessment",
    8: "a slot holds no more than its capacity",
    9: "a pass opens one pickup, once",
    10: "a text is sent once and only where it is wanted",
    12: "the audit trail is whole",
    13: "what names a person is sealed for its own row",
    14: "figures are what the records say",
    16: "who collects may, and what is out is with somebody",
    17: "a bottle is where its record says",
    18: "a supply that was entered in error is void whole",
    19: "the doses of a client's day are given by one site",
    20: "a call in the queue is counted, and is one window's",
    21: "a PIN of the phone line is for one client and their number",
    22: "a site has somebody who can run it, and an opened code is answered for",
    25: "a client has one home at a moment, and what follows them is of it",
}
"""The rules that are verified, by their number in the design. The others do not show in the tables."""


@dataclass(frozen=True)
class Finding:
    """A row that breaks a rule."""

    invariant: int
    sentence: str

    def __str__(self) -> str:
        return f"{INVARIANTS[self.invariant]}: {self.sentence}"


Tell = Callable[[str], None]
"""Is told how far one look has come."""


@dataclass(frozen=True)
class _Look:
    """One part of the verification, with what it is about."""

    about: str
    find: Callable[[ReadSession, Tell], Iterator[Finding]]


def verify(
    session: ReadSession, *, now: datetime, progress: Callable[[int, int, str], None] | None = None
) -> Iterator[Finding]:
    """Every finding, rule by rule; none when all is well.

    The whole is one snapshot of the database when the session is fresh: what is handed over meanwhile is not half seen.
    However large a country, so many rows at a time are in hand. `progress` is told how many of the looks are done, of
    how many, and what is looked at: within a long look again and again, with how far it has come.
    """
    if not session.in_transaction():
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    session.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
    looks = _looks(now)
    say = progress or (lambda done, total, about: None)
    for done, look in enumerate(looks):
        say(done, len(looks), look.about)
        yield from look.find(session, partial(_within, say, done, len(looks), look.about))
    say(len(looks), len(looks), "done")


def _within(say: Callable[[int, int, str], None], done: int, total: int, about: str, how_far: str) -> None:
    say(done, total, f"{about}: {how_far}")


def _looks(now: datetime) -> list[_Look]:
    tables = [_Look(INVARIANTS[check.invariant], _asking(check)) for check in CHECKS]
    return [
        *tables,
        _Look(INVARIANTS[7], _replayed),
        _Look(INVARIANTS[8], _slots),
        _Look(INVARIANTS[10], lambda session, tell: _texts(session, now)),
        _Look(INVARIANTS[12], _audit),
        _Look(INVARIANTS[13], _sealed),
        _Look(INVARIANTS[13], _agents_sealed),
    ]


def _asking(check: Check) -> Callable[[ReadSession, Tell], Iterator[Finding]]:
    def find(session: ReadSession, tell: Tell) -> Iterator[Finding]:
        rows = session.execute(text(check.sql), execution_options={"yield_per": ROWS_AT_ONCE})
        for row in rows.mappings():
            yield Finding(check.invariant, check.sentence.format(**row))

    return find


def _replayed(session: ReadSession, tell: Tell) -> Iterator[Finding]:
    last, seen = UUID(int=0), 0
    following = select(Assessment).order_by(Assessment.id).limit(ASSESSMENTS_AT_ONCE)
    while some := session.scalars(following.where(Assessment.id > last)).all():
        tell(f"{seen:,} assessments")
        last, seen = some[-1].id, seen + len(some)
        for assessment in some:
            try:
                same = replay(session, assessment.id)
            except (ValueError, KeyError, TypeError, AttributeError):
                same = False
            if not same:
                yield Finding(7, f"assessment {assessment.id} gives another answer when it is replayed")
        session.expunge_all()


def _slots(session: ReadSession, tell: Tell) -> Iterator[Finding]:
    for slot in scheduling.queries.discrepancies(session):
        yield Finding(
            8,
            f"slot {slot.starts_at.isoformat()} at {slot.place_id}{' held for ' + slot.share if slot.share else ''} has"
            f" {slot.bookings} bookings, counts {slot.counter}, and takes {slot.capacity}",
        )


def _texts(session: ReadSession, now: datetime) -> Iterator[Finding]:
    for text_ in notifications.queries.discrepancies(session, now=now):
        yield Finding(10, text_.sentence.rstrip("."))


def _audit(session: ReadSession, tell: Tell) -> Iterator[Finding]:
    places = session.scalars(select(Site.id).order_by(Site.code)).all()
    entries = 0
    for number, site_id in enumerate(places, start=1):
        tell(f"site {number:,} of {len(places):,}, {entries:,} entries")
        for sentence in audit.broken_links(session, site_id=SiteId(site_id)):
            yield Finding(12, sentence)
        for sentence in unlike_table(session, site_id=SiteId(site_id)):
            yield Finding(12, sentence)
        chain = session.get(AuditChain, site_id)
        entries += chain.length if chain else 0
        session.expunge_all()


def _sealed(session: ReadSession, tell: Tell) -> Iterator[Finding]:
    """Each sealed field opens in its own row, and the number's digest finds its client."""
    vault, seen = session.vault, 0
    by_number = select(ClientIndex.client_id, ClientIndex.digest).where(ClientIndex.kind == "number").subquery()
    rows = session.execute(
        select(Client, by_number.c.digest)
        .outerjoin(by_number, by_number.c.client_id == Client.id)
        .order_by(Client.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for some in rows.partitions():
        tell(f"{seen:,} clients")
        _know(vault, [client.id for client, _ in some])
        for client, digest in some:
            yield from _unopened(vault, "client", client, _SEALED)
            if digest not in vault.blinds(f"client.number|{client.site_id}", plain_number(client.number)):
                yield Finding(13, f"client {client.id} is not found by its own number")
            session.expunge(client)
        seen += len(some)


def _agents_sealed(session: ReadSession, tell: Tell) -> Iterator[Finding]:
    """Each sealed field of an agent opens in its own row."""
    rows = session.scalars(select(Agent).order_by(Agent.id).execution_options(yield_per=ROWS_AT_ONCE))
    for some in rows.partitions():
        _know(session.vault, [agent.client_id for agent in some])
        for agent in some:
            yield from _unopened(session.vault, "agent", agent, ("name", "document", "born", "photo"))
            session.expunge(agent)


def _know(vault: UnitVault, clients: Collection[ClientId]) -> None:
    """Fetches their own keys at once. One that does not open is left to the fields that lie under it, to say so."""
    with suppress(BadKeys):
        vault.know(clients)


def _unopened(vault: UnitVault, table: str, row: Client | Agent, columns: Iterable[str]) -> Iterator[Finding]:
    for column in columns:
        sealed = getattr(row, f"{column}_sealed")
        try:
            if sealed is not None:
                vault.open_bytes(f"{table}.{column}", row.id, sealed)
        except BadKeys as reason:
            yield Finding(13, str(reason).rstrip("."))
