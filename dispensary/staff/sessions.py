"""Signing in and out, and who is signed in: the part of the staff room that every request passes.

A sign-in has steps, each a unit of work of its own (web/entering.py walks them). It is counted before anybody knows
whether the password is right (attempts.py), so that a guesser who sends a thousand at once has as many tries as one who
waits, and a refused sign-in, which keeps nothing, is still counted. `of_password` then looks at the password, and
`let_in` opens the door, for an account with a second factor after that one too.

Whoever signs in on a page is from then on in the shift of that browser (stations.py); a program that signs in by JSON
is in none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import aliased

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotAllowed, Refusal, Refused
from dispensary.staff import attempts, audit, stations
from dispensary.staff.attempts import Attempt
from dispensary.staff.factor_models import HalfSignIn, PasskeyChallenge
from dispensary.staff.models import Account, AccountPassword, RoleGrant, SignIn, Site
from dispensary.staff.permission_rules import as_own
from dispensary.staff.pin_rules import LOCK_AFTER_MINUTES, TOUCH_EVERY
from dispensary.staff.pins import forget_wrong
from dispensary.staff.queries import Place
from dispensary.staff.rules import IDLE_LIMIT, LONGEST_SIGN_IN, Actor, Role
from dispensary.staff.service import keep_password, kept_password, password_is_right, wants_rehash
from dispensary.staff.shift_models import Station
from dispensary.staff.stations import digest_of
from dispensary.straight import Straight
from dispensary.units import AccountId, SiteId

_TOUCH_PROGRAM_EVERY = timedelta(minutes=1)


class NotSignedIn(Refused):
    """Nobody is signed in here, or not any more, or the name and password do not belong together."""

    status = 401


class FactorDue(Refused):
    """A second factor must be set up first; nothing else opens until it is."""

    status = 403


class Locked(Refused):
    """The screen was closed, or nobody touched it for so long that it counts as closed: a PIN opens it again."""

    status = 401


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in by a token, and where they work now."""

    actor: Actor
    site: Place
    works_elsewhere: bool
    seen_at: datetime
    token_digest: bytes
    forms: UUID
    """The number of the sign-in: the same from its password to its end, whoever else comes to the front meanwhile."""
    station_id: UUID | None = None
    """The browser; none for a program."""
    locked_at: datetime | None = None
    lock_after: timedelta = timedelta(minutes=LOCK_AFTER_MINUTES)
    """How long a page may stand untouched at this site."""
    factor_due: datetime | None = None
    """From when on nothing opens but the setting up of a second factor; nothing when there is one, or need be none."""

    def locked(self, at: datetime) -> bool:
        """Whether the screen is closed: by somebody, or since nobody touched it. A program has no screen.

        Never earlier than the site says, and later by the fineness of the last touch at most.
        """
        if self.station_id is None:
            return False
        return self.locked_at is not None or self.seen_at + self.lock_after + TOUCH_EVERY <= at

    def without_factor(self, at: datetime) -> bool:
        """Whether a second factor is overdue: nothing opens but the setting up of one."""
        return self.factor_due is not None and self.factor_due <= at

    @property
    def acting(self) -> str:
        """For whom and where a page is drawn, as its forms carry it."""
        return f"{self.actor.account_id}@{self.site.code}"


def of_password(session: WriteSession, *, attempt: Attempt, password: str) -> Account:
    """Whose name and password these are. Raises NotSignedIn, the same for a wrong name, and NotAllowed without a role.

    Nobody is signed in by it, and its count stays: the caller takes it back (attempts.py).
    """
    account = _the_account(session, attempt, password)
    _sites_of(session, account)
    kept = kept_password(session, account.id)
    if kept is not None and wants_rehash(kept):
        keep_password(session, account.id, password)
    return account


