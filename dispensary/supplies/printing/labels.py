"""Labels for the bottles of a supply or a prepared pickup: one each, on a sheet or from a label printer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.models import Account, Site
from dispensary.stock.models import Lot, RegisterBook
from dispensary.supplies.models import Bottle, Dose
from dispensary.supplies.printing.fonts import readable
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import moment, plain_day, short_day, weekday
from dispensary.supplies.serials import bottle_code, spoken_serial
from dispensary.units import plain
from dispensary.words import _


class LabelPaper(StrEnum):
    """What the labels are printed on."""

    SHEET = "sheet"
    """A4 with 3 by 5 labels of 70 x 50.8 mm, as many makers sell it, printed at 100 %."""
    ROLL = "roll"
    """A label printer: a page of 70 x 50 mm for each label."""


ACROSS, DOWN = 3, 5
ON_A_SHEET = ACROSS * DOWN
_WIDTH, _SHEET_HEIGHT, _ROLL_HEIGHT = 70.0, 50.8, 50.0
_TOP = (A4[1] - DOWN * _SHEET_HEIGHT) / 2
_EDGE = 3.5
"""What is left free at each side (mm): printers and the punching of labels are out by as much as 2 mm."""
_QR = 16.5
"""With its quiet zone (mm): modules of more than half a millimetre, which a camera reads from a curved bottle."""


@dataclass(frozen=True)
class BottleLabel:
    """What one label says."""

    number: str
    initials: str
    """Of the client; or the name, where it is asked for."""
    product: str
    mg: Decimal
    ml: Decimal
    day: date
    portion: int
    portions: int
    n: int
    of: int
    batch: str
    expires_on: date
    packed_by: str
    packed_at: datetime
    serial: str


def bottle_labels(
    session: ReadSession,
    *,
    site: Site,
    supply_id: UUID | None = None,
    pickup_id: UUID | None = None,
    paper: LabelPaper = LabelPaper.SHEET,
    skip: int = 0,
    named: bool = False,
) -> bytes:
    """The PDF of a label for each bottle of one supply or one pickup, in the order in which they are taken.

    Each says what programmes ask for: the clinic with address and telephone (42 CFR 8.12(i)(4)), product, mg, mL
    and strength, the day to take it, portion, bottle n of N, directions, batch, expiry, who packed it and when, the
    warnings, and the bottle's serial as QR and digits; no illness, no reason for treatment.

    The client's name is not on it, since a bottle that is found must not name anybody: the number identifies, the
    initials of the name are what the counter compares. Where the law wants the name on a dispensed medicine (UK HMR
    2012 schedule 26; Malaysia's Poisons Regulations 1952 reg 12) the site prints with `named`. `skip` leaves out labels
    (0 to 14) that are gone from the first sheet. Printed again, the same bottles give the same bytes.

    Raises NotThere when nothing of this supply or pickup is in a bottle at this site, BadInput for a wrong `skip`.
    """
    if not 0 <= skip < ON_A_SHEET:
        raise BadInput(
            Refusal("skip", f"A sheet has {ON_A_SHEET} labels.", "Say how many of them are gone.", field="skip")
        )
    labels = read_labels(session, site=site, supply_id=supply_id, pickup_id=pickup_id, named=named)
    if not labels:
        raise NotThere(Refusal("no-bottles", "There is no bottle to label here.", "Look at the record again."))

    def draw(sheet: Sheet) -> None:
        for place, label in enumerate(labels, start=skip if paper is LabelPaper.SHEET else 0):
            if paper is LabelPaper.ROLL:
                sheet.page()
                _draw(sheet, label, site, 0, 0, _ROLL_HEIGHT)
                continue
            on_sheet = place % ON_A_SHEET
            if on_sheet == 0 or label is labels[0]:
                sheet.page()
            x, y = on_sheet % ACROSS * _WIDTH, _TOP + on_sheet // ACROSS * _SHEET_HEIGHT
            _draw(sheet, label, site, x, y, _SHEET_HEIGHT)

    return printed(
        draw,
        A4 if paper is LabelPaper.SHEET else (_WIDTH, _ROLL_HEIGHT),
        made_at=max(label.packed_at for label in labels),
        title="Labels",
        language=site.language,
    )


def read_labels(
    session: ReadSession, *, site: Site, supply_id: UUID | None, pickup_id: UUID | None, named: bool
) -> list[BottleLabel]:
    """What the labels say. Bottles that went back into stock and supplies that were voided have none."""
    assert (supply_id is None) != (pickup_id is None), "labels are for one supply or for one pickup"
    wanted = (
        select(Bottle, Lot.batch, Lot.expires_on, Lot.strength, RegisterBook.product, Account.initials, Client)
        .join(Lot, Lot.id == Bottle.lot_id)
        .join(RegisterBook, RegisterBook.id == Lot.book_id)
        .join(Account, Account.id == Bottle.packed_by)
        .join(Client, Client.id == Bottle.client_id)
        .where(Bottle.site_id == site.id)
        .order_by(Bottle.dose_day, Bottle.portion)
    )
    if supply_id:
        wanted = wanted.join(Dose, Dose.id == Bottle.dose_id).where(
            Dose.supply_id == supply_id, Dose.voided_at.is_(None)
        )
    else:
        wanted = wanted.where(Bottle.pickup_id == pickup_id, Bottle.state.not_in(("back_in_stock", "lost", "void")))
    rows = session.execute(wanted).all()
    labels = []
    for n, (bottle, batch, expires_on, strength, product, packed_by, client) in enumerate(rows, start=1):
        name = session.vault.open("client.name", client.id, client.name_sealed)
        labels.append(
            BottleLabel(
                number=client.number,
                initials=name if named else initials_of(name),
                product=with_strength(product, strength),
                mg=bottle.mg,
                ml=bottle.ml,
                day=bottle.dose_day,
                portion=bottle.portion,
                portions=bottle.portions,
                n=n,
                of=len(rows),
                batch=batch,
                expires_on=expires_on,
                packed_by=packed_by,
                packed_at=bottle.packed_at,
                serial=bottle.serial,
            )
        )
    return labels


def initials_of(name: str) -> str:
    """The first letter of each word of a name, four at most, with the marks that belong to it: A. b. Y."""
    firsts = []
    for word in unicodedata.normalize("NFC", name).replace("-", " ").split()[:4]:
        end = 1
        while end < len(word) and unicodedata.category(word[end]).startswith("M"):
            end += 1
        firsts.append(word[:end] + ".")
    return " ".join(firsts)


def with_strength(product: str, strength: Decimal) -> str:
    """The product with its concentration, once: the register's name for it mostly has it already."""
    concentration = f"{plain(strength)} mg/mL"
    said = product[:1].upper() + product[1:]
    return said if concentration in product else f"{said} {concentration}"


def portion_name(portion: int, portions: int) -> str:
    """When a portion of a split day is taken; empty for a whole day's dose."""
    names = {
        2: (_("Morning"), _("Evening")),
        3: (_("Morning"), _("Midday"), _("Evening")),
        4: (_("Morning"), _("Midday"), _("Evening"), _("Night")),
    }
    return names[portions][portion - 1] if portions > 1 else ""


def _directions(label: BottleLabel) -> str:
    if label.portions == 1:
        return _("Drink the whole bottle on this day.")
    return _("Drink the whole bottle on this day, at the time above.")


def _warnings() -> Sequence[str]:
    return (
        _("Keep locked away from children. May be fatal to others."),
        _("Do not drive if drowsy. Return the empty bottle."),
    )


def _draw(sheet: Sheet, label: BottleLabel, site: Site, left: float, top: float, height: float) -> None:
    """One label: the clinic and the day from the top down, whose it is and the rest from the bottom up."""
    x, width = left + _EDGE, _WIDTH - 2 * _EDGE
    name = sheet.show(site.name)
    y = _heading(sheet, x, top + 2.3, name if readable(name) else site.code, width, large=8, small=6.5, bold=True)
    where = ", ".join(part for part in (site.address, site.phone) if part)
    if where:
        y = _heading(sheet, x, y, where, width, large=6, small=5)
    sheet.rule(x, y + 0.3, width)
    _when(sheet, label, x, y + 0.5, width)
    made = _(
        "Batch %(batch)s, expires %(expiry)s. Packed %(packed)s, %(by)s",
        batch=label.batch,
        expiry=short_day(label.expires_on),
        packed=moment(label.packed_at, site.zone),
        by=label.packed_by,
    )
    y = top + height - 2.3 - leading(6)
    sheet.text(x, y, made, size=6, width=width)
    for line in reversed(_warnings()):
        y -= leading(6.5)
        sheet.text(x, y, line, size=6.5, bold=True, width=width)
    y -= leading(7)
    sheet.text(x, y, _directions(label), size=7, width=width)
    y -= leading(9)
    amount = f"{plain(label.mg)} mg = {plain(label.ml)} mL"
    sheet.text(x, y, amount, size=9, bold=True, side="right", width=width)
    sheet.text(x, y + 0.35, label.product, size=8, width=width - sheet.wide(amount, 9, bold=True) - 2)
    y -= leading(9)
    sheet.text(x, y, f"{label.number}  {label.initials}", size=9, bold=True, width=width - _QR - 3)


def _heading(
    sheet: Sheet, x: float, y: float, text: str, width: float, *, large: float, small: float, bold: bool = False
) -> float:
    """One line as large as it fits, or two small ones."""
    one = len(sheet.lines(text, width, size=small, bold=bold)) == 1
    size, most = (large, 1) if one else (small, 2)
    return sheet.block(x, y, text, width, size=size, least=small if one else small - 1, most_lines=most, bold=bold)


def _when(sheet: Sheet, label: BottleLabel, x: float, y: float, width: float) -> None:
    """The day, large, with the code beside it; the portion framed, every other one dark, so that none is mixed up."""
    sheet.qr(x + width - _QR, y - 0.4, _QR, bottle_code(label.serial))
    serial = spoken_serial(label.serial)
    sheet.text(x + width - _QR - 2, y + _QR - 1, serial, size=5.5, side="middle", width=_QR + 4)
    width -= _QR + 1
    bottle = _("Bottle %(n)s of %(of)s", n=label.n, of=label.of)
    sheet.text(x, y, _("Take on"), size=7, width=width / 2)
    sheet.text(x + width / 2, y, bottle, size=7, bold=True, side="right", width=width / 2)
    y += leading(7)
    for line in (weekday(label.day), plain_day(label.day)):
        sheet.text(x, y, line, size=11.5, bold=True, width=width)
        y += leading(11.5)
    if label.portions > 1:
        name = _(
            "%(portion)s: %(n)s of %(of)s",
            portion=portion_name(label.portion, label.portions),
            n=label.portion,
            of=label.portions,
        )
        dark = label.portion % 2 == 0
        field = min(sheet.wide(name, 8, bold=True) + 3, width)
        sheet.box(x, y, field, leading(8) + 0.3, filled=dark)
        sheet.text(x + 1.5, y + 0.2, name, size=8, bold=True, white=dark, width=field - 3)
