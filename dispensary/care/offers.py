"""Offers: what a pathway opens is offered, and the client takes it or not. A no is written down and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.care.offer_models import Answer, PathwaySetting, ServiceOffer
from dispensary.care.own_documents import pathways_there
from dispensary.care.pathways import Offer, Pathway, opened_by
from dispensary.care.screening_models import ScreeningTaken
from dispensary.care.screenings import Taken
from dispensary.clients.homes import clients_of
from dispensary.clients.living import alive
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId


def followed(session: ReadSession, *, site_id: SiteId) -> PathwaySetting | None:
    """What the site has set; nothing where nobody has."""
    return session.get(PathwaySetting, site_id)


def pathway_of(session: ReadSession, *, site_id: SiteId) -> Pathway | None:
    """The pathway that the site follows."""
    own = followed(session, site_id=site_id)
    return pathways_there(session).pathways.get(own.pathway) if own else None


def follow_pathway(session: WriteSession, *, actor: Actor, pathway: str, reason: str, at: datetime) -> None:
    """Has the site follow a pathway, or none. A prescriber signs for it with a reason; for a draft as for any other.

    Raises NotAllowed, or BadInput with a fault a field.
    """
    if actor.account_id is None or not actor.may(Act.ORDER):
        raise NotAllowed(Refusal("may-not-set", "A doctor of the site sets this.", "Ask one."))
    faults = []
    if pathway and pathway not in pathways_there(session).pathways:
        faults.append(Refusal("no-pathway", "There is no such pathway.", "Choose one.", field="pathway"))
    if not reason.strip():
        faults.append(Refusal("reason", "Say what it rests on.", "Name a guideline, or your reason.", field="why"))
    if faults:
        raise BadInput(*faults)
    row = session.get(PathwaySetting, actor.site_id, with_for_update=True) or PathwaySetting(site_id=actor.site_id)
    row.pathway, row.reason, row.set_by, row.set_at = pathway, reason.strip(), actor.account_id, at
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="set pathway",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"pathway": pathway},
    )


def opens(session: ReadSession, *, actor: Actor, taken: Taken) -> list[Offer]:
    """What a screening opens by the site's pathway, where the actor offers it. Nothing for one that was taken back."""
    pathway = pathway_of(session, site_id=actor.site_id)
    if pathway is None or taken.voided:
        return []
    offers = pathways_there(session).offers
    return [offers[key] for key in opened_by(pathway, taken.instrument.key, taken.scores, actor.roles)]


def offer(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    what: str,
    answer: Answer,
    screening_id: UUID | None,
    key: UUID,
    today: date,
    at: datetime,
) -> ServiceOffer:
    """Writes down that something was offered, and what the client said. The same key again is the same offer.

    Raises NotAllowed, NotThere, or BadInput for what is not among the offers.
    """
    _refuse_others(actor)
    if what not in pathways_there(session).offers:
        raise BadInput(Refusal("no-offer", "There is no such offer.", "Choose one.", field="what"))
    lock_client(session, client_id, actor.site_id)
    if screening_id is not None:
        taken = session.get(ScreeningTaken, screening_id)
        if taken is None or taken.client_id != client_id:
            raise NotThere(Refusal("no-screening", "There is no such screening.", "Look at the client's page again."))
    known = session.get(ServiceOffer, key)
    if known is not None:
        if (known.client_id, known.offered_by) != (client_id, actor.account_id):
            raise Refused(Refusal("another-form", "This form was sent before for somebody else.", "Open it anew."))
        return known
    assert actor.account_id is not None, "people offer"
    said = answer is not Answer.OPEN
    row = ServiceOffer(
        id=key,
        client_id=client_id,
        site_id=actor.site_id,
        screening_id=screening_id,
        offer=what,
        offered_on=today,
        offered_by=actor.account_id,
        offered_at=at,
        answer=answer.value,
        answered_at=at if said else None,
        answered_by=actor.account_id if said else None,
    )
    session.add(row)
    session.flush()
    _write_down(session, actor, "offered service", row, at)
    return row


def answer_offer(
    session: WriteSession, *, actor: Actor, client_id: ClientId, offer_id: UUID, answer: Answer, at: datetime
) -> ServiceOffer:
    """Writes down what a client said to an offer that was open. Answered so already, it stays.

    Raises NotAllowed, NotThere for another's or one that was answered otherwise, BadInput without an answer.
    """
    _refuse_others(actor)
    if answer is Answer.OPEN:
        raise BadInput(Refusal("no-answer", "Nothing was chosen.", "Choose yes or no.", field="answer"))
    lock_client(session, client_id, actor.site_id)
    row = session.get(ServiceOffer, offer_id, with_for_update=True)
    if row is None or row.client_id != client_id or row.answer not in ("", answer.value):
        raise NotThere(Refusal("no-offer", "There is no such open offer.", "Look at the client's page again."))
    if row.answer == "":
        row.answer, row.answered_at, row.answered_by = answer.value, at, actor.account_id
        session.flush()
        _write_down(session, actor, "noted answer to offer", row, at)
    return row


def offers_of(session: ReadSession, *, client_id: ClientId) -> Sequence[ServiceOffer]:
    """A client's offers: open ones first, then the newest."""
    chosen = select(ServiceOffer).where(ServiceOffer.client_id == client_id)
    order = (ServiceOffer.answered_at.is_not(None), ServiceOffer.offered_on.desc(), ServiceOffer.offered_at.desc())
    return session.scalars(chosen.order_by(*order)).all()


def open_offers(session: ReadSession, *, site_id: SiteId) -> Sequence[ServiceOffer]:
    """Offers of a site that clients are still thinking about, the oldest first."""
    chosen = select(ServiceOffer).where(
        ServiceOffer.client_id.in_(clients_of(site_id)),
        ServiceOffer.answered_at.is_(None),
        alive(ServiceOffer.client_id),
    )
    return session.scalars(chosen.order_by(ServiceOffer.offered_at, ServiceOffer.id)).all()


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.CARE):
        raise NotAllowed(Refusal("may-not-care", "Your work at this site does not include this.", "Ask a nurse."))


def _write_down(session: WriteSession, actor: Actor, act: str, row: ServiceOffer, at: datetime) -> None:
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="client",
        subject_id=row.client_id,
        at=at,
        details={"offer": row.id, "what": row.offer},
    )