def let_in(
    session: WriteSession,
    *,
    account: Account,
    by: str,
    at: datetime,
    presented: str | None = None,
    program: bool = False,
) -> str:
    """Signs an account in and returns the new token, which is kept nowhere: the database has its digest alone.

    Its person has proved who they are; `by` says how, for the audit trail. `presented` is what the browser's cookie
    held before. It is never adopted, and opens nothing from now on: whoever was in front of that browser stays in its
    shift and comes back by PIN. A `program` is in no shift. An account that works at several sites begins where the
    others of the shift are, or else at the first by code. What was guessed at the name before is forgotten.
    """
    works_at = _sites_of(session, account)
    place = None
    if program:
        session.execute(delete(SignIn).where(SignIn.token_digest == digest_of(presented or "")))
    else:
        place = stations.step_in(session, presented=presented, account_id=account.id, at=at)
    attempts.forget_name(session, username=account.username)
    forget_wrong(session, account_id=account.id)
    token = secrets.token_urlsafe(32)
    signed_in = SignIn(
        token_digest=digest_of(token),
        account_id=account.id,
        site_id=place.site_id if place and place.site_id in works_at else works_at[0],
        began_at=at,
        seen_at=at,
        ends_at=at + LONGEST_SIGN_IN,
        station_id=place.station_id if place else None,
        place=place.number if place else None,
    )
    session.add(signed_in)
    session.flush()
    _write_down(session, account.id, signed_in.site_id, "sign in", at, by=by)
    return token


def _sites_of(session: ReadSession, account: Account) -> list[UUID]:
    works_at = session.scalars(
        select(Site.id)
        .join(RoleGrant, RoleGrant.site_id == Site.id)
        .where(RoleGrant.account_id == account.id)
        .order_by(Site.code)
    ).all()
    if not works_at:
        raise NotAllowed(Refusal("no-role", "This account has no role at any site.", "Ask an administrator."))
    return list(works_at)


def _the_account(session: ReadSession, attempt: Attempt, password: str) -> Account:
    found = session.execute(  # one statement, so that the time of an answer does not tell whether there is an account
        select(Account, AccountPassword.hash)
        .outerjoin(AccountPassword, AccountPassword.account_id == Account.id)
        .where(Account.username == attempt.username)
    ).one_or_none()
    account, kept = found or (None, None)
    known = account is not None and account.left_at is None
    right = password_is_right(kept if known else None, password)
    if account is None or not right:
        raise NotSignedIn(
            Refusal(
                "wrong-name-or-password",
                "The name and the password do not belong together.",
                "Type both again. If you have forgotten the password, ask an administrator.",
            )
        )
    return account


def proven(session: WriteSession, *, attempt: Attempt, password: str) -> Account:
    """Whose password this is, for one act on the command line: nobody is signed in by it. Raises NotSignedIn."""
    account = _the_account(session, attempt, password)
    attempts.take_back(session, attempt)
    return account


def on_duty_at(session: ReadSession, *, site_id: SiteId, at: datetime) -> set[AccountId]:
    """Who is signed in at the site now: in front of a screen, in the shift of one that is in use, or as a program."""
    front = aliased(SignIn)
    used = select(front.token_digest).where(
        front.seen_at > at - IDLE_LIMIT,
        (front.station_id == SignIn.station_id) | (front.token_digest == SignIn.token_digest),
    )
    rows = session.scalars(
        select(SignIn.account_id).where(SignIn.site_id == site_id, SignIn.ends_at > at, used.exists())
    )
    return set(rows)


def _write_down(
    session: WriteSession, account_id: AccountId, site_id: SiteId, act: str, at: datetime, **details: object
) -> None:
    actor = Actor(account_id, site_id, frozenset())
    audit.record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at, details=details)


