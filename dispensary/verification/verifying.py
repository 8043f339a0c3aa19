"""Verifying live data: every rule of “What never breaks” that the tables can show, with each row that breaks one.

The database refuses what would break these rules. This looks again, for the day on which somebody reached past it: a
restored backup, a repair by hand, a fault of the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text

import notifications.queries
import scheduling.queries
from dispensary.clients.models import Client, ClientIndex
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession
from dispensary.keys import BadKeys
from dispensary.staff import audit
from dispensary.staff.anchoring import unlike_table
from dispensary.staff.models import Site
from dispensary.supplies.agents_models import Agent
from dispensary.takehome.models import Assessment
from dispensary.takehome.service import replay
from dispensary.units import SiteId
from dispensary.verification.checks import CHECKS
from dispensary.verification.safe import Check

_ROWS_AT_ONCE = 1000
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


@dataclass(frozen=True)
class _Look:
    """One part of the verification, with what it is about."""

    about: str
    find: Callable[[ReadSession], Iterator[Finding]]


def verify(
    session: ReadSession, *, now: datetime, progress: Callable[[int, int, str], None] | None = None
) -> Iterator[Finding]:
    """Every finding, rule by rule; none when all is well.

    The whole is one snapshot of the database when the session is fresh: what is handed over meanwhile is not half seen.
    `progress` is told how many of the looks are done, of how many, and what comes next.
    """
    if not session.in_transaction():
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    session.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
    looks = _looks(now)
    for done, look in enumerate(looks):
        if progress:
            progress(done, len(looks), look.about)
        yield from look.find(session)
    if progress:
        progress(len(looks), len(looks), "done")


def _looks(now: datetime) -> list[_Look]:
    tables = [_Look(INVARIANTS[check.invariant], _asking(check)) for check in CHECKS]
    return [
        *tables,
        _Look(INVARIANTS[7], _replayed),
        _Look(INVARIANTS[8], _slots),
        _Look(INVARIANTS[10], lambda session: _texts(session, now)),
        _Look(INVARIANTS[12], _audit),
        _Look(INVARIANTS[13], _sealed),
        _Look(INVARIANTS[13], _agents_sealed),
    ]


def _asking(check: Check) -> Callable[[ReadSession], Iterator[Finding]]:
    def find(session: ReadSession) -> Iterator[Finding]:
        rows = session.execute(text(check.sql), execution_options={"yield_per": _ROWS_AT_ONCE})
        for row in rows.mappings():
            yield Finding(check.invariant, check.sentence.format(**row))

    return find


def _replayed(session: ReadSession) -> Iterator[Finding]:
    for assessment_id in session.scalars(select(Assessment.id).order_by(Assessment.id)).all():
        try:
            same = replay(session, assessment_id)
        except (ValueError, KeyError, TypeError, AttributeError):
            same = False
        if not same:
            yield Finding(7, f"assessment {assessment_id} gives another answer when it is replayed")
        session.expunge_all()


def _slots(session: ReadSession) -> Iterator[Finding]:
    for slot in scheduling.queries.discrepancies(session):
        yield Finding(
            8,
            f"slot {slot.starts_at.isoformat()} at {slot.place_id}{' held for ' + slot.share if slot.share else ''} has"
            f" {slot.bookings} bookings, counts {slot.counter}, and takes {slot.capacity}",
        )


def _texts(session: ReadSession, now: datetime) -> Iterator[Finding]:
    for text_ in notifications.queries.discrepancies(session, now=now):
        yield Finding(10, text_.sentence.rstrip("."))


def _audit(session: ReadSession) -> Iterator[Finding]:
    for site_id in session.scalars(select(Site.id).order_by(Site.code)).all():
        for sentence in audit.broken_links(session, site_id=SiteId(site_id)):
            yield Finding(12, sentence)
        for sentence in unlike_table(session, site_id=SiteId(site_id)):
            yield Finding(12, sentence)


def _sealed(session: ReadSession) -> Iterator[Finding]:
    """Each sealed field opens in its own row, and the number's digest finds its client."""
    vault = session.vault
    by_number = select(ClientIndex.client_id, ClientIndex.digest).where(ClientIndex.kind == "number").subquery()
    rows = session.execute(
        select(Client, by_number.c.digest)
        .outerjoin(by_number, by_number.c.client_id == Client.id)
        .order_by(Client.id)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for client, digest in rows:
        for column in _SEALED:
            sealed = getattr(client, f"{column}_sealed")
            if sealed is None:
                continue
            try:
                vault.open_bytes(f"client.{column}", client.id, sealed)
            except BadKeys as reason:
                yield Finding(13, str(reason).rstrip("."))
        if digest not in vault.blinds(f"client.number|{client.site_id}", plain_number(client.number)):
            yield Finding(13, f"client {client.id} is not found by its own number")
        session.expunge(client)


def _agents_sealed(session: ReadSession) -> Iterator[Finding]:
    """Each sealed field of an agent opens in its own row."""
    for agent in session.scalars(select(Agent).order_by(Agent.id).execution_options(yield_per=_ROWS_AT_ONCE)):
        for column in ("name", "document", "born", "photo"):
            sealed = getattr(agent, f"{column}_sealed")
            try:
                if sealed is not None:
                    session.vault.open_bytes(f"agent.{column}", agent.id, sealed)
            except BadKeys as reason:
                yield Finding(13, str(reason).rstrip("."))
        session.expunge(agent)
