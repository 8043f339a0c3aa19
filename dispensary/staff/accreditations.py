"""Accreditations of staff: entered by whoever runs the site from the paper that they saw, and ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.accreditation_models import Accreditation
from dispensary.staff.models import RoleGrant
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, SiteId, new_id

LONGEST = 120


def plain_kind(typed: str) -> str:
    """An accreditation as it is kept and compared: small letters, single blanks."""
    return " ".join(typed.casefold().split())


def accredit(
    session: WriteSession,
    *,
    actor: Actor,
    account_id: AccountId,
    kind: str,
    seen: str,
    from_day: date,
    until_day: date | None,
    at: datetime,
) -> Accreditation:
    """Enters what somebody of the site is accredited for. The same that is in force already is found, not doubled.

    Raises BadInput with a fault a field, NotThere for somebody who does not work here.
    """
    faults = []
    for field, typed, sentence in (
        ("kind", kind, "What it is for is missing."),
        ("seen", seen, "The paper that was seen is missing."),
    ):
        if not typed.strip() or len(typed) > LONGEST:
            faults.append(Refusal(f"{field}-missing", sentence, f"At most {LONGEST} letters.", field=field))
    if until_day is not None and until_day < from_day:
        faults.append(Refusal("ends-before", "It ends before it begins.", "Correct a day.", field="until_day"))
    if faults:
        raise BadInput(*faults)
    works_here = select(RoleGrant.id).where(RoleGrant.account_id == account_id, RoleGrant.site_id == actor.site_id)
    if session.scalar(works_here.limit(1)) is None:
        raise NotThere(Refusal("no-account", "Nobody of this account works here.", "Look at the list again."))
    named = {"kind": plain_kind(kind), "seen": " ".join(seen.split()), "from_day": from_day, "until_day": until_day}
    known = session.scalar(
        select(Accreditation).filter_by(account_id=account_id, site_id=actor.site_id, ended_at=None, **named)
    )
    if known is not None:
        return known
    assert actor.account_id is not None, "people accredit"
    row = Accreditation(
        id=new_id(), account_id=account_id, site_id=actor.site_id, given_by=actor.account_id, given_at=at, **named
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="entered accreditation",
        subject="account",
        subject_id=account_id,
        at=at,
        details={"accreditation": row.id, "kind": row.kind},
    )
    return row


def end_accreditation(
    session: WriteSession, *, actor: Actor, account_id: AccountId, accreditation_id: UUID, at: datetime
) -> None:
    """Ends one, from this moment on. Ended, it stays so. Raises NotThere."""
    row = session.get(Accreditation, accreditation_id, with_for_update=True)
    if row is None or (row.account_id, row.site_id) != (account_id, actor.site_id):
        raise NotThere(Refusal("no-accreditation", "There is no such accreditation.", "Look at the account again."))
    if row.ended_at is not None:
        return
    row.ended_at, row.ended_by = at, actor.account_id
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="ended accreditation",
        subject="account",
        subject_id=account_id,
        at=at,
        details={"accreditation": row.id, "kind": row.kind},
    )


def accreditations_of(session: ReadSession, *, account_id: AccountId, site_id: SiteId) -> Sequence[Accreditation]:
    """Those that nobody has ended, of one person at a site, the oldest first."""
    chosen = select(Accreditation).where(Accreditation.account_id == account_id, Accreditation.site_id == site_id)
    return session.scalars(chosen.where(Accreditation.ended_at.is_(None)).order_by(Accreditation.from_day)).all()


def holds(session: ReadSession, *, actor: Actor, kind: str, on: date) -> bool:
    """Whether whoever acts holds an accreditation here on a day."""
    if actor.account_id is None:
        return False
    return any(
        row.kind == plain_kind(kind) and row.from_day <= on and (row.until_day is None or on <= row.until_day)
        for row in accreditations_of(session, account_id=actor.account_id, site_id=actor.site_id)
    )
