"""The audit trail: each look at and each change of a record, in one hash chain a site.

PostgreSQL numbers and chains the entries (migrations/guards.py); this file writes them and recomputes the chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select

from dispensary import seen
from dispensary.database import ReadSession, WriteSession
from dispensary.staff.models import AuditChain, AuditEntry
from dispensary.staff.rules import Actor
from dispensary.units import SiteId

_ENTRY = """
INSERT INTO audit_entry (site_id, seq, at, account_id, act, subject, subject_id, details, previous, hash)
VALUES (%(site_id)s, 0, %(at)s, %(account_id)s, %(act)s, %(subject)s, %(subject_id)s, %(details)s, '', '')
"""
ENTRIES_AT_ONCE = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(
    session: WriteSession,
    *,
    actor: Actor,
    act: str,
    subject: str,
    subject_id: UUID | None,
    at: datetime,
    details: Mapping[str, object] | None = None,
) -> None:
    """Adds an entry to the site's chain, in this unit of work. `details` holds ids and figures, never a name.

    What a program did by a token has the token's id beside them.
    It locks the end of the chain until the unit ends: call it last.
    """
    said = {**(details or {}), **({"token": actor.token_id} if actor.token_id else {})}
    seen.written(subject_id)
    session.run(
        _ENTRY,
        {
            "site_id": actor.site_id,
            "at": at,
            "account_id": actor.account_id,
            "act": act,
            "subject": subject,
            "subject_id": subject_id,
            "details": json.dumps(said, default=str, sort_keys=True, separators=(",", ":")),
        },
    )


def _link(previous: bytes, entry: AuditEntry) -> bytes:
    micros = (entry.at - _EPOCH) // timedelta(microseconds=1)
    text = "|".join(
        str(part)
        for part in (
            entry.site_id,
            entry.seq,
            micros,
            entry.account_id or "",
            entry.act,
            entry.subject,
            entry.subject_id or "",
            entry.details,
        )
    )
    return sha256(previous + text.encode()).digest()


def broken_links(session: ReadSession, *, site_id: SiteId) -> Iterator[str]:
    """Names each entry of a site's chain that was changed, removed, inserted or reordered; nothing when it is whole."""
    head = sha256(str(site_id).encode()).digest()
    expected = 1
    entries = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.site_id == site_id)
        .order_by(AuditEntry.seq)
        .execution_options(yield_per=ENTRIES_AT_ONCE)
    )
    for entry in entries:
        if entry.seq != expected:
            yield f"audit entry {expected} of site {site_id} is missing"
            expected = entry.seq
        if entry.previous != head or _link(head, entry) != entry.hash:
            yield f"audit entry {entry.seq} of site {site_id} does not fit the chain"
        head = entry.hash
        expected += 1
        session.expunge(entry)
    chain = session.get(AuditChain, site_id)
    if chain is None or chain.length != expected - 1 or chain.head != head:
        yield f"the end of the audit chain of site {site_id} does not fit its entries"
