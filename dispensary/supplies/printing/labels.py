"""Labels for the bottles of a supply or a prepared pickup: one each, on a sheet, a roll, or as ZPL."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.models import Account, Site
from dispensary.stock.models import Lot, RegisterBook
from dispensary.supplies.bottle_models import BottleEvent
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.models import Bottle, Dose
from dispensary.supplies.paper import LabelSize, Paper, Printer, paper_of
from dispensary.supplies.printing.label_drawing import STOCKS, draw_label
from dispensary.supplies.printing.label_text import BottleLabel, LabelText, label_text
from dispensary.supplies.printing.law import Field
from dispensary.supplies.printing.sheet import A4, Sheet, printed
from dispensary.supplies.printing.zpl import zpl
from dispensary.units import plain
from dispensary.words import spoken

DOTS = {Printer.ZPL203: 203, Printer.ZPL300: 300}
"""To an inch, as such a printer's head has them."""


def bottle_labels(
    session: ReadSession,
    *,
    site: Site,
    supply_id: UUID | None = None,
    pickup_ids: Sequence[UUID] = (),
    paper: Paper | None = None,
    skip: int = 0,
) -> bytes:
    """A label for each bottle of a supply, or of pickups one after the other, as they are taken: PDF, or ZPL.

    Each says what programmes ask for: the clinic with address and telephone (42 CFR 8.12(i)(4)), product, mg, mL
    and strength, the day to take it, portion, bottle n of N, directions, batch, expiry, who packed and checked it and
    when, the warnings, and the bottle's serial as QR and digits; no illness, no reason for treatment. What of it the
    site leaves off, in which languages, and what a country's law adds, is the site's `paper`.

    The client's name is not on it unless the site or its law wants it, since a bottle that is found must not name
    anybody: the number identifies, the initials of the name are what the counter compares. `skip` leaves out labels
    that are gone from the first sheet. Printed again, the same bottles give the same bytes.

    Raises NotThere when nothing of this supply or pickup is in a bottle at this site, BadInput for a wrong `skip`.
    """
    paper = paper or paper_of(session, site)
    stock = STOCKS[paper.size]
    if not 0 <= skip < stock.on_a_sheet:
        raise BadInput(
            Refusal("skip", f"A sheet has {stock.on_a_sheet} labels.", "Say how many of them are gone.", field="skip")
        )
    labels = read_labels(session, site=site, paper=paper, supply_id=supply_id, pickup_ids=pickup_ids)
    if not labels:
        raise NotThere(Refusal("no-bottles", "There is no bottle to label here.", "Look at the record again."))
    with spoken(paper.languages[0]):
        texts = [label_text(label, site, paper) for label in labels]
    made_at = max(label.packed_at for label in labels)
    if paper.printer in DOTS:
        size = (stock.width, stock.roll_height)
        return zpl(_roll(texts, paper.size), size, dots=DOTS[paper.printer], made_at=made_at, language=site.language)
    on_sheet = paper.printer is Printer.SHEET
    return printed(
        _sheets(texts, paper.size, skip) if on_sheet else _roll(texts, paper.size),
        A4 if on_sheet else (stock.width, stock.roll_height),
        made_at=made_at,
        title="Labels",
        language=paper.languages[0],
    )


def _roll(texts: Sequence[LabelText], size: LabelSize) -> Callable[[Sheet], None]:
    stock = STOCKS[size]

    def draw(sheet: Sheet) -> None:
        for text in texts:
            sheet.page()
            draw_label(sheet, text, stock, 0, 0, stock.roll_height)

    return draw


def _sheets(texts: Sequence[LabelText], size: LabelSize, skip: int) -> Callable[[Sheet], None]:
    stock = STOCKS[size]

    def draw(sheet: Sheet) -> None:
        for place, text in enumerate(texts, start=skip):
            on_sheet = place % stock.on_a_sheet
            if on_sheet == 0 or text is texts[0]:
                sheet.page()
            draw_label(sheet, text, stock, *stock.corner(on_sheet), stock.height)

    return draw


def _of(bottle: Bottle, supply_id: UUID | None) -> UUID | None:
    """What a bottle is counted among: the supply, or its own pickup."""
    return supply_id or bottle.pickup_id


def read_labels(
    session: ReadSession, *, site: Site, paper: Paper, supply_id: UUID | None, pickup_ids: Sequence[UUID]
) -> list[BottleLabel]:
    """What the labels say. Bottles that went back into stock and supplies that were voided have none."""
    assert (supply_id is None) == bool(pickup_ids), "labels are for one supply or for pickups"
    prescriber = aliased(Account)
    wanted = (
        select(
            Bottle,
            Lot.batch,
            Lot.expires_on,
            Lot.strength,
            RegisterBook.product,
            Account.initials,
            Client,
            prescriber.name.label("prescriber"),
        )
        .join(Lot, Lot.id == Bottle.lot_id)
        .join(RegisterBook, RegisterBook.id == Lot.book_id)
        .join(Account, Account.id == Bottle.packed_by)
        .join(Client, Client.id == Bottle.client_id)
        .join(DoseOrder, DoseOrder.id == Bottle.order_id)
        .outerjoin(prescriber, prescriber.id == DoseOrder.ordered_by)
        .where(Bottle.site_id == site.id)
        .order_by(Bottle.dose_day, Bottle.portion)
    )
    if supply_id:
        wanted = wanted.join(Dose, Dose.id == Bottle.dose_id).where(
            Dose.supply_id == supply_id, Dose.voided_at.is_(None)
        )
    else:
        wanted = wanted.where(Bottle.pickup_id.in_(pickup_ids), Bottle.state != BottleState.BACK_IN_STOCK)
    rows = list(session.execute(wanted))
    if pickup_ids:
        place = {pickup_id: n for n, pickup_id in enumerate(pickup_ids)}
        rows.sort(key=lambda row: place[row.Bottle.pickup_id])
    together = Counter(_of(row.Bottle, supply_id) for row in rows)
    counted: Counter[UUID | None] = Counter()
    checkers = _checkers(session, [row.Bottle.id for row in rows])
    named = Field.NAME in paper.shown
    labels = []
    for row in rows:
        bottle: Bottle = row.Bottle
        counted[_of(bottle, supply_id)] += 1
        client: Client = row.Client
        name = session.vault.open("client.name", client.id, client.name_sealed)
        born = None
        if paper.second_identifier and client.born_sealed:
            born = session.vault.open("client.born", client.id, client.born_sealed)
        labels.append(
            BottleLabel(
                number=client.number,
                name=name if named else initials_of(name),
                born=born,
                product=with_strength(row.product, row.strength),
                mg=bottle.mg,
                ml=bottle.ml,
                day=bottle.dose_day,
                portion=bottle.portion,
                portions=bottle.portions,
                n=counted[_of(bottle, supply_id)],
                of=together[_of(bottle, supply_id)],
                batch=row.batch,
                expires_on=row.expires_on,
                packed_by=row.initials,
                packed_at=bottle.packed_at,
                checked_by=checkers.get(bottle.id, ""),
                prescriber=row.prescriber or "",
                serial=bottle.serial,
            )
        )
    return labels


def _checkers(session: ReadSession, bottle_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The initials of who looked at each bottle after it was prepared."""
    rows = session.execute(
        select(BottleEvent.bottle_id, Account.initials)
        .join(Account, Account.id == BottleEvent.account_id)
        .where(BottleEvent.bottle_id.in_(bottle_ids), BottleEvent.state == BottleState.CHECKED)
        .order_by(BottleEvent.seq)
    )
    return {row.bottle_id: row.initials for row in rows}


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