_WHO = """
SELECT sign_in.account_id, sign_in.site_id, seen_at, account.name, initials, site.code, site.name, zone, day_starts,
    language, region,
    (SELECT array_agg(role) FROM role_grant
        WHERE role_grant.account_id = sign_in.account_id AND role_grant.site_id = sign_in.site_id),
    EXISTS (SELECT 1 FROM role_grant
        WHERE role_grant.account_id = sign_in.account_id AND role_grant.site_id <> sign_in.site_id),
    (SELECT array_agg(ARRAY[role, act, allowed::text]) FROM site_permission
        WHERE site_permission.site_id = sign_in.site_id),
    EXISTS (SELECT 1 FROM break_glass WHERE opened_for = sign_in.account_id AND opened_at IS NOT NULL
        AND break_glass.site_id = sign_in.site_id AND break_glass.ends_at > %(at)s),
    station_id, locked_at, (SELECT lock_after_minutes FROM shift_setting WHERE shift_setting.site_id = sign_in.site_id),
    CASE WHEN demand = 'all' OR demand = 'administrators' AND EXISTS (SELECT 1 FROM role_grant
        WHERE role_grant.account_id = account.id AND role_grant.site_id = site.id AND role = 'administrator')
    THEN CASE WHEN NOT EXISTS (SELECT 1 FROM second_factor
            WHERE second_factor.account_id = account.id AND confirmed_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM passkey WHERE passkey.account_id = account.id)
    THEN grace_days * interval '1 day' + greatest(demanded_at, account.made_at,
        (SELECT factor_reset.at FROM factor_reset WHERE factor_reset.account_id = account.id)) END END,
    sign_in.forms
FROM sign_in
JOIN account ON account.id = sign_in.account_id
JOIN site ON site.id = sign_in.site_id
LEFT JOIN factor_setting ON factor_setting.site_id = sign_in.site_id
WHERE token_digest = %(digest)s AND sign_in.ends_at > %(at)s AND seen_at > %(used_since)s AND left_at IS NULL
"""


_AS = "SELECT DISTINCT site_id FROM role_grant WHERE account_id = %(account)s AND role = ANY(%(roles)s)"


def signed_in(session: ReadSession | Straight, *, token: str, at: datetime) -> SignedIn | None:
    """Who is signed in by this token, in one query; nothing when it is unknown, idle for 30 minutes, or 12 hours old.

    Whether their screen is closed is for the caller to ask.

    Roles, and what the site has changed of what they may, are read anew each time, so that a grant, a revocation, a
    changed permission and a closed account count from the next request on, in whichever process it is heard.
    """
    digest = digest_of(token)
    values = {"digest": digest, "at": at, "used_since": at - IDLE_LIMIT}
    row = session.run(_WHO, values).fetchone()
    if row is None or not row[11]:  # the account's roles here
        return None
    account_id, site_id, seen_at, name, initials, code, site, zone, day_starts, language, region = row[:11]
    roles, elsewhere, changed, by_glass, station_id, locked_at, minutes, factor_due, forms = row[11:]
    granted = frozenset(Role(role) for role in roles)
    opened = by_glass and Role.ADMINISTRATOR not in granted  # glass.py
    held = granted | {Role.ADMINISTRATOR} if opened else granted
    return SignedIn(
        actor=Actor(account_id, site_id, held, name, initials, as_own(changed or ()), by_glass=opened),
        site=Place(site_id, code, site, zone, day_starts, language, region),
        works_elsewhere=elsewhere,
        seen_at=seen_at,
        token_digest=digest,
        forms=forms,
        station_id=station_id,
        locked_at=locked_at,
        lock_after=timedelta(minutes=minutes or LOCK_AFTER_MINUTES),
        factor_due=factor_due,
    )


def sites_of_roles(session: ReadSession | Straight, *, account_id: AccountId, roles: Iterable[Role]) -> list[SiteId]:
    """The sites where an account has any of these roles, by whatever grant."""
    found = session.run(_AS, {"account": account_id, "roles": [role.value for role in roles]})
    return [SiteId(row[0]) for row in found]


def stale(who: SignedIn, *, at: datetime) -> bool:
    """Whether the last touch that is kept is so old that this one is worth a write."""
    return at - who.seen_at >= _touch_every(who)


