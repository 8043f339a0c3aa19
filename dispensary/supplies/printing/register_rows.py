"""What a printed register says, read from the tables: each line with all that any country's columns ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import aliased

from dispensary.clients.client_key_models import Erasure
from dispensary.clients.homes import number_then
from dispensary.clients.models import Client
from dispensary.database import ReadSession, through
from dispensary.keys import ERASED
from dispensary.prescribing.models import DoseOrder
from dispensary.staff.models import Account, Site
from dispensary.stock.models import Lot, RegisterBook, RegisterLine
from dispensary.stock.safe_models import Delivery, StockTransfer
from dispensary.supplies.agents_models import Agent
from dispensary.supplies.models import Bottle, Dose, Supply
from dispensary.supplies.printing.labels import initials_of
from dispensary.units import SiteId
from dispensary.wall import Door

_SHORT = 8


@dataclass(frozen=True)
class Correction:
    """The note in the margin of a line that another one corrects."""

    seq: int
    at: datetime
    reason: str
    initials: str


@dataclass(frozen=True)
class Entry:
    """A line of the register as it is printed."""

    seq: int
    at: datetime
    kind: str
    number: str
    """Of the client, for a supply."""
    person: str
    """The client's name where the register has names, else the initials."""
    prescriber: str
    reference: str
    """The last eight signs of the order's number, as under the prescription's code, or the number of the paper."""
    party: str
    """From whom it came or to which site it went, with the address."""
    collected_by: str
    """`client`, `agent` or `carrier`, for a supply."""
    agent: str
    """Who collected for the client, by name, where the register has names."""
    id_requested: bool
    id_provided: bool
    strength: Decimal
    consumed_ml: Decimal
    home_ml: Decimal
    serials: tuple[str, ...]
    """Of the bottles that were carried home from this lot."""
    reason: str
    corrects: int | None
    """The number of the line that this one corrects."""
    correction: Correction | None
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


@through(Door.OWN_PAPERS)
def book_between(
    session: ReadSession, *, book: RegisterBook, first: date, last: date, names: bool = False
) -> BookPages:
    """The lines of a book written for these dose days, in the order in which they were written.

    Names are opened only where they are asked for; the caller writes down that they were.
    """
    lines = select(RegisterLine.id).where(RegisterLine.book_id == book.id, RegisterLine.dose_day.between(first, last))
    serials = _serials(session, lines)
    orders = _orders(session, lines)
    entries = []
    rows = session.execute(_lines(book, first, last)).all()
    clients = {row.Client.id for row in rows if row.Client}
    session.vault.know(clients)
    gone = set(session.scalars(select(Erasure.client_id).where(Erasure.client_id.in_(clients))))
    for row in rows:
        line: RegisterLine = row.RegisterLine
        client: Client | None = row.Client
        supply: Supply | None = row.Supply
        agent: Agent | None = row.Agent
        name = session.vault.open("client.name", client.id, client.name_sealed) if client else ""
        correction = None
        if row.later_seq is not None:
            correction = Correction(row.later_seq, row.later_at, row.later_reason, row.later_initials)
        entries.append(
            Entry(
                seq=line.seq,
                at=line.at,
                kind=line.kind,
                number=row.number if client else "",
                person=name if names else ERASED if client and client.id in gone else initials_of(name),
                prescriber=orders[line.supply_id][0] if line.supply_id in orders else "",
                reference=orders[line.supply_id][1] if line.supply_id in orders else _paper(row),
                party=_party(row),
                collected_by=supply.collected_by if supply else "",
                agent=session.vault.open("agent.name", agent.id, agent.name_sealed) if agent and names else "",
                id_requested=supply is not None and supply.id_requested,
                id_provided=supply is not None and supply.id_provided,
                strength=row.strength,
                consumed_ml=line.consumed_ml,
                home_ml=line.taken_home_ml,
                serials=tuple(serials.get((line.supply_id, line.lot_id), ())) if line.kind == "supplied" else (),
                reason=line.reason,
                corrects=row.corrects,
                correction=correction,
                batch=row.batch,
                ml=line.ml,
                balance=line.balance,
                initials=row.initials,
                second=row.second or "",
            )
        )
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


