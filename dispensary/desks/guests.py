"""Guest doses: whom the site expects and whom it sends, asking home, home's answer, and ending a stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.guest_rules import StayState
from dispensary.clients.guests import at_satellites, longest_stay, set_longest, stay_at, stays_at, stays_of
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.window import AtCounter, desk_of
from dispensary.homes.queries import arriving
from dispensary.refusals import Refused
from dispensary.staff.queries import names_of, sites
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.far_away import heard_of
from dispensary.supplies.guest_facts import facts_of
from dispensary.supplies.guests import Asked, answer, arrange, ask, end, stay_state
from dispensary.supplies.satellites import main_of, satellites_of, send_to, take_on
from dispensary.units import ClientId, SiteId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator, requires_dispenser, requires_guest_arranger
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.words import _

_PAST_SHOWN = timedelta(days=14)
_USUAL_DAYS = 7


def _words() -> dict[str, str]:
    return {
        StayState.ASKED: _("waits for home"),
        StayState.REFUSED: _("refused"),
        StayState.LAPSED: _("never answered"),
        StayState.COMING: _("to come"),
        StayState.RUNNING: _("now"),
        StayState.OVER: _("over"),
    }


def _asked(data: Mapping[str, Any]) -> Asked:
    with Typed(data) as typed:
        return Asked(
            first=typed.day("from_day"),
            last=typed.day("last_day"),
            bottles=one(data, "bottles") == "yes",
            reason=typed.text("reason", most=LONGEST_NOTE, required=False),
        )


@get("/guests", sync_to_thread=True, guards=[requires_guest_arranger])
def guests(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """Everybody of whom this site is home or host, what waits for an answer first, and the form to ask another site."""
    return _list(database, actor, site, clock)


def _list(
    database: TheDatabase,
    actor: Actor,
    site: TheSite,
    clock: TheClock,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    today = site.dose_day(clock())
    with database.reading() as session:
        rows = [
            (each, stay_state(each.stay, today))
            for each in stays_at(session, site_id=site.id, until_after=today - _PAST_SHOWN)
        ]
        others = [place for place in sites(session) if place.id != site.id]
        main = main_of(session, site_id=SiteId(site.id))
        coming = arriving(session, site_id=site.id)
        lasting = [(each, stay_state(each.stay, today)) for each in at_satellites(session, site_id=site.id)]
    live = [row for row in rows if row[1] in (StayState.ASKED, StayState.COMING, StayState.RUNNING)]
    return page(
        "counter/guests.html",
        refused=refused,
        typed=typed,
        to_answer=[each for each, state in rows if state is StayState.ASKED and each.stay.home_site_id == site.id],
        live=live,
        past=[row for row in rows if row not in live],
        words=_words(),
        main=main,
        lasting=lasting,
        arriving=coming,
        others=[(place.code, f"{place.code}, {place.name}") for place in others],
        may_ask=actor.may(Act.DISPENSE) and bool(others),
        me=site.id,
        today=today,
        back=desk_of(actor),
    )


@post("/guests", sync_to_thread=True, guards=[requires_dispenser])
def asked(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Asks another site to verify its client as a guest here."""
    try:
        wanted = _asked(data)
        stay_id = database.write(
            lambda session: (
                ask(
                    session,
                    actor=actor,
                    number=one(data, "number"),
                    home_code=one(data, "home"),
                    asked=wanted,
                    key=str(key_of(data)),
                    at=clock(),
                ).id
            )
        )
    except Refused as refused:
        return _list(database, actor, site, clock, refused, data)
    return Redirect(f"/guests/{stay_id}", status_code=303)


