"""The second person: somebody else of the site who types their own PIN into the form of whoever acts.

    faults = the_second_person(session, actor=actor, second_id=chosen, pin=typed, at=now)      # empty when proven

Call it where the act collects its faults, in the act's own unit of work. It asks nothing else of its caller: a wrong
PIN stays counted though the refusal undoes the unit, since it is counted in a unit beside it before it is looked at;
and when the act is kept, the audit trail has an entry of each of the two, written last. An act that may be done alone
where nobody else is on duty looks at `on_duty` first. What was typed belongs to no page, no key and no log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal
from dispensary.staff import attempts, audit, pins
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.permission_rules import roles_for
from dispensary.staff.pin_rules import WRONG_PINS
from dispensary.staff.rules import Act, Actor
from dispensary.staff.service import kept_password, password_is_right
from dispensary.staff.sessions import on_duty_at
from dispensary.staff.shift_models import CounterPin
from dispensary.units import AccountId


@dataclass(frozen=True)
class Somebody:
    """An account, as a list to choose from shows it."""

    id: AccountId
    name: str


def who_can_stand_by(session: ReadSession, *, actor: Actor) -> Sequence[Somebody]:
    """Everybody else who may stand by at the actor's site, by name; signed in or not: they prove it here."""
    rows = session.execute(
        select(Account.id, Account.name)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(
            RoleGrant.site_id == actor.site_id,
            RoleGrant.role.in_(sorted(roles_for(Act.STAND_BY, actor.own))),
            Account.left_at.is_(None),
            Account.id != actor.account_id,
        )
        .distinct()
        .order_by(Account.name, Account.id)
    )
    return [Somebody(*row) for row in rows]


def on_duty(session: ReadSession, *, actor: Actor, at: datetime) -> Sequence[Somebody]:
    """Those of them who are signed in at the site now, in front of a screen or in its shift."""
    here = on_duty_at(session, site_id=actor.site_id, at=at)
    return [one for one in who_can_stand_by(session, actor=actor) if one.id in here]


def the_second_person(
    session: WriteSession,
    *,
    actor: Actor,
    second_id: AccountId | None,
    pin: str,
    at: datetime,
) -> tuple[Refusal, ...]:
    """Why no second person stands by; nothing when one does, by PIN, or by the password where they have no PIN."""
    people = {one.id: one.name for one in who_can_stand_by(session, actor=actor)}
    if second_id is None:
        return (
            Refusal(
                "no-second",
                "A second person must look at this.",
                "Let a colleague look at it, choose them, and let them type their PIN.",
                field="second_id",
            ),
        )
    if second_id not in people:
        return (
            Refusal(
                "not-a-second",
                "The second person must be a colleague who treats at this site, and not yourself.",
                "Choose a colleague of the list.",
                field="second_id",
            ),
        )
    if not pin:
        return (
            Refusal(
                "no-proof",
                f"{people[second_id]} has not typed their PIN.",
                "Let them type it here.",
                field="second_pin",
            ),
        )
    if refusal := _not_proven(session, actor, second_id, pin, at):
        return (refusal,)
    session.last(lambda: _write_down(session, actor, second_id, at))
    return ()


def _not_proven(session: WriteSession, actor: Actor, second_id: AccountId, pin: str, at: datetime) -> Refusal | None:
    wrong = session.scalar(select(CounterPin.wrong).where(CounterPin.account_id == second_id))
    if wrong is None:
        return _not_by_password(session, actor, second_id, pin, at)
    with session.aside() as beside:
        counted = pins.count_pin(beside, account_id=second_id)
    if counted is None:
        return Refusal(
            "pin-closed",
            f"This PIN is not heard any more: {WRONG_PINS} wrong ones were typed.",
            "They sign in with their password once, here or at another computer; then it is heard again.",
            field="second_pin",
        )
    if not password_is_right(counted, pin):
        return Refusal("wrong-pin", "This is not their PIN.", "Let them type it again.", field="second_pin")
    with session.aside() as beside:
        pins.forget_wrong(beside, account_id=second_id)
    return None


def _not_by_password(
    session: WriteSession, actor: Actor, second_id: AccountId, password: str, at: datetime
) -> Refusal | None:
    """Counted as a sign-in of theirs, from the place of whoever acts."""
    account = session.get_one(Account, second_id)
    try:
        with session.aside() as beside:
            attempt = attempts.count_attempt(
                beside, username=account.username, address=f"account {actor.account_id}", at=at
            )
    except attempts.TooManyGuesses as refused:
        first = refused.first
        return Refusal(first.code, first.sentence, first.remedy, first.evidence, field="second_pin")
    if not password_is_right(kept_password(session, second_id), password):
        return Refusal(
            "wrong-password",
            "This is not their password.",
            "Whoever has no PIN of their own types the password.",
            field="second_pin",
        )
    with session.aside() as beside:
        attempts.take_back(beside, attempt)
    return None


def _write_down(session: WriteSession, actor: Actor, second_id: AccountId, at: datetime) -> None:
    second = Actor(second_id, actor.site_id, frozenset())
    audit.record(session, actor=second, act="stood by", subject="account", subject_id=actor.account_id, at=at)
    audit.record(session, actor=actor, act="had a second person", subject="account", subject_id=second_id, at=at)


__all__ = ["Somebody", "on_duty", "the_second_person", "who_can_stand_by"]
