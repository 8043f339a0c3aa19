"""Whose client somebody is, now and at another time: the one way to ask.

`client.site_id` is the home of now: it prescribes and decides, and its counter gives the doses. The home of a day or of
a moment, which history, papers, figures and checks go by, is asked of `client_home`; evaluation asks it in SQL
(`HOMES` in dispensary/evaluation/known.py), and PostgreSQL by `home_on`.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from dispensary.clients.home_models import ClientHome
from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.staff.models import AuditEntry, Site
from dispensary.units import ClientId, SiteId


def clients_of(site_id: UUID) -> Select[ClientId]:
    """The ids of the clients whose home a site is now, for a condition on what follows them wherever it was written."""
    return select(Client.id).where(Client.site_id == site_id)


def home_as_of(session: ReadSession, *, client_id: ClientId, day: date, known_at: datetime) -> SiteId | None:
    """The client's home on a dose day, as it was on record at a moment; nothing for nobody."""
    found = session.scalar(
        select(ClientHome.site_id)
        .where(
            ClientHome.client_id == client_id,
            or_(ClientHome.from_day.is_(None), ClientHome.from_day <= day),
            or_(ClientHome.since.is_(None), ClientHome.since <= known_at),
        )
        .order_by(ClientHome.no.desc())
        .limit(1)
    )
    return None if found is None else SiteId(found)


def number_then(
    site_id: SiteId, client_id: InstrumentedAttribute[ClientId], at: InstrumentedAttribute[datetime]
) -> ColumnElement[str]:
    """The client's number as a site's paper of this moment has it: another site's with the code of their home.

    It stays what it was on the paper when the client moves, from there or to there.
    """
    return (
        select(case((ClientHome.site_id == site_id, ClientHome.number), else_=ClientHome.number + "@" + Site.code))
        .join(Site, Site.id == ClientHome.site_id)
        .where(
            ClientHome.client_id == client_id,
            or_(ClientHome.since.is_(None), ClientHome.since <= at),
        )
        .order_by(ClientHome.no.desc())
        .limit(1)
        .scalar_subquery()
    )


def in_the_chain_of_home(entry: type[AuditEntry]) -> ColumnElement[bool]:
    """Whether an entry about a client stands in the chain of the site that was their home at its moment."""
    return exists().where(
        ClientHome.client_id == entry.subject_id,
        ClientHome.site_id == entry.site_id,
        or_(ClientHome.since.is_(None), ClientHome.since <= entry.at),
        or_(ClientHome.until.is_(None), ClientHome.until > entry.at),
    )
