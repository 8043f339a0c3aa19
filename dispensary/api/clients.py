"""Clients: found, enrolled, and read as the counter would see them now."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.decisions import CircumstancesRequest
from dispensary.clients.circumstances import Circumstances
from dispensary.clients.models import Client
from dispensary.clients.queries import Face
from dispensary.clients.queries import find as find_clients
from dispensary.clients.rules import LONGEST_NAME, EntryRoute, Identity, Sex
from dispensary.database import WriteSession
from dispensary.staff.rules import Act
from dispensary.supplies.queries import AtTheWindow, at_the_window
from dispensary.supplies.rules import due_portions
from dispensary.takehome.models import Decision
from dispensary.units import ClientId, DoseDay, plain
from dispensary.web import consultation
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_finder, requires_client_reader
from dispensary.web.photo import portrait


class Found(msgspec.Struct):
    """A client of the site, as much as it takes to choose the right one of several."""

    id: UUID
    number: str
    name: str
    born: date | None


class Sought(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to look for."""

    find: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    """A number, a national id, or the beginnings of words of a name."""


class Phone(msgspec.Struct, forbid_unknown_fields=True):
    """How the client is reached by text; without consent nothing is ever sent."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    language: Annotated[str, msgspec.Meta(max_length=20)] = "en"
    consented: bool = False


class Enrolment(CircumstancesRequest, forbid_unknown_fields=True, kw_only=True):
    """A person who begins treatment. One of photo, birth date and second identifier is needed.

    Of their circumstances, null where nobody has asked.
    """

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=24)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
    began_on: date
    born: date | None = None
    sex: Sex = Sex.UNKNOWN
    route: EntryRoute | None = None
    """How they came; null where nobody has asked."""
    national_id: Annotated[str, msgspec.Meta(max_length=40)] = ""
    second_identifier: Annotated[str, msgspec.Meta(max_length=200)] = ""
    photo: bytes | None = None
    """A JPEG or PNG of at most 1.5 MB, in base64."""
    phone: Phone | None = None


class Order(msgspec.Struct):
    """The order in force on the day: mg as decimal text, in the portions that are taken."""

    id: UUID
    mg: str
    portions: list[str]
    begins: date


class Due(msgspec.Struct):
    """The portion that is taken next at the counter."""

    portion: int
    of: int
    mg: str


class Limits(msgspec.Struct):
    """What the take-home decision in force allows, in dose days."""

    decision: UUID
    per_supply: int
    per_week: int | None
    closed_days_apart: bool
    consecutive: int | None
    """Days in a row; nothing means no such limit."""
    weekdays: list[int] | None
    """The weekly pattern, Monday is 0; nothing means any day."""


class Bottle(msgspec.Struct):
    """A bottle that the client carries for a day still to come, or that is packed for them."""

    day: date
    portion: int
    of: int
    mg: str
    serial: str


class Pickup(msgspec.Struct):
    """Bottles that are packed and wait to be collected."""

    id: UUID
    collect_on: date
    bottles: list[Bottle]


class OpenAlert(msgspec.Struct):
    """Something that somebody must act on."""

    id: UUID
    severity: str
    role: str
    sentence: str
    opened_at: datetime


class Reason(msgspec.Struct):
    """Why today's dose may not be given, and what to do about it."""

    code: str
    detail: str
    remedy: str


class ClientNow(msgspec.Struct):
    """One client at the window: who, what today, why not if not, what they have at home."""

    id: UUID
    number: str
    name: str
    born: date | None
    second_identifier: str
    has_photo: bool
    today: date
    order: Order | None
    due: Due | None
    covered_portions: list[int]
    """Of today."""
    held: str | None
    """Why the prescriber withholds today's dose."""
    days_without: int
    last_covered: date | None
    missed_in_30_days: int
    refusals: list[Reason]
    """Why the dose may not be given once identity and safety are confirmed; empty when it may."""
    take_home: Limits | None
    proposed_days: list[date]
    """The take-home days that the decision allows now, at most."""
    at_home: list[Bottle]
    waiting: list[Pickup]
    alerts: list[OpenAlert]


