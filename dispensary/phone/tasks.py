"""What the phone line leaves for a person to do at the front desk, until somebody says how it was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

import notifications.queries
from dispensary.clients.living import alive
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert, resolve_alert
from dispensary.phone.talk import Writer
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, SiteId
from notifications.service import OPTED_OUT as NOT_SENT_BECAUSE_OPTED_OUT
from notifications.service import WITHDRAWN

ASKS: Final = "text: wants a word"
WHOSE: Final = "text: shared phone"
SHUT: Final = "text: closure not told"
OPEN_AGAIN: Final = "text: open again"
MOVED: Final = "text: moved, not told"
NOWHERE: Final = "text: closed, no other time"
BACK: Final = "text: their day is open again"
NOT_RECEIVED: Final = "text: not received"
OPTED_OUT: Final = "text: opted out"
OFFERED: Final = "text: place offered"
NOT_BOOKED: Final = "text: weekly time full"
GUESSED: Final = "text: wrong PINs"
NEW_NUMBER: Final = "text: another number"
TALK: Final = "text: would like to talk"
SEE_FIRST: Final = "text: see reception first"
SENT_FIRST: Final = "text: sent to reception first"
"""The causes of these alerts, once each for a client while it is open."""

LOOK_BACK: Final = timedelta(days=7)
"""A text that was lost longer ago than this is told to nobody any more."""

NOT_MISSED: Final = frozenset(("missed_today", "caring", "news", "feedback_visit"))
"""The kinds of texts that nobody need be told of when they were lost."""

_SENTENCES: Final = {
    TALK: "Answered a text that they would like to talk. Call them today, or ask the nurse to.",
    SEE_FIRST: "Is to see you before they queue.",
    SENT_FIRST: "Was asked by text to see you before they queue. Ask the counter who wants a word with them first.",
    ASKS: "Wrote texts that were not understood. Ask what they need.",
    WHOSE: "Shares a phone, and a text did not say for whom it was. Ask them to write their card number with it.",
    SHUT: "Is booked on days that were closed, and could not be told by text.",
    OPEN_AGAIN: "Is booked on days that were closed and are open again. Tell them that they can come.",
    MOVED: "Was moved to another time because their day was closed, and gets no texts. Tell them when they are booked.",
    NOWHERE: "Is booked on a day that was closed, and no other time was found for them. Call them before that day.",
    BACK: "Was moved because their day was closed, and it is open again. Ask whether they want their old time back.",
    OFFERED: "A place that they wait for is kept for them, and they get no texts. Call them: see the waiting list.",
    NOT_BOOKED: "Their weekly time is full on a day soon, and they get no texts. Tell them, and find another time.",
    GUESSED: "Five wrong PINs came from their number. Ask whether it was them, and set a new PIN with them.",
    NEW_NUMBER: "Changed their number by text. Ask whether it was them.",
    NOT_RECEIVED: "Did not get a text from us. Tell them some other way, and check their number.",
    OPTED_OUT: "Wrote that they want no more texts. Their bookings stand.",
}


@dataclass(frozen=True)
class Task:
    """One thing to do about one client. The cause and the client name it."""

    cause: str
    client_id: ClientId
    since: datetime
    sentence: str


def ask_human(session: WriteSession, *, writers: Sequence[Writer], at: datetime) -> None:
    """Several texts in a row were not understood: a person shall ask."""
    for writer in writers:
        leave_task(session, cause=ASKS, client_id=writer.client_id, site_id=writer.place.id, at=at)


def ask_whose(session: WriteSession, *, writers: Sequence[Writer], at: datetime) -> None:
    """A text from a shared phone did not say for whom it was: a person shall explain how to."""
    for writer in writers:
        leave_task(session, cause=WHOSE, client_id=writer.client_id, site_id=writer.place.id, at=at)


def ask_of_guesses(session: WriteSession, *, writers: Sequence[Writer], at: datetime) -> None:
    """Too many wrong PINs came from a number: a person shall ask those whose it is."""
    for writer in writers:
        leave_task(session, cause=GUESSED, client_id=writer.client_id, site_id=writer.place.id, at=at)


def leave_task(
    session: WriteSession, *, cause: str, client_id: ClientId, site_id: SiteId, at: datetime, sentence: str = ""
) -> None:
    """Puts a task on the list of the client's front desk, unless it stands there; in its own words where it has any."""
    open_alert(
        session,
        site_id=site_id,
        client_id=client_id,
        cause=cause,
        severity="info",
        role=Role.RECEPTION,
        sentence=sentence or _SENTENCES[cause],
        at=at,
    )


