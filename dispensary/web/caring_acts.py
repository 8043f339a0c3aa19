"""What is done around a client's doses away from the counter: an order is stopped, printed, a stay begins again.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act is then found done, and is not done a second time.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.prescribing.chain import running_on
from dispensary.prescribing.models import DoseOrder
from dispensary.prescribing.queries import order_on
from dispensary.prescribing.service import stop_order
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.supplies.printing.prescription import prescription_pdf
from dispensary.supplies.queries import covered_days
from dispensary.supplies.recalls import call_back
from dispensary.units import ClientId
from dispensary.web.dosing_acts import BRING_WITHIN, Bottles


def stop(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    order_id: UUID | None = None,
    from_day: date,
    reason: str,
    seen: UUID | None = None,
    bottles: Bottles = Bottles.UNSAID,
    today: date,
    at: datetime,
) -> None:
    """Stops what is ordered from a day on, a gap that somebody chose; bottles for its days are called back where asked.

    With `order_id` it is that order which must count on the day; with `seen`, the newest order that somebody looked at,
    nothing may have been ordered after it. Raises BadInput, NotThere, or Refused for an order that nobody looked at.
    """
    lock_client(session, client_id, actor.site_id)  # a repeated request waits here for the first
    set_aside = DoseOrder.voided_at.is_not(None) & (func.lower(DoseOrder.days) == from_day)
    cut = DoseOrder.voided_at.is_(None) & (func.upper(DoseOrder.days) == from_day) & (DoseOrder.end_reason == "stopped")
    stopped = select(DoseOrder.id).where(DoseOrder.client_id == client_id, set_aside | cut)
    if order_id is not None:
        stopped = stopped.where(DoseOrder.id == order_id)
    ahead = running_on(session, client_id=client_id, day=from_day)  # ordered again since, it is to be stopped again
    if from_day >= today and ahead is None and session.scalar(stopped.limit(1)):
        return
    since = select(DoseOrder.id).where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
    if seen is not None and session.scalar(since.where(DoseOrder.id > seen).limit(1)):
        raise Refused(
            Refusal(
                "ordered-since",
                "A dose was ordered since this page was opened: nothing was stopped.",
                "Look at the order as it is now, and stop it if it is still meant.",
                field="stop_from",
            )
        )
    ordered = order_on(session, client_id=client_id, day=from_day)
    if order_id is not None and (ordered is None or ordered.id != order_id):
        raise NotThere(Refusal("no-order", "This order is not in force on that day.", "Look at the orders."))
    in_hand = bottles.in_hand(covered_days(session, client_id=client_id, from_day=today))
    stop_order(
        session,
        actor=actor,
        client_id=client_id,
        from_day=from_day,
        reason=reason,
        covered_days=in_hand.covered,
        called_back=in_hand.called_back,
        bottles_seen=in_hand.seen,
        today=today,
        at=at,
    )
    if bottles is Bottles.CALL_BACK and any(day > today for day in in_hand.covered):
        call_back(
            session,
            actor=actor,
            client_id=client_id,
            cause="stopped",
            from_day=from_day,
            bring_by=today + BRING_WITHIN,
            at=at,
        )


def printed_order(
    session: WriteSession, *, actor: Actor, client_id: ClientId, order_id: UUID, today: date, at: datetime
) -> tuple[str, bytes]:
    """A file name without the client's name, and the PDF of an order. Who printed it is in the audit trail.

    Raises NotThere for an order of another client or site.
    """
    content = prescription_pdf(
        session,
        site=session.get_one(Site, actor.site_id),
        client_id=client_id,
        order_id=order_id,
        today=today,
        printed_at=at,
        printed_by=actor.name,
    )
    number = session.get_one(Client, client_id).number
    audit.record(
        session,
        actor=actor,
        act="printed order",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"order": order_id},
    )
    return f"order-{number}-{today}.pdf", content