@post(
    "/clients/search",
    sync_to_thread=True,
    operation_id="findClients",
    tags=["clients"],
    guards=[requires_client_finder],
    status_code=200,
)
def find(data: JSONBody[Sought], database: TheDatabase, site: TheSite) -> list[Found]:
    """Clients of the site with this number or national id, or whose name has words that begin so: 20 at most.

    It changes nothing, and is posted all the same: an address is written down by proxies and browsers.
    """
    with database.reading() as session:
        return [_found(face) for face in find_clients(session, site_id=site.id, text=data.find)]


def _found(face: Face) -> Found:
    return Found(face.client_id, face.number, face.name, face.born)


@post("/clients", sync_to_thread=True, operation_id="enrolClient", tags=["clients"], guards=[requires(Act.ENROL)])
def enrol(data: JSONBody[Enrolment], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Found:
    """Enrols a person; the same again by the same account gets the same client. 409 when the number is taken."""
    now = clock()
    photo = portrait(data.photo) if data.photo else None
    phone = consultation.Phone(data.phone.number, data.phone.language, data.phone.consented) if data.phone else None
    told = Circumstances(**{each.name: getattr(data, each.name) for each in fields(Circumstances)})

    def act(session: WriteSession) -> Client:
        return consultation.enrol_client(
            session,
            actor=actor,
            number=data.number,
            identity=Identity(
                name=data.name,
                born=data.born,
                national_id=data.national_id,
                second_identifier=data.second_identifier,
                photo=photo,
                sex=data.sex,
            ),
            phone=phone,
            region=site.region,
            circumstances=told,
            began_on=data.began_on,
            today=site.dose_day(now),
            at=now,
            route=data.route,
        )

    client = database.write(act)
    return Found(client.id, client.number, data.name.strip(), data.born)


@get(
    "/clients/{client_id:uuid}",
    sync_to_thread=True,
    operation_id="readClient",
    tags=["clients"],
    guards=[requires_client_reader],
)
def read(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> ClientNow:
    """One client as the counter would see them now; for a counter, also a verified guest. The look is written down."""
    now = clock()
    today = site.dose_day(now)
    with database.writing() as session:
        window = at_the_window(
            session,
            site_id=site.id,
            client_id=ClientId(client_id),
            today=today,
            guests=actor.may(Act.DISPENSE),
        )
        consultation.looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="api")
    return _now(window, today)


def _now(window: AtTheWindow, today: DoseDay) -> ClientNow:
    face, moment, decision = window.face, window.reading.moment, window.reading.decision
    order = moment.orders.get(today)
    due = due_portions(moment, today)
    return ClientNow(
        id=face.client_id,
        number=face.number,
        name=face.name,
        born=face.born,
        second_identifier=face.second_identifier,
        has_photo=face.has_photo,
        today=today,
        order=Order(order.order_id, plain(order.mg), _plain(order.portions), order.begins) if order else None,
        due=Due(due[0], len(order.portions), plain(order.portions[due[0] - 1])) if order and due else None,
        covered_portions=sorted(moment.covered.get(today, ())),
        held=moment.held.get(today),
        days_without=window.days_without,
        last_covered=moment.last_covered,
        missed_in_30_days=window.missed_in_30_days,
        refusals=[Reason(refusal.code, refusal.sentence, refusal.remedy) for refusal in window.refusals],
        take_home=_limits(decision) if decision else None,
        proposed_days=list(window.proposed),
        at_home=[Bottle(b.day, b.portion, b.portions, plain(b.mg), b.serial) for b in window.at_home],
        waiting=[
            Pickup(
                one.pickup.id,
                one.pickup.collect_on,
                [Bottle(b.dose_day, b.portion, b.portions, plain(b.mg), b.serial) for b in one.bottles],
            )
            for one in window.waiting
        ],
        alerts=[OpenAlert(a.id, a.severity, a.role, a.sentence, a.opened_at) for a in window.alerts],
    )


def _limits(decision: Decision) -> Limits:
    return Limits(
        decision=decision.id,
        per_supply=decision.per_supply,
        per_week=decision.per_week,
        closed_days_apart=decision.closed_days_apart,
        consecutive=decision.consecutive,
        weekdays=decision.weekdays,
    )


def _plain(amounts: tuple[Decimal, ...]) -> list[str]:
    return [plain(amount) for amount in amounts]


HANDLERS: list[ControllerRouterHandler] = [find, enrol, read]