def tasks(session: ReadSession, *, site_id: SiteId, at: datetime) -> list[Task]:
    """What is to be done at the front desk of a site, the oldest first.

    Lost texts and opt-outs need no row of their own to be here: the outbox and the contacts say so, whoever found out.
    A client has one task for all the texts that were lost since somebody last settled it. None is about somebody
    who has died.
    """
    waiting = session.scalars(
        select(Alert).where(
            Alert.site_id == site_id,
            Alert.role == Role.RECEPTION,
            Alert.resolved_at.is_(None),
            alive(Alert.client_id),
        )
    )
    found = [Task(alert.cause, ClientId(alert.client_id), alert.opened_at, alert.sentence) for alert in waiting]
    of_site = select(Client.id).where(Client.site_id == site_id, alive(Client.id))
    here = [ClientId(each) for each in session.scalars(of_site)]
    lost = [
        (ClientId(text.recipient_id), text.at)
        for text in notifications.queries.undelivered(session, since=at - LOOK_BACK, recipients=here)
        if text.recipient_id is not None
        and text.kind not in NOT_MISSED
        and text.code not in (NOT_SENT_BECAUSE_OPTED_OUT, WITHDRAWN)
    ]
    ended = [(ClientId(one.recipient_id), one.at) for one in notifications.queries.opted_out(session, recipients=here)]
    found += _unsettled(session, site_id, NOT_RECEIVED, lost)
    found += _unsettled(session, site_id, OPTED_OUT, ended)
    return sorted(found, key=lambda task: (task.since, task.cause, task.client_id))


def _unsettled(
    session: ReadSession, site_id: SiteId, cause: str, happened: Sequence[tuple[ClientId, datetime]]
) -> list[Task]:
    """What happened to these clients of the site since such a task of theirs was last settled, once for each."""
    ids = {client_id for client_id, _ in happened}
    rows = session.execute(
        select(Alert.client_id, func.max(Alert.resolved_at))
        .where(Alert.site_id == site_id, Alert.cause == cause, Alert.client_id.in_(ids))
        .group_by(Alert.client_id)
    )
    settled = {client_id: resolved_at for client_id, resolved_at in rows if resolved_at is not None}
    since: dict[ClientId, datetime] = {}
    for client_id, when in happened:
        if not (client_id in settled and when <= settled[client_id]):
            since[client_id] = min(when, since.get(client_id, when))
    return [Task(cause, client_id, when, _SENTENCES[cause]) for client_id, when in since.items()]


def settle(
    session: WriteSession, *, actor: Actor, client_id: ClientId, cause: str, resolution: str, at: datetime
) -> None:
    """Takes a task off the list, with what was done about it. Raises NotThere when it is not on the list (any more)."""
    task = next(
        (
            task
            for task in tasks(session, site_id=actor.site_id, at=at)
            if (task.client_id, task.cause) == (client_id, cause)
        ),
        None,
    )
    if task is None:
        raise NotThere(Refusal("no-task", "This task is done already.", "Look at the list again."))
    leave_task(session, cause=cause, client_id=client_id, site_id=actor.site_id, at=task.since)
    alert_id = session.scalars(
        select(Alert.id).where(Alert.client_id == client_id, Alert.cause == cause, Alert.resolved_at.is_(None))
    ).one()
    resolve_alert(session, actor=actor, alert_id=alert_id, resolution=resolution, at=at)
