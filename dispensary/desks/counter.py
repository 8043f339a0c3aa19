"""The counter: who is next, what is due and why, the dose and the bottles in one act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.service
import scheduling.waiting
from dispensary.clients import queries as clients
from dispensary.clients.contacts import Contact, contacts_of
from dispensary.clients.guest_rules import StayState
from dispensary.clients.guests import find_at_counter, photo_at_counter, stays_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.calling import next_to
from dispensary.desks.camera import MAY_LOOK
from dispensary.desks.window import AtCounter, Opened, amount, choices, seen_again
from dispensary.desks.with_methadone import courses_at
from dispensary.monitoring.with_methadone import CourseHere
from dispensary.refusals import Refusal, Refused
from dispensary.staff.countersign import Somebody
from dispensary.supplies import passes, queries
from dispensary.supplies.calls import prescribers
from dispensary.supplies.day_list import day_list
from dispensary.supplies.guests import stay_state
from dispensary.supplies.outage_settings import has_password
from dispensary.supplies.scanned import scan_bottle
from dispensary.supplies.verifying import record_refused_pass, verify_pass
from dispensary.units import ClientId
from dispensary.web.at_window import window_at
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.photo import shown_photo
from dispensary.web.safe_acts import safe_says
from dispensary.web.templating import page
from dispensary.words import weekday_names

Chosen = Annotated[str, QueryParameter(name="pickup", required=False, max_length=40)]
MOST_WAITING = 8
MOST_CALLED = 2
MOST_SEEN_AGAIN = 3
"""Right after a supply the first one alone: what was handed over takes the place of the others."""
_OF_ABSENCE = ("absent", "absent-call")
_SAID_ELSEWHERE = ("second-look", "not-identified", *_OF_ABSENCE)
"""What the page has words of its own for."""


@get("/counter", sync_to_thread=True, guards=[requires_dispenser])
def counter(
    request: Request[Any, Any, Any],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[UUID | None] = None,
) -> Template:
    """The first screen: scan or find, who waits, what the day is like; and what was just handed over."""
    now = clock()
    with database.reading() as session:
        return page("counter/counter.html", headers=MAY_LOOK, **_counter(session, site, now, window_at(request), done))


def _counter(
    session: ReadSession, site: TheSite, now: datetime, window: int, done: UUID | None = None
) -> dict[str, Any]:
    today = site.dose_day(now)
    day = day_list(session, site_id=site.id, day=today)
    everybody = scheduling.waiting.queue(session, site.id, today, now)
    visits = [visit for visit in everybody if scheduling.waiting.waits(visit)]
    called = [visit for visit in everybody if visit.at_window == window and visit.started_at is None]
    called = called[-MOST_CALLED:]
    names = {row.client_id: row for row in day}
    handed = queries.supply_of(session, site_id=site.id, supply_id=done) if done else None
    again = seen_again(session, site_id=site.id, today=today)
    return {
        "safe": safe_says(session, site_id=site.id, today=today),
        "today": today,
        "now": now,
        "counts": {state: sum(row.state == state for row in day) for state in ("due", "dosed", "at home", "held")},
        "waiting": [(visit, names.get(ClientId(visit.holder_id))) for visit in visits[: MOST_WAITING - len(called)]],
        "waiting_in_all": len(visits),
        "called": [(visit, names.get(ClientId(visit.holder_id))) for visit in called],
        "window": window,
        "windows": scheduling.waiting.windows_of(session, site.id, today),
        "handed": handed,
        "handed_face": clients.faces_on_papers(session, [ClientId(handed.supply.client_id)]) if handed else {},
        "closed": queries.day_close_of(session, site_id=site.id, day=today),
        "found": None,
        "again": again[: 1 if handed else MOST_SEEN_AGAIN],
        "again_in_all": len(again),
        "guests_asked": sum(
            each.stay.home_site_id == site.id and stay_state(each.stay, today) is StayState.ASKED
            for each in stays_at(session, site_id=site.id, until_after=today)
        ),
        "amount": amount,
        "has_pack": has_password(session, site_id=site.id),
    }


@post("/counter/find", sync_to_thread=True, guards=[requires_dispenser])
def find(
    data: Form,
    request: Request[Any, Any, Any],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Opens the client whose pass was scanned, whose code was typed, or whose number or name this is.

    A pass that does not open is said to be so, and why; it is kept on the list of refused passes. The label of a bottle
    opens its client's bottles, with that one marked. Nothing at all calls whoever is next: Enter alone, after a dose.
    """
    now, sought, window = clock(), one(data, "sought"), window_at(request)
    if not sought:
        return next_to(window, key_of(data), database, actor, now)
    reading = passes.read(database.vault, sought)
    if reading is passes.Reading.BOTTLE or reading is passes.Reading.BOTTLE_MISTYPED:
        return _by_bottle(database, actor, site, sought, now, window)
    if reading is not passes.Reading.NOT_A_PASS and reading is not passes.Reading.MISTYPED:
        return _by_pass(database, actor, site, sought, now, window)
    with database.reading() as session:
        found = find_at_counter(session, site_id=site.id, today=site.dose_day(now), text=sought)
        if len(found) == 1:
            return Redirect(f"/counter/clients/{found[0].client_id}", status_code=303)
        if not found and reading is passes.Reading.MISTYPED:
            return _by_pass(database, actor, site, sought, now, window)
        context = {**_counter(session, site, now, window), "found": found}
    return page("counter/counter.html", headers=MAY_LOOK, typed={"sought": sought}, **context)


