"""The rows of exceptions: written once for a key, locked after their client, closed with the day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select, update

from dispensary.clients.guests import lock_for_record
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.guideline import Ruling
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.supplies.exceptions_rules import SEEN_AGAIN, ExceptionKind
from dispensary.supplies.models import Dose, DoseException
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, SiteId, new_id


def cause_of(about: DoseException) -> str:
    """The cause of the alert that a wrong dose opens."""
    return f"wrong dose:{about.id}"


def seen_again(
    session: WriteSession, *, actor: Actor, client_id: ClientId, outcome: str, today: DoseDay, at: datetime
) -> int:
    """Closes what waited for the client to be seen again today; gives how many. Part of an act with its own entry."""
    closed = session.execute(
        update(DoseException)
        .where(DoseException.client_id == client_id, DoseException.dose_day == today)
        .where(DoseException.closed_at.is_(None), DoseException.kind.in_(SEEN_AGAIN))
        .values(closed_by=actor.account_id, closed_at=at, outcome=outcome)
        .execution_options(synchronize_session=False)
        .returning(DoseException.id)
    )
    return len(closed.all())


def not_seen_again(session: WriteSession, *, actor: Actor, day: DoseDay, at: datetime) -> None:
    """Closes, with the day, what still waited for a client of the actor's site to be seen again."""
    session.execute(
        update(DoseException)
        .where(DoseException.site_id == actor.site_id, DoseException.dose_day <= day)
        .where(DoseException.closed_at.is_(None), DoseException.kind.in_(SEEN_AGAIN))
        .values(closed_by=actor.account_id, closed_at=at, outcome="not seen again that day")
        .execution_options(synchronize_session=False)
    )


def write_exception(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: ExceptionKind,
    key: str,
    details: Mapping[str, Any],
    ruling: Ruling | None = None,
    dose_id: UUID | None = None,
    prescriber_id: AccountId | None = None,
    said: str = "",
    allowed_mg: Milligrams | None = None,
    observe_until: datetime | None = None,
    blocks: bool = False,
    outcome: str = "",
    today: DoseDay,
    at: datetime,
) -> DoseException:
    """The row and its entry in the audit trail. With an outcome it is closed from the beginning."""
    about = DoseException(
        id=exception_id_of(actor.site_id, client_id, key) if key else new_id(),
        site_id=actor.site_id,
        client_id=client_id,
        dose_day=today,
        kind=kind.value,
        dose_id=dose_id,
        details=dict(details),
        ruling=ruling.as_json() if ruling else None,
        prescriber_id=prescriber_id,
        said=said.strip(),
        allowed_mg=allowed_mg,
        observe_until=observe_until,
        blocks=blocks,
        recorded_by=actor.account_id,
        recorded_at=at,
        closed_by=actor.account_id if outcome else None,
        closed_at=at if outcome else None,
        outcome=outcome,
    )
    session.add(about)
    session.flush()
    act = "withheld for now" if kind is ExceptionKind.INTOXICATED else f"noted {kind.value.replace('_', ' ')}"
    noted = {"exception": about.id, "day": today}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=noted)
    return about


def exception_id_of(site_id: SiteId, client_id: ClientId, key: str) -> UUID:
    """The id that an exception with this key has: written again, it is the same row."""
    return uuid5(site_id, f"{client_id}:{key}")


def known_exception(
    session: ReadSession, actor: Actor, client_id: ClientId, key: str, kind: ExceptionKind
) -> DoseException | None:
    """What was written under this key before. Raises Refused when that is of another kind: nothing is passed over."""
    known = session.get(DoseException, exception_id_of(actor.site_id, client_id, key)) if key else None
    if known is not None and known.kind != kind:
        raise Refused(
            Refusal(
                "key-reused",
                "This key belongs to something else that was written down.",
                "Open the client again and look at what was not as usual today.",
                {"exception": known.id},
            )
        )
    return known


def the_dose(session: ReadSession, actor: Actor, *, client_id: ClientId, dose_id: UUID, today: DoseDay) -> Dose:
    """A dose that the client has for today, given at this site. Raises NotThere, or Refused for another site's."""
    dose = session.scalar(
        select(Dose).where(
            Dose.id == dose_id, Dose.client_id == client_id, Dose.dose_day == today, Dose.voided_at.is_(None)
        )
    )
    if dose is None:
        raise NotThere(Refusal("no-dose", "The client has no such dose today.", "Open the client again."))
    if dose.site_id != actor.site_id:
        raise Refused(
            Refusal(
                "given-elsewhere",
                "This dose was given at another site.",
                "Call the prescriber, and let the other site write it down.",
                {"dose": dose.id},
            )
        )
    return dose


def locked_exception(session: WriteSession, actor: Actor, exception_id: UUID) -> DoseException:
    """The exception, after its client is locked: the order in which every act at the counter locks.

    What happened at another site's counter is answered and closed there, or at the client's home.
    """
    client_id = session.scalar(
        select(DoseException.client_id)
        .join(Client, Client.id == DoseException.client_id)
        .where(DoseException.id == exception_id)
        .where((DoseException.site_id == actor.site_id) | (Client.site_id == actor.site_id))
    )
    if client_id is None:
        raise NotThere(Refusal("no-exception", "There is no such thing to answer here.", "Open the client again."))
    lock_for_record(session, ClientId(client_id))
    return session.scalars(
        select(DoseException)
        .where(DoseException.id == exception_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def still_open(about: DoseException) -> None:
    if about.closed_at is not None:
        raise Refused(
            Refusal("closed-already", "This is closed.", "Open the client again.", {"outcome": about.outcome})
        )
