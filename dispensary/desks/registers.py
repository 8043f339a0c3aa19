"""The register on the screen and on paper: any range of days, in the layout of any country's law; log and inventory."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from litestar import get
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.stock import queries as stock
from dispensary.stock.models import RegisterBook
from dispensary.supplies.paper import paper_of
from dispensary.supplies.printing.daylog import day_log
from dispensary.supplies.printing.inventory import inventory_pdf
from dispensary.supplies.printing.law import Layout, laws, layouts
from dispensary.supplies.printing.register import line_kinds
from dispensary.supplies.printing.register_print import register_pdf, the_right_way_round
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed


def _day(text: str, *, field: str) -> date:
    with Typed({field: text}) as typed:
        return typed.day(field)


@get("/counter/registers/{book_id:uuid}", sync_to_thread=True, guards=[requires_dispenser])
def register(
    book_id: FromPath[UUID],
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[str] = "",
    last: FromQuery[str] = "",
) -> Template:
    """The lines of a register between two days, with the running balance, and in which layouts it is printed."""
    today = site.dose_day(clock())
    until = _day(last, field="last") if last else today
    since = _day(first, field="first") if first else until - timedelta(days=6)
    the_right_way_round(since, until)
    with database.reading() as session:
        book = _book(session, site, book_id)
        lines = stock.register_lines(session, book_id=book_id, first=since, last=until)
        law = paper_of(session, session.get_one(Site, site.id)).law
    return page(
        "counter/register.html",
        book=book,
        lines=lines,
        kinds=line_kinds(),
        first=since,
        last=until,
        own=law.registers,
        laws=laws().values(),
        today=today,
    )


def _book(session: ReadSession, site: TheSite, book_id: FromPath[UUID]) -> RegisterBook:
    book = session.get(RegisterBook, book_id)
    if book is None or book.site_id != site.id:
        raise NotThere(Refusal("no-book", "There is no such register at this site.", "Look at the stock page."))
    return book


def _layout(wanted: str, own: Layout) -> Layout:
    """The layout that was asked for, or the site's."""
    if wanted and wanted not in layouts():
        raise BadInput(Refusal("no-layout", "There is no such layout.", "Choose one from the list.", field="layout"))
    return layouts()[wanted] if wanted else own


@get("/counter/registers/{book_id:uuid}/register.pdf", sync_to_thread=True, guards=[requires_dispenser])
def register_print(
    book_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[str],
    last: FromQuery[str],
    layout: FromQuery[str] = "",
) -> Response[bytes]:
    """The register between two days, to print. The log says who printed it, and whether clients stand in it by name."""
    since, until, now = _day(first, field="first"), _day(last, field="last"), clock()

    def act(session: WriteSession) -> bytes:
        book = _book(session, site, book_id)
        here = session.get_one(Site, site.id)
        chosen = _layout(layout, paper_of(session, here).law.registers[0])
        content = register_pdf(
            session, book_id=book.id, first=since, last=until, site=here, printed_at=now, layout=chosen
        )
        audit.record(
            session,
            actor=actor,
            act="printed register with names" if chosen.names else "printed register",
            subject="register_book",
            subject_id=book.id,
            at=now,
            details={"layout": chosen.key, "first": since, "last": until},
        )
        return content

    return pdf(database.write(act), "register.pdf")


@get("/counter/days/{day:date}/log.pdf", sync_to_thread=True, guards=[requires_dispenser])
def log_of_day(day: FromPath[date], database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The day's dispensing log and register, to print and initial."""
    with database.reading() as session:
        content = day_log(session, site=session.get_one(Site, site.id), day=day, printed_at=clock())
    return pdf(content, "log.pdf")


@get("/counter/days/{day:date}/inventory.pdf", sync_to_thread=True, guards=[requires_dispenser])
def inventory(day: FromPath[date], database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The day's inventory, as the site's law asks for it, to sign."""
    with database.reading() as session:
        here = session.get_one(Site, site.id)
        content = inventory_pdf(session, site=here, day=day, law=paper_of(session, here).law, printed_at=clock())
    return pdf(content, "inventory.pdf")


HANDLERS: list[ControllerRouterHandler] = [register, register_print, log_of_day, inventory]
