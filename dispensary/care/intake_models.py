"""Tables of entry from outside: who came before they are a client, their assessments, what was told of them.

They have no key of their own yet: what names them is sealed by the house, and is wiped when they do not become clients.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Intake(Base):
    """Somebody came, or was sent, and is not a client yet. It is closed once."""

    __tablename__ = "intake"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        CheckConstraint(
            "route IN ('self', 'family', 'outreach', 'hospital', 'court', 'police', 'transfer', 'other')", name="route"
        ),
        CheckConstraint("outcome IN ('', 'enrolled', 'elsewhere', 'not_wanted', 'not_reached')", name="outcome"),
        CheckConstraint("(outcome = '') = (closed_at IS NULL)", name="closed_with_outcome"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_somebody"),
        CheckConstraint("(outcome = 'enrolled') = (client_id IS NOT NULL)", name="enrolled_is_a_client"),
        CheckConstraint("(outcome = '') = (name_sealed IS NOT NULL)", name="named_while_open"),
        CheckConstraint(
            "outcome = '' OR num_nonnulls(reach_sealed, words_sealed, referrer_sealed, consent_sealed) = 0",
            name="wiped_when_closed",
        ),
        Index(None, "site_id", "came_on"),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    number: Mapped[int]
    """The site's own count: what the person is called where no name is said."""
    route: Mapped[str]
    came_on: Mapped[date]
    name_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    reach_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """How they can be reached, as they said it."""
    words_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """What they want."""
    referrer_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Who sent them."""
    consent_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Where the paper is kept by which they agreed that whoever sent them hears that they came; nothing without it."""
    taken_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    taken_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(default="")
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]


class IntakePart(Base):
    """An assessment of health, law, or home and work, and the services that it opened; its words can be wiped."""

    __tablename__ = "intake_part"
    __table_args__ = (
        Index(None, "intake_id"),
        Index(None, "client_id"),
        CheckConstraint("kind IN ('health', 'legal', 'social')", name="kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one assessment."""
    intake_id: Mapped[UUID] = mapped_column(ForeignKey("intake.id"))
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    """Whoever they became: the words are sealed for them from then on."""
    kind: Mapped[str]
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """What was offered for it; each can be declined without any consequence."""
    words_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    done_on: Mapped[date]
    done_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    done_at: Mapped[datetime]


class IntakeRelease(Base):
    """That a line of the register of disclosures is about somebody who was no client yet."""

    __tablename__ = "intake_release"

    release_id: Mapped[UUID] = mapped_column(ForeignKey("release.id"), primary_key=True)
    intake_id: Mapped[UUID] = mapped_column(ForeignKey("intake.id"), index=True)
