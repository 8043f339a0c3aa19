"""Breaking glass: a clinic that nobody can run this morning is opened by a sealed code and two of its people.

An administrator makes the code while all is well. It is printed once and lies in the safe in a sealed envelope; the
database has its digest. With it, and with two different people of the site who each prove who they are, one of the two
is an administrator of that site for some hours. The code is used up by it, both are in the site's audit trail, and
every administrator sees it on every page until one of them has written down what it was about.

What the code gives is no grant of a role: it stands in this table alone, with its end, and the look-up of who is
signed in (sessions.py) is the only one that reads it. Whatever else asks who has which role, such as who is a site's
last administrator, who may stand by a colleague or answer an alert, knows nothing of it. So what is forgotten somewhere
gives less, and never more. It opens no client's record, since an administrator's roles open none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.entry_models import BreakGlass
from dispensary.staff.entry_rules import GLASS_LETTERS, OPENERS
from dispensary.staff.entry_settings import entry_of
from dispensary.staff.invitations import digest_of_code, fresh_code
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor
from dispensary.staff.service import is_granted_administrator, refuse_unless_runs_site
from dispensary.units import AccountId, SiteId, new_id


@dataclass(frozen=True)
class Opened:
    """A code that was opened, by whom, and what an administrator said of it."""

    glass: BreakGlass
    for_whom: str
    with_whom: str
    acknowledged_by: str


@dataclass(frozen=True)
class Glass:
    """A site's sealed code, if it has one, and those that were opened, newest first."""

    sealed_at: datetime | None
    made_by: str
    opened: Sequence[Opened]

    @property
    def alarms(self) -> list[Opened]:
        """Those that no administrator has answered for."""
        return [each for each in self.opened if each.glass.acknowledged_at is None]


