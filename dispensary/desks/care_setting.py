"""The office's page of the figures that care around the dose follows at this site. It names no client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.settings import BOUNDS, Reminders, reminders_of, set_reminders
from dispensary.clients.contact_rules import DAYS, FollowUp
from dispensary.clients.contacts import follow_up_of, set_follow_up
from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/office/care"


def _page(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        follow_up, reminders = follow_up_of(session, site.id), reminders_of(session, site.id)
    return page("office/care.html", done=done, refused=refused, typed=typed, follow_up=follow_up, reminders=reminders)


@get(HERE, sync_to_thread=True, guards=[requires_administrator])
def setting(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site follows now."""
    return _page(database, site, done=done)


@post(f"{HERE}/follow-up", sync_to_thread=True, guards=[requires_administrator])
def change_follow_up(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Sets after how many days without a dose a text goes out, somebody calls or visits, and when again."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            days = FollowUp(
                text_day=typed.whole_or_none("text_day", *DAYS),
                call_day=typed.whole_or_none("call_day", *DAYS),
                visit_day=typed.whole_or_none("visit_day", *DAYS),
                again_days=typed.whole("again_days", *DAYS),
            )
        set_follow_up(session, actor=actor, days=days, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=changed",
        else_again=lambda why: _page(database, site, refused=why, typed=data),
    )


@post(f"{HERE}/reminders", sync_to_thread=True, guards=[requires_administrator])
def change_reminders(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Sets after how many days a step to treatment is stuck, a referral is lost, and whoever came waits long."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            days = Reminders(
                stuck_days=typed.whole("stuck_days", *BOUNDS),
                lost_days=typed.whole("lost_days", *BOUNDS),
                intake_days=typed.whole("intake_days", *BOUNDS),
            )
        set_reminders(session, actor=actor, days=days, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=changed",
        else_again=lambda why: _page(database, site, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [setting, change_follow_up, change_reminders]
