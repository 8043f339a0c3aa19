"""Sessions: a plan is begun with a client who wants it; each is kept or not, and who did not come is asked after.

What is told of them to anybody outside is on which days they came. Nothing else follows from a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select, update

from dispensary.care.own_documents import plans_there
from dispensary.care.plans import MINUTES, BadPlan, Chosen, SessionPlan, days_of
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.clients.homes import clients_of
from dispensary.clients.living import alive, refuse_dead
from dispensary.clients.service import lock_client
from dispensary.clients.tasks import finish_task, open_task, tasks_of
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId, SiteId, new_id

_FARTHEST = timedelta(days=366)
MARKS = (SessionState.ATTENDED, SessionState.NOT_ATTENDED, SessionState.CALLED_OFF)


@dataclass(frozen=True)
class Running:
    """A plan with its sessions in their order."""

    begun: PlanBegun
    plan: SessionPlan | None
    """As it ships; nothing for one that a later program has no more."""
    sessions: Sequence[PlanSession]

    @property
    def over(self) -> bool:
        return self.begun.ended_at is not None or all(each.state != SessionState.PLANNED for each in self.sessions)


def begin_plan(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    plan: str,
    first: date,
    at_time: time | None,
    minutes: int,
    chosen: Sequence[Chosen],
    agreed: bool,
    key: UUID,
    today: date,
    at: datetime,
) -> PlanBegun:
    """Begins a plan that the client agrees to. The same key again is the same plan.

    How long a session takes, and how many there are, is whoever's who begins it where no source says: the plan keeps
    what was said with their name. Raises NotAllowed, NotThere, Refused for who has died, or BadInput without the
    client's consent, for a first day that is past or more than a year off, or a choice that the plan does not leave.
    """
    refuse_who_holds_none(actor)
    shipped = plans_there(session).get(plan)
    if shipped is None:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Choose one of the list."))
    faults = []
    if not agreed:
        faults.append(
            Refusal("agreed", "Sessions are for whoever wants them.", "Ask them; a no costs nothing.", field="agreed")
        )
    if not today <= first <= today + _FARTHEST:
        faults.append(Refusal("first-day", "It begins from today on, within a year.", "Choose a day.", field="first"))
    least, most = shipped.minutes or MINUTES
    if not least <= minutes <= most:
        faults.append(Refusal("minutes", f"A session takes {least} to {most} minutes.", "Correct it.", field="minutes"))
    try:
        days = days_of(shipped, first, chosen)
    except BadPlan as reason:
        faults.append(Refusal("bad-plan", str(reason), "Correct it.", field=reason.field))
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    known = session.get(PlanBegun, key)
    if known is not None:
        if (known.client_id, known.begun_by) != (client_id, actor.account_id):
            raise Refused(Refusal("another-form", "This form was sent before for somebody else.", "Open it anew."))
        return known
    refuse_dead(session, client_id)
    assert actor.account_id is not None, "people begin plans"
    of = {"client_id": client_id, "site_id": actor.site_id}
    begun = PlanBegun(id=key, plan=plan, minutes=minutes, begun_by=actor.account_id, begun_at=at, **of)
    session.add(begun)
    session.flush()
    session.add_all(
        PlanSession(id=new_id(), plan_id=key, seq=seq, on_day=day, at_time=at_time, **of)
        for seq, day in enumerate(days, start=1)
    )
    session.flush()
    _write_down(session, actor, "began sessions", client_id, at, {"plan": key, "schedule": plan, "sessions": len(days)})
    return begun


def mark_session(
    session: WriteSession, *, actor: Actor, client_id: ClientId, session_id: UUID, state: SessionState,
    today: date, at: datetime,
) -> PlanSession:  # fmt: skip
    """Writes down whether they came. Marked so already it stays; marked otherwise in error it is corrected.

    Who did not come goes on the nurses' list, to be asked how they are; a correction takes that away again. Raises
    NotAllowed, NotThere, BadInput for a session that is still to come.
    """
    row = the_session(session, actor, client_id, session_id)
    if state not in MARKS:
        raise BadInput(Refusal("no-mark", "Nothing was chosen.", "Say whether they came.", field="state"))
    if state is not SessionState.CALLED_OFF and row.on_day > today:
        raise BadInput(
            Refusal("still-to-come", "This session is still to come.", "Mark it on its day, or move it.", field="state")
        )
    if row.state == state:
        return row
    row.state, row.marked_at, row.marked_by = state.value, at, actor.account_id
    session.flush()
    if state is SessionState.NOT_ATTENDED:
        open_task(
            session,
            site_id=row.site_id,
            client_id=client_id,
            role=Role.NURSE,
            kind="call",
            sentence=asks(row),
            due_on=today,
            opened_by=actor.account_id,
            at=at,
        )
    else:
        for task in tasks_of(session, client_id=client_id):
            if task.sentence == asks(row):
                finish_task(session, actor=actor, task_id=task.id, outcome=state.value.replace("_", " "), at=at)
    _write_down(session, actor, "marked session", client_id, at, {"session": row.id, "state": state.value})
    return row


def move_session(
    session: WriteSession, *, actor: Actor, client_id: ClientId, session_id: UUID, to: date, at_time: time | None,
    today: date, at: datetime,
) -> PlanSession:  # fmt: skip
    """Moves a session that is planned to another day or time; the others stay where they are.

    Raises NotAllowed, NotThere, Refused for one that was marked, BadInput for a day that is past or a year off.
    """
    row = the_session(session, actor, client_id, session_id)
    if row.state != SessionState.PLANNED:
        raise Refused(Refusal("marked", "This session was marked already.", "Correct the mark instead.", field="to"))
    if not today <= to <= today + _FARTHEST:
        raise BadInput(
            Refusal("to-day", "It is moved to a day from today on, within a year.", "Choose one.", field="to")
        )
    if (row.on_day, row.at_time) != (to, at_time):
        details: dict[str, object] = {"session": row.id, "from": row.on_day, "to": to}
        row.on_day, row.at_time = to, at_time
        session.flush()
        _write_down(session, actor, "moved session", client_id, at, details)
    return row


def end_plan(session: WriteSession, *, actor: Actor, client_id: ClientId, plan_id: UUID, at: datetime) -> None:
    """Ends a plan: what is still planned is called off, and nobody missed it. Ended, it stays so. Raises NotThere."""
    refuse_who_holds_none(actor)
    lock_client(session, client_id, actor.site_id)
    begun = session.get(PlanBegun, plan_id, with_for_update=True)
    if begun is None or begun.client_id != client_id:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Look at the client's page again."))
    if begun.ended_at is None:
        _end(session, actor, begun, at, {})


def running_plans(session: ReadSession, *, client_id: ClientId) -> list[Running]:
    """A client's plans that are neither ended nor over, the newest first."""
    return [each for each in plans_of(session, client_id=client_id) if not each.over]


