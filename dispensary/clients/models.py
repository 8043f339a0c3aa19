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
        CheckConstraint("distance_km BETWEEN 0 AND 2000", name="distance"),
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
    children_at_home: Mapped[bool | None]
    guardian: Mapped[bool | None]
    """Whether a member of the family or another person vouches for how doses are kept at home."""
    distance_km: Mapped[int | None] = mapped_column(SmallInteger)
    """How far they travel to the site, one way."""
    made_at: Mapped[datetime]


class ClientIndex(Base):
    """A keyed digest of something that a client is found by: number, national id, or the beginning of a name.

    Two kinds are alike in the whole programme, and find somebody who is enrolled twice (`monitoring/doubles.py`).
    """

    __tablename__ = "client_index"
    __table_args__ = (
        Index(None, "site_id", "digest"),
        Index(None, "digest", postgresql_where=text("kind IN ('programme.national_id', 'programme.person')")),
    )

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
        CheckConstraint(
            "entry_route IN ('self', 'family', 'outreach', 'hospital', 'court', 'police', 'transfer', 'other')",
            name="entry_route",
        ),
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
    entry_route: Mapped[str | None]
    """How they came to this stay; nothing when nobody has asked."""
    origin: Mapped[str] = mapped_column(default="clinic")
    """`clinic`, or `import` for history that another system kept."""


class ClientGoal(Base):
    """What a client wants to reach, in their own words."""

    __tablename__ = "client_goal"
    __table_args__ = (
        Index(None, "client_id"),
        CheckConstraint("state IN ('open', 'reached', 'let_go')", name="state"),
        CheckConstraint("(state = 'open') = (closed_on IS NULL)", name="closed_has_day"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    words_sealed: Mapped[Sealed]
    state: Mapped[str] = mapped_column(default="open")
    set_on: Mapped[date]
    closed_on: Mapped[date | None]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))


class Task(Base):
    """Something that a role must do for a client by a day; it stays until somebody says how it was done."""

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint("kind IN ('review', 'call', 'recall', 'other')", name="kind"),
        CheckConstraint("(done_at IS NULL) = (outcome = '')", name="done_has_outcome"),
        Index(None, "client_id", "kind"),
        Index("ix_task_open", "site_id", "due_on", postgresql_where=text("done_at IS NULL")),
        Index(
            "uq_task_open",
            "client_id",
            "kind",
            "due_on",
            "sentence",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    role: Mapped[str]
    kind: Mapped[str]
    sentence: Mapped[str]
    due_on: Mapped[date]
    opened_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    opened_at: Mapped[datetime]
    done_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    done_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")


class LookedAfter(Base):
    """That somebody of the staff looks after a client, and until when they did; several may at once."""

    __tablename__ = "looked_after"
    __table_args__ = (
        CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name="ended_at_a_moment"),
        Index(
            "uq_looked_after_once",
            "client_id",
            "account_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "client_id"),
        Index(None, "account_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    assigned_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    assigned_at: Mapped[datetime]
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody where the client moved away, or a program of before ended it."""
    ended_at: Mapped[datetime | None]
    """Since when they do no more; it is their client no longer from that moment on."""


class ClientAssignment(Base):
    """One of those who look after a client now, as a program from before `LookedAfter` reads and writes it.

    Triggers keep both alike while such a program may still serve; nothing else reads it.
    """

    __tablename__ = "client_assignment"

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    assigned_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    assigned_at: Mapped[datetime]
