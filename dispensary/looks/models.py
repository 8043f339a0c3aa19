"""Tables of looks: why somebody opened a record, whose record is watched, and who read unusual looks through."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class LookReason(Base):
    """Why somebody opened a record that they do not usually open: once for each person, client and day."""

    __tablename__ = "look_reason"
    __table_args__ = (
        UniqueConstraint("account_id", "client_id", "site_id", "day"),
        CheckConstraint("reason IN ('phoned', 'here', 'correcting', 'reviewing', 'emergency', 'other')", name="reason"),
        CheckConstraint("reason <> 'other' OR words_sealed IS NOT NULL", name="other_in_words"),
        Index(None, "site_id", "day"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    """Where the reader works."""
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    day: Mapped[date]
    reason: Mapped[str]
    """What was picked: phoned, here, correcting, reviewing, emergency or other."""
    asked_for: Mapped[list[str]]
    """Why it was asked: not-today, other-site or watched."""
    words_sealed: Mapped[Sealed | None]
    """What was written beside it; with other always."""
    given_at: Mapped[datetime]


class WatchedRecord(Base):
    """A record that is opened for a reason only: of staff, of relatives, of people whom others know."""

    __tablename__ = "watched_record"
    __table_args__ = (
        CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name="ended_by_somebody"),
        Index("uq_watched_record_open", "client_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index(None, "site_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    why_sealed: Mapped[Sealed]
    """Of what kind it is, in words, and whose account it is when the client works here."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]


class LookSetting(Base):
    """From where on looks are unusual at a site, and whether clients are told names; without a row, the defaults."""

    __tablename__ = "look_setting"
    __table_args__ = (
        CheckConstraint("most_charts BETWEEN 1 AND 1000", name="most_charts"),
        CheckConstraint("times_usual BETWEEN 1 AND 20", name="times_usual"),
        CheckConstraint("minutes_around BETWEEN 0 AND 720", name="minutes_around"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    most_charts: Mapped[int]
    """Charts a day that nobody need explain, whatever they usually open."""
    times_usual: Mapped[int]
    """More than this many times one's usual day is many."""
    minutes_around: Mapped[int]
    """Before the site opens and after it closes, within which a look is not outside its hours."""
    names_to_clients: Mapped[bool] = mapped_column(Boolean)
    """A client who asks is told the names of who looked; else their work, such as nurse."""


class LookReview(Base):
    """Somebody read an unusual look through and wrote down what they found; nobody does so of their own."""

    __tablename__ = "look_review"
    __table_args__ = (
        UniqueConstraint("site_id", "account_id", "day", "kind"),
        CheckConstraint(
            "kind IN ('many', 'outside_hours', 'watched', 'colleague', 'own_record', 'other_reason', 'emergency',"
            " 'sealed_code')",
            name="kind",
        ),
        CheckConstraint("reviewed_by <> account_id", name="of_somebody_else"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    """Whose looks they were."""
    day: Mapped[date]
    kind: Mapped[str]
    words_sealed: Mapped[Sealed]
    reviewed_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    reviewed_at: Mapped[datetime]
