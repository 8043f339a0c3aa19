"""What the office reads to see that the clinic runs: jobs, the newest audit entries, bookings that no hours fit."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text

import scheduling.queries
from dispensary.clients.home_models import ClientHome
from dispensary.database import ReadSession
from dispensary.looks.told_rules import LOOKED
from dispensary.staff.models import AuditChain, AuditEntry
from dispensary.staff.queries import names_of
from dispensary.units import SiteId
from scheduling.models import Booking


@dataclass(frozen=True)
class JobState:
    """A background job as it last ran, at whatever site."""

    job: str
    slot: str
    began_at: datetime
    ended_at: datetime | None
    failure: str
    failures: int
    """Slots that have failed since the moment that was asked for, and not succeeded after."""


_JOBS = text("""
SELECT DISTINCT ON (job) job, slot, began_at, ended_at, failure,
    (SELECT count(*) FROM job_run failed
     WHERE failed.job = job_run.job AND failed.failure <> '' AND failed.began_at >= :since) AS failures
FROM job_run ORDER BY job, began_at DESC
""")


def jobs(session: ReadSession, *, since: datetime) -> list[JobState]:
    """Every job that ever ran, by name: its last run, and how many slots have failed since."""
    return [JobState(*row) for row in session.execute(_JOBS, {"since": since})]


@dataclass(frozen=True)
class Entry:
    """An audit entry with its people by name and its client by number: an administrator looks at no record."""

    seq: int
    at: datetime
    who: str
    act: str
    subject: str
    about: str
    details: str


def entries(
    session: ReadSession, *, site_id: SiteId, clinical: bool, before: int | None = None, most: int = 12
) -> list[Entry]:
    """The newest entries of the site's chain, or those before a number, the newest first.

    What was done to a client is told with its doses and days only where `clinical` says that records are open to
    whoever reads; which page was looked at is told to all.
    """
    chosen = select(AuditEntry).where(AuditEntry.site_id == site_id).order_by(AuditEntry.seq.desc()).limit(most)
    rows = session.scalars(chosen.where(AuditEntry.seq < before) if before else chosen).all()
    subjects = {row.subject_id for row in rows if row.subject_id}
    people = names_of(session, [row.account_id for row in rows if row.account_id] + list(subjects))
    numbers = _numbers(session, subjects)
    return [
        Entry(
            seq=row.seq,
            at=row.at,
            who=people.get(row.account_id, "") if row.account_id else "",
            act=row.act,
            subject=row.subject,
            about=(numbers.get(row.subject_id) or people.get(row.subject_id, "")) if row.subject_id else "",
            details=_said(row) if clinical or row.act == LOOKED or row.subject_id not in numbers else "",
        )
        for row in rows
    ]


def _said(row: AuditEntry) -> str:
    return ", ".join(f"{name} {value}" for name, value in json.loads(row.details).items())


def length_of_chain(session: ReadSession, *, site_id: SiteId) -> int:
    """How many entries the site's chain has."""
    return session.scalar(select(AuditChain.length).where(AuditChain.site_id == site_id)) or 0


def bookings_outside_hours(session: ReadSession, *, site_id: SiteId, today: date) -> Sequence[tuple[Booking, str]]:
    """Bookings from today on that fall into a closure or outside the hours, each with the client's number."""
    standing = scheduling.queries.standing_between(session, site_id, today, None)
    if not standing:
        return []
    known = scheduling.queries.timetable(session, site_id, today, standing[-1].day)
    starts = {slot.starts_at for day in {booking.day for booking in standing} for slot in known.slots_on(day)}
    lost = [booking for booking in standing if booking.starts_at not in starts]
    numbers = _numbers(session, {booking.holder_id for booking in lost})
    return [(booking, numbers.get(booking.holder_id, "")) for booking in lost]


def _numbers(session: ReadSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """The client numbers of those ids that are clients', also of who has moved: as the sites in view know them."""
    homes = select(ClientHome.client_id, ClientHome.number).where(ClientHome.client_id.in_(ids))
    return dict(session.execute(homes.order_by(ClientHome.no)).all())
