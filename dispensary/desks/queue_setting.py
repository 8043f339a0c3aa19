"""The office's page of what the site has set for its queue: fairness, who comes sooner, calls in vain, windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.waiting
from dispensary.database import WriteSession
from dispensary.phone import front_desk
from dispensary.phone.queueing import set_queue
from dispensary.refusals import Refused
from dispensary.web.forms import Form, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from scheduling.queue_rules import LONGEST_START, Group, QueueRules

GROUPS, WINDOWS = 6, 6
"""So many lines the form has of each; what is left empty is not kept."""


@get("/office/queue", sync_to_thread=True, guards=[requires_administrator])
def queue_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The form, as the queue is set now."""
    return _page(database, site, done=done)


def _page(
    database: TheDatabase,
    site: TheSite,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        kept = scheduling.waiting.queue_rules(session, site.id)
    groups = [(group.word, str(group.minutes)) for group in kept.groups]
    windows = list(kept.windows)
    if typed is not None:
        groups = list(zip(several(typed, "word"), several(typed, "minutes"), strict=False))
        windows = several(typed, "window")
    return page(
        "office/queue.html",
        kept=kept,
        groups=(groups + [("", "")] * GROUPS)[: max(GROUPS, len(groups))],
        windows=(windows + [""] * WINDOWS)[: max(WINDOWS, len(windows))],
        done=done,
        refused=refused,
        typed=typed,
    )


@post("/office/queue", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set; the next call follows it."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            words, minutes = several(data, "word"), several(data, "minutes")
            groups = [
                Group(word.strip(), _minutes(typed, written.strip()))
                for word, written in zip(words, minutes, strict=False)
                if word.strip() or written.strip()
            ]
            windows = [name.strip() for name in several(data, "window")]
            while windows and not windows[-1]:
                windows.pop()
            rules = QueueRules(
                typed.whole("walk_in_minutes", 0, 240),
                typed.whole("back_minutes", 0, 60),
                typed.whole("most_skips", 1, 9),
                typed.whole("missed_in_a_row", 1, 30),
                tuple(groups),
                tuple(windows),
            )
        with front_desk.where_it_opens():
            set_queue(session, actor=actor, rules=rules, at=now)

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/queue?done=changed", status_code=303)


def _minutes(typed: Typed, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LONGEST_START:
        return int(text)
    typed.fault("groups", "bad-minutes", f"Each group has 1 to {LONGEST_START} minutes.", "Write digits, as 15.")
    return 1


HANDLERS: list[ControllerRouterHandler] = [queue_form, change]
