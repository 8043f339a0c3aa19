"""The safe: lots that are received, and the register that says where each millilitre went."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.exceptions import Amount, Key, Words
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Act
from dispensary.stock import queries
from dispensary.stock.models import Lot
from dispensary.stock.receiving import Came, open_lot
from dispensary.units import plain
from dispensary.web import safe_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.safe_acts import Delivered
from dispensary.web.typed import Typed

LONGEST_SPAN = 366
"""Days of the register that are read at once."""


class LotRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A delivery: the batch as its label says it, from whom it came, and as many mL as the paper says.

    Strength in mg/mL and volume in mL as decimal text. `measured_ml` and a `reason` where what was measured differs.
    """

    key: Key
    batch: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    strength: Amount
    expires_on: date
    ml: Amount
    supplier_name: Annotated[str, msgspec.Meta(max_length=120)]
    document_no: Annotated[str, msgspec.Meta(max_length=60)]
    supplier_address: Annotated[str, msgspec.Meta(max_length=200)] = ""
    measured_ml: Amount | None = None
    reason: Words = ""


class LotAnswer(msgspec.Struct):
    """A lot with what is left of it; `bottled` of the balance stands in prepared bottles."""

    id: UUID
    batch: str
    strength: str
    expires_on: date
    balance_ml: str
    bottled_ml: str
    received_at: datetime
    opened_at: datetime | None


class Line(msgspec.Struct):
    """A line of the register: what came in (above zero) or went out, and both balances after it, in mL."""

    seq: int
    at: datetime
    day: date
    kind: str
    batch: str
    ml: str
    balance_ml: str
    lot_balance_ml: str
    consumed_ml: str
    taken_home_ml: str
    supply: UUID | None
    reason: str
    initials: str


class Book(msgspec.Struct):
    """The part of the register for one strength."""

    product: str
    balance_ml: str
    lines: list[Line]


def _lot(lot: Lot) -> LotAnswer:
    return LotAnswer(
        lot.id,
        lot.batch,
        plain(lot.strength),
        lot.expires_on,
        plain(lot.balance),
        plain(lot.bottled),
        lot.received_at,
        lot.opened_at,
    )


@get("/lots", sync_to_thread=True, operation_id="listLots", tags=["stock"], guards=[requires(Act.LOOK_AT_REGISTER)])
def lots(database: TheDatabase, site: TheSite, empty: FromQuery[bool] = False) -> list[LotAnswer]:
    """The lots of the site that hold something, first expired first; with `empty`, the others too."""
    with database.reading() as session:
        return [_lot(lot) for lot in queries.lots(session, site_id=site.id, with_stock_only=not empty)]


@post("/lots", sync_to_thread=True, operation_id="receiveLot", tags=["stock"], guards=[requires(Act.RECEIVE_STOCK)])
def receive(
    data: JSONBody[LotRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> LotAnswer:
    """Puts a delivery into the safe and the register, once for its key; of a batch that is there, as another line.

    409 when the batch is in the register with another strength or expiry.
    """
    now = clock()
    with Typed({"strength": data.strength, "ml": data.ml, "measured_ml": data.measured_ml or ""}) as typed:
        strength, ml = typed.strength("strength"), typed.millilitres("ml")
        measured = typed.millilitres("measured_ml", zero=True) if data.measured_ml is not None else None
    came = Came(data.supplier_name, data.supplier_address, data.document_no, measured, data.reason)
    delivered = Delivered(data.batch, strength, data.expires_on, ml, came)
    today = site.dose_day(now)
    return _lot(
        database.write(
            lambda session: safe_acts.receive(
                session, actor=actor, delivered=delivered, key=data.key, today=today, at=now
            )
        )
    )


@post(
    "/lots/{lot_id:uuid}/open",
    sync_to_thread=True,
    operation_id="openLot",
    tags=["stock"],
    guards=[requires(Act.RECEIVE_STOCK)],
)
def open_it(
    lot_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> LotAnswer:
    """Writes down that the lot is opened. 409 when the site keeps one lot of a product open and another one is."""
    now = clock()
    today = site.dose_day(now)
    return _lot(database.write(lambda session: open_lot(session, actor=actor, lot_id=lot_id, day=today, at=now)))


@get(
    "/register",
    sync_to_thread=True,
    operation_id="readRegister",
    tags=["stock"],
    guards=[requires(Act.LOOK_AT_REGISTER)],
)
def register(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[date | None] = None,
    last: FromQuery[date | None] = None,
) -> list[Book]:
    """The register from one dose day to another (today alone when neither is given), one book for each strength."""
    today = site.dose_day(clock())
    last = last or max(first or today, today)
    first = first or last
    if not 0 <= (last - first).days < LONGEST_SPAN:
        raise BadInput(
            Refusal(
                "bad-span",
                f"The register is read from a first to a last day, at most {LONGEST_SPAN} days at once.",
                "Correct the days.",
                field="first",
            )
        )
    with database.reading() as session:
        return [
            Book(
                book.product,
                plain(book.balance),
                [
                    Line(
                        seq=line.seq,
                        at=line.at,
                        day=line.dose_day,
                        kind=line.kind,
                        batch=batch,
                        ml=plain(line.ml),
                        balance_ml=plain(line.balance),
                        lot_balance_ml=plain(line.lot_balance),
                        consumed_ml=plain(line.consumed_ml),
                        taken_home_ml=plain(line.taken_home_ml),
                        supply=line.supply_id,
                        reason=line.reason,
                        initials=initials,
                    )
                    for line, batch, initials in queries.register_lines(
                        session, book_id=book.id, first=first, last=last
                    )
                ],
            )
            for book in queries.books(session, site_id=site.id)
        ]


HANDLERS: list[ControllerRouterHandler] = [lots, receive, open_it, register]
