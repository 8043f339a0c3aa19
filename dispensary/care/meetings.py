"""Group sessions: whoever leads one writes down who came. A peer worker names own clients alone, and sees no others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from dispensary.care.meeting_models import GroupAttendance, GroupMeeting
from dispensary.clients.models import Client, LookedAfter
from dispensary.clients.own import own_client
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back import back_of
from dispensary.clients.taken_back_rules import TakenBack, Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId

MOST_OTHERS: Final = 200
MOST_CLIENTS: Final = 60
SHOWN: Final = 20
_LATE: Final = timedelta(days=31)
_Voider = aliased(Account)


class About(StrEnum):
    """What a group session is for."""

    SUPPORT = "support"
    LEARNING = "learning"
    FAMILY = "family"
    WORK = "work"
    COMMUNITY = "community"


def note_meeting(
    session: WriteSession,
    *,
    actor: Actor,
    about: About,
    on: date,
    clients: Collection[ClientId],
    others: int,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes a group session down with the clients who came and how many others. The same key again is the same one.

    Raises BadInput for a day that is to come or more than a month ago, or for nobody; NotAllowed; NotThere for a client
    of another site, or whom a peer worker was not given.
    """
    _refuse_others(actor)
    faults = []
    if not today - _LATE <= on <= today:
        faults.append(Refusal("meeting-day", "It was today, or in the last month.", "Correct it.", field="on_day"))
    if not 0 <= others <= MOST_OTHERS or len(set(clients)) > MOST_CLIENTS:
        faults.append(Refusal("meeting-people", "So many cannot have come.", "Correct it.", field="others"))
    if not clients and others == 0:
        faults.append(Refusal("meeting-nobody", "It does not say who came.", "Count them.", field="others"))
    if faults:
        raise BadInput(*faults)
    for client_id in sorted(set(clients)):
        if not actor.may(Act.ENROL):
            own_client(session, actor=actor, client_id=client_id)
        lock_client(session, client_id, actor.site_id)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"meeting {key}"))))
    if session.get(GroupMeeting, key) is not None:
        return
    assert actor.account_id is not None, "people lead groups"
    session.add(
        GroupMeeting(
            id=key,
            site_id=actor.site_id,
            on_day=on,
            about=about.value,
            others=others,
            led_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    for client_id in sorted(set(clients)):
        session.add(GroupAttendance(meeting_id=key, client_id=client_id, site_id=actor.site_id, on_day=on))
    session.flush()
    details = {"meeting": key, "about": about.value, "on": on}
    for client_id in sorted(set(clients)):
        audit.record(
            session, actor=actor, act="came to group", subject="client", subject_id=client_id, at=at, details=details
        )
    audit.record(
        session,
        actor=actor,
        act="held group",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={**details, "clients": len(set(clients)), "others": others},
    )


def take_meeting_back(session: WriteSession, *, actor: Actor, meeting_id: UUID, why: Wrong, at: datetime) -> None:
    """A group session that was entered in error is taken back, once, with everybody who is written down for it.

    A peer worker takes back what they led themselves. Raises NotAllowed, NotThere.
    """
    meeting, came = _to_take_back(session, actor, meeting_id)
    for client_id in came:
        lock_client(session, client_id, actor.site_id)
    session.refresh(meeting, with_for_update=True)
    if meeting.voided_at is not None:
        return
    meeting.voided_at, meeting.voided_by, meeting.void_reason = at, actor.account_id, why.value
    session.flush()
    for client_id in came:
        _take_attendance_back(session, actor, meeting, client_id, why, at)
    audit.record(
        session,
        actor=actor,
        act="took group back",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"meeting": meeting_id, "why": why.value},
    )


def take_attendance_back(
    session: WriteSession, *, actor: Actor, meeting_id: UUID, client_id: ClientId, why: Wrong, at: datetime
) -> None:
    """That one client came is taken back, once; of the others nothing changes.

    A peer worker takes back that one of their own clients came, whom they have still. Raises NotAllowed, NotThere.
    """
    meeting, came = _to_take_back(session, actor, meeting_id)
    if client_id not in came:
        raise _no_meeting()
    if not actor.may(Act.ENROL):
        own_client(session, actor=actor, client_id=client_id)
    lock_client(session, client_id, actor.site_id)
    _take_attendance_back(session, actor, meeting, client_id, why, at)


def _to_take_back(session: WriteSession, actor: Actor, meeting_id: UUID) -> tuple[GroupMeeting, list[ClientId]]:
    """The meeting, and the site's clients who are written down for it in the order in which they are locked."""
    _refuse_others(actor)
    meeting = session.get(GroupMeeting, meeting_id)
    mine = actor.may(Act.ENROL) or (meeting is not None and meeting.led_by == actor.account_id)
    if meeting is None or meeting.site_id != actor.site_id or not mine:
        raise _no_meeting()
    here = select(GroupAttendance.client_id).join(Client, Client.id == GroupAttendance.client_id)
    here = here.where(GroupAttendance.meeting_id == meeting_id, Client.site_id == actor.site_id)
    return meeting, [ClientId(client_id) for client_id in session.scalars(here.order_by(GroupAttendance.client_id))]


def _take_attendance_back(
    session: WriteSession, actor: Actor, meeting: GroupMeeting, client_id: ClientId, why: Wrong, at: datetime
) -> None:
    row = session.get_one(GroupAttendance, (meeting.id, client_id), with_for_update=True)
    if row.voided_at is not None:
        return
    row.voided_at, row.voided_by, row.void_reason = at, actor.account_id, why.value
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="took group attendance back",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"meeting": meeting.id, "why": why.value},
    )