def _by_bottle(
    database: TheDatabase, actor: TheActor, site: TheSite, text: str, now: datetime, window: int
) -> Response[Any]:
    try:
        scanned = database.write(lambda session: scan_bottle(session, actor=actor, text=text, at=now))
    except Refused as refused:
        with database.reading() as session:
            found = clients.find(session, site_id=site.id, text=text)  # a national id may have sixteen digits too
            if len(found) == 1:
                return Redirect(f"/counter/clients/{found[0].client_id}", status_code=303)
            return page("counter/counter.html", refused=refused, **_counter(session, site, now, window))
    return Redirect(f"/counter/clients/{scanned.client_id}/bottles?bottle={scanned.bottle_id}", status_code=303)


def _by_pass(
    database: TheDatabase, actor: TheActor, site: TheSite, text: str, now: datetime, window: int
) -> Response[Any]:
    try:
        with database.writing() as session:
            verified = verify_pass(session, site_id=site.id, text=text, at=now)
            _arrived(session, site, verified.client_id, now, window)
    except Refused as refused:
        with database.writing() as session:
            record_refused_pass(session, site_id=site.id, account_id=actor.account_id, refusal=refused.first, at=now)
        with database.reading() as session:
            shown = _counter(session, site, now, window)
            return page("counter/counter.html", headers=MAY_LOOK, refused=refused, **shown)
    return Redirect(f"/counter/clients/{verified.client_id}?pickup={verified.pickup_id}", status_code=303)


def _arrived(session: WriteSession, site: TheSite, client_id: ClientId, now: datetime, window: int) -> None:
    """A client whose pass is scanned at the counter has arrived and is being served, whether they checked in or not."""
    visit = scheduling.service.check_in(session, place_id=site.id, holder_id=client_id, now=now)
    scheduling.service.start(session, visit_id=visit.id, now=now, window=window)


@get("/counter/day", sync_to_thread=True, guards=[requires_dispenser])
def day(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Everybody with an order today, what became of it so far, and who is seen again today."""
    now = clock()
    today = site.dose_day(now)
    with database.reading() as session:
        rows = day_list(session, site_id=site.id, day=today)
        booked = {b.holder_id: b.starts_at for b in scheduling.queries.bookings_on(session, site.id, today)}
        again = seen_again(session, site_id=site.id, today=today)
    return page("counter/day.html", rows=rows, booked=booked, again=again, today=today, now=now, amount=amount)


@get("/counter/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_dispenser])
def client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    chosen: Chosen = "",
) -> Template:
    """One client at the window. The look is written down."""
    return client_page(AtCounter(database, actor, site, ClientId(client_id), clock()), chosen=chosen)


def client_page(
    here: AtCounter,
    *,
    chosen: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The screen of one client, with what was refused and typed when something was."""

    def read(session: WriteSession) -> tuple[Opened, Sequence[Somebody], Sequence[CourseHere], Contact | None]:
        found = here.opened(session)
        to_call = prescribers(session, site_id=found.window.reading.home_id) if found.asks_for_call else ()
        return found, to_call, courses_at(session, here, found), _noted(session, found, here.client_id)

    opened, to_call, courses, noted = here.sees(read, seen_on="counter")
    window, today = opened.window, here.today
    ready = next((w for w in window.waiting if w.pickup.collect_on == today), None)
    absence = _absence(opened)
    stopped = bool(absence or window.reading.moment.blocked)  # nothing leaves until a prescriber has spoken
    needs_look = any(refusal.code == "second-look" for refusal in window.refusals)
    moment = window.reading.moment
    order = moment.orders.get(today)
    return page(
        "counter/client.html",
        refused=refused,
        typed=typed,
        here_url=here.url,
        window=window,
        face=window.face,
        moment=moment,
        order=order,
        today=today,
        now=here.now,
        ready=ready,
        courses=courses,
        chosen=bool(chosen) and ready is not None and chosen == str(ready.pickup.id),
        absence=absence,
        noted=noted,
        proposed=() if stopped else window.proposed,
        blocking=[refusal for refusal in window.refusals if refusal.code not in _SAID_ELSEWHERE],
        may_dose=window.due_mg is not None and not any(r.code != "second-look" for r in window.refusals),
        asks_for_call=opened.asks_for_call,
        called=opened.called,
        prescribers=choices(to_call, only_one_is_chosen=True),
        agreed=opened.agreed,
        stays=opened.stays,
        is_guest=opened.is_guest,
        heard=opened.heard,
        site_id=here.site.id,
        needs_look=needs_look,
        later_today=not stopped and bool(window.carried_today),
        limits=moment.limits,
        shown_orders=" ".join(sorted({str(each.order_id) for each in moment.orders.values()})),
        weekday_names=weekday_names(),
        decision=window.reading.decision,
        amount=amount,
        offers_naloxone=opened.offers_naloxone,
    )


def _absence(opened: Opened) -> Refusal | None:
    """Why nothing is given after days without a dose, until a prescriber has spoken."""
    return next((refusal for refusal in opened.window.refusals if refusal.code in _OF_ABSENCE), None)


def _noted(session: ReadSession, opened: Opened, client_id: ClientId) -> Contact | None:
    """What was noted last of keeping in touch with somebody who comes back to their own clinic; else nothing."""
    last = opened.window.last_supply
    if last is None or opened.is_guest or _absence(opened) is None:
        return None
    return next((each for each in contacts_of(session, client_id=client_id) if each.at >= last.at), None)


@get("/counter/clients/{client_id:uuid}/photo", sync_to_thread=True, guards=[requires_dispenser])
def photo(client_id: FromPath[UUID], database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The client's photo, for the screen alone: never kept by the browser."""
    with database.reading() as session:
        today = site.dose_day(clock())
        found = photo_at_counter(session, ClientId(client_id), site_id=site.id, today=today)
    return shown_photo(found)


HANDLERS: list[ControllerRouterHandler] = [counter, find, day, client, photo]
