"""The safe: lots that are received, and the register that says where each millilitre went."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Act
from dispensary.stock import queries
from dispensary.stock.models import Lot
from dispensary.stock.service import receive_lot
from dispensary.units import plain
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.typed import Typed

LONGEST_SPAN = 366
"""Days of the register that are read at once."""

Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]


class LotRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A batch as it says on its label. Strength in mg/mL and volume in mL as decimal text."""

    batch: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    strength: Amount
    expires_on: date
    ml: Amount


class LotAnswer(msgspec.Struct):
    """A lot with what is left of it; `bottled` of the balance stands in prepared bottles."""

    id: UUID
    batch: str
    strength: str
    expires_on: date
    balance_ml: str
    bottled_ml: str
    received_at: datetime


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
    """Puts a batch into the safe and the register. 409 when the batch is in the register already."""
    now = clock()
    with Typed({"strength": data.strength, "ml": data.ml}) as typed:
        strength, ml = typed.strength("strength"), typed.millilitres("ml")
    return _lot(
        database.write(
            lambda session: receive_lot(
                session,
                actor=actor,
                batch=data.batch,
                strength=strength,
                expires_on=data.expires_on,
                ml=ml,
                day=site.dose_day(now),
                at=now,
            )
        )
    )


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


HANDLERS: list[ControllerRouterHandler] = [lots, receive, register]
