"""What every screen of a waiting room shows, read once for all of them: numbers and windows, as server-sent events.

One reader a process looks whether anything moved at the places that some screen watches, in one statement outside any
transaction, and only while there is such a screen: when PostgreSQL tells that somebody was called there, and each few
seconds for arrivals and for who is done; each second where it cannot listen. A screen gets the whole state when it
connects and whenever it changes, so that one that was away, or whose server was, needs to be told nothing of what it
missed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from litestar.concurrency import sync_to_thread
from litestar.response.sse import ServerSentEventMessage
from sqlalchemy.exc import SQLAlchemyError

import scheduling.queries
import scheduling.waiting
from dispensary.database import Database
from dispensary.staff.devices import Bound, still_bound
from dispensary.staff.queries import Place
from dispensary.units import SiteId
from dispensary.web.given import Clock

log = structlog.get_logger("dispensary.board")

EVERY = 1.0
"""Seconds between two looks while no call is heard by itself."""
SELDOM = 3.0
"""Seconds between two looks while calls are heard."""
GATHERS = 0.1
"""Seconds for which calls that follow each other are gathered into one look."""
CHANNEL = "calls"
BEAT = 15.0
"""Seconds after which a screen hears that all is well, so that a lost connection is noticed at both ends. As often the
state is read anew whatever moved, since the order of those who wait follows the clock, and ended devices are let go."""
AGAIN_MS = 2000
"""After so long a browser that lost its server asks again."""
CALLS, NEXT = 6, 10

_MOVED = """
SELECT place_id, string_agg(concat_ws(':', ticket, coalesce(at_window, 0), calls, skips, aside_at IS NULL, priority),
    ',' ORDER BY ticket)
FROM visit JOIN unnest(%(places)s::uuid[], %(days)s::date[]) AS watched (place, on_day)
    ON place_id = place AND day = on_day
WHERE ended_at IS NULL GROUP BY place_id
"""


@dataclass(eq=False)
class _Screen:
    device: Bound
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False


@dataclass
class _Shown:
    """What a place's screens show, and by which of its visits it was made."""

    moved: str
    read_at: float
    data: str
    version: str


class Board:
    """The screens of all places that are watched through this process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._screens: set[_Screen] = set()
        self._shown: dict[UUID, _Shown] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._called = asyncio.Event()
        self._listens = False
        self._closed = False

    async def watch(self, device: Bound) -> AsyncIterator[ServerSentEventMessage]:
        """The state of the device's place at once and whenever it changes, until the device or this board is ended."""
        if self._closed:
            return
        screen = _Screen(device)
        self._screens.add(screen)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]
        seen = ""
        try:
            yield ServerSentEventMessage(data=None, comment="numbers and windows", retry=AGAIN_MS)
            while not screen.ended:
                shown = self._shown.get(device.site.id)
                if shown is not None and shown.version != seen:
                    seen = shown.version
                    yield ServerSentEventMessage(event="state", data=shown.data, id=shown.version)
                with suppress(TimeoutError):
                    await asyncio.wait_for(screen.woken.wait(), BEAT)
                if not screen.woken.is_set():
                    yield ServerSentEventMessage(event="beat", data="")
                screen.woken.clear()
            yield ServerSentEventMessage(event="over", data="")
        finally:
            self._screens.discard(screen)
            if not self._screens:
                for task in self._tasks:
                    task.cancel()
                self._tasks.clear()
                self._shown.clear()

    def close(self) -> None:
        """Ends every stream, so that a server that was told to stop need not wait for what never ends by itself.

        A browser asks again, and finds the server that follows.
        """
        self._closed = True
        for screen in self._screens:
            screen.ended = True
            screen.woken.set()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            try:
                places = {screen.device.site.id: screen.device.site for screen in self._screens}
                changed = await sync_to_thread(self._look, places, loop.time())
                if loop.time() - looked >= BEAT:
                    looked = loop.time()
                    await self._let_go()
            except SQLAlchemyError as reason:
                log.warning("the database does not answer", error=type(reason).__name__)
                changed = set()
            for screen in self._screens:
                if screen.device.site.id in changed:
                    screen.woken.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), SELDOM if self._listens else EVERY)
                await asyncio.sleep(GATHERS)
            self._called.clear()

    async def _listen(self) -> None:
        """Hears of calls at any server, for as long as some screen is watched; tries again when it is cut off."""
        while True:
            try:
                await self._database.hears(CHANNEL, self._told)
            except (psycopg.Error, OSError) as reason:
                log.info("calls are not heard, screens look each second", error=type(reason).__name__)
            self._listens = False
            await asyncio.sleep(BEAT)

    def _told(self, place_id: str) -> None:
        self._listens = True
        if not place_id or any(str(screen.device.site.id) == place_id for screen in self._screens):
            self._called.set()

    def _look(self, places: Mapping[SiteId, Place], moment: float) -> set[UUID]:
        """Reads what is shown at each place where something moved; says which places show something new."""
        now = self._clock()
        ids = list(places)
        days = [now.astimezone(ZoneInfo(place.zone)).date() for place in places.values()]
        rows = self._database.glance(lambda glance: glance.run(_MOVED, {"places": ids, "days": days}).fetchall())
        moved = {row[0]: row[1] for row in rows}
        changed: set[UUID] = set()
        for place_id in ids:
            known, now_moved = self._shown.get(place_id), moved.get(place_id, "")
            if known is not None and known.moved == now_moved and moment - known.read_at < BEAT:
                continue
            data = self._state(place_id)
            version = sha256(data.encode()).hexdigest()[:16]
            if known is None or known.version != version:
                changed.add(place_id)
            self._shown[place_id] = _Shown(now_moved, moment, data, version)
        return changed

    def _state(self, place_id: UUID) -> str:
        now = self._clock()
        with self._database.reading() as session:
            day = scheduling.queries.day_at(session, place_id, now)
            rules = scheduling.waiting.queue_rules(session, place_id)
            visits = scheduling.waiting.queue(session, place_id, day, now)
        called = sorted(
            (visit for visit in visits if visit.at_window is not None and visit.last_called_at is not None),
            key=lambda visit: (visit.last_called_at, visit.ticket),
            reverse=True,
        )
        newest: dict[int, dict[str, object]] = {}
        for visit in called:  # a window calls one at a time: whom it called before stands there already
            window = visit.at_window or 0
            call = {"number": visit.ticket, "window": window, "name": rules.name_of(window), "call": visit.calls}
            newest.setdefault(window, call)
        following = [visit.ticket for visit in visits if scheduling.waiting.waits(visit)]
        more = max(0, len(following) - NEXT)
        return json.dumps({"calls": list(newest.values())[:CALLS], "next": following[:NEXT], "more": more})

    async def _let_go(self) -> None:
        ids = {screen.device.id for screen in self._screens}
        living = await sync_to_thread(self._database.glance, lambda glance: still_bound(glance, ids))
        for screen in self._screens:
            if screen.device.id not in living:
                screen.ended = True
                screen.woken.set()
