"""Tables of the clients room. What names a person is sealed; what finds a person is a keyed digest."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId, new_id


class Client(Base):
    """A person in treatment."""

    __tablename__ = "client"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        CheckConstraint("sex IN ('female', 'male', 'other', 'unknown')", name="sex"),
    )

    id: Mapped[ClientId] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    number: Mapped[str]
    """The programme's own number on the card: says nothing about the person."""
    name_sealed: Mapped[Sealed]
    born_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    national_id_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    photo_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    second_identifier_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """What the counter asks when there is no photo: a mark, a parent's name, a word that the client chose."""
    sex: Mapped[str] = mapped_column(default="unknown")
    birth_year: Mapped[int | None] = mapped_column(SmallInteger)
    lockbox: Mapped[bool | None]
    """Whether doses are locked away at home; nothing when nobody has asked."""
    housing_stable: Mapped[bool | None]
    employed: Mapped[bool | None]
    health_stable: Mapped[bool | None]
    made_at: Mapped[datetime]


class ClientIndex(Base):
    """A keyed digest of something that a client is found by: number, national id, or the beginning of a name."""

    __tablename__ = "client_index"
    __table_args__ = (Index(None, "site_id", "digest"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))


class Episode(Base):
    """One stay in treatment, from enrolment to exit; its exit has a reason."""

    __tablename__ = "episode"
    __table_args__ = (
        CheckConstraint("(ended_on IS NULL) = (exit_reason IS NULL)", name="exit_has_reason"),
        CheckConstraint("ended_on >= began_on", name="ends_after_it_began"),
        ExcludeConstraint(
            ("client_id", "="),
            (text("daterange(began_on, ended_on, '[)')"), "&&"),
            name="episode_no_overlap",
            using="gist",
        ),
        Index(None, "client_id"),
        Index(None, "site_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    began_on: Mapped[date]
    ended_on: Mapped[date | None]
    exit_reason: Mapped[str | None]
    enrolled_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    origin: Mapped[str] = mapped_column(default="clinic")
    """`clinic`, or `import` for history that another system kept."""