def seal(session: WriteSession, *, actor: Actor, at: datetime) -> str:
    """A new code for the actor's site, in place of the one before. Returned here, to be printed, and kept nowhere.

    Only whoever has the role of an administrator by a grant makes one: a code that was opened makes no other.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    _refuse_unless_granted(session, actor)
    session.execute(
        update(BreakGlass)
        .where(BreakGlass.site_id == actor.site_id, BreakGlass.replaced_at.is_(None), BreakGlass.opened_at.is_(None))
        .values(replaced_at=at)
    )
    code = fresh_code(GLASS_LETTERS)
    glass = BreakGlass(
        id=new_id(),
        site_id=actor.site_id,
        code_digest=digest_of_code(code),
        made_by=actor.account_id,
        made_at=at,
        acknowledged_words="",
    )
    session.add(glass)
    session.flush()
    _write_down(session, actor, "sealed a code", at, glass=glass.id)
    return code


def _refuse_unless_granted(session: ReadSession, actor: Actor) -> None:
    if not is_granted_administrator(session, actor):
        raise NotAllowed(
            Refusal(
                "by-sealed-code",
                "You are an administrator by the sealed code, for some hours. This is for somebody who stays one.",
                "Invite an administrator, or give a colleague the role: they do it then.",
            )
        )


def site_of_code(session: ReadSession, *, code: str) -> Place:
    """Which site a sealed code is of. Looking uses nothing up. Raises NotThere for every code that does not open."""
    site_id = session.scalar(
        select(BreakGlass.site_id).where(
            BreakGlass.code_digest == digest_of_code(code),
            BreakGlass.replaced_at.is_(None),
            BreakGlass.opened_at.is_(None),
        )
    )
    if site_id is None:
        raise no_glass()
    return place(session, site_id)


def no_glass() -> NotThere:
    """The refusal for every code that does not open."""
    return NotThere(
        Refusal(
            "no-sealed-code",
            "This code does not open anything. It may have been used, or replaced by a newer one.",
            "Type it again from the paper. Whoever runs the server has another way: it stands in the handbook.",
            field="code",
        )
    )


def open_glass(
    session: WriteSession, *, code: str, first: AccountId, second: AccountId, at: datetime
) -> tuple[Place, datetime]:
    """Makes `first` an administrator of the code's site for the site's hours; returns the site, and until when.

    Both have proved who they are. Of two who open it at once one does. Raises NotThere, and BadInput when they are one
    person, or one of them neither treats nor administrates there.
    """
    site = site_of_code(session, code=code)
    if first == second:
        raise BadInput(
            Refusal(
                "same-person",
                "Two different people open it together.",
                "Let a colleague type their own name and password.",
                field="second_username",
            )
        )
    works = _openers_at(session, site.id)
    faults = [
        Refusal(
            "not-an-opener",
            "This person neither treats nor administrates at the site of this code.",
            "A pharmacist, doctor, nurse or administrator of the site opens it.",
            field=f"{which}_username",
        )
        for which, who in (("first", first), ("second", second))
        if who not in works
    ]
    if faults:
        raise BadInput(*faults)
    ends_at = at + timedelta(hours=entry_of(session, site_id=site.id).glass_hours)
    opened = session.scalar(
        update(BreakGlass)
        .where(
            BreakGlass.code_digest == digest_of_code(code),
            BreakGlass.replaced_at.is_(None),
            BreakGlass.opened_at.is_(None),
        )
        .values(opened_at=at, opened_for=first, opened_with=second, ends_at=ends_at)
        .returning(BreakGlass.id)
    )
    if opened is None:
        raise no_glass()
    for who, other, act in ((first, second, "opened the sealed code"), (second, first, "opened it with them")):
        own = Actor(who, site.id, frozenset())
        details = {"glass": opened, "until": ends_at, "for": first}
        audit.record(session, actor=own, act=act, subject="account", subject_id=other, at=at, details=details)
    return site, ends_at


def _openers_at(session: ReadSession, site_id: SiteId) -> set[AccountId]:
    return set(
        session.scalars(
            select(Account.id)
            .join(RoleGrant, RoleGrant.account_id == Account.id)
            .where(
                RoleGrant.site_id == site_id,
                RoleGrant.role.in_([role.value for role in OPENERS]),
                Account.left_at.is_(None),
            )
        )
    )


def acknowledge(
    session: WriteSession, *, actor: Actor, glass_id: object, words: str, end_now: bool, at: datetime
) -> None:
    """An administrator of the site answers for what was opened, in words, and the alarm ends. Once.

    With `end_now` the role that it gave ends too. Whoever was given it cannot answer for themselves.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    _refuse_unless_granted(session, actor)
    glass = session.scalar(
        select(BreakGlass)
        .where(BreakGlass.id == glass_id, BreakGlass.site_id == actor.site_id, BreakGlass.opened_at.is_not(None))
        .with_for_update()
    )
    if glass is None or glass.acknowledged_at is not None:
        raise NotThere(Refusal("no-alarm", "Nothing is to be answered for here, or not any more.", "Look again."))
    faults = []
    if glass.opened_for == actor.account_id:
        faults.append(Refusal("own-alarm", "It was opened for you.", "Let another administrator answer for it."))
    if not 3 <= len(words.strip()) <= 1000:
        faults.append(
            Refusal("no-words", "Say what it was about.", "Write a sentence, without names of clients.", field="words")
        )
    if faults:
        raise BadInput(*faults)
    glass.acknowledged_at, glass.acknowledged_by, glass.acknowledged_words = at, actor.account_id, words.strip()
    if end_now and glass.ends_at is not None and glass.ends_at > at:
        glass.ends_at = at
    session.flush()
    _write_down(session, actor, "answered for an opened code", at, glass=glass.id, ended=end_now)


def glass_of(session: ReadSession, *, site_id: SiteId) -> Glass:
    """What an administrator's pages say of it."""
    for_whom, with_whom, answered = aliased(Account), aliased(Account), aliased(Account)
    sealed = session.execute(
        select(BreakGlass.made_at, Account.name)
        .outerjoin(Account, Account.id == BreakGlass.made_by)
        .where(BreakGlass.site_id == site_id, BreakGlass.replaced_at.is_(None), BreakGlass.opened_at.is_(None))
    ).one_or_none()
    rows = session.execute(
        select(BreakGlass, for_whom.name, with_whom.name, answered.name)
        .join(for_whom, for_whom.id == BreakGlass.opened_for)
        .join(with_whom, with_whom.id == BreakGlass.opened_with)
        .outerjoin(answered, answered.id == BreakGlass.acknowledged_by)
        .where(BreakGlass.site_id == site_id, BreakGlass.opened_at.is_not(None))
        .order_by(BreakGlass.opened_at.desc())
        .limit(50)
    )
    opened = [Opened(glass, first, second, by or "") for glass, first, second, by in rows]
    return Glass(sealed[0] if sealed else None, (sealed[1] or "") if sealed else "", opened)


def _write_down(session: WriteSession, actor: Actor, act: str, at: datetime, **details: object) -> None:
    audit.record(session, actor=actor, act=act, subject="site", subject_id=actor.site_id, at=at, details=details)