def end_with_stay(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime) -> Sequence[PlanBegun]:
    """Ends every plan of a client whose stay ends. The caller has locked them, as everybody has who ends a stay."""
    running = [each.begun for each in running_plans(session, client_id=client_id)]
    for begun in running:
        _end(session, actor, begun, at, {"stay": "ended"})
    return running


def _end(session: WriteSession, actor: Actor, begun: PlanBegun, at: datetime, details: dict[str, object]) -> None:
    begun.ended_at, begun.ended_by = at, actor.account_id
    session.flush()
    session.execute(
        update(PlanSession)
        .where(PlanSession.plan_id == begun.id, PlanSession.state == SessionState.PLANNED.value)
        .values(state=SessionState.CALLED_OFF.value, marked_at=at, marked_by=actor.account_id)
    )
    _write_down(session, actor, "ended sessions", ClientId(begun.client_id), at, {"plan": begun.id, **details})


def plans_of(session: ReadSession, *, client_id: ClientId) -> list[Running]:
    """A client's plans, those that run first, then the newest."""
    rows = session.scalars(
        select(PlanBegun).where(PlanBegun.client_id == client_id).order_by(PlanBegun.begun_at.desc())
    )
    of: dict[UUID, list[PlanSession]] = {}
    each: PlanSession
    for each in session.scalars(
        select(PlanSession).where(PlanSession.client_id == client_id).order_by(PlanSession.on_day, PlanSession.seq)
    ):
        of.setdefault(each.plan_id, []).append(each)
    there = plans_there(session)
    found = [Running(row, there.get(row.plan), of.get(row.id, ())) for row in rows]
    return sorted(found, key=lambda running: running.over)


def sessions_until(session: ReadSession, *, site_id: SiteId, until: date) -> Sequence[PlanSession]:
    """Sessions of a site that are planned for a day up to this one, and those of this day however they were marked.

    None that is planned with somebody who has died.
    """
    chosen = select(PlanSession).where(PlanSession.client_id.in_(clients_of(site_id)), PlanSession.on_day <= until)
    waiting = (PlanSession.state == SessionState.PLANNED.value) | (
        (PlanSession.on_day == until) & (PlanSession.state != SessionState.CALLED_OFF.value)
    )
    meets = (PlanSession.state != SessionState.PLANNED.value) | alive(PlanSession.client_id)
    order = (PlanSession.on_day, PlanSession.at_time.nulls_last(), PlanSession.id)
    return session.scalars(chosen.where(waiting, meets).order_by(*order)).all()


def sessions_between(session: ReadSession, *, client_id: ClientId, first: date, last: date) -> Sequence[PlanSession]:
    """A client's sessions of these days that were agreed and not called off."""
    chosen = select(PlanSession).where(PlanSession.client_id == client_id, PlanSession.on_day.between(first, last))
    return session.scalars(
        chosen.where(PlanSession.state != SessionState.CALLED_OFF.value).order_by(PlanSession.on_day)
    ).all()


def asks(row: PlanSession) -> str:
    """What the task says by which somebody who did not come is asked how they are."""
    return f"Did not come to the session of {row.on_day}: ask how they are, and whether they want to go on"


def the_session(session: WriteSession, actor: Actor, client_id: ClientId, session_id: UUID) -> PlanSession:
    """A client's session, with the client and itself locked. Raises NotAllowed, NotThere."""
    refuse_who_holds_none(actor)
    lock_client(session, client_id, actor.site_id)
    row = session.get(PlanSession, session_id, with_for_update=True)
    if row is None or row.client_id != client_id:
        raise NotThere(Refusal("no-session", "There is no such session.", "Look at the client's page again."))
    return row


def refuse_who_holds_none(actor: Actor) -> None:
    """Raises NotAllowed for whoever holds no sessions here."""
    if actor.account_id is None or not actor.may(Act.CARE):
        raise NotAllowed(Refusal("may-not-care", "Your work at this site does not include this.", "Ask a nurse."))


def _write_down(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
