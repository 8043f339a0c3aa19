"""Tables of a client's homes: which site was theirs from when to when, and the moves between them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import BYTEA, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class MoveState(StrEnum):
    """How far a move is."""

    ASKED = "asked"
    """The old site has written it; the client is still the old site's."""
    DONE = "done"
    """The new site has seen the client, who is theirs from then on."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    UNDONE = "undone"
    """Taken back on the day of the move: the client is the old site's again."""


_STATES = ", ".join(f"'{each}'" for each in MoveState)


class ClientMove(Base):
    """A move of a client to another site: written by the old one, confirmed by the new one, who sees them."""

    __tablename__ = "client_move"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("from_site_id <> to_site_id", name="elsewhere"),
        CheckConstraint(
            "(state = 'asked') = (answered_at IS NULL) AND (answered_at IS NULL) = (answered_by IS NULL)",
            name="answered",
        ),
        CheckConstraint(
            "(state IN ('refused', 'withdrawn')) <= (answer_sealed IS NOT NULL)", name="refused_with_reason"
        ),
        CheckConstraint(
            "(state IN ('done', 'undone')) = (from_day IS NOT NULL) AND (from_day IS NULL) = (number_there IS NULL)",
            name="done_on_a_day",
        ),
        CheckConstraint(
            "(state = 'undone') = (undone_at IS NOT NULL) AND (undone_at IS NULL) = (undone_by IS NULL)",
            name="undone",
        ),
        Index("uq_client_move_open", "client_id", unique=True, postgresql_where=text("state = 'asked'")),
        Index(None, "client_id"),
        Index(None, "from_site_id", "asked_at"),
        Index(None, "to_site_id", "asked_at"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    from_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    to_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    state: Mapped[str] = mapped_column(default=MoveState.ASKED.value)
    reason_sealed: Mapped[Sealed]
    asked_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime]
    answered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    answered_at: Mapped[datetime | None]
    answer_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Why it was refused or withdrawn."""
    from_day: Mapped[date | None]
    """The first dose day of the new site."""
    number_there: Mapped[str | None]
    """The client's number at the new site."""
    bottles_back: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Bottles that stood prepared at the old site and went back into its stock: to be poured back there.

    Those of a satellite of it count here too, and go back into the satellite's own.
    """
    bookings_dropped: Mapped[int] = mapped_column(SmallInteger, default=0)
    undone_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    undone_at: Mapped[datetime | None]
    undone_bottles_back: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    """Bottles that the new site had prepared and that went back into its stock when the move was taken back."""
    undone_bookings_dropped: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")


class ClientHome(Base):
    """Whose client somebody is, from one moment to the next. Each has exactly one home at a moment, without a gap.

    The one question of a home as of a day or a moment is asked of this table (`clients/homes.py`); `client.site_id` is
    the home of now, and a trigger keeps the two together.
    """

    __tablename__ = "client_home"
    __table_args__ = (
        CheckConstraint("no >= 1", name="no"),
        CheckConstraint(
            "(no = 1) = (move_id IS NULL) AND (no = 1) = (since IS NULL) AND (no = 1) = (from_day IS NULL)",
            name="first",
        ),
        CheckConstraint("until >= since", name="order"),
        ExcludeConstraint(
            ("client_id", "="),
            (text("tstzrange(since, until)"), "&&"),
            name="client_home_one_at_a_moment",
            using="gist",
        ),
        ExcludeConstraint(
            ("site_id", "="),
            ("number", "="),
            ("client_id", "<>"),
            name="client_home_number_is_theirs",
            using="gist",
        ),
        Index(None, "site_id"),
        Index("ix_client_home_moved", "client_id", "no", postgresql_where=text("no > 1")),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    no: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """From 1; a trigger counts."""
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    number: Mapped[str]
    """The client's number there, which stands on that site's papers and is never given to anybody else."""
    from_day: Mapped[date | None]
    """The first dose day; nothing for the first home, which was theirs on every day before the next."""
    since: Mapped[datetime | None]
    """The moment that it was recorded, which is the moment that it began; nothing for the first."""
    until: Mapped[datetime | None]
    """When the next one began; nothing for the home of now."""
    move_id: Mapped[UUID | None] = mapped_column(ForeignKey("client_move.id"))
