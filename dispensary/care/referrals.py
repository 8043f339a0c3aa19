"""Referrals: somebody is sent on with their consent, is asked later whether they went, and what became of it is kept.

What the client carries there is a letter in their own hand (`printing.referral_letter`), with their first name where
they wish it. Nothing is told to the place from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from dispensary.care.centres import centre_named
from dispensary.care.referral_models import Outcome, Referral, Service
from dispensary.clients.homes import clients_of
from dispensary.clients.living import alive
from dispensary.clients.service import lock_client
from dispensary.clients.tasks import finish_task, open_task, tasks_of
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, SiteId, new_id

LONGEST_PLACE = 120
ASK_AFTER = timedelta(days=14)
"""When the client is asked unless somebody says otherwise: the house's own figure."""
_LATEST = timedelta(days=366)


def refer(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    service: Service,
    place: str,
    agreed: bool,
    ask_on: date,
    today: date,
    at: datetime,
) -> Referral:
    """Refers a client, and puts on the nurses' list to ask on a day whether they went.

    The same that is open already is found, not doubled. Raises BadInput without a place or the client's consent, or for
    a day that is past or more than a year off; NotThere for another site's client.
    """
    faults = []
    named = " ".join(place.split())
    if not named or len(named) > LONGEST_PLACE:
        sentence = f"The place is missing, or longer than {LONGEST_PLACE} letters."
        faults.append(Refusal("place", sentence, "Write where they are sent.", field="place"))
    if not agreed:
        faults.append(
            Refusal(
                "agreed", "Nobody is referred without their consent.", "Ask them; a no costs nothing.", field="agreed"
            )
        )
    if not today <= ask_on <= today + _LATEST:
        faults.append(
            Refusal("ask-on", "They are asked from today on, within a year.", "Choose a day.", field="ask_on")
        )
    if faults:
        raise BadInput(*faults)
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(
        select(Referral).where(
            Referral.client_id == client_id,
            Referral.service == service.value,
            func.lower(Referral.place) == func.lower(named),
            Referral.closed_at.is_(None),
        )
    )
    if known is not None:
        return known
    assert actor.account_id is not None, "people refer"
    centre = centre_named(session, site_id=actor.site_id, name=named)
    referral = Referral(
        id=new_id(),
        client_id=client_id,
        site_id=actor.site_id,
        service=service.value,
        place=centre.name if centre else named,
        centre_id=centre.id if centre else None,
        sent_on=today,
        sent_at=at,
        sent_by=actor.account_id,
        ask_on=ask_on,
    )
    session.add(referral)
    session.flush()
    open_task(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        role=Role.NURSE,
        kind="call",
        sentence=question(referral),
        due_on=ask_on,
        opened_by=actor.account_id,
        at=at,
    )
    audit.record(
        session,
        actor=actor,
        act="referred",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"referral": referral.id, "service": service.value},
    )
    return referral


def close_referral(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    referral_id: UUID,
    outcome: Outcome,
    attended_on: date | None,
    today: date,
    at: datetime,
) -> Referral:
    """Notes what became of a referral; the question on the nurses' list is answered by it.

    Closed so already it stays as it is. Raises BadInput for a visit without a day, or on a day before the referral or
    still to come; NotThere for another client's, or one that was closed otherwise.
    """
    lock_client(session, client_id, actor.site_id)
    referral = session.get(Referral, referral_id, with_for_update=True)
    if referral is None or referral.client_id != client_id or referral.outcome not in ("", outcome.value):
        raise NotThere(Refusal("no-referral", "There is no such open referral.", "Look at the client's page again."))
    if referral.outcome == outcome.value:
        return referral
    if outcome is Outcome.ATTENDED and (attended_on is None or not referral.sent_on <= attended_on <= today):
        sentence = "The day on which they went is missing, before the referral, or still to come."
        raise BadInput(Refusal("attended-on", sentence, "Choose a day.", field="attended_on"))
    assert actor.account_id is not None, "people follow up"
    referral.outcome, referral.closed_at, referral.closed_by = outcome.value, at, actor.account_id
    referral.attended_on = attended_on if outcome is Outcome.ATTENDED else None
    session.flush()
    for task in tasks_of(session, client_id=client_id):
        if (task.sentence, task.due_on) == (question(referral), referral.ask_on):
            finish_task(session, actor=actor, task_id=task.id, outcome=outcome.value.replace("_", " "), at=at)
    audit.record(
        session,
        actor=actor,
        act="followed up referral",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"referral": referral.id, "outcome": outcome.value},
    )
    return referral


def referrals_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Referral]:
    """A client's referrals: open ones first, then the newest."""
    chosen = select(Referral).where(Referral.client_id == client_id)
    return session.scalars(
        chosen.order_by(Referral.closed_at.is_not(None), Referral.sent_on.desc(), Referral.id.desc())
    ).all()


def referral_to_print(
    session: WriteSession, *, actor: Actor, client_id: ClientId, referral_id: UUID, named: bool, at: datetime
) -> Referral:
    """A client's open referral, whose letter is printed now; the trail says so, and whether it names them.

    Raises NotThere for another client's, or one that is closed.
    """
    referral = session.get(Referral, referral_id)
    if referral is None or referral.client_id != client_id or referral.outcome:
        raise NotThere(Refusal("no-referral", "There is no such open referral.", "Look at the client's page again."))
    audit.record(
        session,
        actor=actor,
        act="printed referral letter",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"referral": referral.id, "named": named},
    )
    return referral


def waiting_referrals(session: ReadSession, *, site_id: SiteId, until: date) -> Sequence[Referral]:
    """Open referrals of a site about which a client is to be asked by a day, the longest waiting first."""
    chosen = select(Referral).where(
        Referral.client_id.in_(clients_of(site_id)),
        Referral.closed_at.is_(None),
        Referral.ask_on <= until,
        alive(Referral.client_id),
    )
    return session.scalars(chosen.order_by(Referral.ask_on, Referral.id)).all()


def question(referral: Referral) -> str:
    """What the task says by which somebody is asked whether they went."""
    return f"Ask whether they went to {referral.place} ({referral.service.replace('_', ' ')})"
