"""The office's page of the languages of texts: which a speaker has checked, and which drafts the site has accepted."""

from __future__ import annotations

from typing import Any

from babel import Locale
from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.models import Account
from dispensary.staff.queries import Place
from dispensary.staff.text_languages import accept_language, text_languages, withdraw_language
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.words import language


@get("/office/languages", sync_to_thread=True, guards=[requires_administrator])
def languages(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """Every language, and whether this site's texts are written in it."""
    return _languages_page(database, site, done=done)


def _languages_page(database: Database, here: Place, *, done: str = "", refused: Refused | None = None) -> Template:
    with database.reading() as session:
        rows = []
        for spoken in text_languages(session, site_id=here.id):
            accepted = spoken.accepted
            by = session.get(Account, accepted.accepted_by) if accepted and accepted.accepted_by else None
            rows.append((spoken, Locale.parse(spoken.tag).get_display_name(language()), by.name if by else ""))
    return page("office/languages.html", rows=rows, done=done, refused=refused)


@post("/office/languages", sync_to_thread=True, guards=[requires_administrator])
def change_language(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Accepts a draft, or withdraws it; texts follow from the next one on."""
    change = withdraw_language if one(data, "act") == "withdraw" else accept_language

    def act(session: WriteSession) -> None:
        change(session, actor=actor, language=one(data, "language"), at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _languages_page(database, site, refused=refused)
    return Redirect("/office/languages?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [languages, change_language]
