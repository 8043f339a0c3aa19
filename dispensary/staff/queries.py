"""Reads of the staff room: sites and who works there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Account, JobRun, RoleGrant, Site
from dispensary.staff.rules import Role, day_begins, dose_day
from dispensary.units import AccountId, DoseDay, SiteId

BACKUP = "back up"
"""The job that makes a backup."""


@dataclass(frozen=True)
class Place:
    """A site as its staff see it: what it is called and when its day is."""

    id: SiteId
    code: str
    name: str
    zone: str
    day_starts: time
    language: str
    region: str

    def dose_day(self, moment: datetime) -> DoseDay:
        """The dose day here at a moment."""
        return dose_day(self.zone, self.day_starts, moment)

    def window_of(self, day: date) -> tuple[datetime, datetime]:
        """From when to when a dose day lasts here."""
        return (
            day_begins(self.zone, self.day_starts, day),
            day_begins(self.zone, self.day_starts, day + timedelta(days=1)),
        )


@dataclass(frozen=True)
class Colleague:
    """An account as its site's administrator sees it."""

    id: AccountId
    username: str
    name: str
    initials: str
    roles: frozenset[Role]
    left_at: datetime | None
    by_branch: frozenset[Role] = frozenset()
    """Those of the roles that they have here because of a branch alone, and that are taken back there."""


_PLACE = (Site.id, Site.code, Site.name, Site.zone, Site.day_starts, Site.language, Site.region)


def last_backup(session: ReadSession) -> datetime | None:
    """When the last backup was begun that came to its end."""
    made = select(JobRun.began_at).where(JobRun.job == BACKUP, JobRun.ended_at.is_not(None))
    return session.scalar(made.order_by(JobRun.began_at.desc()).limit(1))


def sites(session: ReadSession) -> list[Place]:
    """All sites, by code."""
    return [Place(*row) for row in session.execute(select(*_PLACE).order_by(Site.code))]


def sites_here(session: ReadSession) -> list[Place]:
    """The sites that are written on this server: all, but those that have a server of their own."""
    apart = select(SiteApart.site_id).where(SiteApart.until.is_(None))
    return [Place(*row) for row in session.execute(select(*_PLACE).where(Site.id.not_in(apart)).order_by(Site.code))]


def site_by_code(session: ReadSession, code: str) -> Site:
    """The site with this code. Raises NotThere, which names the codes there are."""
    site = session.scalar(select(Site).where(Site.code == code.strip().upper()))
    if site is None:
        known = ", ".join(session.scalars(select(Site.code).order_by(Site.code).limit(20))) or "none"
        raise NotThere(
            Refusal("no-site", f"There is no site with the code “{code}”.", f"Sites here: {known}.", field="site")
        )
    return site


def place(session: ReadSession, site_id: UUID) -> Place:
    """The site with this id. Raises NotThere."""
    row = session.execute(select(*_PLACE).where(Site.id == site_id)).one_or_none()
    if row is None:
        raise NotThere(Refusal("no-site", "There is no such site."))
    return Place(*row)


def sites_of(session: ReadSession, account_id: AccountId) -> list[Place]:
    """The sites where an account has a role, by code: those it can switch to."""
    works_at = select(RoleGrant.site_id).where(RoleGrant.account_id == account_id)
    rows = session.execute(select(*_PLACE).where(Site.id.in_(works_at)).order_by(Site.code))
    return [Place(*row) for row in rows]


def sites_as(session: ReadSession, account_id: AccountId, role: Role) -> list[Place]:
    """The sites where an account has this very role, by code."""
    has_it = select(RoleGrant.site_id).where(RoleGrant.account_id == account_id, RoleGrant.role == role)
    return [Place(*row) for row in session.execute(select(*_PLACE).where(Site.id.in_(has_it)).order_by(Site.code))]


def colleagues(session: ReadSession, site_id: SiteId) -> list[Colleague]:
    """Who has a role at the site, those who left last, by name."""
    rows = session.execute(
        select(Account, RoleGrant.role, RoleGrant.direct)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.site_id == site_id)
    )
    roles: dict[Account, set[Role]] = {}
    above: dict[Account, set[Role]] = {}
    for account, role, direct in rows:
        roles.setdefault(account, set()).add(Role(role))
        above.setdefault(account, set()).update(() if direct else (Role(role),))
    ordered = sorted(roles, key=lambda account: (account.left_at is not None, account.name.casefold()))
    return [
        Colleague(
            account.id,
            account.username,
            account.name,
            account.initials,
            frozenset(roles[account]),
            account.left_at,
            frozenset(above[account]),
        )
        for account in ordered
    ]


def works_at(session: ReadSession, *, account_id: AccountId, site_id: SiteId) -> bool:
    """Whether the account has a role at the site."""
    here = select(RoleGrant.account_id).where(RoleGrant.account_id == account_id, RoleGrant.site_id == site_id)
    return session.scalar(here.limit(1)) is not None


def refused_stranger(session: ReadSession, *, account_id: AccountId, site_id: SiteId, field: str) -> Refusal | None:
    """Why something is not given to whoever does not work at a site; nothing where they do."""
    if works_at(session, account_id=account_id, site_id=site_id):
        return None
    return Refusal("no-visitor", "They do not work here.", "Choose a colleague.", field=field)


def account_by_name(session: ReadSession, username: str) -> AccountId | None:
    """The account of this (plain) name, if there is one."""
    return session.scalar(select(Account.id).where(Account.username == username))


def initials_of(session: ReadSession, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The initials of these accounts, for tables with no room for names."""
    rows = session.execute(select(Account.id, Account.initials).where(Account.id.in_(account_ids)))
    return dict(rows.all())


def names_of(session: ReadSession, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of these accounts, for pages that say who did something."""
    rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(account_ids)))
    return dict(rows.all())
