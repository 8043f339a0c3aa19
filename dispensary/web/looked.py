"""After a page is made and before it is sent: whatever shows a name and has written nothing down is written down here.

A record that was opened is one entry about its client. A list is one entry with how many names it shows: once in a
quarter of an hour for each person and list, since a counter's screen is drawn anew after each dose, and not at all when
a screen asks for it by itself (`X-Quiet`). A picture belongs to the page that shows it and is written down by itself
only where no such page was. If the entry cannot be written, the page is not sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.response import Response

from dispensary import seen
from dispensary.database import Database
from dispensary.staff.sessions import SignedIn
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at, looked_at_list
from dispensary.web.given import Clock

LIST_AGAIN = timedelta(minutes=15)
PICTURE_AGAIN = timedelta(minutes=15)
_MOST_KNOWN = 4096
_Key = tuple[UUID | None, UUID, object]
After = Callable[[Response[Any]], Awaitable[Response[Any]]]
_asked: ContextVar[tuple[Request[Any, Any, Any], ClientId | None] | None] = ContextVar("asked", default=None)


def begins(request: Request[Any, Any, Any], client_id: ClientId | None) -> None:
    """This request is about to be answered; `client_id` is whose record it opens, where it opens one."""
    _asked.set((request, client_id))
    seen.anew()


def writes_down(database: Database, clock: Clock) -> After:
    """The hook after each request: a function, since the framework copies whatever a router is given."""
    looked = _Looked(database, clock)

    async def after(response: Response[Any]) -> Response[Any]:
        asked, saw = _asked.get(), seen.of_this_request()
        if asked is not None and saw is not None:
            await looked.note(*asked, saw)
        return response

    return after


class _Looked:
    """Who saw what a moment ago; one for an application."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._known: dict[_Key, datetime] = {}
        self._lock = Lock()

    async def note(self, request: Request[Any, Any, Any], client_id: ClientId | None, saw: seen.Seen) -> None:
        """Writes down what this request showed, unless its handler has."""
        who = request.scope.get("user")
        if not isinstance(who, SignedIn):
            return
        path, now = str(request.scope.get("path_template", "")), self._clock()
        if client_id is not None:
            about = (who.actor.account_id, who.actor.site_id, client_id)
            if client_id in saw.written:
                self._just(about, now, PICTURE_AGAIN)
            elif request.method != "GET" and not saw.anybody:
                return  # nothing was done and nobody shown
            elif not (path.endswith("/photo") and self._just(about, now, PICTURE_AGAIN)):
                await sync_to_thread(self._look, who, client_id, path, now)
            return
        unnoted = saw.clients and not saw.written and "x-quiet" not in request.headers
        if unnoted and not self._just((who.actor.account_id, who.actor.site_id, path), now, LIST_AGAIN):
            await sync_to_thread(self._list, who, path, len(saw.clients), now)

    def _just(self, key: _Key, now: datetime, again: timedelta) -> bool:
        """Whether the same was seen a moment ago; from now on it was."""
        with self._lock:
            before = self._known.get(key)
            if before is not None and timedelta(0) <= now - before < again:
                return True
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = now
            return False

    def _look(self, who: SignedIn, client_id: ClientId, path: str, now: datetime) -> None:
        with self._database.writing() as session:
            looked_at(session, actor=who.actor, client_id=client_id, at=now, page=path)

    def _list(self, who: SignedIn, path: str, clients: int, now: datetime) -> None:
        with self._database.writing() as session:
            looked_at_list(session, actor=who.actor, at=now, which=path, clients=clients)
