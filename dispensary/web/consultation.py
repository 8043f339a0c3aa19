"""What is done about a client away from the counter, for pages and API alike: look, enrol, order, hold.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act by the same person is then found done, and is not done a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text

import notifications.service
from dispensary.clients.circumstances import FARTHEST_KM, Circumstances, write_down
from dispensary.clients.models import Client, Episode
from dispensary.clients.rules import EntryRoute, Identity, plain_number
from dispensary.clients.service import enrol
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import WriteSession
from dispensary.looks.asking import with_reason
from dispensary.monitoring.doubles import look_for
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import resolve_alert
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from dispensary.web.typed import Typed
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
        details=with_reason({"page": page}),
    )


def looked_at_list(session: WriteSession, *, actor: Actor, at: datetime, which: str, clients: int) -> None:
    """Writes down that somebody saw a list with the names of so many clients."""
    audit.record(
        session,
        actor=actor,
        act="looked at list",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"list": which, "clients": clients},
    )


def looked_at_lists(session: WriteSession, *, actor: Actor, at: datetime, which: str) -> None:
    """Writes down that somebody saw a list of health of the whole site: names beside what is known of them."""
    audit.record(
        session,
        actor=actor,
        act="looked at health lists",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"list": which},
    )


def circumstances_of(typed: Typed) -> Circumstances:
    """The seven answers as a form has them (`consulting/told.html`); each may be left as not asked."""
    return Circumstances(
        lockbox=typed.yes_no("lockbox"),
        housing_stable=typed.yes_no("housing_stable"),
        employed=typed.yes_no("employed"),
        health_stable=typed.yes_no("health_stable"),
        children_at_home=typed.yes_no("children_at_home"),
        guardian=typed.yes_no("guardian"),
        distance_km=typed.whole_or_none("distance_km", 0, FARTHEST_KM),
    )


@dataclass(frozen=True)
class Phone:
    """How a client is reached by text, as they said it."""

    number: str
    language: str
    consented: bool
    wishes: Wishes | None = None
    """Which texts they want, when they were asked; else the most careful answer holds."""


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
    route: EntryRoute | None = None,
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
        route=route,
    )
    write_down(client, circumstances)
    session.flush()
    if phone is not None:
        reach(session, client_id=client.id, phone=phone, region=region, at=at)
        if phone.consented and phone.wishes is not None:
            set_wishes(session, actor=actor, client_id=client.id, wishes=phone.wishes, at=at)
    look_for(session, actor=actor, client_id=ClientId(client.id), at=at)
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
            place_id=session.get_one(Client, client_id).site_id,
        )
    except BadNumber as reason:
        raise BadInput(Refusal("bad-number", str(reason), field="phone")) from None
    except UnknownLanguage as reason:
        raise BadInput(Refusal("bad-language", str(reason), field="language")) from None


def resolve(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    alert_id: UUID,
    resolution: str,
    at: datetime,
    dismissed: bool = False,
) -> Alert:
    """Closes a client's alert with what was done, or why it was not worth acting on. Raises BadInput or NotThere."""
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or alert.site_id != actor.site_id or alert.client_id != client_id:
        raise NotThere(Refusal("no-alert", "There is no such open alert.", "Look at the list again."))
    if (alert.resolved_by, alert.resolution, alert.dismissed) == (actor.account_id, resolution.strip(), dismissed):
        return alert
    return resolve_alert(session, actor=actor, alert_id=alert_id, resolution=resolution, dismissed=dismissed, at=at)
