"""Tables of results that come in by file: how a laboratory writes them, and what was done with each file."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, SiteId


class ResultMapping(Base):
    """How a laboratory writes its files; without a row, as guessed."""

    __tablename__ = "result_mapping"

    laboratory_id: Mapped[UUID] = mapped_column(ForeignKey("laboratory.id"), primary_key=True)
    document: Mapped[dict[str, Any]]
    """Headers by what they mean, the laboratory's names of tests, and how it writes a day."""
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class ResultFile(Base):
    """A file of results. Its content is kept, sealed, until somebody accepts it or puts it away, and then no longer.

    What was left out of it stays, so that it is not lost.
    """

    __tablename__ = "result_file"
    __table_args__ = (
        CheckConstraint("format IN ('csv', 'fhir', 'hl7')", name="format"),
        CheckConstraint("(closed_at IS NULL) = (content_sealed IS NOT NULL)", name="content_until_closed"),
        CheckConstraint("closed_at IS NOT NULL OR taken IS NULL", name="taken_when_closed"),
        CheckConstraint("taken >= 0", name="taken"),
        Index(
            "uq_result_file_waiting",
            "laboratory_id",
            "digest",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "site_id", "uploaded_at"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    laboratory_id: Mapped[UUID] = mapped_column(ForeignKey("laboratory.id"))
    format: Mapped[str]
    name: Mapped[str]
    digest: Mapped[Digest]
    content_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    uploaded_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    uploaded_at: Mapped[datetime]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]
    taken: Mapped[int | None]
    """How many results were taken; empty where the file was put away."""
    left_out: Mapped[list[Any]] = mapped_column(JSONB)
    """The lines that were not taken, each with why; of tests that no rule knows, with the value."""
