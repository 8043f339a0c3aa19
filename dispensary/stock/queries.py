"""Reading the safe and the register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from dispensary.database import ReadSession
from dispensary.staff.models import Account
from dispensary.stock.models import Lot, RegisterBook, RegisterLine
from dispensary.stock.safe_models import Delivery
from dispensary.units import SiteId


def books(session: ReadSession, *, site_id: SiteId) -> Sequence[RegisterBook]:
    """The registers of a site, one for each product and strength."""
    return session.scalars(
        select(RegisterBook).where(RegisterBook.site_id == site_id).order_by(RegisterBook.product)
    ).all()


def lots(session: ReadSession, *, site_id: SiteId, with_stock_only: bool = True) -> Sequence[Lot]:
    """The lots of a site, first expired first."""
    chosen = select(Lot).where(Lot.site_id == site_id).order_by(Lot.expires_on, Lot.batch)
    return session.scalars(chosen.where(Lot.balance > 0) if with_stock_only else chosen).all()


def suppliers(session: ReadSession, *, site_id: SiteId) -> Sequence[tuple[str, str]]:
    """From whom deliveries came before, with the address that was written last, by name."""
    rows = session.execute(
        select(Delivery.supplier_name, Delivery.supplier_address)
        .ext(distinct_on(Delivery.supplier_name))
        .where(Delivery.site_id == site_id)
        .order_by(Delivery.supplier_name, Delivery.at.desc())
    )
    return [(name, address) for name, address in rows]


def register_lines(
    session: ReadSession, *, book_id: UUID, first: date, last: date
) -> Sequence[tuple[RegisterLine, str, str]]:
    """The lines of a book between two days, in order, each with its lot's batch and the writer's initials."""
    rows = session.execute(
        select(RegisterLine, Lot.batch, Account.initials)
        .join(Lot, Lot.id == RegisterLine.lot_id)
        .join(Account, Account.id == RegisterLine.account_id)
        .where(RegisterLine.book_id == book_id, RegisterLine.dose_day.between(first, last))
        .order_by(RegisterLine.seq)
    )
    return [(line, batch, initials) for line, batch, initials in rows]
