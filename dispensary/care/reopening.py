"""What became of a referral, a visit or sessions was entered in error: that is taken back, and they are open again.

Who does it, when and why stays beside what stood there. Doses that a visit brought are hand-overs of their own, and
nothing here touches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from dispensary.care.referral_models import Referral
from dispensary.care.referrals import question
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.care.sessions import asks, refuse_who_holds_none, the_session
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import refuse_unwanted
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.living import has_died, refuse_dead
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back import PLAN, REFERRAL, SESSION, VISIT, changed_since, keep_taken_back
from dispensary.clients.taken_back_rules import Wrong
from dispensary.clients.tasks import finish_task, open_task, tasks_of
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId

_TASK_OVER: Final = "taken back"


def reopen_referral(
    session: WriteSession, *, actor: Actor, client_id: ClientId, referral_id: UUID, seen: datetime, why: Wrong,
    at: datetime,
) -> None:  # fmt: skip
    """What became of a referral is taken back: it is open, and somebody is to ask again. Open already, it stays.

    `seen` is since when stood there what the reader saw: what somebody wrote there meanwhile is not theirs to take
    back. Raises Refused for that, or where they were referred there anew since; NotAllowed, NotThere.
    """
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("not-to-reopen", "Your work at this site does not include this.", "Ask a nurse."))
    lock_client(session, client_id, actor.site_id)
    referral = session.get(Referral, referral_id, with_for_update=True)
    if referral is None or referral.client_id != client_id:
        raise NotThere(Refusal("no-referral", "There is no such referral.", "Look at the client's page again."))
    if referral.closed_at is None:
        return
    if referral.closed_at != seen:
        raise changed_since()
    anew = select(Referral.id).where(
        Referral.client_id == client_id,
        Referral.service == referral.service,
        func.lower(Referral.place) == func.lower(referral.place),
        Referral.closed_at.is_(None),
    )
    if session.scalar(anew.limit(1)) is not None:
        raise Refused(
            Refusal(
                "referred-again",
                "They have been referred there for the same again, and that one is open.",
                "Write down what became of that one first, or go on with it.",
            )
        )
    was = referral.outcome
    keep_taken_back(
        session,
        actor=actor,
        client_id=client_id,
        thing=REFERRAL,
        thing_id=referral.id,
        was=was,
        was_on=referral.attended_on,
        said_at=referral.closed_at,
        said_by=referral.closed_by,
        why=why,
        at=at,
    )
    referral.outcome, referral.attended_on, referral.closed_at, referral.closed_by = "", None, None, None
    session.flush()
    if not has_died(session, client_id):
        open_task(
            session,
            site_id=referral.site_id,
            client_id=client_id,
            role=Role.NURSE,
            kind="call",
            sentence=question(referral),
            due_on=referral.ask_on,
            opened_by=actor.account_id,
            at=at,
        )
    details = {"referral": referral.id, "outcome": was, "why": why.value}
    _write_down(session, actor, "took outcome of referral back", client_id, at, details)


def reopen_visit(
    session: WriteSession, *, actor: Actor, visit_id: UUID, seen: datetime, why: Wrong, at: datetime
) -> HomeVisit:
    """What was written down of a visit, or that it was called off, is taken back: it is planned as before.

    The contact that was noted with it counts nowhere any more. Whoever carries takes back what they wrote themselves.
    Planned already, it stays. Raises Refused where something else was written there since `seen`, or another visit is
    planned for that day, and for one that was called off where they agree to no visits (any more) or have died;
    NotAllowed, NotThere.
    """
    visit = session.get(HomeVisit, visit_id)
    if visit is None or visit.site_id != actor.site_id:
        raise NotThere(Refusal("no-visit", "There is no such visit.", "Look at the round again."))
    lock_client(session, ClientId(visit.client_id), actor.site_id)
    session.refresh(visit, with_for_update=True)
    own = actor.may(Act.CARRY) and visit.visitor_id == visit.ended_by == actor.account_id
    if actor.account_id is None or not (actor.may(Act.ENROL) or own):
        raise NotAllowed(Refusal("not-your-visit", "This visit is somebody else's.", "Ask them."))
    if visit.state == "planned":
        return visit
    if visit.ended_at != seen:
        raise changed_since()
    same_day = select(HomeVisit.id).where(
        HomeVisit.client_id == visit.client_id, HomeVisit.on_day == visit.on_day, HomeVisit.state == "planned"
    )
    if session.scalar(same_day.limit(1)) is not None:
        raise Refused(
            Refusal(
                "visited-then",
                f"Another visit to them is planned for {visit.on_day}.",
                "Call that one off first, or go on with it.",
            )
        )
    was, client_id = visit.state, ClientId(visit.client_id)
    if was == "called_off":
        refuse_dead(session, client_id)
        refuse_unwanted(session, client_id)
    keep_taken_back(
        session,
        actor=actor,
        client_id=client_id,
        thing=VISIT,
        thing_id=visit.id,
        was=was,
        said_at=visit.ended_at,
        said_by=visit.ended_by,
        note_id=visit.note_id,
        why=why,
        at=at,
    )
    if visit.note_id is not None:
        note = session.get_one(ContactNote, visit.note_id, with_for_update=True)
        note.voided_at, note.voided_by, note.void_reason = at, actor.account_id, why.value
    visit.state, visit.note_id, visit.ended_at, visit.ended_by = "planned", None, None, None
    session.flush()
    details = {"visit": visit.id, "was": was, "why": why.value}
    _write_down(session, actor, "took visit back", client_id, at, details)
    return visit


def of_visits(session: ReadSession, *, client_id: ClientId) -> set[UUID]:
    """The contacts of a client that say what became of a visit: they are taken back with it."""
    told = select(HomeVisit.note_id).where(HomeVisit.client_id == client_id, HomeVisit.note_id.is_not(None))
    return {note_id for note_id in session.scalars(told) if note_id is not None}


def take_contact_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, contact_id: UUID, why: Wrong, at: datetime
) -> None:
    """A contact that was entered in error is taken back, once; it counts nowhere, and they are followed up as before.

    An alert that came of it stays until somebody answers it. Raises Refused for what was found at a visit, which goes
    with its visit; NotAllowed for anybody but those who treat; NotThere.
    """
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("not-to-reopen", "Your work at this site does not include this.", "Ask a nurse."))
    lock_client(session, client_id, actor.site_id)
    note = session.get(ContactNote, contact_id, with_for_update=True)
    if note is None or note.client_id != client_id:
        raise NotThere(Refusal("no-entry", "There is no such entry.", "Look at the list again."))
    if note.voided_at is not None:
        return
    if note.id in of_visits(session, client_id=client_id):
        sentence = "This says what became of a visit."
        raise Refused(Refusal("contact-of-visit", sentence, "Take the visit's own line back, in the round."))
    note.voided_at, note.voided_by, note.void_reason = at, actor.account_id, why.value
    session.flush()
    details: dict[str, object] = {"contact": note.id, "how": note.how, "why": why.value}
    _write_down(session, actor, "took contact back", client_id, at, details)


def take_mark_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, session_id: UUID, seen: datetime, why: Wrong,
    at: datetime,
) -> None:  # fmt: skip
    """What was marked of a session, or that it was called off, is taken back: it is planned. Planned, it stays.

    Raises Refused where something else was marked since `seen`, the plan has ended, or they have died; NotAllowed,
    NotThere.
    """
    row = the_session(session, actor, client_id, session_id)
    if row.state == SessionState.PLANNED:
        return
    if row.marked_at != seen:
        raise changed_since()
    if session.get_one(PlanBegun, row.plan_id).ended_at is not None:
        raise Refused(Refusal("plan-ended", "This plan has ended.", "Take that back first: its sessions follow."))
    refuse_dead(session, client_id)
    was = row.state
    _plan_again(session, actor, client_id, [row], why, at)
    for task in tasks_of(session, client_id=client_id):
        if task.sentence == asks(row):
            finish_task(session, actor=actor, task_id=task.id, outcome=_TASK_OVER, at=at)
    details = {"session": row.id, "was": was, "why": why.value}
    _write_down(session, actor, "took mark of session back", client_id, at, details)


def reopen_plan(
    session: WriteSession, *, actor: Actor, client_id: ClientId, plan_id: UUID, seen: datetime, why: Wrong, at: datetime
) -> None:
    """That a plan was ended is taken back: what was called off with it is planned again on its days.

    What had been marked before stays as it was marked. Running already, it stays. Raises Refused where it was ended
    anew since `seen`, or they have died; NotAllowed, NotThere.
    """
    refuse_who_holds_none(actor)
    lock_client(session, client_id, actor.site_id)
    begun = session.get(PlanBegun, plan_id, with_for_update=True)
    if begun is None or begun.client_id != client_id:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Look at the client's page again."))
    if begun.ended_at is None:
        return
    if begun.ended_at != seen:
        raise changed_since()
    refuse_dead(session, client_id)
    with_it = session.scalars(
        select(PlanSession)
        .where(
            PlanSession.plan_id == plan_id,
            PlanSession.state == SessionState.CALLED_OFF.value,
            PlanSession.marked_at == begun.ended_at,
        )
        .order_by(PlanSession.seq)
        .with_for_update()
    ).all()
    keep_taken_back(
        session,
        actor=actor,
        client_id=client_id,
        thing=PLAN,
        thing_id=plan_id,
        was="ended",
        said_at=begun.ended_at,
        said_by=begun.ended_by,
        why=why,
        at=at,
    )
    begun.ended_at, begun.ended_by = None, None
    session.flush()
    _plan_again(session, actor, client_id, with_it, why, at)
    details = {"plan": plan_id, "sessions": len(with_it), "why": why.value}
    _write_down(session, actor, "took end of sessions back", client_id, at, details)


def _plan_again(
    session: WriteSession, actor: Actor, client_id: ClientId, rows: Sequence[PlanSession], why: Wrong, at: datetime
) -> None:
    for row in rows:
        keep_taken_back(
            session,
            actor=actor,
            client_id=client_id,
            thing=SESSION,
            thing_id=row.id,
            was=row.state,
            said_at=row.marked_at,
            said_by=row.marked_by,
            why=why,
            at=at,
        )
        row.state, row.marked_at, row.marked_by = SessionState.PLANNED.value, None, None
    session.flush()


def _write_down(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
