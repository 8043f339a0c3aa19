"""Help on paper for clients: how the phone line is used, in their language, to look at and to print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale
from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.phone.help_sheet import help_sheet, languages_of_help
from dispensary.refusals import Refused
from dispensary.staff.phone_line import set_phone_line
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.printing.fonts import NoLetters
from dispensary.supplies.printing.help_sheet import help_pdf
from dispensary.units import DoseDay
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator, requires_help_printer
from dispensary.web.paper import no_letters, pdf
from dispensary.web.templating import page
from dispensary.words import language as read_now
from notifications import help_sheet as words
from notifications.texts import SOURCE


@get("/reception/help", sync_to_thread=True, guards=[requires_help_printer])
def help_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    language: FromQuery[str] = SOURCE,
    bottles: FromQuery[bool] = False,
    done: FromQuery[str] = "",
) -> Template:
    """The sheet as it would be printed now, in the language that is chosen."""
    return _page(database, actor, site, site.dose_day(clock()), language=language, bottles=bottles, done=done)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    today: DoseDay,
    *,
    language: str = SOURCE,
    bottles: bool = False,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        offered = languages_of_help(session, site=site)
        told = help_sheet(session, site=site, language=language, today=today, bottles=bottles)
    return page(
        "reception/help.html",
        told=told,
        words=words,
        draft=any(each.draft for each in offered if each.tag == language),
        offered=[(each.tag, _name(each.tag)) for each in offered],
        sets_number=actor.may(Act.RUN_SITE),
        done=done,
        refused=refused,
        typed=typed,
    )


def _name(tag: str) -> str:
    """A language as whoever reads the page calls it, and as its speakers do."""
    here, own = Locale.parse(tag).get_display_name(read_now()), Locale.parse(tag).get_display_name(tag)
    return f"{here} – {own}" if own and own != here else here or tag


@get("/reception/help.pdf", sync_to_thread=True, guards=[requires_help_printer])
def help_paper(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    language: FromQuery[str] = SOURCE,
    bottles: FromQuery[bool] = False,
) -> Response[bytes]:
    """The sheet as a PDF. Raises Refused where this machine has no letters for it."""
    with database.reading() as session:
        told = help_sheet(session, site=site, language=language, today=site.dose_day(clock()), bottles=bottles)
    try:
        return pdf(help_pdf(told), f"help-{language}.pdf")
    except NoLetters:
        raise no_letters() from None


@post("/office/phone-line", sync_to_thread=True, guards=[requires_administrator])
def change_number(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps the number that stands on the sheets from now on."""
    now = clock()
    try:
        database.write(lambda session: set_phone_line(session, actor=actor, typed=one(data, "number"), at=now))
    except Refused as refused:
        return _page(database, actor, site, site.dose_day(now), refused=refused, typed=data)
    return Redirect("/reception/help?done=number", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [help_page, help_paper, change_number]
