"""The disclosure register: what of a client's record left the programme, to whom, why, and on what ground."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class Release(Base):
    """Something that somebody gave out, of one client or of many. It is only ever added to."""

    __tablename__ = "release"
    __table_args__ = (
        CheckConstraint("ground IN ('consent', 'research', 'audit', 'emergency', 'court_order')", name="ground"),
        CheckConstraint("(ground = 'court_order') = (legal_demand_id IS NOT NULL)", name="order_answers_demand"),
        CheckConstraint("ground <> 'court_order' OR jsonb_array_length(kinds) > 0", name="order_says_which"),
        CheckConstraint("what <> ''", name="says_what"),
        CheckConstraint("consent_id IS NULL OR ground = 'consent'", name="consent_is_its_ground"),
        CheckConstraint("ground <> 'emergency' OR jsonb_array_length(kinds) > 0", name="emergency_says_which"),
        CheckConstraint('kinds <@ \'["presence", "attendance", "doses", "results", "whole"]\'::jsonb', name="kinds"),
        Index(None, "site_id", "at"),
        Index("ix_release_client_id", "client_id", postgresql_where=text("client_id IS NOT NULL")),
        Index("ix_release_legal_demand_id", "legal_demand_id", postgresql_where=text("legal_demand_id IS NOT NULL")),
        Index("uq_release_key", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    at: Mapped[datetime]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    what: Mapped[str]
    """Which records, of which days."""
    ground: Mapped[str]
    authority_sealed: Mapped[Sealed]
    """What the ground can be looked up by: who approved the study and under which number, which agreement."""
    recipient_sealed: Mapped[Sealed]
    reason_sealed: Mapped[Sealed]
    kinds: Mapped[list[str]] = mapped_column(server_default=text("'[]'"), default=list)
    """Of `consent_rules.Information`, where it is about one client; none for an export."""
    consent_id: Mapped[UUID | None] = mapped_column(ForeignKey("consent.id"))
    """The consent that covers it: one client's, in force at that moment, naming no less (`disclosure_is_covered`)."""
    notice: Mapped[str] = mapped_column(server_default=text("''"), default="")
    """Which notice went with it: a key of `figures/notices.toml`, or the id of the site's own."""
    key: Mapped[UUID | None]
    """The form that asked for it: pressed twice, it is one line."""
    client_id: Mapped[ClientId | None] = mapped_column(ForeignKey("client.id"))
    """The one client whom it is about, whose own key its words lie under; nothing for an export of several."""
    legal_demand_id: Mapped[UUID | None] = mapped_column(ForeignKey("legal_demand.id"))
    """The demand that it answers, told by the person whom the site has named (`order_is_told_by_named`)."""


class Disclosure(Base):
    """That a release was about a client."""

    __tablename__ = "disclosure"
    __table_args__ = (Index(None, "client_id"),)

    release_id: Mapped[Id] = mapped_column(ForeignKey("release.id"), primary_key=True)
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)


class ReleaseNote(Base):
    """What the emergency was, written down after what it needed had been told. It is written once."""

    __tablename__ = "release_note"

    release_id: Mapped[UUID] = mapped_column(ForeignKey("release.id"), primary_key=True)
    words_sealed: Mapped[Sealed]
    written_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    written_at: Mapped[datetime]


class DisclosureNotice(Base):
    """The notice that a site has chosen or written; the newest is in force, and none is ever changed."""

    __tablename__ = "disclosure_notice"
    __table_args__ = (
        CheckConstraint("(shipped = '') <> (words = '')", name="shipped_or_own"),
        Index(None, "site_id", "set_at"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    shipped: Mapped[str]
    """A key of `figures/notices.toml`, or nothing."""
    words: Mapped[str]
    """The site's own words, or nothing."""
    source: Mapped[str]
    """What they rest on, as the administrator wrote it."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
