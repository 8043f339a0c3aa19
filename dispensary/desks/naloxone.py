"""Naloxone: what is in the cupboard, whom it is offered to, who needs another; gifts and uses, also of no client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.corrections import (
    gifts_of,
    gifts_to_others,
    take_gift_back,
    take_use_back,
    uses_of,
    uses_of_others,
)
from dispensary.care.naloxone import (
    MOST_GIVEN,
    MOST_RECEIVED,
    MOST_USED,
    answer_offer,
    counts_since,
    discard_kits,
    give_kit,
    lots_of,
    receive_kits,
    replacements,
    report_use,
)
from dispensary.care.naloxone_rules import Outcome, Said, ToWhom
from dispensary.clients.queries import face_at, faces
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.consulting import Consultation, acts_of, plain_day
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.takehome.naloxone import offers_naloxone, to_offer
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/naloxone"
_WHO = requires(Act.ENROL, Act.DISPENSE)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    today: date,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        offers = to_offer(session, site_id=site.id, today=today)
        shown: dict[str, Any] = {
            "lots": lots_of(session, site_id=site.id),
            "counts": counts_since(session, site_id=site.id, since=today.replace(month=1, day=1)),
            "offers": list(faces(session, offers).values()),
            "replacements": replacements(session, site_id=site.id, today=today),
            "gifts": gifts_to_others(session, site_id=site.id, today=today),
            "uses": uses_of_others(session, site_id=site.id, today=today),
        }
        known = faces(session, {each.client_id for each in shown["replacements"]})
        shown["replacements"] = [each for each in shown["replacements"] if each.client_id in known]
        shown["known"] = known
    return page(
        "care/naloxone.html",
        done=done,
        refused=refused,
        typed=typed,
        today=today,
        plain_day=plain_day,
        can=acts_of(actor),
        most=MOST_GIVEN,
        **shown,
    )


@get(HERE, sync_to_thread=True, guards=[_WHO])
def naloxone(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """The cupboard, the year's counts, and for whom something is due."""
    return _page(database, actor, site, site.dose_day(clock()), done=done)


