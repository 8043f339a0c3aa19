"""Tables around the register: what a site has set for its safe, deliveries, transfers, destruction, investigations."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, Millilitres, SiteId, Strength


class StockSetting(Base):
    """What a site has set for its safe. Without a row it has no figure of its own and mixes no strengths."""

    __tablename__ = "stock_setting"
    __table_args__ = (
        CheckConstraint("tolerance_percent BETWEEN 0 AND 100 AND tolerance_ml >= 0", name="tolerance"),
        CheckConstraint("days_of_stock BETWEEN 1 AND 120", name="days_of_stock"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    tolerance_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    """Per cent of what was supplied from a lot since its last count, by which a count may differ."""
    tolerance_ml: Mapped[Millilitres | None]
    """mL by which it may differ. Where both are set the smaller one holds; no source gives a figure for either."""
    days_of_stock: Mapped[int | None] = mapped_column(SmallInteger)
    """The counter is warned when the safe lasts for fewer days than this."""
    mix_strengths: Mapped[bool] = mapped_column(default=False)
    """Whether one observed dose may be poured from lots of different strengths."""
    one_open_lot: Mapped[bool] = mapped_column(default=False)
    """Whether a second lot of a product is opened only when the first holds nothing more to pour."""
    source: Mapped[str] = mapped_column(default="")
    """Where the site has its figures from, in its own words."""
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class Delivery(Base):
    """Stock came from outside the programme: from whom, by which paper, and what was measured of it."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("paper_ml > 0 AND measured_ml >= 0", name="amounts"),
        CheckConstraint("measured_ml = paper_ml OR reason <> ''", name="difference_has_reason"),
        UniqueConstraint("line_id"),
        Index(None, "lot_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    line_id: Mapped[UUID] = mapped_column(ForeignKey("register_line.id"))
    """The line by which it came into the register, as on the paper; a difference has a line of its own."""
    supplier_name: Mapped[str]
    supplier_address: Mapped[str] = mapped_column(default="")
    document_no: Mapped[str]
    paper_ml: Mapped[Millilitres]
    measured_ml: Mapped[Millilitres]
    reason: Mapped[str] = mapped_column(default="")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


class StockTransfer(Base):
    """Stock on its way from one site to another: in no balance until it is received there or taken back, once."""

    __tablename__ = "stock_transfer"
    __table_args__ = (
        CheckConstraint("from_site_id <> to_site_id", name="two_sites"),
        CheckConstraint("ml > 0 AND measured_ml >= 0", name="amounts"),
        CheckConstraint("state IN ('in_transit', 'received', 'taken_back')", name="state"),
        CheckConstraint(
            "CASE state WHEN 'in_transit' THEN num_nonnulls(settled_at, settled_by, to_lot_id, measured_ml) = 0"
            " WHEN 'received' THEN num_nonnulls(settled_at, settled_by, to_lot_id, measured_ml) = 4"
            " ELSE num_nonnulls(settled_at, settled_by) = 2 AND num_nonnulls(to_lot_id, measured_ml) = 0 END",
            name="settled",
        ),
        CheckConstraint("state <> 'received' OR settled_by <> sent_by", name="two_people"),
        CheckConstraint(
            "state = 'in_transit' OR (state = 'received' AND measured_ml = ml) OR reason <> ''", name="has_reason"
        ),
        Index(None, "from_site_id", "sent_at"),
        Index(None, "to_site_id", "sent_at"),
        Index(None, "from_lot_id"),
    )

    id: Mapped[Id]
    from_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    to_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    from_lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    to_lot_id: Mapped[UUID | None] = mapped_column(ForeignKey("lot.id"))
    batch: Mapped[str]
    strength: Mapped[Strength]
    expires_on: Mapped[date]
    ml: Mapped[Millilitres]
    state: Mapped[str] = mapped_column(default="in_transit")
    carried_by: Mapped[str] = mapped_column(default="")
    """Who carries it, or the seal's number, as the sender wrote."""
    sent_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    sent_at: Mapped[datetime]
    settled_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    settled_at: Mapped[datetime | None]
    measured_ml: Mapped[Millilitres | None]
    """What was measured at the other site."""
    reason: Mapped[str] = mapped_column(default="")
    """Why it was taken back, or why what arrived is more or less."""

    @property
    def number(self) -> str:
        """What people call it, on paper and on both sites' pages."""
        return self.id.hex[-8:].upper()


class Destruction(Base):
    """How stock was destroyed, beside the register's line of it, which names the two people."""

    __tablename__ = "destruction"
    __table_args__ = (
        CheckConstraint("ml > 0 AND reason <> '' AND method <> ''", name="said"),
        UniqueConstraint("line_id"),
        Index(None, "lot_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    line_id: Mapped[UUID] = mapped_column(ForeignKey("register_line.id"))
    ml: Mapped[Millilitres]
    reason: Mapped[str]
    method: Mapped[str]
    reference: Mapped[str] = mapped_column(default="")
    """The number of the form, or an authorised witness from outside."""
    at: Mapped[datetime]


class Investigation(Base):
    """Stock is missing, and somebody finds out why: open until it is written down what was found."""

    __tablename__ = "investigation"
    __table_args__ = (
        CheckConstraint("ml > 0", name="shortage"),
        CheckConstraint("(closed_at IS NULL) = (found = '')", name="closed_has_finding"),
        CheckConstraint("num_nonnulls(closed_at, closed_by) IN (0, 2)", name="closed_by_somebody"),
        UniqueConstraint("line_id"),
        UniqueConstraint("count_id"),
        Index("ix_investigation_open", "site_id", postgresql_where=text("closed_at IS NULL")),
        Index(None, "lot_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    line_id: Mapped[UUID] = mapped_column(ForeignKey("register_line.id"))
    """The register's line of the shortage."""
    count_id: Mapped[UUID | None] = mapped_column(ForeignKey("stock_count.id"))
    """The count that found it; nothing for a delivery or a transfer that arrived short."""
    ml: Mapped[Millilitres]
    since: Mapped[datetime | None]
    """The count before, or since when it was missing at the earliest; nothing where the lot was never counted."""
    opened_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    opened_at: Mapped[datetime]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]
    found: Mapped[str] = mapped_column(default="")


class StockFinding(Base):
    """A discrepancy that a look at the safe named, from the look that saw it first to the one that did not any more."""

    __tablename__ = "stock_finding"
    __table_args__ = (
        Index(
            "uq_stock_finding_there",
            "site_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("gone_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    """As the view stock_discrepancy has it."""
    subject: Mapped[str]
    """The row that it is about."""
    sentence: Mapped[str]
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
