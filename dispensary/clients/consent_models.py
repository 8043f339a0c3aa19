"""Consents to telling something of a client outside of the programme; each ends on its day, or is revoked once."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class ClientConsent(Base):
    """What a client allowed to be told, to whom, what for, until when. It is revoked once, never changed otherwise."""

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(
            "jsonb_array_length(kinds) > 0"
            ' AND kinds <@ \'["presence", "attendance", "doses", "results", "whole"]\'::jsonb',
            name="kinds",
        ),
        CheckConstraint(
            "recipient_kind IN ('court', 'treatment', 'social', 'family', 'employer', 'lawyer', 'other')",
            name="recipient_kind",
        ),
        CheckConstraint("(until_day IS NULL) <> (until_event_sealed IS NULL)", name="ends"),
        CheckConstraint("until_day >= from_day", name="ends_after_it_begins"),
        CheckConstraint("signed IN ('paper', 'screen')", name="signed"),
        CheckConstraint("revoked_how IN ('said', 'written', 'event')", name="revoked_how"),
        CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (revoked_how IS NULL)",
            name="revoked_by_somebody",
        ),
        Index(None, "client_id", "taken_at"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kinds: Mapped[list[str]]
    """Of `consent_rules.Information`."""
    recipient_kind: Mapped[str]
    recipient_sealed: Mapped[Sealed]
    purpose_sealed: Mapped[Sealed]
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    """Its last day; nothing where it lasts until an event."""
    until_event_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    signed: Mapped[str]
    signature_sealed: Mapped[Sealed]
    """Where the paper is kept, or the name that the client wrote on the screen."""
    taken_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    taken_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    revoked_how: Mapped[str | None]
