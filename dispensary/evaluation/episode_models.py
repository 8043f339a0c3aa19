"""Tables of episodes that were kept elsewhere and brought in to be evaluated, apart from the clinic's own records."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id, Moment
from dispensary.units import SiteId


class EpisodeSet(Base):
    """Episodes that came in one file under a name; another file of the name replaces them all."""

    __tablename__ = "episode_set"
    __table_args__ = (
        CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,39}$'", name="name"),
        CheckConstraint("episodes > 0 AND clients BETWEEN 1 AND episodes", name="has_episodes"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    """Where it is on the audit trail that they came."""
    imported_at: Mapped[Moment]
    strata: Mapped[list[str]] = mapped_column(JSONB)
    """The columns by which they can be split, in the order of the file."""
    seen_to: Mapped[date]
    """The last day that the records know: an episode without an end was going on then."""
    episodes: Mapped[int]
    clients: Mapped[int]
    sha256: Mapped[Digest]
    """Of the file."""


class ImportedEpisode(Base):
    """A stay in treatment as a file has it. Nobody is named: not even the number by which they were known there."""

    __tablename__ = "imported_episode"
    __table_args__ = (
        CheckConstraint("octet_length(client_digest) IN (16, 17)", name="client_digest"),
        CheckConstraint("(ended_on IS NULL) = (exit_reason IS NULL)", name="end_has_reason"),
        CheckConstraint("ended_on >= started_on", name="in_order"),
    )

    set_id: Mapped[UUID] = mapped_column(ForeignKey("episode_set.id", ondelete="CASCADE"), primary_key=True)
    client_digest: Mapped[Digest] = mapped_column(primary_key=True)
    """A keyed digest of the client in this set alone: equal clients, equal digests, in no other set the same."""
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """1 for the client's first episode."""
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    """The first day on which the client was in treatment no longer."""
    exit_reason: Mapped[str | None]
    strata: Mapped[list[str]] = mapped_column(JSONB)
    """The value of each stratum of the set."""
