"""Tables of the staff room."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, Milligrams, SiteId, new_id


class Site(Base):
    """A place that dispenses, with its zone, its day boundary and the guards that it has set."""

    __tablename__ = "site"
    __table_args__ = (
        CheckConstraint("code ~ '^[A-Z0-9-]{1,12}$'", name="code"),
        CheckConstraint("missed_days_ask BETWEEN 1 AND 5", name="missed_days_ask"),
        CheckConstraint("jump_percent BETWEEN 1 AND 100 AND jump_mg > 0", name="jump_guard"),
        CheckConstraint("num_nonnulls(area_id, main_site_id) <= 1", name="one_parent"),
        CheckConstraint("main_site_id <> id", name="not_its_own"),
        CheckConstraint(
            "(lat IS NULL) = (lon IS NULL) AND lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180",
            name="coordinates",
        ),
        Index(None, "area_id"),
        Index(None, "main_site_id"),
    )

    id: Mapped[SiteId] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str]
    day_starts: Mapped[time] = mapped_column(Time, default=time(0, 0))
    """Before this local time the dose day is still yesterday's."""
    region: Mapped[str]
    """ISO 3166 country of national phone numbers."""
    language: Mapped[str] = mapped_column(default="en")
    address: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    prescriber_phone: Mapped[str] = mapped_column(default="")
    jump_percent: Mapped[int] = mapped_column(SmallInteger, default=30)
    jump_mg: Mapped[Milligrams] = mapped_column(default=20)
    missed_days_ask: Mapped[int] = mapped_column(SmallInteger, default=3)
    """After so many days without a dose an order that was signed before them no longer counts: the prescriber decides.

    Three, as the UK guidelines (Orange Book 2017) and CPSO 2011 have it; a site may ask earlier.
    """
    opened_at: Mapped[datetime]
    area_id: Mapped[UUID | None] = mapped_column(ForeignKey("area.id"))
    """Where a main site lies in the programme's tree; nothing for a satellite, and for a clinic that stands alone."""
    main_site_id: Mapped[SiteId | None] = mapped_column(ForeignKey("site.id"))
    """The site that prescribes for a satellite, whose days it shares."""
    lat: Mapped[Decimal | None] = mapped_column(Numeric(8, 5))
    """Degrees north, WGS 84."""
    lon: Mapped[Decimal | None] = mapped_column(Numeric(8, 5))
    """Degrees east."""


class Account(Base):
    """A person on the staff, who signs in by name. Never shared, never deleted: left_at closes it."""

    __tablename__ = "account"

    id: Mapped[AccountId] = mapped_column(primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    initials: Mapped[str]
    accepted_at: Mapped[datetime | None]
    """When its person first had a password; nothing while they are invited alone."""
    left_at: Mapped[datetime | None]
    made_at: Mapped[datetime]


class AccountPassword(Base):
    """By what a person signs in. Not a column of the account, which every site reads: it stays where they work."""

    __tablename__ = "account_password"

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True)
    hash: Mapped[str]
    """argon2id, with its own salt and parameters in it. No row: its person has chosen no password yet."""


class RoleGrant(Base):
    """An account has a role at a site."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "site_id", "role"),)

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    role: Mapped[str]
    direct: Mapped[bool] = mapped_column(default=True)
    """Given at this site itself; else it is here because of a role at a branch, and goes with that one."""


class SignIn(Base):
    """A person signed in: in the shift of a browser, or as a program. The cookie holds a random token, this its digest.

    Of the people in a browser's shift one is in front at most, the one whose token the cookie holds; the tokens of the
    others were thrown away, and they come back by PIN under a new one.
    """

    __tablename__ = "sign_in"
    __table_args__ = (
        Index(None, "account_id"),
        Index("uq_sign_in_front", "station_id", unique=True, postgresql_where=text("locked_at IS NULL")),
        UniqueConstraint("station_id", "account_id"),
        UniqueConstraint("station_id", "place"),
        CheckConstraint("place BETWEEN 1 AND 8", name="place"),
        CheckConstraint(
            "(station_id IS NULL) = (place IS NULL) AND (station_id IS NOT NULL OR locked_at IS NULL)",
            name="shift_has_station",
        ),
    )

    token_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    station_id: Mapped[UUID | None] = mapped_column(ForeignKey("station.id"))
    """The browser; none for a program that signed in by JSON."""
    place: Mapped[int | None] = mapped_column(SmallInteger)
    """The digit that picks this person on the browser's lock screen."""
    locked_at: Mapped[datetime | None]
    """Since when the token opens nothing but the lock screen."""
    forms: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    """What the forms of this sign-in's pages are bound to (web/forgery.py); it stays when the token changes."""


class SignInAttempt(Base):
    """A failed sign-in, counted per account name and address to slow a guesser down."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index(None, "subject", "at"),)

    id: Mapped[Id]
    subject: Mapped[Digest]
    """Blind index of the account name or of the address."""
    at: Mapped[datetime]


class AuditChain(Base):
    """The end of a site's audit chain. Locked by each new entry, so that entries are in one order."""

    __tablename__ = "audit_chain"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    length: Mapped[int] = mapped_column(BigInteger, default=0)
    head: Mapped[bytes] = mapped_column(BYTEA, default=b"")


class AuditEntry(Base):
    """One look at or change of a record. PostgreSQL numbers and chains it; nothing changes it afterwards."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(None, "subject_id", "at"),
        Index("ix_audit_entry_looks", "site_id", "at", postgresql_where=text("act = 'looked at'")),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    act: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[UUID | None]
    details: Mapped[str]
    """Canonical JSON: ids and figures, never a name. Text, since the hash is over exactly these characters."""
    previous: Mapped[bytes] = mapped_column(BYTEA)
    hash: Mapped[bytes] = mapped_column(BYTEA)


class JobRun(Base):
    """A background job ran for a slot of time: at most once, whichever process was the leader."""

    __tablename__ = "job_run"
    __table_args__ = (Index(None, "began_at", postgresql_where=text("failure <> ''")),)

    job: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)


__all__ = [
    "Account",
    "AccountPassword",
    "AuditChain",
    "AuditEntry",
    "JobRun",
    "RoleGrant",
    "SignIn",
    "SignInAttempt",
    "Site",
]