def _touch_every(who: SignedIn) -> timedelta:
    return TOUCH_EVERY if who.station_id else _TOUCH_PROGRAM_EVERY


def mark_seen(session: WriteSession, *, who: SignedIn, at: datetime) -> None:
    """Puts the idle limits off. Not with every request, since each would otherwise write; see `stale`."""
    session.execute(
        update(SignIn)
        .where(
            SignIn.token_digest == who.token_digest,
            SignIn.seen_at <= at - _touch_every(who),
            SignIn.locked_at.is_(None),
        )
        .values(seen_at=at)
    )


def switch_site(session: WriteSession, *, who: SignedIn, site_id: SiteId, at: datetime) -> str:
    """Goes on at another site where the account has a role, under a new token, since its rights are others there."""
    account_id = who.actor.account_id
    works_there = account_id is not None and session.scalar(
        select(RoleGrant.id).where(RoleGrant.account_id == account_id, RoleGrant.site_id == site_id).limit(1)
    )
    if account_id is None or not works_there:
        raise NotAllowed(Refusal("no-role", "This account has no role at that site.", field="site_id"))
    session.look_across([who.actor.site_id, site_id])
    token = secrets.token_urlsafe(32)
    gone_on = session.execute(
        update(SignIn)
        .where(SignIn.token_digest == who.token_digest)
        .values(token_digest=digest_of(token), site_id=site_id, seen_at=at)
        .returning(SignIn.account_id)
    )
    if gone_on.first() is None:
        raise stations.somebody_came_first()
    _write_down(session, account_id, site_id, "switch site", at)
    return token


def sign_out(session: WriteSession, *, who: SignedIn, at: datetime) -> str | None:
    """Ends this sign-in; the others of the account go on.

    Returns a token for the closed screen of who else is in the shift of this browser; nothing when nobody is.
    """
    session.execute(delete(SignIn).where(SignIn.token_digest == who.token_digest))
    return _left(session, who, "sign out", at)


def sign_out_everywhere(session: WriteSession, *, who: SignedIn, at: datetime) -> str | None:
    """Ends every sign-in of the account, on this device and on all others. Returns as `sign_out`."""
    session.execute(delete(SignIn).where(SignIn.account_id == who.actor.account_id))
    return _left(session, who, "sign out everywhere", at)


def end_shift(session: WriteSession, *, who: SignedIn, at: datetime) -> None:
    """Ends the whole shift of this browser: of whoever acts, and of everybody else who has signed in at it."""
    ours = SignIn.token_digest == who.token_digest
    if who.station_id is not None:
        ours = SignIn.station_id == who.station_id
    session.execute(delete(SignIn).where(ours))
    if who.actor.account_id is not None:
        _write_down(session, who.actor.account_id, who.actor.site_id, "sign out", at)


def _left(session: WriteSession, who: SignedIn, act: str, at: datetime) -> str | None:
    token = stations.hand_on(session, station_id=who.station_id, at=at) if who.station_id else None
    if who.actor.account_id is not None:
        _write_down(session, who.actor.account_id, who.actor.site_id, act, at)
    return token


def forget_ended(session: WriteSession, *, at: datetime) -> int:
    """Deletes sign-ins that have ended and attempts that no longer count; returns how many rows. For a daily job."""
    other = aliased(SignIn)
    used = select(other.token_digest).where(
        other.seen_at > at - IDLE_LIMIT,
        (other.token_digest == SignIn.token_digest) | (other.station_id == SignIn.station_id),
    )
    ended = session.execute(
        delete(SignIn)
        .where((SignIn.ends_at <= at) | ~used.exists())
        .returning(SignIn.token_digest)
        .execution_options(synchronize_session=False)
    ).all()
    session.execute(
        delete(Station)
        .where(~select(SignIn.token_digest).where(SignIn.station_id == Station.id).exists())
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(HalfSignIn).where(HalfSignIn.ends_at <= at))
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.ends_at <= at))
    return len(ended) + attempts.forget_old(session, at=at)
