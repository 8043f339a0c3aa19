"""When a satellite's server is in other hands: what lies on it to sign in by is of no use at the centre.

It has its people's passwords and PINs as hashes, which can be guessed at leisure, and what their second factors are
made of, which opens by its own key file.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select, text

from dispensary.database import WriteSession
from dispensary.staff import audit
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Account, AccountPassword, AuditEntry, RoleGrant
from dispensary.staff.rules import the_program
from dispensary.staff.service import end_all, forget_factors
from dispensary.units import SiteId

_TAKEN = text("""
SELECT DISTINCT jsonb_array_elements_text(details::jsonb -> 'people')::uuid FROM audit_entry
WHERE subject_id = :site AND site_id = :main AND act = 'lent site' AND at >= :since
""")


def shut_out(session: WriteSession, *, site_id: SiteId, main_id: SiteId, at: datetime) -> list[str]:
    """Whoever works at the site, or was on its server, has no password, PIN, second factor or token any more.

    Whoever is signed in is signed out now, and is invited anew. Done again it leaves those alone whom it shut out
    since the server was lost: they have chosen another password. Gives the names of the accounts.
    """
    lost = session.scalars(
        select(SiteApart).where(SiteApart.site_id == site_id, SiteApart.whole).order_by(SiteApart.since.desc())
    ).first()
    assert lost is not None, "it was written off before"
    assert lost.until is not None, "it was written off before"
    taken = session.scalars(_TAKEN, {"site": site_id, "main": main_id, "since": lost.since}).all()
    works_there = select(RoleGrant.account_id).where(RoleGrant.site_id == site_id)
    shut_before = select(AuditEntry.subject_id).where(
        AuditEntry.site_id == main_id, AuditEntry.act == "shut out", AuditEntry.at >= lost.until
    )
    accounts = session.scalars(
        select(Account)
        .where(Account.left_at.is_(None), or_(Account.id.in_(works_there), Account.id.in_(taken)))
        .where(Account.id.not_in(shut_before))
        .order_by(Account.username)
        .with_for_update(key_share=True)
    ).all()
    for account in accounts:
        session.execute(delete(AccountPassword).where(AccountPassword.account_id == account.id))
        forget_factors(session, account_id=account.id)
        end_all(session, account_id=account.id, by=None, at=at)
        audit.record(
            session, actor=the_program(main_id), act="shut out", subject="account", subject_id=account.id, at=at,
            details={"site": site_id},
        )  # fmt: skip
    return [account.username for account in accounts]
