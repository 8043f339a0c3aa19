"""Tables of outreach: contacts with people who need not be known, and what was handed out."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class OutreachContact(Base):
    """Somebody was met outside, who is known by a code of their own or by nothing. It is added, and taken back once."""

    __tablename__ = "outreach_contact"
    __table_args__ = (
        Index(None, "site_id", "on_day"),
        CheckConstraint("place <> ''", name="place"),
        CheckConstraint("kind IN ('outreach', 'drop_in', 'event')", name="kind"),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one contact."""
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    on_day: Mapped[date]
    kind: Mapped[str]
    place: Mapped[str]
    """Where, as a district or a spot is called; of no home."""
    code_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    """A keyed digest of the code by which they are counted once; nothing where they gave none."""
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """What they were told of, or brought to."""
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]


class OutreachMaterial(Base):
    """How much of one thing was handed out, or taken back, at a contact."""

    __tablename__ = "outreach_material"
    __table_args__ = (
        CheckConstraint(
            "material IN ('needles', 'needles_back', 'water', 'foil', 'condoms', 'lubricant', 'leaflets',"
            " 'test_strips', 'food', 'hygiene')",
            name="material",
        ),
        CheckConstraint("amount BETWEEN 1 AND 5000", name="amount"),
    )

    contact_id: Mapped[UUID] = mapped_column(ForeignKey("outreach_contact.id"), primary_key=True)
    material: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(SmallInteger)