@get("/guests/{stay_id:uuid}", sync_to_thread=True, guards=[requires_guest_arranger])
def stay(stay_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """One stay: what was asked, what home confirmed or has to confirm, and what can be done about it."""
    return _one(database, actor, site, clock, stay_id)


def _one(
    database: TheDatabase,
    actor: Actor,
    site: TheSite,
    clock: TheClock,
    stay_id: UUID,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    now = clock()
    today = site.dose_day(now)

    def read(session: WriteSession) -> Template:
        shown = stay_at(session, site_id=site.id, stay_id=stay_id)
        row, client_id = shown.stay, ClientId(shown.stay.client_id)
        is_home = row.home_site_id == site.id
        state = stay_state(row, today)
        answers = is_home and state is StayState.ASKED
        looked_at(session, actor=actor, client_id=client_id, at=now, page="guest stay")
        people = [who for who in (row.asked_by, row.verified_by, row.refused_by, row.ended_by) if who]
        return page(
            "counter/guest.html",
            refused=refused,
            typed=typed,
            shown=shown,
            row=row,
            state=state,
            word=_words()[state],
            is_home=is_home,
            face=face_at(session, site_id=site.id, client_id=client_id) if is_home else None,
            facts=facts_of(
                session,
                client_id=client_id,
                home_id=SiteId(site.id),
                today=today,
                first=row.from_day,
                until=row.until_day,
            )
            if answers
            else None,
            answers=answers,
            heard=heard_of(session, client_id=client_id),
            ends=state in (StayState.ASKED, StayState.COMING, StayState.RUNNING) and not answers,
            names=names_of(session, people),
            here_url=f"/guests/{stay_id}",
            client_url=f"{desk_of(actor)}/clients/{client_id}"
            if is_home or (state is StayState.RUNNING and actor.may(Act.DISPENSE))
            else "",
        )

    return database.write(read)


@post("/guests/{stay_id:uuid}/answer", sync_to_thread=True, guards=[requires_guest_arranger])
def answered(
    stay_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Home verifies the stay, or refuses it with a reason."""
    accepted = one(data, "answer") == "verify"

    def act(session: WriteSession) -> GuestStay:
        with Typed(data) as typed:
            refusal = typed.text("refusal", most=LONGEST_NOTE, required=False)
        return answer(
            session,
            actor=actor,
            stay_id=stay_id,
            accepted=accepted,
            bottles=one(data, "bottles") == "yes",
            confirmed=one(data, "confirmed") == "yes",
            refusal=refusal,
            at=clock(),
        )

    return _done(database, actor, site, clock, stay_id, data, act)


@post("/guests/{stay_id:uuid}/end", sync_to_thread=True, guards=[requires_guest_arranger])
def ended(
    stay_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Ends a stay before its time, or withdraws a request."""

    def act(session: WriteSession) -> GuestStay:
        with Typed(data) as typed:
            reason = typed.text("end_reason", most=LONGEST_NOTE, required=False)
        return end(session, actor=actor, stay_id=stay_id, reason=reason, at=clock())

    return _done(database, actor, site, clock, stay_id, data, act)


def _done(
    database: TheDatabase,
    actor: Actor,
    site: TheSite,
    clock: TheClock,
    stay_id: UUID,
    data: Mapping[str, Any],
    act: Callable[[WriteSession], GuestStay],
) -> Response[Any]:
    return done_or_again(
        database,
        act,
        then=lambda _: f"/guests/{stay_id}",
        else_again=lambda why: _one(database, actor, site, clock, stay_id, why, data),
    )


@get("/guests/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_guest_arranger])
def client(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The guest stays of one's own client, and the form that arranges one."""
    return _client(AtCounter(database, actor, site, ClientId(client_id), clock()))


def _client(here: AtCounter, refused: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Template:
    def read(session: ReadSession) -> Template:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        longest = longest_stay(session, site_id=here.site.id)
        until = here.today + timedelta(days=longest)
        return page(
            "counter/guest_client.html",
            refused=refused,
            typed=typed,
            face=face,
            rows=[
                (each, stay_state(each.stay, here.today))
                for each in stays_of(session, client_id=here.client_id, until_after=here.today - _PAST_SHOWN)
            ],
            words=_words(),
            heard=heard_of(session, client_id=here.client_id),
            facts=facts_of(
                session,
                client_id=here.client_id,
                home_id=here.site.id,
                today=here.today,
                first=here.today,
                until=until,
            ),
            others=[(one.code, f"{one.code}, {one.name}") for one in sites(session) if one.id != here.site.id],
            satellites=[(one.code, f"{one.code}, {one.name}") for one in satellites_of(session, site_id=here.site.id)],
            longest=longest,
            today=here.today,
            usual_last=here.today + timedelta(days=min(_USUAL_DAYS, longest) - 1),
            here_url=f"/guests/clients/{here.client_id}",
            back=f"{desk_of(here.actor)}/clients/{here.client_id}",
        )

    return here.sees(read, seen_on="guest doses")


@post("/guests/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_guest_arranger])
def arranged(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Arranges and verifies a stay at another site."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> UUID:
        return arrange(
            session,
            actor=actor,
            client_id=here.client_id,
            guest_code=one(data, "guest"),
            asked=_asked(data),
            confirmed=one(data, "confirmed") == "yes",
            key=str(key_of(data)),
            at=here.now,
        ).id

    return here.does(
        act, then=lambda stay_id: f"/guests/{stay_id}", else_again=lambda why: _client(here, refused=why, typed=data)
    )


@post("/guests/clients/{client_id:uuid}/satellite", sync_to_thread=True, guards=[requires_guest_arranger])
def sent_to_satellite(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Lets a satellite of this site give the client's doses from now on."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> UUID:
        code, key = one(data, "satellite"), str(key_of(data))
        return send_to(session, actor=actor, client_id=here.client_id, satellite=code, key=key, at=here.now).id

    return here.does(
        act, then=lambda stay_id: f"/guests/{stay_id}", else_again=lambda why: _client(here, refused=why, typed=data)
    )


@post("/guests/satellite", sync_to_thread=True, guards=[requires_guest_arranger])
def taken_on(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """This satellite gives the doses of a client of its main site from now on."""
    return done_or_again(
        database,
        lambda session: take_on(session, actor=actor, number=one(data, "number"), key=str(key_of(data)), at=clock()).id,
        then=lambda stay_id: f"/guests/{stay_id}",
        else_again=lambda why: _list(database, actor, site, clock, why, data),
    )


@get("/office/guests", sync_to_thread=True, guards=[requires_administrator])
def longest_form(database: TheDatabase, site: TheSite) -> Template:
    """For how many days a client of the site may be a guest elsewhere."""
    with database.reading() as session:
        return page("office/guests.html", longest=longest_stay(session, site_id=site.id))


@post("/office/guests", sync_to_thread=True, guards=[requires_administrator])
def longest_set(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets for how many days."""
    try:
        with Typed(data) as typed:
            days = typed.whole("longest_days", 1, 28)
        database.write(lambda session: set_longest(session, actor=actor, days=days, at=clock()))
    except Refused as refused:
        with database.reading() as session:
            longest = longest_stay(session, site_id=site.id)
        return page("office/guests.html", refused=refused, typed=data, longest=longest)
    return Redirect("/office/guests", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    guests, asked, stay, answered, ended, client, arranged, sent_to_satellite, taken_on, longest_form, longest_set,
]  # fmt: skip
"""Mounted at /."""
