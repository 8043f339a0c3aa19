"""Tables of naloxone: lots of kits, to whom they were given, what was said to the offer, and when one was used.

Kits are stock, and no controlled drug: a lot has a count and an expiry, and no register.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class NaloxoneLot(Base):
    """Kits of one batch. What is left is moved by the kits that are given and those that are put away."""

    __tablename__ = "naloxone_lot"
    __table_args__ = (
        UniqueConstraint("site_id", "batch"),
        CheckConstraint("received BETWEEN 1 AND 100000", name="received"),
        CheckConstraint("left_over BETWEEN 0 AND received", name="left_over"),
        CheckConstraint("discarded BETWEEN 0 AND received - left_over", name="discarded"),
        CheckConstraint("batch <> '' AND product <> ''", name="named"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    batch: Mapped[str]
    product: Mapped[str]
    """What a kit is, as its box says it."""
    expires_on: Mapped[date]
    received: Mapped[int]
    left_over: Mapped[int]
    discarded: Mapped[int] = mapped_column(default=0)
    received_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    received_at: Mapped[datetime]


class NaloxoneKit(Base):
    """Kits that were given to somebody at once. It is added, and taken back once."""

    __tablename__ = "naloxone_kit"
    __table_args__ = (
        Index(None, "client_id", "given_on"),
        Index(None, "site_id", "given_on"),
        Index(None, "lot_id"),
        CheckConstraint("to_whom IN ('client', 'peer', 'family', 'community')", name="to_whom"),
        CheckConstraint("to_whom <> 'client' OR client_id IS NOT NULL", name="a_client_is_known"),
        CheckConstraint("kits BETWEEN 1 AND 100", name="kits"),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, they were given once."""
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("naloxone_lot.id"))
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    """The client who has it, or whose family has it; nothing for anybody else."""
    to_whom: Mapped[str]
    code_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    """A keyed digest of the code by which somebody who is no client is counted once; nothing where they gave none."""
    kits: Mapped[int] = mapped_column(SmallInteger)
    trained: Mapped[bool]
    """Whether they were shown, with it, what to do."""
    given_on: Mapped[date]
    given_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]


class NaloxoneAnswer(Base):
    """What a client said to the offer when they took none. It is added and never changed."""

    __tablename__ = "naloxone_answer"
    __table_args__ = (
        Index(None, "client_id", "said_on"),
        CheckConstraint("answer IN ('declined', 'has_one')", name="answer"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    answer: Mapped[str]
    said_on: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class NaloxoneUse(Base):
    """A kit was used, as somebody told it. It is added, and taken back once."""

    __tablename__ = "naloxone_use"
    __table_args__ = (
        Index(None, "client_id"),
        Index(None, "site_id", "happened_on"),
        CheckConstraint("told_by IN ('client', 'peer', 'family', 'community')", name="told_by"),
        CheckConstraint("told_by <> 'client' OR client_id IS NOT NULL", name="a_client_is_known"),
        CheckConstraint("kits BETWEEN 1 AND 20", name="kits"),
        CheckConstraint("outcome IN ('lives', 'died', 'unknown')", name="outcome"),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    """The client whose kit it was; nothing for anybody else's. It never says for whom it was used."""
    told_by: Mapped[str]
    happened_on: Mapped[date]
    kits: Mapped[int] = mapped_column(SmallInteger)
    outcome: Mapped[str]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]
