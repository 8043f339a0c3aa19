"""Tokens for programs: a part of what one person may, at one site, until a day, without their password.

What a token may do is asked anew with each request: its scopes, and at the same time what its person may there and then
(`Actor.may` asks both). So whoever leaves, loses a role or a permission takes their programs with them at once. An
opened sealed code gives a token nothing, since it is no grant of a role. The database keeps a digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.entry_models import ApiToken
from dispensary.staff.entry_rules import TOKEN_MARK, TOKEN_REQUESTS, TOKEN_USE_EVERY, token_fits
from dispensary.staff.models import Account
from dispensary.staff.permission_rules import as_own
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor, Role
from dispensary.staff.sessions import SignedIn
from dispensary.staff.stations import digest_of
from dispensary.straight import Straight
from dispensary.units import AccountId, SiteId, new_id


@dataclass(frozen=True)
class Token:
    """A token as a list shows it."""

    id: UUID
    name: str
    person: str
    scopes: Sequence[str]
    made_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


def make_token(
    session: WriteSession,
    *,
    actor: Actor,
    name: str,
    scopes: Collection[str],
    offered: Collection[Act],
    days: int,
    at: datetime,
) -> str:
    """A token of the actor's own at their site. Returned here and kept nowhere. Raises BadInput.

    `offered` are the acts that a token can be good for at all (web/guards.py tells them by the routes). Its caller has
    made sure that it is the person who asks, and not whoever found their screen.
    """
    assert actor.account_id is not None, "a token is a person's"
    allowed = {act.value for act in offered if actor.may(act)}
    if faults := token_fits(name.strip(), scopes, days, allowed):
        raise BadInput(*faults)
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    kept = ApiToken(
        id=new_id(),
        account_id=actor.account_id,
        site_id=actor.site_id,
        name=name.strip(),
        token_digest=digest_of(token),
        scopes=sorted(set(scopes)),
        made_at=at,
        expires_at=at + timedelta(days=days),
    )
    session.add(kept)
    session.flush()
    _write_down(session, actor, "made token", actor.account_id, at, token=kept.id, scopes=kept.scopes, days=days)
    return token


def revoke_token(session: WriteSession, *, actor: Actor, token_id: UUID, at: datetime) -> None:
    """From the next request on it opens nothing. Its own person does it, or an administrator of its site.

    Raises NotThere for everybody else's.
    """
    token = session.get(ApiToken, token_id, with_for_update=True)
    own = token is not None and token.account_id == actor.account_id
    runs_it = token is not None and token.site_id == actor.site_id and actor.may(Act.RUN_SITE)
    if token is None or not (own or runs_it):
        raise NotThere(Refusal("no-token", "There is no such token.", "Look at the list again."))
    if token.revoked_at is not None:
        return
    token.revoked_at, token.revoked_by = at, actor.account_id
    session.flush()
    _write_down(session, actor, "revoked token", token.account_id, at, token=token.id)


def tokens(
    session: ReadSession, *, at: datetime, account_id: AccountId | None = None, site_id: SiteId | None = None
) -> list[Token]:
    """The tokens that work: of one person at all their sites, or of everybody at one site."""
    whose = ApiToken.account_id == account_id if account_id is not None else ApiToken.site_id == site_id
    rows = session.execute(
        select(ApiToken, Account.name)
        .join(Account, Account.id == ApiToken.account_id)
        .where(whose, ApiToken.revoked_at.is_(None), ApiToken.expires_at > at)
        .order_by(ApiToken.expires_at, ApiToken.id)
    )
    return [
        Token(one.id, one.name, person, one.scopes, one.made_at, one.expires_at, one.last_used_at)
        for one, person in rows
    ]


_WHO = """
SELECT t.id, t.account_id, t.site_id, t.scopes, t.last_used_at, account.name, initials, site.code, site.name, zone,
    day_starts, language, region,
    (SELECT array_agg(role) FROM role_grant WHERE role_grant.account_id = t.account_id
        AND role_grant.site_id = t.site_id),
    (SELECT array_agg(ARRAY[role, act, allowed::text]) FROM site_permission WHERE site_permission.site_id = t.site_id)
FROM api_token t
JOIN account ON account.id = t.account_id
JOIN site ON site.id = t.site_id
WHERE token_digest = %(digest)s AND revoked_at IS NULL AND expires_at > %(at)s AND left_at IS NULL
"""


@dataclass(frozen=True)
class Asking:
    """For whom a token asks, and whether this use of it is worth a write."""

    who: SignedIn
    token_id: UUID
    stale: bool


def asking(glance: Straight, *, token: str, at: datetime) -> Asking | None:
    """For whom this token asks; nothing when it is unknown, ended or revoked, or its person has no role there now."""
    digest = digest_of(token)
    row = glance.run(_WHO, {"digest": digest, "at": at}).fetchone()
    if row is None or not row[13]:
        return None
    id_, account_id, site_id, scopes, used, name, initials, code, site, zone, day_starts, language, region = row[:13]
    roles, changed = row[13:]
    actor = Actor(
        account_id,
        site_id,
        frozenset(Role(role) for role in roles),
        name,
        initials,
        as_own(changed or ()),
        scopes=frozenset(Act(scope) for scope in scopes if scope in set(Act)),
        token_id=id_,
    )
    where = Place(site_id, code, site, zone, day_starts, language, region)
    who = SignedIn(actor=actor, site=where, works_elsewhere=False, seen_at=at, token_digest=digest, forms=id_)
    return Asking(who, id_, used is None or at - used >= TOKEN_USE_EVERY)


_PACE = """
INSERT INTO token_pace AS pace (token_id, began_at, asked) VALUES (%(token)s, %(at)s, 1)
ON CONFLICT (token_id) DO UPDATE SET
    began_at = CASE WHEN %(at)s >= pace.began_at AND %(at)s < pace.began_at + interval '1 minute'
        THEN pace.began_at ELSE %(at)s END,
    asked = CASE WHEN %(at)s >= pace.began_at AND %(at)s < pace.began_at + interval '1 minute'
        THEN pace.asked + 1 ELSE 1 END
RETURNING asked
"""


def too_fast(session: WriteSession, *, token_id: UUID, at: datetime, most: int = TOKEN_REQUESTS) -> bool:
    """Counts one request of the token; whether it is one too many within its minute.

    The count is one for all processes and servers: in memory, a token would have as many minutes as there are of them.
    """
    row = session.run(_PACE, {"token": token_id, "at": at}).fetchone()
    return row is not None and int(row[0]) > most


def mark_used(session: WriteSession, *, token_id: UUID, at: datetime) -> None:
    """Keeps when it was used last, to the minute."""
    session.execute(
        update(ApiToken)
        .where(
            ApiToken.id == token_id,
            ApiToken.last_used_at.is_(None) | (ApiToken.last_used_at <= at - TOKEN_USE_EVERY),
        )
        .values(last_used_at=at)
    )


def _write_down(
    session: WriteSession, actor: Actor, act: str, account_id: AccountId, at: datetime, **details: object
) -> None:
    audit.record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at, details=details)
