"""Who looked at a client's record: read at the desk, printed for the client; and the mark that has looks explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation
from dispensary.looks.rules import LONGEST_WORDS
from dispensary.looks.telling import as_pages
from dispensary.looks.told import Told, note_told, since_of, told_of
from dispensary.looks.watched import WatchKind, end_watch, is_watched, watch
from dispensary.refusals import Refused
from dispensary.staff.permission_rules import Act
from dispensary.staff.queries import colleagues
from dispensary.supplies.printing.explained import explained_pdf, reads
from dispensary.units import AccountId, ClientId
from dispensary.web import consultation
from dispensary.web.forms import Form, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_record_keeper
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import spoken

_BELOW = "/consulting/clients/{client_id:uuid}/looks"
MOST_DAYS = 3650


def _told(session: WriteSession, here: Consultation, days: int | None) -> Told:
    since = since_of(here.today, min(days, MOST_DAYS) if days and days > 0 else None)
    return told_of(session, site=here.site, client_id=here.client_id, since=since, until=here.today)


def _page(
    here: Consultation,
    *,
    days: int | None = None,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with here.database.writing() as session:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        told = _told(session, here, days)
        watched = is_watched(session, here.client_id)
        staff = [(str(each.id), each.name) for each in colleagues(session, here.site.id) if each.left_at is None]
        consultation.looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="who looked")
    return page(
        "consulting/looks.html",
        face=face,
        told=told,
        watched=watched,
        keeps=here.actor.may(Act.KEEP_RECORD),
        staff=staff,
        longest=LONGEST_WORDS,
        days=days,
        done=done if done in ("watched", "ended") else "",
        refused=refused,
        typed=typed,
    )


@get(_BELOW, sync_to_thread=True, guards=[requires_client_reader])
def looks(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    days: FromQuery[int | None] = None,
    done: FromQuery[str] = "",
) -> Template:
    """Who looked and what was done, by day, the newest first; and whether the record is watched."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), days=days, done=done)


@get(f"{_BELOW}.pdf", sync_to_thread=True, guards=[requires_client_reader])
def on_paper(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    days: FromQuery[int | None] = None,
) -> Response[bytes]:
    """The list to take along, in the client's own language; that it was given is an entry of the trail itself."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    with database.writing() as session:
        face_at(session, site_id=site.id, client_id=here.client_id)
        language = reads(session, here.client_id)
        with spoken(language):
            told = _told(session, here, days)
            pages = as_pages(told, site=site, today=here.today, language=language)
        note_told(session, actor=actor, told=told, client_id=here.client_id, at=here.now)
    return pdf(explained_pdf(pages), "page.pdf")


@post("/consulting/clients/{client_id:uuid}/watch", sync_to_thread=True, guards=[requires_record_keeper])
def watch_record(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Has whoever opens this record say why from now on, or ends that."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        if one(data, "end"):
            end_watch(session, actor=actor, client_id=here.client_id, at=here.now)
            return
        with Typed(data) as typed:
            kind = typed.choice("kind", WatchKind)
        account_id = named(data, "account_id")
        watch(
            session,
            actor=actor,
            client_id=here.client_id,
            kind=kind,
            words=one(data, "words"),
            account_id=AccountId(account_id) if account_id else None,
            at=here.now,
        )

    return here.does(
        act,
        then=f"/looks?done={'ended' if one(data, 'end') else 'watched'}",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [looks, on_paper, watch_record]
