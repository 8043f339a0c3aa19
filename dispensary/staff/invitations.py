"""Invitations: nobody but its own person ever knows the password of an account.

An administrator makes the account, or asks for a new password for somebody who has forgotten theirs, and hands over a
code: printed, read out or as a QR, in person, since no mail is sent. Whoever has it chooses the password, once, within
the site's days. The code is kept nowhere; the database has its digest. What is wrong with a code is never said: one
that was used, taken back, has expired or never was is answered in the same words.

Until then a forgotten password still opens the account, so that no invitation, and nobody who makes one, locks out
the only administrator of a site.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.entry_models import Invitation
from dispensary.staff.entry_rules import ALPHABET, INVITATION_LETTERS, plain_code
from dispensary.staff.entry_settings import entry_of
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor, Role, password_fits
from dispensary.staff.service import (
    add_account,
    end_all,
    keep_password,
    open_account,
    refuse_unless_runs_all_sites_of,
)
from dispensary.units import AccountId, SiteId, new_id


@dataclass(frozen=True)
class Invited:
    """What the page behind a code shows of whom it is for."""

    account_id: AccountId
    name: str
    username: str
    site: str
    first: bool
    """Whether it is their first password."""


def digest_of_code(code: str) -> bytes:
    """By which a code is found, however it was typed."""
    return sha256(plain_code(code).encode()).digest()


def fresh_code(letters: int) -> str:
    """A random code of so many letters of five bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(letters))


def hire(
    session: WriteSession,
    *,
    actor: Actor,
    site_id: SiteId,
    username: str,
    name: str,
    initials: str,
    roles: Iterable[Role],
    at: datetime,
) -> tuple[Account, str]:
    """Makes an account that nobody can sign in by yet, and the code by which its person chooses the password."""
    account = add_account(
        session, actor=actor, site_id=site_id, username=username, name=name, initials=initials, roles=roles, at=at
    )
    return account, invite(session, actor=actor, site_id=site_id, account_id=account.id, at=at)


def invite(
    session: WriteSession, *, actor: Actor, site_id: SiteId, account_id: AccountId, at: datetime, said_by: str = ""
) -> str:
    """A code for somebody who has no password (any more), in place of every earlier one. It is kept nowhere.

    Nobody makes one for themselves: one's own password is changed by whoever knows it. `said_by` is the account of the
    computer on whose command line it was made.
    """
    if actor.account_id == account_id:
        raise NotAllowed(
            Refusal("own-invitation", "Nobody invites themselves.", "Change your password by the one that you have.")
        )
    refuse_unless_runs_all_sites_of(session, actor, account_id)
    account = open_account(session, account_id)
    _take_back(session, actor, account.id, at)
    code = fresh_code(INVITATION_LETTERS)
    invitation = Invitation(
        id=new_id(),
        account_id=account.id,
        site_id=site_id,
        kind="again" if account.accepted_at else "first",
        code_digest=digest_of_code(code),
        made_by=actor.account_id,
        made_at=at,
        expires_at=at + timedelta(days=entry_of(session, site_id=site_id).invited_days),
    )
    session.add(invitation)
    session.flush()
    details = {"invitation": invitation.id, "kind": invitation.kind, "until": invitation.expires_at}
    _write_down(session, actor, "invite", account.id, at, details | ({"computer_account": said_by} if said_by else {}))
    return code


def take_back(session: WriteSession, *, actor: Actor, account_id: AccountId, at: datetime) -> None:
    """The open invitation of an account opens nothing any more. Without one nothing happens."""
    refuse_unless_runs_all_sites_of(session, actor, account_id)
    open_account(session, account_id)
    if _take_back(session, actor, account_id, at):
        _write_down(session, actor, "take back invitation", account_id, at, {})


def _take_back(session: WriteSession, actor: Actor, account_id: AccountId, at: datetime) -> bool:
    gone = session.execute(
        update(Invitation)
        .where(Invitation.account_id == account_id, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=actor.account_id)
        .returning(Invitation.id)
    )
    return bool(gone.all())


def invited_by(session: ReadSession, *, code: str, at: datetime) -> Invited:
    """Whom a code invites. Looking uses nothing up. Raises NotThere, the same for every code that does not open."""
    row = session.execute(
        select(Account.id, Account.name, Account.username, Site.name, Invitation.kind)
        .join(Invitation, Invitation.account_id == Account.id)
        .join(Site, Site.id == Invitation.site_id)
        .where(
            Invitation.code_digest == digest_of_code(code),
            Invitation.used_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > at,
            Account.left_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise no_invitation()
    account_id, name, username, site, kind = row
    return Invited(account_id, name, username, site, kind == "first")


def no_invitation() -> NotThere:
    """The refusal for every code that does not open."""
    return NotThere(
        Refusal(
            "no-invitation",
            "This code does not open anything. It may have been used, taken back, or be too old.",
            "Type it again. If it stays so, ask your administrator for a new one.",
            field="code",
        )
    )


def accept(session: WriteSession, *, code: str, password: str, again: str, at: datetime) -> Invited:
    """The person chooses their password, and the code is used up; of two at once with the same code one alone does.

    Whatever was open by the account until then ends: sign-ins, the PIN, tokens for programs. Raises NotThere, and
    BadInput for a password that cannot be kept, which uses nothing up.
    """
    invited = invited_by(session, code=code, at=at)
    account = open_account(session, invited.account_id)
    around = (account.name, invited.site)
    faults = [refusal] if (refusal := password_fits(password, username=account.username, around=around)) else []
    if not faults and password != again:
        words = "The two passwords are not the same."
        faults.append(Refusal("passwords-differ", words, "Type the same password twice.", field="again"))
    if faults:
        raise BadInput(*faults)
    used = session.scalar(
        update(Invitation)
        .where(
            Invitation.code_digest == digest_of_code(code),
            Invitation.used_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > at,
        )
        .values(used_at=at)
        .returning(Invitation.site_id)
    )
    if used is None:
        raise no_invitation()
    keep_password(session, account.id, password)
    account.accepted_at = account.accepted_at or at
    session.flush()
    end_all(session, account_id=account.id, by=account.id, at=at)
    own = Actor(AccountId(account.id), SiteId(used), frozenset())
    _write_down(session, own, "accept invitation", account.id, at, {})
    return invited


def _write_down(
    session: WriteSession, actor: Actor, act: str, account_id: AccountId, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at, details=details)
