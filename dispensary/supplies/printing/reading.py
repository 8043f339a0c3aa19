"""What the printed log and register say, read from the tables: one place that decides what stands on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.staff.models import Account
from dispensary.stock.models import Lot, RegisterBook, RegisterLine, StockCount
from dispensary.supplies.models import DayClose, Dose, Supply
from dispensary.supplies.printing.labels import with_strength
from dispensary.units import SiteId


@dataclass
class Dispensed:
    """A line of the dispensing log: what one supply took of one product."""

    at: datetime
    number: str
    product: str
    """Substance, form and strength; empty for history that another system's stock supplied."""
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

    name: str
    initials: str
    supplies: int


def dispensed_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Dispensed]:
    """Each supply of the day in the order of the clock, one line for each product; voided ones stay in the list."""
    rows = session.execute(
        select(Supply, Dose, Client.number, RegisterBook.product, Lot.strength, Account.initials)
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
            lines[key] = Dispensed(supply.at, number, named, initials or "", voided)
        lines[key].add(dose)
    return list(lines.values())


def dispensers_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Dispenser]:
    """Everybody who dispensed on the day, by name."""
    rows = session.execute(
        select(Account.name, Account.initials, func.count())
        .join(Supply, Supply.dispensed_by == Account.id)
        .where(Supply.site_id == site_id, Supply.dose_day == day)
        .group_by(Account.id)
        .order_by(Account.name, Account.id)
    )
    return [Dispenser(name, initials, supplies) for name, initials, supplies in rows]


@dataclass(frozen=True)
class Entry:
    """A line of the register as it is printed."""

    seq: int
    at: datetime
    kind: str
    number: str
    """Of the client, for a supply."""
    consumed_ml: Decimal
    home_ml: Decimal
    reason: str
    corrects: int | None
    """The number of the line that this one corrects."""
    corrected_by: int | None
    """The number of the line that corrects this one: the marginal note that the law wants beside it."""
    batch: str
    ml: Decimal
    balance: Decimal
    initials: str
    second: str


@dataclass(frozen=True)
class BookPages:
    """A book between two days: what was brought forward, the lines, and what is there at the end."""

    product: str
    brought_forward: Decimal
    entries: Sequence[Entry]
    balance: Decimal


def book_between(session: ReadSession, *, book: RegisterBook, first: date, last: date) -> BookPages:
    """The lines of a book written for these dose days, in the order in which they were written."""
    corrected, correction, second = aliased(RegisterLine), aliased(RegisterLine), aliased(Account)
    rows = session.execute(
        select(
            RegisterLine,
            Lot.batch,
            Account.initials,
            second.initials.label("second"),
            Client.number,
            corrected.seq.label("corrects"),
            correction.seq.label("corrected_by"),
        )
        .join(Lot, Lot.id == RegisterLine.lot_id)
        .join(Account, Account.id == RegisterLine.account_id)
        .outerjoin(second, second.id == RegisterLine.second_id)
        .outerjoin(Supply, Supply.id == RegisterLine.supply_id)
        .outerjoin(Client, Client.id == Supply.client_id)
        .outerjoin(corrected, corrected.id == RegisterLine.corrects_id)
        .outerjoin(correction, correction.corrects_id == RegisterLine.id)
        .where(RegisterLine.book_id == book.id, RegisterLine.dose_day.between(first, last))
        .order_by(RegisterLine.seq)
    )
    entries = [
        Entry(
            seq=line.seq,
            at=line.at,
            kind=line.kind,
            number=number or "",
            consumed_ml=line.consumed_ml,
            home_ml=line.taken_home_ml,
            reason=line.reason,
            corrects=corrects,
            corrected_by=corrected_by,
            batch=batch,
            ml=line.ml,
            balance=line.balance,
            initials=initials,
            second=second_initials or "",
        )
        for line, batch, initials, second_initials, number, corrects, corrected_by in rows
    ]
    if entries:
        return BookPages(book.product, entries[0].balance - entries[0].ml, entries, entries[-1].balance)
    before = session.scalar(
        select(RegisterLine.balance)
        .where(RegisterLine.book_id == book.id, RegisterLine.dose_day < first)
        .order_by(RegisterLine.seq.desc())
        .limit(1)
    )
    balance = before or Decimal(0)
    return BookPages(book.product, balance, [], balance)


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
