"""The day of a nurse or case worker: who is to be asked, met and followed up today, each with what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.intake_closing import waiting_intakes
from dispensary.care.offers import open_offers
from dispensary.care.own_documents import pathways_there
from dispensary.care.referrals import question, waiting_referrals
from dispensary.care.rounds import count_not_written_down
from dispensary.care.screenings import due_screenings
from dispensary.care.sessions import sessions_until
from dispensary.care.wanted import wanted_at
from dispensary.clients.queries import Face, faces, find
from dispensary.clients.tasks import tasks_open
from dispensary.database import Database
from dispensary.desks.care import requires_carer
from dispensary.desks.consulting import acts_of, near_day, plain_day
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from dispensary.web.forms import Form, one
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.templating import page

SHOWN = 12
"""Lines of each list that are shown before somebody asks for all; how many there are, its heading says."""


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    clock: Clock,
    *,
    every: bool = False,
    found: list[Face] | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    today = site.dose_day(clock())
    with database.reading() as session:
        due = due_screenings(session, site_id=site.id, until=today)
        sent = waiting_referrals(session, site_id=site.id, until=today)
        meets = sessions_until(session, site_id=site.id, until=today)
        thinking = open_offers(session, site_id=site.id)
        late_visits = count_not_written_down(session, site_id=site.id, before=today)
        wanted = wanted_at(session, site_id=site.id)
        outside = waiting_intakes(session, site_id=site.id, today=today)
        asked = {(each.client_id, question(each)) for each in sent}
        calls = [
            each
            for each in tasks_open(session, site_id=site.id, role=Role.NURSE, until=today)
            if (each.client_id, each.sentence) not in asked  # it stands below the referrals
        ]
        yeses = [each.row for each in wanted]
        people = {ClientId(each.client_id) for rows in (due, sent, meets, thinking, yeses, calls) for each in rows}
        known = faces(session, people)
        offers = pathways_there(session).offers
        calls = [each for each in calls if each.client_id in known]
    to_ask = [
        (client_id, list(each))
        for client_id, each in groupby(sorted(due, key=lambda one: str(one.client_id)), key=lambda one: one.client_id)
    ]
    to_ask.sort(key=lambda row: (min(each.due_on for each in row[1]), known[row[0]].number))
    return page(
        "care/day.html",
        today=today,
        to_ask=to_ask,
        shown=None if every else SHOWN,
        sent=sent,
        meets=[each for each in meets if each.on_day == today],
        unmarked=[each for each in meets if each.on_day < today],
        thinking=thinking,
        late_visits=late_visits,
        wanted=wanted,
        outside=outside,
        calls=calls,
        offers=offers,
        faces=known,
        found=found,
        typed=typed,
        can=acts_of(actor),
        near_day=near_day,
        plain_day=plain_day,
    )


@get("/care", sync_to_thread=True, guards=[requires_carer])
def day(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, every: FromQuery[bool] = False
) -> Template:
    """Everything of today on one page. That somebody saw the names is written down."""
    return _page(database, actor, site, clock, every=every)


@post("/care/find", sync_to_thread=True, guards=[requires_carer], status_code=200)
def find_client(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Opens the client whose number or name this is; several are listed. It is posted, so that no address has it."""
    with database.reading() as session:
        found = find(session, site_id=site.id, text=one(data, "sought")[:120])
    if len(found) == 1:
        return Redirect(f"/care/clients/{found[0].client_id}", status_code=303)
    return _page(database, actor, site, clock, found=found, typed=data)


HANDLERS: list[ControllerRouterHandler] = [day, find_client]
