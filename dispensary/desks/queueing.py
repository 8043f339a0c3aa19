"""Reception's queue: who waits in which order and about how long, who comes sooner, who was not there, who has left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
from dispensary.clients.queries import Face, faces_on_papers
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import front_desk, queueing
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_greeter
from dispensary.web.templating import page
from scheduling.models import Visit
from scheduling.queue_rules import QueueRules


@dataclass(frozen=True)
class InQueue:
    """Somebody who is here, as reception's queue shows them."""

    visit: Visit
    face: Face
    booked_at: datetime | None
    waited: int
    """Minutes since they came."""
    minutes: int | None
    """About how many more, for who waits, where that is known."""
    window_name: str


@dataclass(frozen=True)
class Sooner:
    """A way to come sooner, as a button: why, for whoever may look at records, and otherwise by how much alone."""

    field: str
    value: str
    minutes: int
    word: str = ""

    def given(self, visit: Visit) -> bool:
        """Whether they come sooner by it now."""
        return self.word == visit.group_word if self.word else self.minutes == visit.priority


def sooner_for(actor: Actor, rules: QueueRules) -> list[Sooner]:
    """What this person may choose. Reception is told of nobody that they are ill, or pregnant: some go first."""
    if actor.may(Act.LOOK_AT_CLIENT):
        return [Sooner("word", group.word, group.minutes, group.word) for group in rules.groups]
    return [Sooner("minutes", str(n), n) for n in sorted({group.minutes for group in rules.groups})]


@get("/reception/queue", sync_to_thread=True, guards=[requires_greeter])
def queue_page(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """The queue, live."""
    return _page(database, actor, site, clock())


def _page(database: TheDatabase, actor: Actor, site: Place, now: datetime, refused: Refused | None = None) -> Template:
    with database.reading() as session:
        return page("reception/queue.html", refused=refused, **_queue(session, actor, site, now))


@front_desk.where_it_opens()
def _queue(session: ReadSession, actor: Actor, site: Place, now: datetime) -> dict[str, Any]:
    day = scheduling.queries.day_at(session, site.id, now)
    visits = scheduling.waiting.queue(session, site.id, day, now)
    known = faces_on_papers(session, {ClientId(visit.holder_id) for visit in visits})
    rules = scheduling.waiting.queue_rules(session, site.id)
    pace = scheduling.waiting.pace(session, site.id, day, now)
    starts: Mapping[UUID, datetime] = {
        booking.id: booking.starts_at for booking in scheduling.queries.bookings_on(session, site.id, day)
    }
    waiting: list[InQueue] = []
    called: list[InQueue] = []
    aside: list[InQueue] = []
    for visit in visits:
        waits = scheduling.waiting.waits(visit)
        row = InQueue(
            visit,
            known[ClientId(visit.holder_id)],
            starts.get(visit.booking_id) if visit.booking_id else None,
            max(0, (now - visit.arrived_at) // timedelta(minutes=1)),
            pace.minutes(len(waiting)) if waits else None,
            rules.name_of(visit.at_window or 0),
        )
        (waiting if waits else aside if visit.aside_at is not None else called).append(row)
    return {
        "now": now,
        "today": day,
        "waiting": waiting,
        "called": called,
        "aside": aside,
        "sooner": sooner_for(actor, rules),
        "sees_why": actor.may(Act.LOOK_AT_CLIENT),
        "minutes": pace.minutes(len(waiting)),
        "windows": pace.windows,
        "waits": scheduling.waiting.waits_on(session, site.id, day),
    }


def _does(
    database: TheDatabase, actor: Actor, site: Place, now: datetime, act: Callable[[WriteSession], object], onward: str
) -> Response[Any]:
    return done_or_again(
        database,
        act,
        then=lambda _: onward if onward.startswith("/reception") else "/reception/queue",
        else_again=lambda why: _page(database, actor, site, now, why),
    )


@post("/reception/queue/{visit_id:uuid}/group", sync_to_thread=True, guards=[requires_greeter])
def group(
    visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """They come sooner, by a word of the site's list or by its minutes alone, or as others do."""
    now, word, minutes = clock(), one(data, "word"), one(data, "minutes")

    def act(session: WriteSession) -> Visit:
        if not word and minutes.isascii() and minutes.isdigit() and len(minutes) < 4:
            return queueing.starts_sooner(session, actor=actor, visit_id=visit_id, minutes=int(minutes), at=now)
        return queueing.comes_sooner(session, actor=actor, visit_id=visit_id, word=word, at=now)

    return _does(database, actor, site, now, act, one(data, "onward"))


@post("/reception/queue/{visit_id:uuid}/back", sync_to_thread=True, guards=[requires_greeter])
def back(
    visit_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Asked, and there: they wait again in their old turn."""
    now = clock()

    def act(session: WriteSession) -> Visit:
        return queueing.back_in_queue(session, actor=actor, visit_id=visit_id, at=now)

    return _does(database, actor, site, now, act, "")


@post("/reception/queue/{visit_id:uuid}/skip", sync_to_thread=True, guards=[requires_greeter])
def skip(
    visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Called and not there: others first for a while."""
    now, key = clock(), key_of(data)

    def act(session: WriteSession) -> Visit:
        return queueing.not_there(session, actor=actor, visit_id=visit_id, key=key, at=now)

    return _does(database, actor, site, now, act, "")


@post("/reception/queue/{visit_id:uuid}/again", sync_to_thread=True, guards=[requires_greeter])
def again(
    visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Calls them once more to the window that called them."""
    now, key = clock(), key_of(data)

    def act(session: WriteSession) -> Visit | None:
        visit = session.get(Visit, visit_id)
        window = visit.at_window if visit is not None else None
        if window is None:
            return None  # they were put back meanwhile: there is no window to call them to
        return queueing.call_again(session, actor=actor, visit_id=visit_id, window=window, key=key, at=now)

    return _does(database, actor, site, now, act, "")


@post("/reception/queue/{visit_id:uuid}/left", sync_to_thread=True, guards=[requires_greeter])
def left(
    visit_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """They left without being served."""
    now = clock()

    def act(session: WriteSession) -> Visit:
        return queueing.has_left(session, actor=actor, visit_id=visit_id, at=now)

    return _does(database, actor, site, now, act, "")


HANDLERS: list[ControllerRouterHandler] = [queue_page, group, back, skip, again, left]