def _lines(book: RegisterBook, first: date, last: date) -> Select[*tuple[Any, ...]]:
    corrected, later = aliased(RegisterLine), aliased(RegisterLine)
    second, later_by = aliased(Account), aliased(Account)
    other = aliased(Site)
    return (
        select(
            RegisterLine,
            Client,
            number_then(SiteId(book.site_id), Supply.client_id, Supply.at).label("number"),
            Supply,
            Agent,
            Delivery,
            StockTransfer,
            other.name.label("other_name"),
            other.address.label("other_address"),
            Lot.batch,
            Lot.strength,
            Account.initials,
            second.initials.label("second"),
            corrected.seq.label("corrects"),
            later.seq.label("later_seq"),
            later.at.label("later_at"),
            later.reason.label("later_reason"),
            later_by.initials.label("later_initials"),
        )
        .join(Lot, Lot.id == RegisterLine.lot_id)
        .join(Account, Account.id == RegisterLine.account_id)
        .outerjoin(second, second.id == RegisterLine.second_id)
        .outerjoin(Supply, Supply.id == RegisterLine.supply_id)
        .outerjoin(Client, Client.id == Supply.client_id)
        .outerjoin(Agent, Agent.id == Supply.agent_id)
        .outerjoin(Delivery, Delivery.line_id == RegisterLine.id)
        .outerjoin(StockTransfer, StockTransfer.id == RegisterLine.transfer_id)
        .outerjoin(
            other,
            and_(
                or_(other.id == StockTransfer.to_site_id, other.id == StockTransfer.from_site_id),
                other.id != book.site_id,
            ),
        )
        .outerjoin(corrected, corrected.id == RegisterLine.corrects_id)
        .outerjoin(later, later.corrects_id == RegisterLine.id)
        .outerjoin(later_by, later_by.id == later.account_id)
        .where(RegisterLine.book_id == book.id, RegisterLine.dose_day.between(first, last))
        .order_by(RegisterLine.seq)
    )


def _party(row: Row[*tuple[Any, ...]]) -> str:
    """The supplier of a delivery, or the other site of a transfer."""
    delivery: Delivery | None = row.Delivery
    if delivery is not None:
        return ", ".join(filter(None, (delivery.supplier_name, delivery.supplier_address)))
    return ", ".join(filter(None, (row.other_name, row.other_address)))


def _paper(row: Row[*tuple[Any, ...]]) -> str:
    """The number of the delivery's or the transfer's paper."""
    delivery: Delivery | None = row.Delivery
    transfer: StockTransfer | None = row.StockTransfer
    return delivery.document_no if delivery else transfer.number if transfer else ""


def _serials(session: ReadSession, lines: Select[UUID]) -> dict[tuple[UUID | None, UUID | None], list[str]]:
    """The bottles of each supply and lot, by day and portion."""
    rows = session.execute(
        select(Dose.supply_id, Dose.lot_id, Bottle.serial)
        .join(Bottle, Bottle.dose_id == Dose.id)
        .where(Dose.supply_id.in_(select(RegisterLine.supply_id).where(RegisterLine.id.in_(lines))))
        .order_by(Dose.dose_day, Dose.portion)
    )
    found: dict[tuple[UUID | None, UUID | None], list[str]] = {}
    for supply_id, lot_id, serial in rows:
        found.setdefault((supply_id, lot_id), []).append(serial)
    return found


def _orders(session: ReadSession, lines: Select[UUID]) -> dict[UUID | None, tuple[str, str]]:
    """Who ordered what each supply gave, and the end of the order's number."""
    number = func.upper(func.right(cast(DoseOrder.id, Text), _SHORT))
    rows = session.execute(
        select(
            Dose.supply_id,
            func.string_agg(Account.name.distinct(), ", ").label("names"),
            func.string_agg(number.distinct(), ", ").label("numbers"),
        )
        .join(DoseOrder, DoseOrder.id == Dose.order_id)
        .outerjoin(Account, Account.id == DoseOrder.ordered_by)
        .where(Dose.supply_id.in_(select(RegisterLine.supply_id).where(RegisterLine.id.in_(lines))))
        .group_by(Dose.supply_id)
    )
    return {row.supply_id: (row.names or "", row.numbers) for row in rows}
