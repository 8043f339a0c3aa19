"""What a site sets about disclosure: who answers demands, and which notice goes with what leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.demands import name_who_answers, who_answers, who_could
from dispensary.clients.notices import LONGEST_NOTICE, LONGEST_SOURCE, notice_of, set_notice, shipped_notices
from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_PAGE = "/disclosure/setting"
_OWN = "own"


def setting_page(
    database: Database,
    site: Place,
    *,
    done: bool = False,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The page, with what was refused and typed when something was."""
    with database.reading() as session:
        current = notice_of(session, site_id=site.id)
        return page(
            "disclosure/setting.html",
            could=[(str(account), name) for account, name in who_could(session, site_id=site.id)],
            answers=str(who_answers(session, site_id=site.id) or ""),
            notices=list(shipped_notices().values()),
            current=current,
            own=_OWN,
            longest=LONGEST_NOTICE,
            longest_source=LONGEST_SOURCE,
            done=done,
            refused=refused,
            typed=typed,
        )


@get(_PAGE, sync_to_thread=True, guards=[requires_administrator])
def disclosure_setting(database: TheDatabase, site: TheSite, done: FromQuery[bool] = False) -> Template:
    """Who answers demands, and the notice."""
    return setting_page(database, site, done=done)


@post(f"{_PAGE}/answers", sync_to_thread=True, guards=[requires_administrator])
def name_answerer(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Names the person who answers legal demands."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            account_id = typed.id("answers")
        name_who_answers(session, actor=actor, account_id=account_id, at=clock())

    return _then(database, site, act, data)


@post(f"{_PAGE}/notice", sync_to_thread=True, guards=[requires_administrator])
def change_notice(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Chooses the notice, or writes the site's own."""

    def act(session: WriteSession) -> None:
        chosen = one(data, "notice")
        set_notice(
            session,
            actor=actor,
            shipped="" if chosen == _OWN else chosen,
            words=one(data, "words"),
            source=one(data, "source"),
            at=clock(),
        )

    return _then(database, site, act, data)


def _then(database: Database, site: Place, act: Any, data: Mapping[str, Any]) -> Response[Any]:
    return done_or_again(
        database,
        act,
        then=lambda _: f"{_PAGE}?done=true",
        else_again=lambda why: setting_page(database, site, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [disclosure_setting, name_answerer, change_notice]
