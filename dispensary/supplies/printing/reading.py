"""What the printed log of a day says, read from the tables: one place that decides what stands on paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Subquery, case, exists, func, literal, select, union_all

from dispensary.clients.homes import number_then
from dispensary.database import ReadSession, through
from dispensary.staff.models import Account
from dispensary.stock.models import Lot, RegisterBook, StockCount
from dispensary.supplies.models import Bottle, DayClose, Dose, ExtraDose, Supply
from dispensary.supplies.outage_models import LateEntry
from dispensary.supplies.part_models import DosePart
from dispensary.supplies.printing.labels import with_strength
from dispensary.units import AccountId, SiteId
from dispensary.wall import Door

EXTRA = ("replacement", "top_up", "in_error")
"""What may be consumed beside the day's dose, each by a named exception."""


@dataclass
class Dispensed:
    """A line of the dispensing log: what one supply took of one product, or of one lot where a dose came from several.

    What was consumed beside the day's dose, under an exception of its own, has its own line.
    """

    at: datetime
    number: str
    product: str
    """Substance, form and strength; empty for history that another system's stock supplied."""
    by: AccountId | None
    initials: str
    voided_at: datetime | None
    batch: str = ""
    """The lot that gave this share of a dose that was poured from several."""
    extra: str = ""
    """Which kind of a second dose it is, where it is one."""
    late: bool = False
    """Whether it was given on paper and entered afterwards."""
    consumed_mg: Decimal = Decimal(0)
    consumed_ml: Decimal = Decimal(0)
    home_mg: Decimal = Decimal(0)
    home_ml: Decimal = Decimal(0)
    bottles: int = 0
    home_days: list[date] = field(default_factory=list)

    def add(self, kind: str, mg: Decimal, ml: Decimal, day: date) -> None:
        """Counts in what was swallowed here, or a bottle for a day."""
        if kind != "take_home":
            self.consumed_mg += mg
            self.consumed_ml += ml
            return
        self.home_mg += mg
        self.home_ml += ml
        self.bottles += 1
        self.home_days.append(day)


@dataclass(frozen=True)
class Dispenser:
    """Who dispensed on the day, and how many supplies."""

    account_id: AccountId
    name: str
    initials: str
    supplies: int


def _given() -> Subquery:
    """What each lot gave of each dose, and of what was given beside the day's dose.

    A bottle that left the counter stays given, whatever became of it: come back full, it uncovers its day, and the log
    of the day on which it left still adds up to the register.
    """
    left = exists().where(Bottle.dose_id == Dose.id, Bottle.state != "void")
    doses = select(
        Dose.supply_id,
        func.coalesce(DosePart.lot_id, Dose.lot_id).label("lot_id"),
        DosePart.dose_id.is_not(None).label("shared"),
        Dose.kind,
        func.coalesce(DosePart.mg, Dose.mg).label("mg"),
        func.coalesce(DosePart.ml, Dose.ml, 0).label("ml"),
        Dose.dose_day,
        Dose.portion,
        case((left, None), else_=Dose.voided_at).label("voided_at"),
    ).outerjoin(DosePart, DosePart.dose_id == Dose.id)
    beside = select(
        ExtraDose.supply_id,
        ExtraDose.lot_id,
        literal(False),
        ExtraDose.kind,
        ExtraDose.mg,
        ExtraDose.ml,
        ExtraDose.dose_day,
        literal(0),
        ExtraDose.voided_at,
    )
    return union_all(doses, beside).subquery("given")


@through(Door.OWN_PAPERS)
def dispensed_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Dispensed]:
    """Each supply of the day in the order of the clock; voided ones stay in the list."""
    given = _given()
    rows = session.execute(
        select(
            Supply,
            given,
            number_then(site_id, Supply.client_id, Supply.at).label("number"),
            RegisterBook.product,
            Lot.strength,
            Lot.batch,
            Account.initials,
            LateEntry.supply_id.is_not(None).label("late"),
        )
        .join(given, given.c.supply_id == Supply.id)
        .outerjoin(Lot, Lot.id == given.c.lot_id)
        .outerjoin(RegisterBook, RegisterBook.id == Lot.book_id)
        .outerjoin(Account, Account.id == Supply.dispensed_by)
        .outerjoin(LateEntry, LateEntry.supply_id == Supply.id)
        .where(Supply.site_id == site_id, Supply.dose_day == day)
        .order_by(
            Supply.at,
            Supply.id,
            given.c.shared.desc(),
            Lot.expires_on,
            Lot.batch,
            RegisterBook.product,
            given.c.dose_day,
            given.c.portion,
        )
    )
    lines: dict[tuple[object, ...], Dispensed] = {}
    for row in rows:
        supply: Supply = row.Supply
        named = with_strength(row.product, row.strength) if row.product else ""
        batch = row.batch if row.shared else ""
        extra = row.kind if row.kind in EXTRA else ""
        voided = row.voided_at or supply.voided_at
        line = lines.setdefault(
            (supply.id, named, batch, extra, voided),
            Dispensed(
                supply.at, row.number, named, supply.dispensed_by, row.initials or "", voided, batch, extra, row.late
            ),
        )
        line.add(row.kind, row.mg, row.ml, row.dose_day)
    return list(lines.values())


def dispensers_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Dispenser]:
    """Everybody who dispensed on the day, by name."""
    rows = session.execute(
        select(Account.id, Account.name, Account.initials, func.count())
        .join(Supply, Supply.dispensed_by == Account.id)
        .where(Supply.site_id == site_id, Supply.dose_day == day)
        .group_by(Account.id)
        .order_by(Account.name, Account.id)
    )
    return [Dispenser(*row) for row in rows]


@dataclass(frozen=True)
class Count:
    """What was measured of a lot against what the register said."""

    at: datetime
    product: str
    batch: str
    expected: Decimal
    measured: Decimal
    difference: Decimal
    reason: str
    initials: str


def counts_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Count]:
    """The counts of the day, in the order in which they were made."""
    rows = session.execute(
        select(StockCount, RegisterBook.product, Lot.batch, Account.initials)
        .join(Lot, Lot.id == StockCount.lot_id)
        .join(RegisterBook, RegisterBook.id == Lot.book_id)
        .join(Account, Account.id == StockCount.account_id)
        .where(StockCount.site_id == site_id, StockCount.dose_day == day)
        .order_by(StockCount.at, Lot.expires_on, Lot.batch, StockCount.id)
    )
    return [
        Count(count.at, product, batch, count.expected, count.measured, count.difference, count.reason, initials)
        for count, product, batch, initials in rows
    ]


@dataclass(frozen=True)
class Closed:
    """How the day was closed, and by whom (nobody: the night)."""

    close: DayClose
    initials: str


def close_of(session: ReadSession, *, site_id: SiteId, day: date) -> Closed | None:
    """The close of the day; nothing while it is open."""
    row = session.execute(
        select(DayClose, Account.initials)
        .outerjoin(Account, Account.id == DayClose.closed_by)
        .where(DayClose.site_id == site_id, DayClose.dose_day == day)
    ).one_or_none()
    return Closed(row[0], row[1] or "") if row else None
