"""Tables of entry from outside: who came before they are a client, their assessments, what was told of them.

They have no key of their own yet: what names them is sealed by the house, and is wiped when they do not become clients.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Intake(Base):
    """Somebody came, or was sent, and is not a client yet. It is closed once, and names nobody from then on."""

    __tablename__ = "intake"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        CheckConstraint(
            "route IN ('self', 'family', 'outreach', 'hospital', 'court', 'police', 'transfer', 'other')", name="route"
        ),
        CheckConstraint(
            "outcome IN ('', 'enrolled', 'elsewhere', 'not_wanted', 'not_reached', 'lapsed')", name="outcome"
        ),
        CheckConstraint("(outcome = '') = (closed_at IS NULL)", name="closed_with_outcome"),
        CheckConstraint("(closed_by IS NULL) = (outcome IN ('', 'lapsed'))", name="closed_by_somebody"),
        CheckConstraint("(outcome = 'enrolled') = (client_id IS NOT NULL)", name="enrolled_is_a_client"),
        CheckConstraint("(outcome = '') = (name_sealed IS NOT NULL)", name="named_while_open"),
        CheckConstraint(
            "outcome = '' OR num_nonnulls(reach_sealed, words_sealed, referrer_sealed, consent_sealed) = 0",
            name="wiped_when_closed",
        ),
        CheckConstraint("consent_signed IN ('paper', 'screen')", name="consent_signed"),
        CheckConstraint("consent_ended_how IN ('said', 'written', 'event')", name="consent_ended_how"),
        CheckConstraint(
            "num_nonnulls(consent_signed, consent_by, consent_at) = (CASE WHEN consent_at IS NULL THEN 0 ELSE 3 END)",
            name="consent_of_somebody",
        ),
        CheckConstraint(
            "num_nonnulls(consent_ended_how, consent_ended_by, consent_ended_at)"
            " = (CASE WHEN consent_ended_at IS NULL THEN 0 ELSE 3 END)",
            name="consent_ended_by_somebody",
        ),
        CheckConstraint("consent_ended_at IS NULL OR consent_at IS NOT NULL", name="consent_ends_after_it_was_given"),
        CheckConstraint("outcome <> '' OR (consent_sealed IS NULL) = (consent_at IS NULL)", name="consent_says_where"),
        CheckConstraint(
            "consent_sealed IS NULL OR num_nonnulls(referrer_sealed, consent_to_sealed) > 0", name="consent_names_whom"
        ),
        CheckConstraint("consent_to_sealed IS NULL OR consent_sealed IS NOT NULL", name="consent_to_with_consent"),
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
    """Where the paper is kept by which they agreed that whoever sent them hears that they came, or the name that they
    wrote; nothing without it."""
    consent_to_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Whom they let hear of it, where that is not whoever sent them."""
    consent_days: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    """Whether it covers on which days they came too."""
    consent_signed: Mapped[str | None]
    """Of `consent_rules.Signed`."""
    consent_until: Mapped[date | None]
    """Its last day; nothing where it lasts until this is closed."""
    consent_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Who heard their yes."""
    consent_at: Mapped[datetime | None]
    consent_ended_how: Mapped[str | None]
    """Of `consent_rules.Revoked`. Another consent, given later, takes the place of one that ended."""
    consent_ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    consent_ended_at: Mapped[datetime | None]
    taken_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    taken_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(default="")
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody while it is open, and where it was let go at night."""
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


class IntakeService(Base):
    """Something that they were given without being a client. It names nobody; it is added, and taken back once."""

    __tablename__ = "intake_service"
    __table_args__ = (
        Index(None, "intake_id"),
        Index(None, "site_id"),
        CheckConstraint("given IN ('leaflet', 'talk', 'referral', 'company')", name="given"),
        CheckConstraint("(given IN ('referral', 'company')) = (service <> '')", name="referred_for"),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it was given once."""
    intake_id: Mapped[UUID] = mapped_column(ForeignKey("intake.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    given: Mapped[str]
    service: Mapped[str]
    """For what a referral was, or where somebody went along; empty else."""
    given_on: Mapped[date]
    given_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]


class IntakeRelease(Base):
    """That a line of the register of disclosures is about somebody who was no client yet."""

    __tablename__ = "intake_release"

    release_id: Mapped[UUID] = mapped_column(ForeignKey("release.id"), primary_key=True)
    intake_id: Mapped[UUID] = mapped_column(ForeignKey("intake.id"), index=True)
    consent_at: Mapped[datetime | None]
    """By the consent of which moment it was told; nothing of what was told before that was kept."""
