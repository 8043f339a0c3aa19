"""What is done about a client away from the counter, for pages and API alike: look, enrol, order, hold.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act by the same person is then found done, and is not done a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range

import notifications.service
from dispensary.clients.circumstances import Circumstances, write_down
from dispensary.clients.models import Client, Episode
from dispensary.clients.rules import ExitReason, Identity, plain_number
from dispensary.clients.service import end_episode, enrol, the_client
from dispensary.database import WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import resolve_alert
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.service import hold_doses, order_dose, release_hold
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.supplies.queries import covered_days
from dispensary.units import ClientId, Milligrams
from notifications.numbers import BadNumber
from notifications.service import UnknownLanguage


def looked_at(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime, page: str) -> None:
    """Writes down that somebody saw the client's record, and on which page. Call it last."""
    audit.record(
        session,
        actor=actor,
        act="looked at",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"page": page},
    )


@dataclass(frozen=True)
class Phone:
    """How a client is reached by text, as they said it."""

    number: str
    language: str
    consented: bool


def enrol_client(
    session: WriteSession,
    *,
    actor: Actor,
    number: str,
    identity: Identity,
    phone: Phone | None,
    region: str,
    circumstances: Circumstances,
    began_on: date,
    today: date,
    at: datetime,
) -> Client:
    """Puts a person on the record, and the phone that they can be reached at. Raises BadInput or Refused."""
    one_at_a_time = {"number": f"enrol {actor.site_id} {plain_number(number)}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:number))"), one_at_a_time)
    known = session.scalar(
        select(Client)
        .join(Episode, Episode.client_id == Client.id)
        .where(Client.site_id == actor.site_id, Client.number == plain_number(number))
        .where(Episode.enrolled_by == actor.account_id, Episode.began_on == began_on)
    )
    if known and session.vault.open("client.name", known.id, known.name_sealed) == identity.name.strip():
        return known
    client = enrol(
        session,
        actor=actor,
        number=number,
        identity=identity,
        began_on=began_on,
        today=today,
        at=at,
    )
    write_down(client, circumstances)
    session.flush()
    if phone is not None:
        reach(session, client_id=client.id, phone=phone, region=region, at=at)
    return client


def reach(session: WriteSession, *, client_id: ClientId, phone: Phone, region: str, at: datetime) -> None:
    """Keeps the number and language that a client is texted at. Raises BadInput beside the field."""
    try:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client_id,
            phone=phone.number,
            language=phone.language,
            region=region,
            now=at,
            consented=phone.consented,
        )
    except BadNumber as reason:
        raise BadInput(Refusal("bad-number", str(reason), field="phone")) from None
    except UnknownLanguage as reason:
        raise BadInput(Refusal("bad-language", str(reason), field="language")) from None


@dataclass(frozen=True)
class Wanted:
    """A dose order as it was asked for. `until_day` is the first day on which it does not count any more."""

    mg: Milligrams
    parts: Sequence[Milligrams]
    from_day: date
    until_day: date | None
    reason: str
    second_look: str = ""
    bottles_seen: bool = False


def order(
    session: WriteSession, *, actor: Actor, client_id: ClientId, wanted: Wanted, today: date, at: datetime
) -> DoseOrder:
    """Orders a dose, knowing the days for which the client has doses already. Raises BadInput or Refused."""
    the_client(session, client_id, actor.site_id)  # a repeated request waits here for the first
    portions = [Decimal(part) for part in wanted.parts or [wanted.mg]]
    same = session.scalar(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
        .where(DoseOrder.days == Range(wanted.from_day, wanted.until_day, bounds="[)"))
        .where(DoseOrder.mg == wanted.mg, DoseOrder.portions == portions)
        .where(DoseOrder.reason == wanted.reason.strip(), DoseOrder.ordered_by == actor.account_id)
    )
    return same or order_dose(
        session,
        actor=actor,
        client_id=client_id,
        mg=wanted.mg,
        parts=wanted.parts,
        from_day=wanted.from_day,
        until_day=wanted.until_day,
        reason=wanted.reason,
        second_look=wanted.second_look,
        covered_days=covered_days(session, client_id=client_id, from_day=wanted.from_day),
        bottles_seen=wanted.bottles_seen,
        today=today,
        at=at,
    )


def hold(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    until_day: date | None,
    reason: str,
    today: date,
    at: datetime,
) -> Hold:
    """Withholds doses from today or a later day on. Raises BadInput or Refused."""
    the_client(session, client_id, actor.site_id)
    if from_day < today:
        raise BadInput(
            Refusal("begins-earlier", "A hold begins today or later.", "Correct the first day.", field="from_day")
        )
    same = session.scalar(
        select(Hold)
        .where(Hold.client_id == client_id, Hold.released_at.is_(None), Hold.placed_by == actor.account_id)
        .where(Hold.days == Range(from_day, until_day, bounds="[)"), Hold.reason == reason.strip())
    )
    return same or hold_doses(
        session, actor=actor, client_id=client_id, from_day=from_day, until_day=until_day, reason=reason, at=at
    )


def release(session: WriteSession, *, actor: Actor, client_id: ClientId, hold_id: UUID, at: datetime) -> None:
    """Ends a hold. Raises NotThere when somebody else has ended it."""
    the_client(session, client_id, actor.site_id)
    held = session.get(Hold, hold_id)
    done = held is not None and held.client_id == client_id and held.released_at is not None
    if not (done and held and held.released_by == actor.account_id):
        release_hold(session, actor=actor, client_id=client_id, hold_id=hold_id, at=at)


def resolve(
    session: WriteSession, *, actor: Actor, client_id: ClientId, alert_id: UUID, resolution: str, at: datetime
) -> Alert:
    """Closes a client's alert with what was done. Raises BadInput or NotThere."""
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or alert.site_id != actor.site_id or alert.client_id != client_id:
        raise NotThere(Refusal("no-alert", "There is no such open alert.", "Look at the list again."))
    if alert.resolved_by == actor.account_id and alert.resolution == resolution.strip():
        return alert
    return resolve_alert(session, actor=actor, alert_id=alert_id, resolution=resolution, at=at)


def leave(
    session: WriteSession, *, actor: Actor, client_id: ClientId, ended_on: date, reason: ExitReason, at: datetime
) -> Episode:
    """Ends the client's running stay in treatment for a stated reason. Raises BadInput or NotThere."""
    the_client(session, client_id, actor.site_id)
    last = session.scalar(
        select(Episode)
        .where(Episode.client_id == client_id, Episode.site_id == actor.site_id)
        .order_by(Episode.began_on.desc())
        .limit(1)
    )
    if last is None:
        raise NotThere(Refusal("no-episode", "There is no running episode to end.", "Look at the client's page."))
    if (last.ended_on, last.exit_reason) == (ended_on, reason.value):
        return last
    return end_episode(session, actor=actor, episode_id=last.id, ended_on=ended_on, reason=reason, at=at)