@dataclass(frozen=True)
class Held:
    """A group session as its reader may know it."""

    meeting: GroupMeeting
    leader: str
    clients: Sequence[ClientId]
    """Those whom the reader may name: a peer worker's own, or all of the site's."""
    people: int
    """How many came in all."""
    mine: bool = False
    """Whether the reader may take it back."""
    back: TakenBack | None = None
    not_there: Sequence[ClientId] = ()
    """Those of whom it was taken back alone, as far as the reader may name them."""


def meetings_of(session: ReadSession, *, actor: Actor) -> list[Held]:
    """The newest group sessions of the actor's site, each with whom of its clients they may know. Raises NotAllowed."""
    _refuse_others(actor)
    rows = session.execute(
        select(GroupMeeting, Account.name, _Voider.name)
        .join(Account, Account.id == GroupMeeting.led_by)
        .outerjoin(_Voider, _Voider.id == GroupMeeting.voided_by)
        .where(GroupMeeting.site_id == actor.site_id)
        .order_by(GroupMeeting.on_day.desc(), GroupMeeting.noted_at.desc(), GroupMeeting.id)
        .limit(SHOWN)
    ).all()
    theirs = select(LookedAfter.id).where(
        LookedAfter.client_id == GroupAttendance.client_id,
        LookedAfter.account_id == actor.account_id,
        LookedAfter.ended_at.is_(None),
    )
    came = select(GroupAttendance, theirs.exists())
    came = came.where(GroupAttendance.meeting_id.in_([meeting.id for meeting, *_ in rows]))
    named: dict[UUID, list[ClientId]] = {}
    not_there: dict[UUID, list[ClientId]] = {}
    counts: dict[UUID, int] = {}
    gone = {meeting.id for meeting, *_ in rows if meeting.voided_at is not None}
    for row, own in session.execute(came):
        there = row.voided_at is None or row.meeting_id in gone
        counts[row.meeting_id] = counts.get(row.meeting_id, 0) + there
        if actor.may(Act.ENROL) or own:
            (named if there else not_there).setdefault(row.meeting_id, []).append(ClientId(row.client_id))
    return [
        Held(
            meeting,
            leader,
            named.get(meeting.id, ()),
            counts.get(meeting.id, 0) + meeting.others,
            actor.may(Act.ENROL) or meeting.led_by == actor.account_id,
            back_of(meeting.voided_at, meeting.void_reason, voider),
            not_there.get(meeting.id, ()),
        )
        for meeting, leader, voider in rows
    ]


@dataclass(frozen=True)
class HeldSince:
    """A site's group sessions since a day."""

    held: int
    came: int
    """Attendances, of clients and of others."""
    clients: int
    """Different clients among them."""


def held_since(session: ReadSession, *, site_id: SiteId, since: date) -> HeldSince:
    """The site's own counts, as its page shows them."""
    mine = (GroupMeeting.site_id == site_id, GroupMeeting.on_day >= since, GroupMeeting.voided_at.is_(None))
    held, others = session.execute(
        select(func.count(), func.coalesce(func.sum(GroupMeeting.others), 0)).where(*mine)
    ).one()
    of_those = select(func.count(), func.count(GroupAttendance.client_id.distinct())).join(
        GroupMeeting, GroupMeeting.id == GroupAttendance.meeting_id
    )
    came, clients = session.execute(of_those.where(*mine, GroupAttendance.voided_at.is_(None))).one()
    return HeldSince(held, came + int(others), clients)


def _no_meeting() -> NotThere:
    return NotThere(Refusal("no-meeting", "There is no such group session.", "Look at the list again."))


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not (actor.may(Act.ENROL) or actor.may(Act.LOOK_AFTER_OWN)):
        raise NotAllowed(Refusal("no-groups", "Your work at this site does not include this.", "Ask a colleague."))
