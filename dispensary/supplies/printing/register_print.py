"""The controlled-drug register as a PDF for any range of days, in the programme's layout or a country's."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from dispensary.database import ReadSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.models import Site
from dispensary.stock.models import RegisterBook
from dispensary.supplies.printing.law import Layout
from dispensary.supplies.printing.register import draw_book
from dispensary.supplies.printing.register_by_law import draw_by_law
from dispensary.supplies.printing.register_rows import book_between
from dispensary.supplies.printing.report import Report, report
from dispensary.supplies.printing.wording import short_day
from dispensary.words import _


def the_right_way_round(first: date, last: date) -> None:
    """Raises BadInput when a range of days ends before it begins: it would look like a register without lines."""
    if last < first:
        raise BadInput(Refusal("days", f"{last} is before {first}.", "Turn the days round.", field="last"))


def register_pdf(
    session: ReadSession,
    *,
    book_id: UUID,
    first: date,
    last: date,
    site: Site,
    printed_at: datetime,
    layout: Layout | None = None,
) -> bytes:
    """The PDF of a register between two dose days, both included: the same lines and moment, the same bytes.

    A correction stands as the line that it is, and beside the line that it corrects. `layout` is that of a country's
    law; it may have clients by name, and then whoever prints it writes that down. Raises NotThere for a book of another
    site, BadInput when the days are the wrong way round.
    """
    the_right_way_round(first, last)
    book = session.get(RegisterBook, book_id)
    if book is None or book.site_id != site.id:
        raise NotThere(Refusal("no-book", "There is no such register at this site.", "Choose one from the list."))
    by_law = layout if layout is not None and layout.columns else None
    pages = book_between(session, book=book, first=first, last=last, names=by_law is not None and by_law.names)

    def draw(on: Report) -> None:
        if by_law is None:
            draw_book(on, pages, site.zone)
        else:
            draw_by_law(on, pages, site.zone, by_law)

    def title() -> str:
        named = _("Register") if by_law is None else by_law.title
        if first == last:
            return f"{named}, {short_day(first)}"
        return _("%(named)s, %(first)s to %(last)s", named=named, first=short_day(first), last=short_day(last))

    return report(draw, title, site=site, printed_at=printed_at)
