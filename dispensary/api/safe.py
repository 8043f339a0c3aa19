"""The safe besides its lots: counts, destruction, what is missing, what must not be, how long it lasts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.exceptions import Amount, Key, Words
from dispensary.staff.rules import Act
from dispensary.stock.counting import Shortage, close_investigation, shortages, the_shortage
from dispensary.stock.destroying import destroy
from dispensary.stock.discrepancies import findings
from dispensary.supplies.lasting import LOOKED_AHEAD, how_long
from dispensary.units import AccountId, Millilitres, plain
from dispensary.web import safe_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.safe_acts import Measured
from dispensary.web.typed import Typed

MAY_READ = [requires(Act.LOOK_AT_REGISTER)]
MAY_MOVE = [requires(Act.RECEIVE_STOCK)]


class LotMeasured(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was measured of a lot in bulk, prepared bottles left aside. `seen_ml`: what the register said before.

    Where the lot's balance is not `seen_ml` any more, something was poured meanwhile, and it is measured again.
    """

    lot_id: UUID
    bulk_ml: Amount
    seen_ml: Amount | None = None
    reason: Words = ""


class CountRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A count of some lots or all, at any time."""

    key: Key
    lots: Annotated[list[LotMeasured], msgspec.Meta(min_length=1, max_length=200)]


class CountAnswer(msgspec.Struct):
    """A count of one lot; `judged` is as_expected, within or beyond the site's tolerance."""

    lot_id: UUID
    at: datetime
    expected_ml: str
    measured_ml: str
    difference_ml: str
    throughput_ml: str
    tolerance_ml: str | None
    judged: str | None
    reason: str


class DestroyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Stock that is destroyed before a second person, who proves it by PIN."""

    key: Key
    lot_id: UUID
    ml: Amount
    reason: Words
    method: Words
    reference: Words = ""
    second_id: UUID | None = None
    second_pin: Annotated[str, msgspec.Meta(max_length=128)] = ""


class DestructionAnswer(msgspec.Struct):
    """What was destroyed."""

    id: UUID
    lot_id: UUID
    ml: str
    at: datetime


class FoundRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was found."""

    found: Words


class InvestigationAnswer(msgspec.Struct):
    """A shortage: how much, of which lot, since when, and what was found."""

    id: UUID
    batch: str
    ml: str
    since: datetime | None
    opened_at: datetime
    reason: str
    closed_at: datetime | None
    found: str


class DiscrepancyAnswer(msgspec.Struct):
    """Something that must not be, as the last look named it."""

    kind: str
    sentence: str
    first_seen_at: datetime
    seen_at: datetime


class ForecastAnswer(msgspec.Struct):
    """How many of the days looked at the safe lasts, and what expires before it is needed."""

    days: int
    looked: int
    short_on: date | None
    daily_mg: str
    expiring: dict[str, str]


def or_none(amount: Decimal | None) -> str | None:
    """An amount as text, where there is one."""
    return plain(amount) if amount is not None else None


def volume(text: str, field: str, *, zero: bool = False) -> Millilitres:
    """A volume from its text. Raises BadInput for its field."""
    with Typed({field: text}) as typed:
        return typed.millilitres(field, zero=zero)


