"""What clients wanted of what was offered, and nobody has begun: kept in sight until it begins, or they let it go.

It reminds those who offered it of their own word. Nothing else is read from it, of a yes as of a no: a client who never
takes up what they wanted is no worse off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from dispensary.care.offer_models import Answer, ServiceOffer, Settled
from dispensary.care.own_documents import pathways_there
from dispensary.care.pathways import Offer, OfferKind
from dispensary.care.referral_models import Referral
from dispensary.care.screening_models import ScreeningTaken
from dispensary.care.session_models import PlanBegun, PlanSession
from dispensary.clients.homes import clients_of
from dispensary.clients.living import alive
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId


@dataclass(frozen=True)
class Wanted:
    """A yes, and what it was said to."""

    row: ServiceOffer
    offer: Offer


def wanted_at(session: ReadSession, *, site_id: SiteId) -> list[Wanted]:
    """What clients of a site wanted and nobody has begun, the longest ago first."""
    return _wanted(session, ServiceOffer.client_id.in_(clients_of(site_id)) & alive(ServiceOffer.client_id))


def wanted_of(session: ReadSession, *, client_id: ClientId) -> list[Wanted]:
    """The same of one client. Ask for a client whom the reader may look at."""
    return _wanted(session, ServiceOffer.client_id == client_id)


def settle_offer(
    session: WriteSession, *, actor: Actor, client_id: ClientId, offer_id: UUID, how: Settled, at: datetime
) -> ServiceOffer:
    """Notes that what a client wanted was seen to, or that they want it no more, which costs them nothing.

    Settled so already, it stays. Raises NotAllowed, NotThere for another's, for what nobody said yes to, and for what
    was settled otherwise.
    """
    if actor.account_id is None or not actor.may(Act.CARE):
        raise NotAllowed(Refusal("may-not-care", "Your work at this site does not include this.", "Ask a nurse."))
    lock_client(session, client_id, actor.site_id)
    row = session.get(ServiceOffer, offer_id, with_for_update=True)
    if (
        row is None
        or row.client_id != client_id
        or row.answer != Answer.ACCEPTED.value
        or row.settled_how not in (None, how.value)
    ):
        raise NotThere(Refusal("no-offer", "There is no such open offer.", "Look at the client's page again."))
    if row.settled_at is None:
        row.settled_how, row.settled_at, row.settled_by = how.value, at, actor.account_id
        session.flush()
        audit.record(
            session,
            actor=actor,
            act="saw to offer" if how is Settled.SEEN_TO else "noted offer not wanted",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"offer": row.id, "what": row.offer},
        )
    return row


def _wanted(session: ReadSession, whose: ColumnElement[bool]) -> list[Wanted]:
    offers = pathways_there(session).offers
    waits = [each for each in offers.values() if each.kind is not OfferKind.INFORMATION]
    later = aliased(ServiceOffer)
    said_since = select(later.id).where(
        later.client_id == ServiceOffer.client_id,
        later.offer == ServiceOffer.offer,
        later.offered_at > ServiceOffer.offered_at,
    )
    chosen = select(ServiceOffer).where(
        whose,
        ServiceOffer.answer == Answer.ACCEPTED.value,
        ServiceOffer.settled_at.is_(None),
        ~said_since.exists(),  # whoever was offered it anew has answered that, or thinks about it
        or_(*(and_(ServiceOffer.offer == each.key, ~_begun(each)) for each in waits)),
    )
    rows: Sequence[ServiceOffer] = session.scalars(chosen.order_by(ServiceOffer.offered_at, ServiceOffer.id)).all()
    return [Wanted(row, offers[row.offer]) for row in rows]


def _begun(offer: Offer) -> ColumnElement[bool]:
    """Whether something of this kind began on the day of the offer or later."""
    if offer.kind is OfferKind.REFERRAL:
        return (
            select(Referral.id)
            .where(
                Referral.client_id == ServiceOffer.client_id,
                Referral.service == offer.service,
                Referral.sent_on >= ServiceOffer.offered_on,
            )
            .exists()
        )
    if offer.kind is OfferKind.SESSION:
        return (
            select(PlanSession.id)
            .join(PlanBegun, PlanBegun.id == PlanSession.plan_id)
            .where(
                PlanSession.client_id == ServiceOffer.client_id,
                PlanBegun.plan.in_(offer.plans),
                PlanSession.seq == 1,
                PlanSession.on_day >= ServiceOffer.offered_on,
            )
            .exists()
        )
    return (
        select(ScreeningTaken.id)
        .where(
            ScreeningTaken.client_id == ServiceOffer.client_id,
            ScreeningTaken.instrument.in_(offer.instruments),
            ScreeningTaken.taken_on >= ServiceOffer.offered_on,
            ScreeningTaken.voided_at.is_(None),
            ScreeningTaken.id.is_distinct_from(ServiceOffer.screening_id),  # that one led to it
        )
        .exists()
    )
