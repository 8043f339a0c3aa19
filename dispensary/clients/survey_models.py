"""Tables of a site's own questions: its documents, tickets by which one person answers once, and nameless answers."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, SiteId


class Survey(Base):
    """A version of a site's questions. Its words are never changed; the next version closes it."""

    __tablename__ = "survey"
    __table_args__ = (
        UniqueConstraint("site_id", "version"),
        Index("uq_survey_open", "site_id", unique=True, postgresql_where=text("closed_at IS NULL")),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_somebody"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    version: Mapped[int] = mapped_column(SmallInteger)
    document: Mapped[str]
    """TOML, word for word as it was asked."""
    address: Mapped[str]
    """Where this house is reached by a phone, as it was when it was opened: a link is this, `/s/` and a ticket."""
    opened_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    opened_at: Mapped[datetime]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    closed_at: Mapped[datetime | None]


class SurveyTicket(Base):
    """That somebody may answer once. It knows nobody, and is gone once it was used or is over."""

    __tablename__ = "survey_ticket"
    __table_args__ = (Index(None, "survey_id"),)

    digest: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    survey_id: Mapped[UUID] = mapped_column(ForeignKey("survey.id"))
    good_until: Mapped[datetime]


class SurveyAnswer(Base):
    """What one person answered. Neither who nor on which day: its id is drawn by chance and says no time."""

    __tablename__ = "survey_answer"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("jsonb_typeof(answers) = 'object' AND answers <> '{}'", name="answers"),
        Index(None, "survey_id", "month"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    survey_id: Mapped[UUID] = mapped_column(ForeignKey("survey.id"))
    month: Mapped[date]
    """The first of the month in which it was answered, or typed from paper."""
    answers: Mapped[dict[str, str]] = mapped_column(JSONB)
    """For each question that was answered, the answer that was chosen."""
