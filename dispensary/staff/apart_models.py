"""Which sites of this database have a server of their own, and since when (docs/satellite.md)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import SiteId


class SiteApart(Base):
    """A site that is written on another server than this one, from a moment on.

    At the centre those are the satellites that run alone, whose rows arrive whole. On a satellite's own server they are
    all other sites, of which only what concerns its clients is here.
    """

    __tablename__ = "site_apart"
    __table_args__ = (
        Index("uq_site_apart_now", "site_id", unique=True, postgresql_where=text("until IS NULL")),
        CheckConstraint("known_at >= since AND until >= since", name="goes_forward"),
        CheckConstraint("warn_after BETWEEN 1 AND 60", name="warn_after"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    known_at: Mapped[datetime]
    """The moment of the newest cut: orders and decisions of the other server are known here, or there, as of then."""
    whole: Mapped[bool]
    """Whether all rows of the site come here: a satellite's at the centre."""
    warn_after: Mapped[int | None] = mapped_column(SmallInteger)
    """Days after `known_at` from which a satellite's counter is warned; nothing: from the first review that is due."""
    until: Mapped[datetime | None]
    """When it came back to this server."""
    heard_at: Mapped[datetime | None]
    """At the centre, the moment of the last entry of the satellite's audit trail that came; nothing before that."""
