"""Tables about who collects in a client's place: the agent, and what the client has authorised."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class Agent(Base):
    """Somebody whom a client has named to collect for them. What names the person is sealed."""

    __tablename__ = "agent"
    __table_args__ = (
        Index(None, "client_id"),
        CheckConstraint(
            "relation IN ('partner', 'parent', 'child', 'sibling', 'relative', 'friend', 'care_worker', 'other')",
            name="relation",
        ),
        CheckConstraint(
            "document_kind IN ('identity_card', 'passport', 'driving_licence', 'other')", name="document_kind"
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    name_sealed: Mapped[Sealed]
    relation: Mapped[str]
    document_kind: Mapped[str]
    document_sealed: Mapped[Sealed]
    """The number of the document that is shown at the counter; its last digits are compared there."""
    born_sealed: Mapped[Sealed]
    birth_year: Mapped[int] = mapped_column(SmallInteger)
    """So that PostgreSQL can refuse a child without reading the birth date."""
    photo_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class AgentConsent(Base):
    """A client's written consent that an agent collects, within its limits, once a prescriber has agreed to it."""

    __tablename__ = "agent_consent"
    __table_args__ = (
        Index(None, "agent_id"),
        Index(None, "client_id"),
        CheckConstraint("scope IN ('once', 'until')", name="scope"),
        CheckConstraint("last_day >= signed_on", name="last_day"),
        CheckConstraint("most_bottles BETWEEN 1 AND 112", name="most_bottles"),
        CheckConstraint("(agreed_by IS NULL) = (agreed_at IS NULL)", name="agreed_by_somebody"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_why = '')", name="revoked_has_reason"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    scope: Mapped[str]
    """`once`: one collection; `until`: any number of them. Both end with their last day."""
    signed_on: Mapped[date]
    last_day: Mapped[date]
    most_bottles: Mapped[int] = mapped_column(SmallInteger)
    """At one collection."""
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    agreed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """The prescriber, without whom nothing is handed to an agent."""
    agreed_at: Mapped[datetime | None]
    revoked_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[str] = mapped_column(default="")