@post("/counts", sync_to_thread=True, operation_id="countSafe", tags=["stock"], guards=[requires(Act.CLOSE_DAY)])
def count(
    data: JSONBody[CountRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> list[CountAnswer]:
    """Counts the lots that are named, all or none. A difference needs a reason, and is a line of the register."""
    now = clock()
    measured = {
        each.lot_id: Measured(
            volume(each.bulk_ml, f"bulk_{each.lot_id}", zero=True),
            each.reason,
            volume(each.seen_ml, f"seen_{each.lot_id}", zero=True) if each.seen_ml is not None else None,
        )
        for each in data.lots
    }
    today = site.dose_day(now)
    done = database.write(
        lambda session: safe_acts.count(session, actor=actor, measured=measured, key=data.key, today=today, at=now)
    )
    return [
        CountAnswer(
            lot_id=each.lot_id,
            at=each.at,
            expected_ml=plain(each.expected),
            measured_ml=plain(each.measured),
            difference_ml=plain(each.difference),
            throughput_ml=plain(each.throughput or Decimal(0)),
            tolerance_ml=or_none(each.tolerance),
            judged=each.judged,
            reason=each.reason,
        )
        for each in done
    ]


@post("/destructions", sync_to_thread=True, operation_id="destroyStock", tags=["stock"], guards=MAY_MOVE)
def destroyed(
    data: JSONBody[DestroyRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> DestructionAnswer:
    """Writes stock off as destroyed by two people, once for its key."""
    now = clock()
    ml = volume(data.ml, "ml")
    done = database.write(
        lambda session: destroy(
            session,
            actor=actor,
            lot_id=data.lot_id,
            ml=ml,
            reason=data.reason,
            method=data.method,
            reference=data.reference,
            second_id=AccountId(data.second_id) if data.second_id else None,
            pin=data.second_pin,
            key=data.key,
            day=site.dose_day(now),
            at=now,
        )
    )
    return DestructionAnswer(done.id, done.lot_id, plain(done.ml), done.at)


def _investigation(one: Shortage) -> InvestigationAnswer:
    row = one.row
    return InvestigationAnswer(
        row.id, one.batch, plain(row.ml), row.since, row.opened_at, one.reason, row.closed_at, row.found
    )


@get("/investigations", sync_to_thread=True, operation_id="listInvestigations", tags=["stock"], guards=MAY_READ)
def investigations(database: TheDatabase, site: TheSite, closed: FromQuery[bool] = False) -> list[InvestigationAnswer]:
    """The shortages that nobody has cleared up, the newest first; with `closed`, the others too."""
    with database.reading() as session:
        return [_investigation(one) for one in shortages(session, site_id=site.id, still_open=not closed)]


@post(
    "/investigations/{investigation_id:uuid}/close",
    sync_to_thread=True,
    operation_id="closeInvestigation",
    tags=["stock"],
    guards=MAY_MOVE,
)
def close(
    investigation_id: FromPath[UUID],
    data: JSONBody[FoundRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> InvestigationAnswer:
    """Closes an investigation with what was found. 409 when somebody has closed it."""
    now = clock()
    database.write(
        lambda session: close_investigation(
            session, actor=actor, investigation_id=investigation_id, found=data.found, at=now
        )
    )
    with database.reading() as session:
        return _investigation(the_shortage(session, site_id=site.id, investigation_id=investigation_id))


@get("/stock/discrepancies", sync_to_thread=True, operation_id="listDiscrepancies", tags=["stock"], guards=MAY_READ)
def discrepancies(database: TheDatabase, site: TheSite) -> list[DiscrepancyAnswer]:
    """What the last look named and is still there: nothing, on every day on which all is well."""
    with database.reading() as session:
        return [
            DiscrepancyAnswer(each.kind, each.sentence, each.first_seen_at, each.seen_at)
            for each in findings(session, site_id=site.id)
        ]


@get("/stock/forecast", sync_to_thread=True, operation_id="forecastStock", tags=["stock"], guards=MAY_READ)
def forecast(database: TheDatabase, site: TheSite, clock: TheClock) -> ForecastAnswer:
    """How long the safe lasts, from the orders in force."""
    with database.reading() as session:
        found = how_long(session, site_id=site.id, today=site.dose_day(clock()), looked=LOOKED_AHEAD)
    expiring = {each.batch: plain(each.ml) for each in found.leftovers}
    return ForecastAnswer(found.days, found.looked, found.short_on, plain(found.daily_mg), expiring)


HANDLERS: list[ControllerRouterHandler] = [
    count,
    destroyed,
    investigations,
    close,
    discrepancies,
    forecast,
]
