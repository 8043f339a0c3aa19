"""The table of anchors: how each site's audit chain stood in each night."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import SiteId


class AuditAnchor(Base):
    """The end of a site's audit chain as it stood in one night; the same is in files that lie elsewhere.

    A row is only ever added; a time stamp comes to it once.
    """

    __tablename__ = "audit_anchor"
    __table_args__ = (
        CheckConstraint("length >= 0", name="length"),
        CheckConstraint("octet_length(head) = 32", name="head"),
        CheckConstraint("(stamp IS NULL) = (stamped_at IS NULL)", name="stamped_at_a_time"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    """The dose day that had begun when it was made."""
    length: Mapped[int] = mapped_column(BigInteger)
    """How many entries the chain had."""
    head: Mapped[bytes] = mapped_column(BYTEA)
    """The hash of the last of them."""
    made_at: Mapped[datetime]
    stamp: Mapped[bytes | None] = mapped_column(BYTEA)
    """A time-stamp response (RFC 3161) over the file of this anchor; empty while nobody has stamped it."""
    stamped_at: Mapped[datetime | None]
    """What the time-stamping authority says."""
