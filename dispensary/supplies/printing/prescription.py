"""A dose order on paper: one page that a prescriber signs, with the dose in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from dispensary.clients.models import Client
from dispensary.clients.queries import Face, face_of
from dispensary.database import ReadSession
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.models import Account, Site
from dispensary.supplies.printing.amounts import milligrams_in_words
from dispensary.supplies.printing.fonts import readable
from dispensary.supplies.printing.label_text import portion_name
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import long_day, moment, plain_day
from dispensary.units import ClientId, plain
from dispensary.words import _

_EDGE = 18.0
_WIDTH = A4[0] - 2 * _EDGE
_QR = 34.0


@dataclass(frozen=True)
class _Written:
    """What stands on the page."""

    site: Site
    face: Face
    order: DoseOrder
    prescriber: str
    printed_at: datetime
    printed_by: str
    today: date


def prescription_pdf(
    session: ReadSession,
    *,
    site: Site,
    client_id: ClientId,
    order_id: UUID,
    today: date,
    printed_at: datetime,
    printed_by: str,
) -> bytes:
    """The PDF of one order: client, mg in figures and in words, each portion and its place, first and last day.

    An order that ended before `today` says so in bold, so that an old page is not taken for the one in force. The QR
    is the order's own id, which tells nothing to whoever has no access to the record. The same order printed at the
    same moment gives the same bytes. Raises NotThere for an order of another client or site, and for one that was set
    aside before its first day.
    """
    order = session.get(DoseOrder, order_id)
    client = session.get(Client, client_id)
    if (
        order is None
        or client is None
        or (order.client_id, order.site_id) != (client_id, site.id)
        or order.voided_at is not None
    ):
        raise NotThere(Refusal("no-order", "There is no such order to print.", "Look at the client's page again."))
    prescriber = session.get(Account, order.ordered_by) if order.ordered_by else None
    written = _Written(
        site=site,
        face=face_of(session, client),
        order=order,
        prescriber=prescriber.name if prescriber else "",
        printed_at=printed_at,
        printed_by=printed_by,
        today=today,
    )
    return printed(
        lambda sheet: _draw(sheet, written),
        A4,
        made_at=printed_at,
        title="Prescription",
        language=site.language,
    )


def _draw(sheet: Sheet, written: _Written) -> None:
    sheet.page()
    y = _clinic(sheet, written.site, _EDGE)
    sheet.text(_EDGE, y, _("Prescription"), size=22, bold=True)
    y += leading(22) + 2
    if (ended := written.order.days.upper) and ended <= written.today:
        last = plain_day(ended - timedelta(days=1))
        sheet.text(
            _EDGE, y, _("This order is over. Its last day was %(day)s.", day=last), size=14, bold=True, width=_WIDTH
        )
        y += leading(14) + 2
    y = _client(sheet, written.face, y)
    y = _dose(sheet, written.order, y + 3)
    y = _days(sheet, written.order, y + 4)
    _signature(sheet, written, max(y + 8, A4[1] - 86))


def _clinic(sheet: Sheet, site: Site, y: float) -> float:
    name = sheet.show(site.name)
    heading = f"{name} ({site.code})" if readable(name) else site.code
    y = sheet.block(_EDGE, y, heading, _WIDTH, size=14, least=9, most_lines=2, bold=True)
    where = ", ".join(part for part in (site.address, site.phone) if part)
    if where:
        y = sheet.block(_EDGE, y, where, _WIDTH, size=10, least=8, most_lines=2)
    sheet.rule(_EDGE, y + 2, _WIDTH, thick=0.5)
    return y + 6


def _client(sheet: Sheet, face: Face, y: float) -> float:
    sheet.text(_EDGE, y, _("For"), size=10)
    y += leading(10)
    y = sheet.block(_EDGE, y, face.name, _WIDTH, size=18, least=11, most_lines=2, bold=True)
    known = [_("Client number %(number)s", number=face.number)]
    if face.born:
        known.append(_("born %(day)s", day=plain_day(face.born)))
    if face.second_identifier:
        known.append(_("known by: %(mark)s", mark=face.second_identifier))
    return sheet.block(_EDGE, y + 1, ", ".join(known), _WIDTH, size=12, least=9, most_lines=3)


def _dose(sheet: Sheet, order: DoseOrder, y: float) -> float:
    """The amount, framed: large figures, and words in which no decimal point can slip."""
    split = len(order.portions) > 1
    inside = _WIDTH - 12
    words = _("%(words)s a day", words=milligrams_in_words(order.mg))
    lines = sheet.lines(words, inside, size=14)
    high = (
        6 + leading(11) + leading(36) + 2 + len(lines) * leading(14) + (len(order.portions) * 7.5 + 3 if split else 9)
    )
    sheet.box(_EDGE, y, _WIDTH, high)
    x, y_in = _EDGE + 6, y + 3
    sheet.text(x, y_in, _("Methadone, by mouth, each day"), size=11)
    y_in += leading(11)
    sheet.text(x, y_in, f"{plain(order.mg)} mg", size=36, bold=True, width=inside)
    y_in += leading(36) + 1
    for line in lines:
        sheet.text(x, y_in, line, size=14, width=inside)
        y_in += leading(14)
    y_in += 3
    if not split:
        sheet.text(
            x, y_in, _("The whole dose at once. %(place)s", place=_place(order, 1)).strip(), size=11, width=inside
        )
        return y + high
    for n, part in enumerate(order.portions, start=1):
        name = portion_name(n, len(order.portions))
        said = f"{plain(part)} mg ({milligrams_in_words(part)})"
        sheet.text(x, y_in, name, size=12, bold=True, width=24)
        sheet.text(x + 26, y_in, said, size=12, width=inside - 26 - 52)
        sheet.text(x + inside - 50, y_in, _place(order, n), size=11, side="right", width=50)
        y_in += 7.5
    return y + high


def _place(order: DoseOrder, portion: int) -> str:
    """Where a portion is taken, when the order says so."""
    if not order.places:
        return ""
    return _("At the counter") if order.places[portion - 1] == "supervised" else _("Carried home")


def _days(sheet: Sheet, order: DoseOrder, y: float) -> float:
    first = order.days.lower
    last = order.days.upper - timedelta(days=1) if order.days.upper else None
    until = long_day(last) if last else _("until the prescriber changes it")
    for label, said in ((_("First day"), long_day(first) if first else ""), (_("Last day"), until)):
        sheet.text(_EDGE, y, label, size=11)
        sheet.text(_EDGE + 34, y, said, size=14, bold=True, width=_WIDTH - 34)
        y += leading(14) + 1
    return y


def _signature(sheet: Sheet, written: _Written, y: float) -> None:
    order, zone = written.order, written.site.zone
    width = _WIDTH - _QR - 8
    sheet.text(_EDGE, y, _("Prescriber"), size=10)
    y_left = y + leading(10)
    if written.prescriber:
        y_left = sheet.block(_EDGE, y_left, written.prescriber, width, size=14, least=10, most_lines=2, bold=True)
    ordered = _("Ordered on the record %(at)s", at=moment(order.ordered_at, zone))
    sheet.text(_EDGE, y_left, ordered, size=10, width=width)
    line = y_left + leading(10) + 20
    sheet.rule(_EDGE, line, width * 0.62, thick=0.4)
    sheet.text(_EDGE, line + 1, _("Signature"), size=9)
    sheet.rule(_EDGE + width * 0.68, line, width * 0.32, thick=0.4)
    sheet.text(_EDGE + width * 0.68, line + 1, _("Date"), size=9)
    sheet.qr(A4[0] - _EDGE - _QR, y, _QR, str(order.id).upper())
    sheet.text(A4[0] - _EDGE - _QR - 12, y + _QR + 1, str(order.id), size=6, side="right", width=_QR + 12)
    printed_at = moment(written.printed_at, zone)
    said = _("Printed %(at)s by %(name)s", at=printed_at, name=written.printed_by)
    sheet.text(_EDGE, A4[1] - 14, said, size=8, width=_WIDTH)
