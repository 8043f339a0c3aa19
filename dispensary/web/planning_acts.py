"""Acts on a client's plans of doses, for pages and API alike: sign one, end one before its time.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act by the same person is then found done, and is not done a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.chain import running_on
from dispensary.prescribing.drafting import Said
from dispensary.prescribing.models import DoseOrder, DosePlan
from dispensary.prescribing.planning import reaching, said_of_draft, sign_plan, stop_plan
from dispensary.prescribing.plans import Draft
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies.queries import covered_days
from dispensary.units import ClientId, plain
from dispensary.web.dosing_acts import Bottles, call_back_earlier, last_given, refuse_ordered_since


@dataclass(frozen=True)
class Ending:
    """How a plan ends before its time: from this day on the dose stays as it is on the day before."""

    from_day: date
    until_day: date | None
    reason: str
    second_look: str = ""
    outside: str = ""


def sign(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    draft: Draft,
    reason: str,
    bottles: Bottles = Bottles.UNSAID,
    today: date,
    at: datetime,
) -> DosePlan:
    """Signs a plan, knowing the days for which the client has doses already, and calls bottles back where asked.

    Raises BadInput or Refused, and then nothing is ordered and nothing called back.
    """
    the_client(session, client_id, actor.site_id)  # a repeated request waits here for the first
    same = _same_plan(session, actor, client_id, draft, reason)
    if same is not None and _stands(session, same, draft):
        return same
    if same is not None:
        from_day = draft.steps[0].first_day
        refuse_ordered_since(session, client_id=client_id, from_day=from_day, ordered_at=same.signed_at)
    first = draft.steps[0].first_day if draft.steps else today
    given = last_given(session, client_id=client_id, before=first)
    covered = covered_days(session, client_id=client_id, from_day=today)
    plan = sign_plan(
        session,
        actor=actor,
        client_id=client_id,
        draft=draft,
        reason=reason,
        last_given=given,
        in_hand=bottles.in_hand(covered),
        today=today,
        at=at,
    )
    call_back_earlier(
        session,
        actor=actor,
        client_id=client_id,
        bottles=bottles,
        given=given,
        covered=covered,
        from_day=first,
        today=today,
        at=at,
    )
    return plan


def look(session: ReadSession, *, actor: Actor, client_id: ClientId, episode_id: UUID, draft: Draft) -> list[Said]:
    """What is said of each step of a plan that nobody has signed yet."""
    given = last_given(session, client_id=client_id, before=draft.steps[0].first_day) if draft.steps else None
    return said_of_draft(session, episode_id=episode_id, site_id=actor.site_id, draft=draft, last_given=given)


def stop(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    plan_id: UUID,
    ending: Ending,
    bottles: Bottles = Bottles.UNSAID,
    today: date,
    at: datetime,
) -> DoseOrder:
    """Ends a plan: the dose stays what it is on the day before. Raises BadInput, Refused or NotThere."""
    the_client(session, client_id, actor.site_id)
    plan = session.get(DosePlan, plan_id)
    if plan is None or plan.client_id != client_id:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Look at the client's page."))
    same = session.scalar(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None), DoseOrder.plan_id.is_(None))
        .where(func.lower(DoseOrder.days) == ending.from_day)
        .where(func.upper(DoseOrder.days).is_not_distinct_from(ending.until_day))
        .where(DoseOrder.ordered_by == actor.account_id)
        .where(DoseOrder.reason == ending.reason.strip())
    )
    if same is not None and not reaching(session, plan_id=plan_id, day=ending.from_day):
        return same
    given = last_given(session, client_id=client_id, before=ending.from_day)
    covered = covered_days(session, client_id=client_id, from_day=today)
    order = stop_plan(
        session,
        actor=actor,
        client_id=client_id,
        plan_id=plan_id,
        from_day=ending.from_day,
        until_day=ending.until_day,
        reason=ending.reason,
        second_look=ending.second_look,
        outside=ending.outside,
        last_given=given,
        in_hand=bottles.in_hand(covered),
        today=today,
        at=at,
    )
    call_back_earlier(
        session,
        actor=actor,
        client_id=client_id,
        bottles=bottles,
        given=given,
        covered=covered,
        from_day=ending.from_day,
        today=today,
        at=at,
    )
    return order


def _same_plan(session: ReadSession, actor: Actor, client_id: ClientId, draft: Draft, reason: str) -> DosePlan | None:
    """The newest plan of the same steps that this person signed in the same words, whatever became of it."""
    if not draft.steps:
        return None
    signed = session.scalars(
        select(DosePlan)
        .where(DosePlan.client_id == client_id, DosePlan.signed_by == actor.account_id)
        .where(DosePlan.kind == draft.kind.value, DosePlan.reason == reason.strip())
        .order_by(DosePlan.signed_at.desc(), DosePlan.id.desc())
    )
    return next((plan for plan in signed if _as_kept(plan) == _as_drafted(draft)), None)


def _stands(session: ReadSession, plan: DosePlan, draft: Draft) -> bool:
    """Whether a plan still is all that was drafted: each of its orders, to the same last day, and nothing after it."""
    orders = reaching(session, plan_id=plan.id, day=draft.steps[0].first_day)
    if len(orders) != len(draft.steps) or orders[-1].end_reason not in (None, "as_written"):
        return False
    if orders[-1].days.upper != draft.until_day:
        return False
    return draft.until_day is None or running_on(session, client_id=plan.client_id, day=draft.until_day) is None


def _as_kept(plan: DosePlan) -> list[tuple[object, ...]]:
    return [(step["from"], step["mg"], tuple(step["portions"]), tuple(step["places"])) for step in plan.steps]


def _as_drafted(draft: Draft) -> Sequence[tuple[object, ...]]:
    return [
        (step.first_day.isoformat(), plain(step.mg), tuple(plain(part) for part in step.parts), tuple(step.places))
        for step in draft.steps
    ]
