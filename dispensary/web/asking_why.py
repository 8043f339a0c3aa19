"""Before a page about a client is made: whoever does not usually open that record says why first.

It stands before every page and before whatever the API reads of a client, in one place: a handler added tomorrow
is behind it too. A page is led to the question and comes back; a program, and a form that was posted, is refused with
the code `reason-needed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.response import Redirect

from dispensary.database import Database
from dispensary.looks.asking import WHOSE, Asked, looks_for, reason_asked
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Act, may
from dispensary.staff.sessions import SignedIn
from dispensary.web.given import Clock
from dispensary.web.looked import begins

OPEN = "asks_no_reason"
"""The opt of a handler that shows nothing of the client, such as the one that asks."""
AT_COUNTER = ("/counter/", "/guests", "/moves", "/carrying")
_KNOWN_FOR = timedelta(seconds=60)
_MOST_KNOWN = 4096
_Key = tuple[UUID | None, UUID, str, object]


class ReasonNeeded(Refused):
    """The record is opened for a reason only, and none was given today. Nothing was shown."""

    status = 428


def _refused(asked: Asked) -> ReasonNeeded:
    return ReasonNeeded(
        Refusal(
            "reason-needed",
            "You do not usually open this record: say why first.",
            "Open the client's page: it asks once a day. A program posts the reason to /api/clients/{id}/reason.",
            {"client": str(asked.client_id), "asked": [why.value for why in asked.whys]},
        )
    )


Hook = Callable[[Request[Any, Any, Any]], Awaitable[Redirect | None]]


def asks_why(database: Database, clock: Clock) -> Hook:
    """The hook before each request: a function, since the framework copies whatever a router is given."""
    asking = _Asking(database, clock)

    async def before(request: Request[Any, Any, Any]) -> Redirect | None:
        return await asking.before(request)

    return before


class _Asking:
    """What was found usual stays so for a minute, so that the counter asks the database once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._usual: dict[_Key, tuple[datetime, Asked]] = {}

    async def before(self, request: Request[Any, Any, Any]) -> Redirect | None:
        looks_for("")
        begins(request, None)
        opened_by = next((name for name in WHOSE if name in request.path_params), None)
        who = request.scope.get("user")
        if opened_by is None or not isinstance(who, SignedIn) or request.route_handler.opt.get(OPEN):
            return None
        path = request.scope["path"]
        if path.startswith("/api/") and request.method not in ("GET", "HEAD"):
            return None  # it shows nothing, and what it changes is written down as what it is
        asked = await sync_to_thread(self._asked, who, opened_by, request.path_params[opened_by], path)
        if asked is None or not asked.needs_reason:
            if asked is not None:
                looks_for(asked.given)
                begins(request, asked.client_id)
            return None
        if path.startswith("/api/") or request.method != "GET":
            raise _refused(asked)
        query = request.scope["query_string"].decode("latin-1")
        onward = f"{path}?{query}" if query else path
        return Redirect(f"/looking/{asked.client_id}?onward={quote(onward)}", status_code=303)

    def _asked(self, who: SignedIn, opened_by: str, value: object, path: str) -> Asked | None:
        now = self._clock()
        key = (who.actor.account_id, who.actor.site_id, f"{opened_by} {_at_counter(who, path)}", value)
        known = self._usual.get(key)
        if known is not None and timedelta(0) <= now - known[0] < _KNOWN_FOR:
            return known[1]
        asked = asked_of(self._database, who, opened_by, value, path, now)
        if asked is not None and not asked.needs_reason:
            if len(self._usual) >= _MOST_KNOWN:
                self._usual.clear()
            self._usual[key] = (now, asked)
        return asked


def _at_counter(who: SignedIn, path: str) -> bool:
    return path.startswith(AT_COUNTER) and may(who.actor.roles, Act.DISPENSE)


def asked_of(
    database: Database, who: SignedIn, opened_by: str, value: object, path: str, now: datetime
) -> Asked | None:
    """Whether this person is asked why they open this path now; None where there is no such record here."""
    return database.glance(
        lambda glance: reason_asked(
            glance,
            actor=who.actor,
            opened_by=opened_by,
            value=value,
            today=who.site.dose_day(now),
            at_counter=_at_counter(who, path),
        )
    )
