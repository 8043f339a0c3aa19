"""Tables of the second factor: an authenticator's secret, recovery codes, passkeys, and who is half signed in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id, Sealed
from dispensary.units import AccountId, SiteId


class SecondFactor(Base):
    """The secret that an account shares with its person's authenticator; both make a code of it each 30 seconds."""

    __tablename__ = "second_factor"
    __table_args__ = (
        Index(
            "uq_second_factor_confirmed", "account_id", unique=True, postgresql_where=text("confirmed_at IS NOT NULL")
        ),
        Index("uq_second_factor_begun", "account_id", unique=True, postgresql_where=text("confirmed_at IS NULL")),
        CheckConstraint("(confirmed_at IS NULL) = (last_step = 0)", name="confirmed_by_a_code"),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    secret_sealed: Mapped[Sealed]
    begun_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """Since when it is asked for: a code of the authenticator has proved that it knows the secret."""
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The newest step (of 30 seconds since 1970) of which a code was accepted; none up to it is accepted again."""


class RecoveryCode(Base):
    """One of ten codes that stand in for an authenticator that was lost, once."""

    __tablename__ = "recovery_code"

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True)
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    """Keyed digest of account and code; the code is kept nowhere."""
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class HalfSignIn(Base):
    """Somebody whose password was right and whose second factor is still asked for. It opens nothing."""

    __tablename__ = "half_sign_in"
    __table_args__ = (Index(None, "account_id"),)

    token_digest: Mapped[Digest] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    presented_digest: Mapped[bytes] = mapped_column(BYTEA)
    """Of what the browser's sign-in cookie held when the password came, so that it counts in this browser alone."""
    began_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class FactorSetting(Base):
    """Who must have a second factor at a site; a site without a row asks nobody for one."""

    __tablename__ = "factor_setting"
    __table_args__ = (
        CheckConstraint("demand IN ('optional', 'administrators', 'all')", name="demand"),
        CheckConstraint("grace_days BETWEEN 0 AND 60", name="grace_days"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    demand: Mapped[str]
    grace_days: Mapped[int] = mapped_column(SmallInteger)
    """So many days may whoever must have one go on without it."""
    demanded_at: Mapped[datetime]
    """Since when, for those who were there already."""


class FactorReset(Base):
    """An administrator, or whoever runs the server, took an account's second factor away; its person is told."""

    __tablename__ = "factor_reset"

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True)
    at: Mapped[datetime]
    by_account: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody's on the server's command line."""
    known_at: Mapped[datetime | None]
    """When its person said that they know of it."""


class PasskeyHolder(Base):
    """By which random name an account is known to its passkeys; it says nothing of the account."""

    __tablename__ = "passkey_holder"
    __table_args__ = (UniqueConstraint("handle"), CheckConstraint("length(handle) = 64", name="handle"))

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True)
    handle: Mapped[bytes] = mapped_column(BYTEA)


class Passkey(Base):
    """A key pair on a person's device, of which this is the public half."""

    __tablename__ = "passkey"
    __table_args__ = (
        UniqueConstraint("credential_id"),
        Index(None, "account_id"),
        CheckConstraint("sign_count >= 0", name="sign_count"),
        CheckConstraint("name <> ''", name="name"),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("passkey_holder.account_id"))
    name: Mapped[str]
    """What its person calls the device."""
    credential_id: Mapped[bytes] = mapped_column(BYTEA)
    public_key: Mapped[bytes] = mapped_column(BYTEA)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """How often the device has signed, as it says; a device that does not count says 0. It never goes back."""
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PasskeyChallenge(Base):
    """A random text that a passkey is asked to sign: answered once, within minutes, for what it was made for."""

    __tablename__ = "passkey_challenge"
    __table_args__ = (
        CheckConstraint("purpose IN ('sign in', 'register', 'prove')", name="purpose"),
        CheckConstraint("(purpose = 'sign in') = (account_id IS NULL)", name="account"),
        Index(None, "address_index", "ends_at"),
    )

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """For whom; nobody is known yet where one signs in."""
    address_index: Mapped[Digest]
    """From where it was asked for, so that nobody fills the table."""
    ends_at: Mapped[datetime]


__all__ = [
    "FactorReset",
    "FactorSetting",
    "HalfSignIn",
    "Passkey",
    "PasskeyChallenge",
    "PasskeyHolder",
    "RecoveryCode",
    "SecondFactor",
]
