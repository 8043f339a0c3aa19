"""Use cases of the staff room: who works at a site in which role."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.branch_queries import branch_of
from dispensary.staff.entry_models import ApiToken, Invitation
from dispensary.staff.factor_models import (
    HalfSignIn,
    Passkey,
    PasskeyChallenge,
    PasskeyHolder,
    RecoveryCode,
    SecondFactor,
)
from dispensary.staff.models import Account, AccountPassword, RoleGrant, SignIn, Site
from dispensary.staff.rules import (
    Act,
    Actor,
    Role,
    password_fits,
    plain_username,
    username_fits,
)
from dispensary.staff.shift_models import CounterPin
from dispensary.units import AccountId, SiteId

# OWASP's smallest argon2id: 19 MiB, two passes, one lane. About 25 ms on a clinic's small box.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash("nobody has this password")


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def password_hash(password: str) -> str:
    """An argon2id hash with its own salt and parameters in it."""
    return _HASHER.hash(_plain(password))


def password_is_right(kept: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed. Without a hash it takes as long and says no.

    So the time of an answer does not tell whether an account exists.
    """
    try:
        right = _HASHER.verify(kept or _NOBODY, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None


def wants_rehash(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def kept_password(session: ReadSession, account_id: AccountId) -> str | None:
    """The hash of somebody's password, for `password_is_right`; nothing while they have chosen none.

    Behind the wall it is found for people who work at a site in view, and for nobody else.
    """
    return session.scalar(select(AccountPassword.hash).where(AccountPassword.account_id == account_id))


def keep_password(session: WriteSession, account_id: AccountId, password: str) -> None:
    """From now on this is the account's password, whatever it was before."""
    kept = postgresql.insert(AccountPassword).values(account_id=account_id, hash=password_hash(password))
    session.execute(
        kept.on_conflict_do_update(index_elements=[AccountPassword.account_id], set_={"hash": kept.excluded.hash})
    )


def _mapped(reason: IntegrityError) -> Refused:
    """What a person reads when the database refused an account."""
    if broken_constraint(reason) == "uq_account_username":
        return Refused(
            Refusal(
                "username-taken",
                "There is an account with this name already.",
                "Choose another name. The name of a person who left is not used again.",
                field="username",
            )
        )
    raise reason


def refuse_unless_runs_site(actor: Actor, site_id: SiteId) -> None:
    """Raises NotAllowed for anybody but an administrator of this very site, or the program itself."""
    if actor.account_id is not None and (actor.site_id != site_id or not actor.may(Act.RUN_SITE)):
        raise NotAllowed(
            Refusal("not-administrator", "Only an administrator of this site may do this.", "Ask one of them.")
        )


def is_granted_administrator(session: ReadSession, actor: Actor) -> bool:
    """Whether the actor runs this site by a grant, or is the program itself; not by an opened code alone (glass.py)."""
    if actor.account_id is None:
        return True
    granted = select(RoleGrant.id).where(
        RoleGrant.account_id == actor.account_id,
        RoleGrant.site_id == actor.site_id,
        RoleGrant.role == Role.ADMINISTRATOR.value,
    )
    return session.scalar(granted) is not None


def refuse_unless_runs_all_sites_of(session: ReadSession, actor: Actor, account_id: AccountId) -> None:
    """An account that works elsewhere too belongs to those sites as well: one site's administrator cannot take it."""
    if actor.account_id is None:
        return
    runs = select(RoleGrant.site_id).where(
        RoleGrant.account_id == actor.account_id, RoleGrant.role == Role.ADMINISTRATOR.value
    )
    # Where the actor is, their roles are those of this moment: of an opened code too, which is no grant.
    elsewhere = session.scalar(
        select(func.count())
        .select_from(RoleGrant)
        .where(
            RoleGrant.account_id == account_id,
            RoleGrant.site_id != actor.site_id,
            RoleGrant.site_id.not_in(runs),
        )
    )
    if elsewhere or not actor.may(Act.RUN_SITE):
        raise NotAllowed(
            Refusal(
                "not-administrator",
                "Only an administrator of every site where this account works may do this.",
                "Ask an administrator of the other site, or take back the role at this site.",
            )
        )


def add_account(
    session: WriteSession,
    *,
    actor: Actor,
    site_id: SiteId,
    username: str,
    name: str,
    initials: str,
    roles: Iterable[Role],
    at: datetime,
    password: str | None = None,
) -> Account:
    """Makes an account with its roles at one site. The name of somebody who left is never given to another person.

    Without a password nobody can sign in by it until its person has chosen one (invitations.py). The program itself
    gives one: to the first administrator of a site, whom nobody can invite, and to the people of a demonstration.
    """
    refuse_unless_runs_site(actor, site_id)
    assert password is None or actor.account_id is None, "nobody chooses a password for somebody else"
    username = plain_username(username)
    granted = sorted(set(roles))
    refusals = [refusal for refusal in (username_fits(username),) if refusal]
    around = (name, session.get_one(Site, site_id).name)
    if password is not None and (refusal := password_fits(password, username=username, around=around)):
        refusals.append(refusal)
    if not name.strip():
        refusals.append(Refusal("no-name", "The account has no person's name.", field="name"))
    if not 1 <= len(initials.strip()) <= 5:
        refusals.append(
            Refusal(
                "bad-initials", "Initials are 1 to 5 letters; they stand on labels and the register.", field="initials"
            )
        )
    if not granted:
        refusals.append(Refusal("no-role", "The account has no role.", "Choose one or more roles.", field="roles"))
    if refusals:
        raise BadInput(*refusals)
    account = Account(
        username=username,
        name=name.strip(),
        initials=initials.strip(),
        accepted_at=None if password is None else at,
        made_at=at,
        left_at=None,
    )
    session.add(account)
    try:
        session.flush()
    except IntegrityError as reason:
        raise _mapped(reason) from None
    session.execute(
        insert(RoleGrant), [{"account_id": account.id, "site_id": site_id, "role": role.value} for role in granted]
    )
    if password is not None:
        keep_password(session, AccountId(account.id), password)
    audit.record(
        session,
        actor=actor,
        act="add account",
        subject="account",
        subject_id=account.id,
        at=at,
        details={"roles": [role.value for role in granted]},
    )
    return account


def open_account(session: WriteSession, account_id: AccountId) -> Account:
    """The account, locked until the unit ends. Raises NotThere, and Refused when its person has left."""
    account = session.scalar(select(Account).where(Account.id == account_id).with_for_update(key_share=True))
    if account is None:
        raise NotThere(Refusal("no-account", "There is no such account."))
    if account.left_at is not None:
        raise Refused(Refusal("account-closed", "This account is closed: the person has left.", "Make a new account."))
    return account


def grant(
    session: WriteSession, *, actor: Actor, account_id: AccountId, site_id: SiteId, role: Role, at: datetime
) -> None:
    """Gives an account a role at a site, at once also for those signed in. A role that it has changes nothing."""
    refuse_unless_runs_site(actor, site_id)
    account = open_account(session, account_id)
    if actor.account_id == account_id and not is_granted_administrator(session, actor):
        raise NotAllowed(
            Refusal(
                "own-role",
                "You are an administrator by the sealed code: it gives no role to yourself.",
                "Give the role of an administrator to a colleague, or invite one.",
                field="roles",
            )
        )
    held = _held(session, account_id=account_id, site_id=site_id, role=role)
    if held is not None and held.direct:
        return
    if held is None:
        session.add(RoleGrant(account_id=account.id, site_id=site_id, role=role.value))
    else:
        held.direct = True
    session.flush()
    _write_down(session, actor, "grant role", account.id, at, role=role.value, site=site_id)


def revoke(
    session: WriteSession, *, actor: Actor, account_id: AccountId, site_id: SiteId, role: Role, at: datetime
) -> None:
    """Takes a role at a site back, at once also for those signed in. The last administrator keeps theirs.

    Raises Refused for a role that counts here because of a branch: it is taken back where it was given.
    """
    refuse_unless_runs_site(actor, site_id)
    if role is Role.ADMINISTRATOR:
        _refuse_last_administrator(session, account_id, [site_id])
    held = _held(session, account_id=account_id, site_id=site_id, role=role)
    if held is not None and branch_of(session, account_id=account_id, site_id=site_id, role=role):
        if not held.direct:
            raise Refused(
                Refusal(
                    "role-by-branch",
                    f"The role of {role.value} counts here because it was given for a branch of the programme.",
                    "Whoever runs that branch takes it back, under Office, Programme.",
                    field="roles",
                )
            )
        held.direct = False
    elif held is not None:
        session.delete(held)
    session.flush()
    _write_down(session, actor, "revoke role", account_id, at, role=role.value, site=site_id)


def _held(session: ReadSession, *, account_id: AccountId, site_id: SiteId, role: Role) -> RoleGrant | None:
    return session.scalar(
        select(RoleGrant).where(
            RoleGrant.account_id == account_id, RoleGrant.site_id == site_id, RoleGrant.role == role.value
        )
    )


def _refuse_last_administrator(session: WriteSession, account_id: AccountId, site_ids: Iterable[UUID]) -> None:
    """Keeps a site from locking itself out. Locks the sites, so that two administrators cannot remove each other.

    Whoever was invited and has chosen no password yet runs nothing, and may never come.
    """
    locked = session.scalars(
        select(Site).where(Site.id.in_(site_ids)).order_by(Site.id).with_for_update(key_share=True)
    ).all()
    for site in locked:
        runs_it = select(RoleGrant.account_id).where(
            RoleGrant.site_id == site.id, RoleGrant.role == Role.ADMINISTRATOR.value
        )
        administrators = set(
            session.scalars(
                select(Account.id).where(
                    Account.id.in_(runs_it), Account.left_at.is_(None), Account.accepted_at.is_not(None)
                )
            )
        )
        if administrators == {account_id}:
            raise Refused(
                Refusal(
                    "last-administrator",
                    f"This is the last administrator of {site.name}; without one nobody could run the site.",
                    "Make another account an administrator first, and let its person choose their password.",
                )
            )


def close_account(session: WriteSession, *, actor: Actor, account_id: AccountId, at: datetime) -> None:
    """The person has left: nobody signs in by this account again, and whoever is signed in by it is signed out now."""
    refuse_unless_runs_all_sites_of(session, actor, account_id)
    worked_at = session.scalars(select(RoleGrant.site_id).where(RoleGrant.account_id == account_id)).all()
    session.look_across({actor.site_id, *worked_at})
    _refuse_last_administrator(session, account_id, worked_at)
    account = open_account(session, account_id)
    account.left_at = at
    session.flush()
    end_all(session, account_id=account_id, by=actor.account_id, at=at)
    forget_factors(session, account_id=account_id)
    _write_down(session, actor, "close account", account_id, at)


def forget_factors(session: WriteSession, *, account_id: AccountId) -> None:
    """Nothing beside the password is left of the account, and nobody is half signed in."""
    for table in (SecondFactor, RecoveryCode, Passkey, PasskeyChallenge, PasskeyHolder, HalfSignIn):
        session.execute(delete(table).where(table.account_id == account_id))


def end_all(session: WriteSession, *, account_id: AccountId, by: AccountId | None, at: datetime) -> None:
    """All that is open by an account ends now: sign-ins, the PIN, invitations, and tokens for programs."""
    for table in (SignIn, HalfSignIn, CounterPin):
        session.execute(delete(table).where(table.account_id == account_id))
    session.execute(
        update(Invitation)
        .where(Invitation.account_id == account_id, Invitation.used_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by)
    )
    session.execute(
        update(ApiToken)
        .where(ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by)
    )


def set_password(session: WriteSession, *, actor: Actor, password: str, current: str, at: datetime) -> None:
    """Sets the actor's own new password, which needs the current one, and signs the account out everywhere.

    Nobody sets another's: whoever has forgotten theirs is invited anew (invitations.py).
    """
    assert actor.account_id is not None, "a password is a person's"
    account = open_account(session, actor.account_id)
    if not password_is_right(kept_password(session, account.id), current):
        raise BadInput(Refusal("wrong-password", "The current password is not right.", field="current"))
    around = (account.name, session.get_one(Site, actor.site_id).name)
    if refusal := password_fits(password, username=account.username, around=around):
        raise BadInput(refusal)
    keep_password(session, account.id, password)
    session.flush()
    for table in (SignIn, HalfSignIn):
        session.execute(delete(table).where(table.account_id == account.id))
    _write_down(session, actor, "set password", account.id, at)


def _write_down(
    session: WriteSession, actor: Actor, act: str, account_id: AccountId, at: datetime, **details: object
) -> None:
    audit.record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at, details=details)
