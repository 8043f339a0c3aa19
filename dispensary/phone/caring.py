"""A text to somebody who has not come for some days: that they are welcome, and can say that they would like to talk.

It names no drug, no dose, no illness and no kind of place, asks for nothing, and goes once in an absence.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.queries
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contact_rules import text_due
from dispensary.clients.contacts import follow_up_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.supplies.away import Away, who_is_away
from dispensary.units import ClientId
from notifications.models import Message, State
from notifications.sealing import forgotten_reason
from scheduling.rules import moment_of

KIND: Final = "caring"


def reason_of(client_id: ClientId, last_day: date) -> str:
    """What a text of care is about, and the moment: one absence, which begins after the last day before it."""
    return f"caring:{client_id}:{last_day}"


def tell_stopped(session: WriteSession, *, site: Place, now: datetime) -> int:
    """From the day on that the site has set, once it has opened, writes to whoever stopped coming; says to how many.

    To those alone who want to hear that they were missed, whom nobody has reached since or decided to leave in peace,
    and who are not withheld a dose. Not on a day on which the site is closed.
    """
    day = scheduling.queries.day_at(session, site.id, now)
    hours = scheduling.queries.opening_times(session, site.id, day)
    opens = moment_of(datetime.combine(day, hours[0].opens), ZoneInfo(site.zone)) if hours else None
    if opens is None or now < opens:
        return 0
    follow_up = follow_up_of(session, site.id)
    if follow_up.text_day is None:
        return 0
    away = who_is_away(session, site_id=site.id, today=site.dose_day(now), least=follow_up.text_day)
    return sum(
        _write(session, site, each, now)
        for each in away
        if text_due(follow_up, days=each.days) and not each.held and not _reached_since(session, each, site)
    )


def write_to(session: WriteSession, *, actor: Actor, site: Place, away: Away, now: datetime) -> None:
    """Writes to one of them because somebody chose to; once in an absence.

    Raises Refused where they get no texts, or did not want to hear that they were missed, NotThere.
    """
    lock_client(session, away.client_id, actor.site_id)
    if texted(session, [away]):
        return
    if not _write(session, site, away, now):
        sentence = "They get no texts, or did not want to hear that they were missed."
        raise Refused(Refusal("no-caring-text", sentence, "Call them, or have their peer worker ask.", field="text"))
    audit.record(
        session, actor=actor, act="sent caring text", subject="client", subject_id=away.client_id, at=now, details={}
    )


def texted(session: ReadSession, away: Collection[Away]) -> dict[ClientId, State]:
    """To whom of these a text of this absence was queued, and how far it has come."""
    keys = {reason_of(each.client_id, each.last_day): each.client_id for each in away}
    keys |= {forgotten_reason(session.vault, key): client_id for key, client_id in keys.items()}
    queued = select(Message.reason_key, Message.state).where(Message.reason_key.in_(keys))
    return {keys[key]: State(state) for key, state in session.execute(queued)}


def _write(session: WriteSession, site: Place, away: Away, now: datetime) -> bool:
    message = notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=away.client_id,
        kind=KIND,
        reason_key=reason_of(away.client_id, away.last_day),
        fields={},
        zone=ZoneInfo(site.zone),
        now=now,
        valid_until=site.window_of(site.dose_day(now))[1],
    )
    return message is not None


def _reached_since(session: ReadSession, away: Away, site: Place) -> bool:
    since = site.window_of(away.last_day)[1]
    noted = select(ContactNote.reached, ContactNote.stops).where(
        ContactNote.client_id == away.client_id, ContactNote.at >= since, ContactNote.voided_at.is_(None)
    )
    contacts = session.execute(noted.order_by(ContactNote.at.desc(), ContactNote.id)).all()
    return any(each.reached for each in contacts) or bool(contacts and contacts[0].stops)
