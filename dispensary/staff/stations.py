"""A browser that several people share: who is in its shift, who is in front of it, and how one takes another's place.

A station is a browser. Whoever signs in on it with name and password is in its shift until they sign out, for twelve
hours at most, and for as long as the browser is in use. One person is in front of it at a time (`uq_sign_in_front`),
and the browser's cookie holds the token of that one alone; each time somebody takes the front, they have a new token,
and the one before opens nothing any more. Eight people fit in (`ck_sign_in_place`), each with a digit of their own that
stays theirs.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account, RoleGrant, SignIn
from dispensary.staff.pin_rules import LOCK_AFTER_BOUNDS, LOCK_AFTER_MINUTES, MOST_AT_STATION, WRONG_PINS
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import IDLE_LIMIT, Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.staff.shift_models import CounterPin, ShiftSetting, Station
from dispensary.units import AccountId, SiteId, new_id


def digest_of(token: str) -> bytes:
    """By which a token is found; the token itself is kept nowhere."""
    return sha256(token.encode()).digest()


def somebody_came_first() -> Refused:
    """The refusal for a change of who is in front that another one has overtaken."""
    return Refused(
        Refusal(
            "somebody-came-first",
            "Somebody else came to this screen a moment ago. Nothing was recorded.",
            "Open the page again.",
        )
    )


@dataclass(frozen=True)
class InShift:
    """Somebody in the shift of a browser, as its lock screen shows them."""

    account_id: AccountId
    name: str
    initials: str
    place: int
    """The digit that picks them."""
    by_pin: bool
    """Whether a PIN of theirs is heard; else they come back by their password."""


@dataclass(frozen=True)
class Shift:
    """A browser's shift: who may come back to it, and where its site is."""

    station_id: UUID
    site: Place
    people: Sequence[InShift]


@dataclass(frozen=True)
class Free:
    """A place in the shift of a browser that somebody steps into."""

    station_id: UUID
    number: int
    site_id: SiteId | None
    """Where whoever was in front before works."""


def shift_of(session: ReadSession, *, token: str, at: datetime) -> Shift | None:
    """The shift of the browser that holds this token, closed or not; nothing when it has ended for everybody."""
    holder = _holder(session, token, at)
    if holder is None or holder.station_id is None:
        return None
    people = _people(session, holder.station_id, at)
    return Shift(holder.station_id, place(session, holder.site_id), people) if people else None


def _holder(session: ReadSession, token: str, at: datetime) -> SignIn | None:
    """Whose token the browser holds, when it was used within the idle limit."""
    return session.scalar(
        select(SignIn).where(SignIn.token_digest == digest_of(token), SignIn.seen_at > at - IDLE_LIMIT)
    )


def _people(session: ReadSession, station_id: UUID, at: datetime) -> list[InShift]:
    works = select(RoleGrant.id).where(RoleGrant.account_id == SignIn.account_id, RoleGrant.site_id == SignIn.site_id)
    rows = session.execute(
        select(SignIn.account_id, Account.name, Account.initials, SignIn.place, CounterPin.wrong)
        .join(Account, Account.id == SignIn.account_id)
        .outerjoin(CounterPin, CounterPin.account_id == SignIn.account_id)
        .where(SignIn.station_id == station_id, SignIn.ends_at > at, Account.left_at.is_(None), works.exists())
        .order_by(SignIn.place)
    )
    return [
        InShift(account_id, name, initials, number or 0, wrong is not None and wrong < WRONG_PINS)
        for account_id, name, initials, number, wrong in rows
    ]


def step_in(session: WriteSession, *, presented: str | None, account_id: AccountId, at: datetime) -> Free:
    """A place in front of the browser that presents this token, or of one that nobody has used before.

    Whoever was in front of it steps back into its shift. Somebody who was in the shift already keeps their digit; their
    earlier sign-in there ends. Raises Refused when eight others are in it.
    """
    holder = _holder(session, presented, at) if presented else None
    if holder is None or holder.station_id is None:
        if presented:  # a shift that has ended, or a program's: whatever it stood for ends here
            session.execute(delete(SignIn).where(SignIn.token_digest == digest_of(presented)))
        station = Station(id=new_id(), began_at=at)
        session.add(station)
        session.flush()
        return Free(station.id, 1, None)
    station_id, site_id = holder.station_id, SiteId(holder.site_id)
    _step_back(session, station_id, presented or "", at)
    session.execute(delete(SignIn).where(SignIn.station_id == station_id, SignIn.ends_at <= at))
    rows = session.execute(select(SignIn.account_id, SignIn.place).where(SignIn.station_id == station_id))
    taken: dict[AccountId, int | None] = dict(rows.all())
    own = taken.pop(account_id, None)
    if own is not None:
        session.execute(delete(SignIn).where(SignIn.station_id == station_id, SignIn.account_id == account_id))
    free = [own] if own else sorted(set(range(1, MOST_AT_STATION + 1)) - set(taken.values()))
    if not free:
        raise Refused(
            Refusal(
                "shift-full",
                f"{MOST_AT_STATION} people have signed in at this computer: no more fit in its shift.",
                "Let somebody whose shift is over sign out here.",
            )
        )
    return Free(station_id, free[0] or 1, site_id)


