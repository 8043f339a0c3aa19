"""What the printed log of a day says, read from the tables: one place that decides what stands on paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.guests import number_at
from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.staff.models import Account
from dispensary.stock.models import Lot, RegisterBook, StockCount
from dispensary.supplies.models import DayClose, Dose, Supply
from dispensary.supplies.printing.labels import with_strength
from dispensary.units import AccountId, SiteId


@dataclass
class Dispensed:
    """A line of the dispensing log: what one supply took of one product."""

    at: datetime
    number: str
    product: str
    """Substance, form and strength; empty for history that another system's stock supplied."""
    by: AccountId | None
    initials: str
    voided_at: datetime | None
    consumed_mg: Decimal = Decimal(0)
    consumed_ml: Decimal = Decimal(0)
    home_mg: Decimal = Decimal(0)
    home_ml: Decimal = Decimal(0)
    bottles: int = 0
    home_days: list[date] = field(default_factory=list)

    def add(self, dose: Dose) -> None:
        """Counts a dose in."""
        ml = dose.ml or Decimal(0)
        if dose.kind == "observed":
            self.consumed_mg += dose.mg
            self.consumed_ml += ml
            return
        self.home_mg += dose.mg
        self.home_ml += ml
        self.bottles += 1
        self.home_days.append(dose.dose_day)


@dataclass(frozen=True)
class Dispenser:
    """Who dispensed on the day, and how many supplies."""

    account_id: AccountId
    name: str
    initials: str
    supplies: int


def dispensed_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Dispensed]:
    """Each supply of the day in the order of the clock, one line for each product; voided ones stay in the list."""
    rows = session.execute(
        select(Supply, Dose, number_at(site_id), RegisterBook.product, Lot.strength, Account.initials)
        .join(Dose, Dose.supply_id == Supply.id)
        .join(Client, Client.id == Supply.client_id)
        .outerjoin(Lot, Lot.id == Dose.lot_id)
        .outerjoin(RegisterBook, RegisterBook.id == Lot.book_id)
        .outerjoin(Account, Account.id == Supply.dispensed_by)
        .where(Supply.site_id == site_id, Supply.dose_day == day)
        .order_by(Supply.at, Supply.id, RegisterBook.product, Dose.dose_day, Dose.portion)
    )
    lines: dict[tuple[UUID, str, datetime | None], Dispensed] = {}
    for supply, dose, number, product, strength, initials in rows:
        named = with_strength(product, strength) if product else ""
        voided = dose.voided_at or supply.voided_at
        key = (supply.id, named, voided)
        if key not in lines:
            lines[key] = Dispensed(supply.at, number, named, supply.dispensed_by, initials or "", voided)
        lines[key].add(dose)
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
