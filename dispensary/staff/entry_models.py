"""Tables of how accounts come and sleep, of the sealed code for a locked-out clinic, and of tokens for programs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, SiteId


class EntrySetting(Base):
    """What a site has chosen about its accounts; a site without a row has the product's figures."""

    __tablename__ = "entry_setting"
    __table_args__ = (
        CheckConstraint("invited_days BETWEEN 1 AND 30", name="invited_days"),
        CheckConstraint("dormant_days BETWEEN 7 AND 366", name="dormant_days"),
        CheckConstraint("glass_hours BETWEEN 1 AND 12", name="glass_hours"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    invited_days: Mapped[int] = mapped_column(SmallInteger)
    """For how many days an invitation opens."""
    dormant_days: Mapped[int] = mapped_column(SmallInteger)
    """After how many days without a sign-in an account is shown as dormant."""
    glass_hours: Mapped[int] = mapped_column(SmallInteger)
    """For how many hours an opened code makes somebody an administrator."""


class Invitation(Base):
    """A code by which one person, once, chooses the password of their account. The code is kept nowhere."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("kind IN ('first', 'again')", name="kind"),
        CheckConstraint("expires_at > made_at AND expires_at <= made_at + interval '31 days'", name="expires"),
        CheckConstraint("used_at < expires_at", name="used_in_time"),
        CheckConstraint("used_at IS NULL OR revoked_at IS NULL", name="one_end"),
        UniqueConstraint("code_digest"),
        Index(
            "uq_invitation_open",
            "account_id",
            unique=True,
            postgresql_where=text("used_at IS NULL AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    """`first` for a new account, `again` for a password that was forgotten."""
    code_digest: Mapped[Digest]
    made_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody where it was made on the command line."""
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class BreakGlass(Base):
    """A site's sealed code, and what came of it: replaced by another, or opened by two people for a few hours."""

    __tablename__ = "break_glass"
    __table_args__ = (
        CheckConstraint("opened_for <> opened_with", name="opened_by_two"),
        CheckConstraint("num_nulls(opened_at, opened_for, opened_with, ends_at) IN (0, 4)", name="opened_whole"),
        CheckConstraint("ends_at >= opened_at AND ends_at <= opened_at + interval '12 hours'", name="ends"),
        CheckConstraint("opened_at IS NULL OR replaced_at IS NULL", name="one_end"),
        CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_words = '')"
            " AND (acknowledged_at IS NULL) = (acknowledged_by IS NULL)"
            " AND (acknowledged_at IS NULL OR opened_at IS NOT NULL)",
            name="acknowledged",
        ),
        UniqueConstraint("code_digest"),
        Index(
            "uq_break_glass_sealed",
            "site_id",
            unique=True,
            postgresql_where=text("replaced_at IS NULL AND opened_at IS NULL"),
        ),
        Index(
            "ix_break_glass_opened_for",
            "opened_for",
            "ends_at",
            postgresql_where=text("opened_at IS NOT NULL"),
        ),
        Index(
            "ix_break_glass_alarm",
            "site_id",
            postgresql_where=text("opened_at IS NOT NULL AND acknowledged_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    code_digest: Mapped[Digest]
    made_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    made_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    """When another code took its place."""
    opened_at: Mapped[datetime | None]
    opened_for: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Who is an administrator of the site until `ends_at`."""
    opened_with: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ends_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    acknowledged_words: Mapped[str] = mapped_column(default="")


class ApiToken(Base):
    """By which a program acts for one person at one site, with a part of what that person may, until a day."""

    __tablename__ = "api_token"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'", name="scopes"),
        CheckConstraint("expires_at > made_at AND expires_at <= made_at + interval '367 days'", name="expires"),
        UniqueConstraint("token_digest"),
        Index(None, "account_id"),
        Index(None, "site_id"),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    name: Mapped[str]
    """What it is for, such as the laboratory's computer."""
    token_digest: Mapped[Digest]
    scopes: Mapped[list[str]]
    """The acts that it may do at most; whether its person may do them is asked anew each time."""
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    """To the minute: not every request writes."""
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class TokenPace(Base):
    """How much a token asked within the minute that began then, in whichever process. Unlogged: it is no record."""

    __tablename__ = "token_pace"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    token_id: Mapped[UUID] = mapped_column(ForeignKey("api_token.id"), primary_key=True)
    began_at: Mapped[datetime]
    asked: Mapped[int]


__all__ = ["ApiToken", "BreakGlass", "EntrySetting", "Invitation", "TokenPace"]