@post(f"{HERE}/lots", sync_to_thread=True, guards=[_WHO])
def add_lot(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Enters kits that came."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            batch = typed.text("batch", most=60)
            product = typed.text("product", most=60)
            expires_on = typed.day("expires_on")
            kits = typed.whole("came", 1, MOST_RECEIVED)
        return receive_kits(
            session, actor=actor, batch=batch, product=product, expires_on=expires_on, kits=kits, today=today, at=now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=lot",
        else_again=lambda why: _page(database, actor, site, today, refused=why, typed=data),
    )


@post(f"{HERE}/lots/{{kit_lot_id:uuid}}/discard", sync_to_thread=True, guards=[_WHO])
def discard(
    kit_lot_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Puts kits away that are over, broken or lost."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kits = typed.whole("away", 1, MOST_RECEIVED)
            reason = typed.text("reason")
        discard_kits(session, actor=actor, lot_id=kit_lot_id, kits=kits, reason=reason, at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=away",
        else_again=lambda why: _page(
            database, actor, site, today, refused=why, typed={**data, "put_away": str(kit_lot_id)}
        ),
    )


@post(f"{HERE}/kits", sync_to_thread=True, guards=[_WHO])
def give(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Gives kits to somebody who is no client: a peer, a family, a neighbour; by a code, or by none."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> object:
        return given_from(session, actor, None, data, today, now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=given",
        else_again=lambda why: _page(database, actor, site, today, refused=why, typed=data),
    )


@post(f"{HERE}/uses", sync_to_thread=True, guards=[_WHO])
def use(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Writes down a use that somebody who is no client tells of."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> object:
        return used_from(session, actor, None, data, today, now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=use",
        else_again=lambda why: _page(database, actor, site, today, refused=why, typed=data),
    )


def given_from(
    session: WriteSession, actor: Actor, client_id: ClientId | None, data: Mapping[str, Any], today: date, now: datetime
) -> object:
    """Gives the kits that the form names; a code is asked of whoever is no client alone."""
    with Typed(data) as typed:
        lot_id = typed.id("lot")
        to_whom = typed.choice("to_whom", ToWhom)
        code = typed.text("code", most=40, required=False) if client_id is None else ""
        kits = typed.whole("kits", 1, MOST_GIVEN)
    return give_kit(
        session,
        actor=actor,
        lot_id=lot_id,
        to_whom=to_whom,
        client_id=client_id,
        code=code,
        kits=kits,
        trained=one(data, "trained") == "yes",
        key=key_of(data),
        today=today,
        at=now,
    )


def used_from(
    session: WriteSession, actor: Actor, client_id: ClientId | None, data: Mapping[str, Any], today: date, now: datetime
) -> object:
    """Writes down a use as the form tells it."""
    with Typed(data) as typed:
        told_by = typed.choice("told_by", ToWhom)
        happened_on = typed.day("happened_on")
        kits = typed.whole("used", 1, MOST_USED)
        outcome = typed.choice("outcome", Outcome)
    return report_use(
        session,
        actor=actor,
        client_id=client_id,
        told_by=told_by,
        happened_on=happened_on,
        kits=kits,
        outcome=outcome,
        key=key_of(data),
        today=today,
        at=now,
    )


def _client_page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        return {
            "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
            "kits": gifts_of(session, client_id=here.client_id),
            "uses": uses_of(session, client_id=here.client_id),
            "offers": offers_naloxone(session, client_id=here.client_id, today=here.today),
            "lots": [lot for lot in lots_of(session, site_id=here.site.id) if lot.expires_on > here.today],
        }

    with here.database.writing() as session:
        shown = read(session)
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="naloxone")
    return page(
        "care/naloxone_client.html",
        done=done,
        refused=refused,
        typed=typed,
        client_id=here.client_id,
        today=here.today,
        plain_day=plain_day,
        can=acts_of(here.actor),
        **shown,
    )


@get(f"{HERE}/{{client_id:uuid}}", sync_to_thread=True, guards=[_WHO])
def of_client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """A client's kits, and the offer with its three answers."""
    return _client_page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


@post(f"{HERE}/{{client_id:uuid}}/kits", sync_to_thread=True, guards=[_WHO])
def give_to_client(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Gives the client a kit, or their family; or writes down that they want none, or have one."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        answer = one(data, "answer")
        if answer in list(Said):
            answer_offer(
                session,
                actor=actor,
                client_id=here.client_id,
                said=Said(answer),
                key=key_of(data),
                today=here.today,
                at=here.now,
            )
            return None
        return given_from(session, actor, here.client_id, data, here.today, here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{client_id}?done={'said' if one(data, 'answer') in list(Said) else 'given'}",
        else_again=lambda why: _client_page(here, refused=why, typed=data),
    )


@post(f"{HERE}/{{client_id:uuid}}/uses", sync_to_thread=True, guards=[_WHO])
def used_by_client(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that their kit was used, as they or their family tell it; nothing follows for anybody."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        return used_from(session, actor, here.client_id, data, here.today, here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{client_id}?done=use",
        else_again=lambda why: _client_page(here, refused=why, typed=data),
    )


def taken_back_from(
    session: WriteSession, actor: Actor, client_id: ClientId | None, what: str, entry_id: UUID, data: Form, at: datetime
) -> None:
    """Takes back what was entered in error, for the reason that was pressed."""
    with Typed(data) as typed:
        why = typed.choice("why", Wrong)
    if what == "kits":
        take_gift_back(session, actor=actor, client_id=client_id, kit_id=entry_id, why=why, at=at)
    elif what == "uses":
        take_use_back(session, actor=actor, client_id=client_id, use_id=entry_id, why=why, at=at)
    else:
        raise NotThere(Refusal("no-page", "There is no such page.", "Look at the list again."))


@post(f"{HERE}/back/{{what:str}}/{{entry_id:uuid}}", sync_to_thread=True, guards=[_WHO])
def taken_back(
    what: FromPath[str],
    entry_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what was entered in error of kits given to nobody on record, or of a use that they told of."""
    now = clock()
    return done_or_again(
        database,
        lambda session: taken_back_from(session, actor, None, what, entry_id, data, now),
        then=lambda _: f"{HERE}?done=back",
        else_again=lambda why: _page(database, actor, site, site.dose_day(now), refused=why, typed=data),
    )


@post(f"{HERE}/{{client_id:uuid}}/back/{{what:str}}/{{entry_id:uuid}}", sync_to_thread=True, guards=[_WHO])
def taken_back_of_client(
    client_id: FromPath[UUID],
    what: FromPath[str],
    entry_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what was entered in error of a client's kits."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return done_or_again(
        database,
        lambda session: taken_back_from(session, actor, here.client_id, what, entry_id, data, here.now),
        then=lambda _: f"{HERE}/{client_id}?done=back",
        else_again=lambda why: _client_page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [
    naloxone,
    add_lot,
    discard,
    give,
    use,
    of_client,
    give_to_client,
    used_by_client,
    taken_back,
    taken_back_of_client,
]
