"""Signing a plan of doses as one, and ending it before its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client, the_episode
from dispensary.clients.tasks import open_task
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.chain import end_reduction, give_way
from dispensary.prescribing.course import Given
from dispensary.prescribing.drafting import Said, faults_of_whole, said_of_steps
from dispensary.prescribing.models import DoseOrder, DosePlan
from dispensary.prescribing.plans import TOPIC, Draft
from dispensary.prescribing.queries import course_of, held_by, order_on
from dispensary.prescribing.rules import JumpGuard
from dispensary.prescribing.service import (
    InHand,
    begins_well,
    bottles_in_view,
    order_dose,
    reduction_goes_on,
)
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, Milligrams, SiteId, plain


def sign_plan(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    draft: Draft,
    reason: str,
    last_given: Given | None = None,
    in_hand: InHand,
    today: date,
    at: datetime,
) -> DosePlan:
    """Signs the steps of a plan as one: an order for each, from its first day to the next one's, and the last onward.

    All orders come in this one unit, without overlap and without a gap; what was ordered from the first day on gives
    way, less that was agreed by telephone ends, and each review that a step brings is a task for a doctor. Every step
    is held against the guideline and the guard against slips as though the one before had been taken; a step outside
    asks for its reason, which is kept, and a hard limit is refused. Raises BadInput with every fault, or Refused.
    """
    client = the_client(session, client_id, actor.site_id)
    if not draft.steps:
        raise BadInput(*faults_of_whole(draft, held_by(session, site_id=actor.site_id, day=today)))
    first_day = draft.steps[0].first_day
    episode = the_episode(session, client.id, first_day)
    held = held_by(session, site_id=actor.site_id, day=first_day)
    said = said_of_draft(session, episode_id=episode.id, site_id=actor.site_id, draft=draft, last_given=last_given)
    at_the_start = (
        begins_well(first_day, None, today, in_hand),
        bottles_in_view(first_day, in_hand),
        reduction_goes_on(session, client_id, first_day, today, in_hand),
    )
    faults = [
        *(_on_first_step(fault) for fault in at_the_start if fault),
        *faults_of_whole(draft, held),
        *(fault for one in said for fault in one.refusals),
    ]
    if not reason.strip():
        faults.append(Refusal("reason", "The reason is missing.", "Say why.", field="reason"))
    if faults:
        raise BadInput(*faults)
    give_way(session, client_id, episode.id, first_day, actor=actor, at=at)
    guideline = held.of(TOPIC[draft.kind])
    plan = DosePlan(
        episode_id=episode.id,
        client_id=client_id,
        site_id=actor.site_id,
        kind=draft.kind.value,
        guideline=guideline.guideline if guideline else None,
        guideline_version=guideline.version if guideline else None,
        steps=[one.kept(step) for one, step in zip(said, draft.steps, strict=True)],
        reason=reason.strip(),
        signed_by=actor.account_id,
        signed_at=at,
    )
    session.add(plan)
    session.flush()
    orders = _orders_of(plan, draft, actor, at)
    session.add_all(orders)
    session.flush()
    end_reduction(session, client_id=client_id, at=at, order=orders[0])
    _open_reviews(session, actor, client_id, said, at)
    details = {
        "plan": plan.id,
        "kind": plan.kind,
        "steps": [{"from": step["from"], "mg": step["mg"], "why": step["why"]} for step in plan.steps],
        "until": draft.until_day,
        "guideline": plan.guideline,
        "outside": draft.outside.strip(),
        "called_back": in_hand.called_back,
    }
    audit.record(
        session, actor=actor, act="signed plan", subject="client", subject_id=client_id, at=at, details=details
    )
    return plan


def said_of_draft(
    session: ReadSession, *, episode_id: UUID, site_id: SiteId, draft: Draft, last_given: Given | None
) -> list[Said]:
    """What is said of each step before it is signed, and what will be when it is; nothing for a plan without steps."""
    if not draft.steps:
        return []
    site = session.get_one(Site, site_id)
    return said_of_steps(
        draft,
        course_of(session, episode_id=episode_id, last_given=last_given),
        held_by(session, site_id=site_id, day=draft.steps[0].first_day),
        JumpGuard(site.jump_percent, site.jump_mg),
    )


def stop_plan(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    plan_id: UUID,
    from_day: date,
    until_day: date | None = None,
    reason: str,
    second_look: str = "",
    outside: str = "",
    last_given: Given | None = None,
    in_hand: InHand,
    today: date,
    at: datetime,
) -> DoseOrder:
    """A plan goes no further: from a day on the dose stays what it is on the day before, and later steps are set aside.

    It is an order like any other, with its reason, so that no day is left without one. Reviews of steps that are not
    taken are no tasks any more. To give no dose at all, the order is stopped. Raises NotThere for a plan of somebody
    else, Refused when none of its days is left or nothing is ordered on the day before, and what an order raises.
    """
    the_client(session, client_id, actor.site_id)
    plan = session.get(DosePlan, plan_id)
    if plan is None or plan.client_id != client_id:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Look at the client's page."))
    if not reaching(session, plan_id=plan_id, day=from_day):
        raise Refused(
            Refusal(
                "plan-over",
                f"No day of this plan is left from {from_day} on.",
                "Look at the orders.",
                {"from": from_day},
            )
        )
    goes_on = order_on(session, client_id=client_id, day=from_day - timedelta(days=1))
    if goes_on is None:
        raise Refused(
            Refusal(
                "plan-no-dose-before",
                f"Nothing is ordered on the day before {from_day}, so that no dose can go on.",
                "Stop the order, or order a dose.",
                {"from": from_day},
                field="plan_from",
            )
        )
    order = order_dose(
        session,
        actor=actor,
        client_id=client_id,
        mg=Milligrams(goes_on.mg),
        parts=[Milligrams(part) for part in goes_on.portions],
        places=goes_on.places,
        from_day=from_day,
        until_day=until_day,
        reason=reason,
        second_look=second_look,
        outside=outside,
        last_given=last_given,
        covered_days=in_hand.covered,
        bottles_seen=in_hand.seen,
        called_back=in_hand.called_back,
        today=today,
        at=at,
    )
    details = {"plan": plan_id, "from": from_day, "mg": plain(order.mg), "reason": reason.strip()}
    audit.record(
        session, actor=actor, act="stopped plan", subject="client", subject_id=client_id, at=at, details=details
    )
    return order


def reaching(session: ReadSession, *, plan_id: UUID, day: date) -> Sequence[DoseOrder]:
    """The orders of a plan that count on a day or later, the first to begin first."""
    return session.scalars(
        select(DoseOrder)
        .where(DoseOrder.plan_id == plan_id, DoseOrder.voided_at.is_(None))
        .where(func.coalesce(func.upper(DoseOrder.days), date.max) > day)
        .order_by(func.lower(DoseOrder.days))
    ).all()


def _on_first_step(fault: Refusal) -> Refusal:
    return replace(fault, field="day_0") if fault.field == "from_day" else fault


def _orders_of(plan: DosePlan, draft: Draft, actor: Actor, at: datetime) -> list[DoseOrder]:
    """An order for each step; each gives way to the next, and the last ends as the plan does."""
    orders = []
    for step, after in zip_longest(draft.steps, draft.steps[1:]):
        until = after.first_day if after else draft.until_day
        ends = "superseded" if after else "as_written" if until else None
        orders.append(
            DoseOrder(
                episode_id=plan.episode_id,
                client_id=plan.client_id,
                site_id=plan.site_id,
                days=Range(step.first_day, until, bounds="[)"),
                mg=step.mg,
                portions=[Decimal(part) for part in step.parts or (step.mg,)],
                places=list(step.places) or None,
                plan_id=plan.id,
                end_reason=ends,
                ended_at=at if ends else None,
                reason=plan.reason,
                ordered_by=actor.account_id,
                ordered_at=at,
            )
        )
    return orders


def _open_reviews(session: WriteSession, actor: Actor, client_id: ClientId, said: Sequence[Said], at: datetime) -> None:
    for review in (review for one in said for review in one.reviews):
        open_task(
            session,
            site_id=actor.site_id,
            client_id=client_id,
            role=Role.DOCTOR,
            kind="review",
            sentence=review.sentence,
            due_on=review.due,
            opened_by=actor.account_id,
            at=at,
        )
