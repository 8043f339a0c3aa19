"""Who has stopped coming, what was tried, and the way back: a text, a call, a visit by consent, and no punishment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.care.reaching import note_contact, who_needs_help
from dispensary.care.reopening import of_visits, take_contact_back
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contact_rules import CameOf, FollowUp, How, Step, Tried, Why, step_due
from dispensary.clients.contacts import (
    LONGEST_NOTE,
    contacts_of,
    follow_up_of,
    note_visit_wish,
    visit_wish,
    wants_visits,
)
from dispensary.clients.goals import looked_after_by
from dispensary.clients.models import Client
from dispensary.clients.queries import face_at
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.consulting import Consultation, acts_of, near_day, plain_day
from dispensary.phone.caring import texted, write_to
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.sections import Topic
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act
from dispensary.supplies.away import Away, who_is_away
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from notifications.models import State


class Show(StrEnum):
    """Which of them the page shows."""

    ALL = ""
    DUE = "due"
    """Whom something is due for now."""
    LEFT = "left"
    """Of whom somebody has decided that nobody follows them up."""


@dataclass(frozen=True, repr=False)
class Followed:
    """Somebody on the list, with what was done for them since they last came."""

    away: Away
    number: str
    name: str
    taken_by: str
    text: State | None
    tried: Sequence[Tried]
    """The contacts since, the newest last."""
    came_of: CameOf | None
    needs_help: bool
    """Whether they asked for help, and nobody has answered it yet."""
    left: bool
    """Whether somebody has decided that nobody follows them up, and no contact was noted after that."""
    step: Step | None

    @property
    def is_due(self) -> bool:
        """Whether somebody is to do something for them now."""
        return self.needs_help or self.step is not None


def listed(session: ReadSession, site: Place, now: datetime, follow_up: FollowUp) -> list[Followed]:
    """Everybody who is away for as long as the site's first figure: whoever needs help, then whom something is due for.

    They stay on it until they come back or their stay ends; of whom somebody decided that nobody follows them up is
    last.
    """
    first = follow_up.first_day()
    if first is None:
        return []
    today = site.dose_day(now)
    away = who_is_away(session, site_id=site.id, today=today, least=first)
    away = [each for each in away if not each.held]
    ids = [each.client_id for each in away]
    people = {
        row.id: row
        for row in session.execute(select(Client.id, Client.number, Client.name_sealed).where(Client.id.in_(ids)))
    }
    session.vault.know(ids)
    taken = looked_after_by(session, ids)
    wants, texts, needing = wants_visits(session, ids), texted(session, away), who_needs_help(session, ids)
    noted: dict[ClientId, list[ContactNote]] = defaultdict(list)
    for note in session.scalars(
        select(ContactNote)
        .where(ContactNote.client_id.in_(ids), ContactNote.voided_at.is_(None))
        .order_by(ContactNote.at, ContactNote.id)
    ):
        noted[note.client_id].append(note)
    rows = []
    for each in away:
        since = site.window_of(each.last_day)[1]
        own = [note for note in noted[each.client_id] if note.at >= since]
        tried = [Tried(site.dose_day(note.at), How(note.how), note.reached) for note in own]
        said = [note.came_of for note in own if note.came_of]
        person, needs_help = people[each.client_id], each.client_id in needing
        left = bool(own) and own[-1].stops and not needs_help
        due = step_due(follow_up, today=today, days=each.days, tried=tried, wants_visits=wants[each.client_id])
        rows.append(
            Followed(
                away=each,
                number=person.number,
                name=session.vault.open("client.name", each.client_id, person.name_sealed),
                taken_by=", ".join(keeps.name for keeps in taken.get(each.client_id, {}).values()),
                text=texts.get(each.client_id),
                tried=tried,
                came_of=CameOf(said[-1]) if said else None,
                needs_help=needs_help,
                left=left,
                step=None if left else due,
            )
        )
    weight = {Step.VISIT: 1, Step.CALL: 2}

    def soonest(row: Followed) -> tuple[int, int, str]:
        grade = 0 if row.needs_help else weight[row.step] if row.step else 4 if row.left else 3
        return grade, -row.away.days, row.number

    return sorted(rows, key=soonest)


@get("/care/stopped", sync_to_thread=True, guards=[requires(Act.ENROL)])
def stopped(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, show: FromQuery[str] = ""
) -> Template:
    """Everybody who is followed up, or those alone whom something is due for; or whom nobody follows up any more."""
    now = clock()
    with database.reading() as session:
        follow_up = follow_up_of(session, site.id)
        rows = listed(session, site, now, follow_up)
    lists = {
        Show.ALL: [row for row in rows if not row.left],
        Show.DUE: [row for row in rows if row.is_due],
        Show.LEFT: [row for row in rows if row.left],
    }
    shown = Show(show) if show in list(Show) else Show.ALL
    return page(
        "care/stopped.html",
        rows=lists[shown],
        counts={each.value: len(found) for each, found in lists.items()},
        show=shown.value,
        follow_up=follow_up,
        today=site.dose_day(now),
        near_day=near_day,
        can=acts_of(actor),
    )


def _shown(session: ReadSession, here: Consultation) -> dict[str, Any]:
    away = _absence(session, here)
    guideline = guideline_of(session, here.site.id, Topic.MISSED, here.today) if away else None
    return {
        "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
        "away": away,
        "ruling": away.dose.ruling(guideline) if away and away.dose else None,
        "text": texted(session, [away]).get(here.client_id) if away else None,
        "contacts": contacts_of(session, client_id=here.client_id),
        "of_visits": of_visits(session, client_id=here.client_id),
        "needs_help": here.client_id in who_needs_help(session, [here.client_id]),
        "wish": visit_wish(session, client_id=here.client_id),
        "follow_up": follow_up_of(session, here.site.id),
    }


def _absence(session: ReadSession, here: Consultation) -> Away | None:
    """Since when the client does not come; nothing while they do."""
    away: Sequence[Away] = who_is_away(session, site_id=here.site.id, today=here.today, least=1)
    return next((each for each in away if each.client_id == here.client_id), None)


def _page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.writing() as session:
        shown = _shown(session, here)
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="keeping in touch")
    return page(
        "care/in_touch.html",
        done=done,
        refused=refused,
        typed=typed,
        today=here.today,
        longest=LONGEST_NOTE,
        client_id=here.client_id,
        can=acts_of(here.actor),
        near_day=near_day,
        plain_day=plain_day,
        **shown,
    )


@get("/care/stopped/{client_id:uuid}", sync_to_thread=True, guards=[requires(Act.ENROL)])
def in_touch(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One client: since when, what the table for missed days says of coming back, what was tried."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


@post("/care/stopped/{client_id:uuid}/text", sync_to_thread=True, guards=[requires(Act.ENROL)])
def send_text(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes to them that they are welcome; once in an absence, whoever presses."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        lock_client(session, here.client_id, actor.site_id)
        away = _absence(session, here)
        if away is None:
            raise NotThere(Refusal("not-away", "They have not stopped coming.", "Look at the list again."))
        write_to(session, actor=actor, site=site, away=away, now=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/stopped/{client_id}?done=text",
        else_again=lambda why: _page(here, refused=why),
    )


@post(
    "/care/stopped/{client_id:uuid}/contacts/{contact_id:uuid}/back", sync_to_thread=True, guards=[requires(Act.ENROL)]
)
def contact_back(
    client_id: FromPath[UUID],
    contact_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back a contact that was entered in error."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
        take_contact_back(session, actor=actor, client_id=here.client_id, contact_id=contact_id, why=why, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/stopped/{client_id}?done=back",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


@post("/care/stopped/{client_id:uuid}/contacts", sync_to_thread=True, guards=[requires(Act.ENROL)])
def contact(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Notes a call or a visit, what they mean to do and why, and whether they are followed up after it."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        lock_client(session, here.client_id, actor.site_id)
        with Typed(data) as typed:
            how = typed.choice("how", How)
            reached = typed.yes_no("reached")
            came_of = typed.choice_or_none("came_of", CameOf)
            why = typed.choice_or_none("why", Why)
            words = typed.text("words", most=LONGEST_NOTE, required=False)
            stops = bool(typed.yes_no("stops"))
            if reached is None:
                typed.fault("reached", "no-choice", "Nothing was chosen here.", "Choose one.")
        note_contact(
            session,
            actor=actor,
            client_id=here.client_id,
            reached=bool(reached),
            words=words,
            key=key_of(data),
            at=here.now,
            how=how,
            came_of=came_of,
            why=why,
            stops=stops,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/stopped/{client_id}?done=noted",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


@post("/care/stopped/{client_id:uuid}/visits", sync_to_thread=True, guards=[requires(Act.ENROL)])
def wish(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down whether they want to be visited at home, and where."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            agreed = typed.yes_no("agreed")
            where = typed.text("where", most=LONGEST_NOTE, required=False)
            if agreed is None:
                typed.fault("agreed", "no-choice", "Nothing was chosen here.", "Choose one.")
        note_visit_wish(
            session,
            actor=actor,
            client_id=here.client_id,
            agreed=bool(agreed),
            where=where,
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/stopped/{client_id}?done=wish",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [stopped, in_touch, send_text, contact, contact_back, wish]
