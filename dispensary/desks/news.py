"""The office's page of news: written, looked at as it will be sent, then sent to those who asked for news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.wishes import review_days, set_review_days
from dispensary.database import Database, WriteSession
from dispensary.phone.news import Preview, history, preview, readers, refuse_bad_words, send_news
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import language
from notifications.figures import COLUMNS


@get("/office/news", sync_to_thread=True, guards=[requires_administrator])
def news(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What was sent and what became of it, and the form for more."""
    return _page(database, site, done=done)


def _page(
    database: Database,
    site: Place,
    *,
    done: str = "",
    words: str = "",
    shown: Sequence[Preview] = (),
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        return page(
            "office/news.html",
            done=done,
            words=words,
            shown=[(each, Locale.parse(each.language).get_display_name(language())) for each in shown],
            readers=len(readers(session, site_id=site.id)),
            history=history(session, site_id=site.id),
            columns=list(COLUMNS),
            review_days=review_days(session, site.id),
            refused=refused,
            typed=typed,
        )


@post("/office/news", sync_to_thread=True, guards=[requires_administrator])
def write(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Shows the news as it will be sent; and sends it once whoever wrote it has seen that."""
    now: datetime = clock()
    try:
        words = refuse_bad_words(one(data, "words"), zone=ZoneInfo(site.zone))
        if one(data, "act") != "send":
            return _page(database, site, words=words, shown=preview(words, zone=ZoneInfo(site.zone)), typed=data)
        key = key_of(data)
        database.write(lambda session: send_news(session, actor=actor, site=site, words=words, key=key, at=now))
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/news?done=sent", status_code=303)


@post("/office/news/reviews", sync_to_thread=True, guards=[requires_administrator])
def before_reviews(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets how many days before a review is due its client is told."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            days = typed.whole("review_days", 1, 30)
        set_review_days(session, actor=actor, days=days, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/news?done=kept", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [news, write, before_reviews]
