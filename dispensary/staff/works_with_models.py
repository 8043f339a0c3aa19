"""Which versions of the program may work on this database (docs/architecture.md, an upgrade while clinics work)."""

from __future__ import annotations

from sqlalchemy import SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base


class WorksWith(Base):
    """A version of the program that may work on this database, as the newest migration that it has names it.

    Each migration adds itself. One that takes away what older programs need removes those, so that a program finds out
    whether it may go on although it cannot know what the migrations after its own have done.
    """

    __tablename__ = "works_with"
    __table_args__ = (UniqueConstraint("no"),)

    revision: Mapped[str] = mapped_column(primary_key=True)
    """The newest migration that the version has."""
    no: Mapped[int] = mapped_column(SmallInteger)
    """In the order in which this database came to them."""