def _step_back(session: WriteSession, station_id: UUID, presented: str, at: datetime) -> None:
    """Locks the station, and throws away the token that its browser holds. Raises Refused when that is another now."""
    session.execute(select(Station.id).where(Station.id == station_id).with_for_update())
    gone = session.execute(
        update(SignIn)
        .where(SignIn.token_digest == digest_of(presented), SignIn.station_id == station_id)
        .values(token_digest=secrets.token_bytes(32), locked_at=at)
        .returning(SignIn.account_id)
        .execution_options(synchronize_session=False)
    )
    if gone.first() is None:
        raise somebody_came_first()


def come_back(session: WriteSession, *, presented: str, account_id: AccountId, at: datetime) -> str:
    """Puts somebody of the shift in front of the browser, and returns their new token. They have proved who they are.

    Raises Refused when they are not in its shift (any more), or when somebody came first.
    """
    shift = shift_of(session, token=presented, at=at)
    if shift is None or account_id not in [one.account_id for one in shift.people]:
        raise not_in_shift()
    _step_back(session, shift.station_id, presented, at)
    token = secrets.token_urlsafe(32)
    site_id = session.scalar(
        update(SignIn)
        .where(SignIn.station_id == shift.station_id, SignIn.account_id == account_id)
        .values(token_digest=digest_of(token), locked_at=None, seen_at=at)
        .returning(SignIn.site_id)
        .execution_options(synchronize_session=False)
    )
    if site_id is None:
        raise not_in_shift()
    actor = Actor(account_id, SiteId(site_id), frozenset())
    audit.record(session, actor=actor, act="come back", subject="account", subject_id=account_id, at=at)
    return token


def not_in_shift() -> Refused:
    """The refusal for somebody who does not come back here by PIN."""
    return Refused(
        Refusal(
            "not-in-shift",
            "You are not in the shift of this computer, or not any more.",
            "Sign in with your name and password.",
            field="account_id",
        )
    )


def close_screen(session: WriteSession, *, token_digest: bytes, at: datetime) -> None:
    """Closes the screen at once: its token opens nothing but the lock screen."""
    session.execute(
        update(SignIn).where(SignIn.token_digest == token_digest, SignIn.locked_at.is_(None)).values(locked_at=at)
    )


def hand_on(session: WriteSession, *, station_id: UUID, at: datetime) -> str | None:
    """After somebody has signed out: a token for the closed screen of who was in front last of those who stay."""
    session.execute(select(Station.id).where(Station.id == station_id).with_for_update())
    staying = [one.account_id for one in _people(session, station_id, at)]
    last = session.scalar(
        select(SignIn.account_id)
        .where(SignIn.station_id == station_id, SignIn.account_id.in_(staying), SignIn.locked_at.is_not(None))
        .order_by(SignIn.seen_at.desc(), SignIn.place)
        .limit(1)
    )
    if last is None:
        return None
    token = secrets.token_urlsafe(32)
    session.execute(
        update(SignIn)
        .where(SignIn.station_id == station_id, SignIn.account_id == last)
        .values(token_digest=digest_of(token), seen_at=at)
    )
    return token


def lock_after(session: ReadSession, *, site_id: SiteId) -> int:
    """After how many minutes without a touch this site's screens close."""
    setting = session.get(ShiftSetting, site_id)
    return setting.lock_after_minutes if setting else LOCK_AFTER_MINUTES


def set_lock_after(session: WriteSession, *, actor: Actor, minutes: int, at: datetime) -> None:
    """Sets it for the actor's site, from the next request on. Raises NotAllowed, and BadInput for what is no choice."""
    refuse_unless_runs_site(actor, actor.site_id)
    least, most = LOCK_AFTER_BOUNDS
    if not least <= minutes <= most:
        words = f"A screen closes after {least} to {most} minutes without a touch."
        raise BadInput(Refusal("bad-lock-after", words, field="lock_after_minutes"))
    before = lock_after(session, site_id=actor.site_id)
    session.merge(ShiftSetting(site_id=actor.site_id, lock_after_minutes=minutes))
    session.flush()
    if before != minutes:
        details = {"lock_after_minutes": [before, minutes]}
        audit.record(
            session, actor=actor, act="changed site", subject="site", subject_id=actor.site_id, at=at, details=details
        )
