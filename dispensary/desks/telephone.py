"""The telephone of a demonstration: plays any client's phone in the browser. In production there is nothing here.

What is written here goes the way of every text: received, understood, answered by the outbox, sent by the jobs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect, Template
from litestar.types import ControllerRouterHandler
from markupsafe import Markup, escape
from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.clients.queries import Face, faces
from dispensary.database import ReadSession
from dispensary.phone import answer
from dispensary.refusals import NotThere, Refusal
from dispensary.settings import Settings
from dispensary.staff.queries import sites
from dispensary.units import ClientId
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheClock, TheDatabase
from dispensary.web.guards import Connection
from dispensary.web.templating import page
from notifications.gateways import Inbound
from notifications.gateways.console import ConsoleGateway
from notifications.models import Contact, State
from notifications.queries import texts_with
from notifications.sealing import CONTACT_PHONE

STRANGER = "stranger"
STRANGERS_NUMBER = "+60110000000"
MOST_TEXTS = 60
LONGEST_TEXT = 1600
"""What a gateway joins into one text."""
_LINK = re.compile(r"https?://\S+")
_ARRIVED = (State.SENT, State.DELIVERED)
_ON_ITS_WAY = (State.QUEUED, State.SENDING, State.UNKNOWN)


async def only_in_a_demonstration(connection: Connection, _: BaseRouteHandler) -> None:
    """Whoever asks elsewhere is told what they would be told of any page that does not exist."""
    settings: Settings = connection.app.state["settings"]
    if settings.production:
        raise NotThere(Refusal("no-page", "There is no such page.", "Check the address, or begin at the first page."))


@dataclass(frozen=True)
class Phone:
    """A phone that somebody can play, and the clients whose it is."""

    key: str
    number: str
    owners: list[Face]
    zone: ZoneInfo


@dataclass(frozen=True)
class Shown:
    """A text as the phone shows it."""

    body: Markup
    at: datetime
    from_phone: bool


def _phones(session: ReadSession, index: bytes | None = None) -> list[Phone]:
    """The phones that clients have, or the one behind this index, by the client's number; a shared one once."""
    zones = {site.id: ZoneInfo(site.zone) for site in sites(session)}
    wanted = select(Contact, Client.site_id).join(Client, Client.id == Contact.recipient_id).order_by(Client.number)
    rows = session.execute(wanted if index is None else wanted.where(Contact.phone_index == index)).all()
    known = faces(session, [ClientId(contact.recipient_id) for contact, _ in rows])
    phones: dict[bytes, Phone] = {}
    for contact, site_id in rows:
        face = known[ClientId(contact.recipient_id)]
        if contact.phone_index in phones:
            phones[contact.phone_index].owners.append(face)
            continue
        number = session.vault.open(CONTACT_PHONE, contact.recipient_id, contact.phone_sealed)
        phones[contact.phone_index] = Phone(str(face.client_id), number, [face], zones[site_id])
    return list(phones.values())


def _strangers_phone(session: ReadSession) -> Phone:
    return Phone(
        STRANGER, STRANGERS_NUMBER, [], next((ZoneInfo(site.zone) for site in sites(session)), ZoneInfo("UTC"))
    )


def _all_phones(session: ReadSession) -> list[Phone]:
    return [*_phones(session), _strangers_phone(session)]


def _phone(session: ReadSession, owner: str) -> Phone:
    """The phone of this client, or the one that nobody knows. Raises NotThere."""
    if owner == STRANGER:
        return _strangers_phone(session)
    try:
        contact = session.get(Contact, UUID(owner))
    except ValueError:
        contact = None
    if contact is None:
        raise NotThere(Refusal("no-phone", "Nobody has such a phone.", "Choose one of the list."))
    return _phones(session, contact.phone_index)[0]


def _talk(session: ReadSession, phone: Phone) -> dict[str, Any]:
    """What the phone shows: a text of ours is there once the gateway has taken it, and not before."""
    texts = texts_with(session, vault=session.vault, phone=phone.number)
    shown = [
        Shown(_with_links(text.body), text.at.astimezone(phone.zone), text.from_phone)
        for text in texts
        if text.from_phone or text.state in _ARRIVED
    ]
    return {"texts": shown[-MOST_TEXTS:], "coming": any(text.state in _ON_ITS_WAY for text in texts), "phone": phone}


def _with_links(body: str) -> Markup:
    """The text with its links to tap, everything else as it was written."""
    shown, end = Markup(), 0
    for link in _LINK.finditer(body):
        anchor = Markup('<a href="{link}" target="_blank" rel="noopener">{link}</a>').format(link=link.group())
        shown += escape(body[end : link.start()]) + anchor
        end = link.end()
    return shown + escape(body[end:])


@get("/telephone", sync_to_thread=True, guards=[only_in_a_demonstration])
def telephone(database: TheDatabase) -> Template:
    """Every phone that can be played."""
    with database.reading() as session:
        return page("telephone/telephone.html", phones=_all_phones(session), phone=None)


@get("/telephone/{owner:str}", sync_to_thread=True, guards=[only_in_a_demonstration])
def play(owner: FromPath[str], database: TheDatabase) -> Template:
    """One phone: its texts in both directions, and a line to write."""
    with database.reading() as session:
        return page("telephone/telephone.html", phones=_all_phones(session), **_talk(session, _phone(session, owner)))


@get("/telephone/{owner:str}/texts", sync_to_thread=True, guards=[only_in_a_demonstration])
def texts(owner: FromPath[str], database: TheDatabase) -> Template:
    """The texts alone, for the page to look for new ones."""
    with database.reading() as session:
        return page("telephone/texts.html", **_talk(session, _phone(session, owner)))


@post("/telephone/{owner:str}/texts", sync_to_thread=True, guards=[only_in_a_demonstration])
def write(owner: FromPath[str], data: Form, database: TheDatabase, clock: TheClock) -> Redirect:
    """Sends what was written from this phone; a form that is sent twice is one text."""
    at, message = clock(), key_of(data)
    with database.reading() as session:
        phone = _phone(session, owner)
    written = Inbound(str(message), phone.number, one(data, "text")[:LONGEST_TEXT])
    database.write(partial(answer, gateway=ConsoleGateway.name, inbound=written, at=at))
    return Redirect(f"/telephone/{phone.key}#write", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [telephone, play, texts, write]
