"""Reads of the programme's tree: its areas and sites, who has a role in which branch, and who runs what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from dispensary.database import ReadSession
from dispensary.staff.branch_models import Area, BranchGrant
from dispensary.staff.branch_rules import Kind, Node
from dispensary.staff.models import Account, RoleGrant, Site
from dispensary.staff.rules import Role
from dispensary.units import AccountId, SiteId


@dataclass(frozen=True)
class Branch:
    """A node of the tree as a page shows it, with how deep it stands."""

    id: UUID
    kind: Kind
    code: str
    name: str
    depth: int
    parent: str = ""
    lat: Decimal | None = None
    lon: Decimal | None = None
    sites: int = 0
    """How many sites lie in it; of a main site, itself and its satellites."""

    @property
    def is_area(self) -> bool:
        return self.kind in (Kind.COUNTRY, Kind.PROVINCE, Kind.DISTRICT)


@dataclass(frozen=True)
class Granted:
    """A role at a branch."""

    id: UUID
    account_id: AccountId
    name: str
    username: str
    role: str
    branch: str
    """Code of the branch."""


def known_nodes(session: ReadSession) -> dict[str, Node]:
    """Every area and site by its code, as a file of the tree is held against it."""
    areas = {area.id: area for area in session.scalars(select(Area))}
    sites = {site.id: site for site in session.scalars(select(Site))}
    nodes = {
        area.code: Node(
            area.code,
            Kind(area.kind),
            areas[area.parent_id].code if area.parent_id else "",
            area.name,
            area.zone or "",
            area.language or "",
        )
        for area in areas.values()
    }
    for site in sites.values():
        above = areas[site.area_id].code if site.area_id else sites[site.main_site_id].code if site.main_site_id else ""
        kind = Kind.SATELLITE if site.main_site_id else Kind.MAIN
        nodes[site.code] = Node(site.code, kind, above, site.name, site.zone, site.language, site.lat, site.lon)
    return nodes


_TREE = text("""
WITH RECURSIVE below AS (
    SELECT id, parent_id, kind, code, name, 0 AS depth, ARRAY[code] AS path, '' AS parent
    FROM area WHERE parent_id IS NULL
    UNION ALL
    SELECT area.id, area.parent_id, area.kind, area.code, area.name, depth + 1, path || area.code, below.code
    FROM area JOIN below ON area.parent_id = below.id
), node AS (
    SELECT id, kind, code, name, depth, path, parent, NULL::numeric AS lat, NULL::numeric AS lon FROM below
    UNION ALL
    SELECT s.id, CASE WHEN s.main_site_id IS NULL THEN 'main' ELSE 'satellite' END, s.code, s.name,
        coalesce(below.depth, -1) + 1 + (s.main_site_id IS NOT NULL)::int,
        coalesce(below.path, ARRAY['~']) || (' ' || coalesce(main.code, s.code))
            || CASE WHEN s.main_site_id IS NULL THEN '{}'::text[] ELSE ARRAY[s.code] END,
        coalesce(main.code, below.code, ''), s.lat, s.lon
    FROM site s LEFT JOIN site main ON main.id = s.main_site_id
    LEFT JOIN below ON below.id = coalesce(main.area_id, s.area_id)
)
SELECT id, kind, code, name, depth, parent, lat, lon
FROM node ORDER BY path
""")


def tree(session: ReadSession) -> list[Branch]:
    """The whole tree from the top down, each branch before what lies in it; sites that lie nowhere come last."""
    rows = session.execute(_TREE).all()
    above = {row.code: row.parent for row in rows}
    sites = dict.fromkeys(above, 0)
    for row in rows:
        if row.kind in (Kind.MAIN, Kind.SATELLITE):
            at = row.code
            while at:
                sites[at] += 1
                at = above[at]
    return [
        Branch(row.id, Kind(row.kind), row.code, row.name, row.depth, row.parent, row.lat, row.lon, sites[row.code])
        for row in rows
    ]


def sites_in(session: ReadSession, *, area_id: UUID | None, site_id: UUID | None) -> set[SiteId]:
    """The sites of a branch."""
    found = session.execute(text("SELECT branch_sites(:area, :site)"), {"area": area_id, "site": site_id})
    return {SiteId(row[0]) for row in found}


def branch_of(session: ReadSession, *, account_id: AccountId, site_id: SiteId, role: Role) -> bool:
    """Whether the account has this role at a branch in which the site lies."""
    found = session.scalar(
        text("""SELECT EXISTS (SELECT FROM branch_grant AS g WHERE g.account_id = :account AND g.role = :role
            AND :site IN (SELECT branch_sites(g.area_id, g.site_id)))"""),
        {"account": account_id, "role": role.value, "site": site_id},
    )
    return bool(found)


def sites_run_by(session: ReadSession, account_id: UUID) -> set[SiteId]:
    """The sites that an account administers, by whatever grant."""
    runs = select(RoleGrant.site_id).where(
        RoleGrant.account_id == account_id, RoleGrant.role == Role.ADMINISTRATOR.value
    )
    return {SiteId(each) for each in session.scalars(runs)}


def areas_run_by(session: ReadSession, account_id: UUID) -> set[UUID]:
    """The areas that an account administers: those of its grants, and all that lie in them."""
    found = session.execute(
        text("""WITH RECURSIVE mine AS (
            SELECT area_id AS id FROM branch_grant WHERE account_id = :account AND role = :role AND area_id IS NOT NULL
            UNION SELECT area.id FROM area JOIN mine ON area.parent_id = mine.id
        ) SELECT id FROM mine"""),
        {"account": account_id, "role": Role.ADMINISTRATOR.value},
    )
    return {row[0] for row in found}


def granted(session: ReadSession) -> list[Granted]:
    """Every role at a branch of somebody who has not left, by branch and name."""
    rows = session.execute(
        select(BranchGrant, Account.name, Account.username, Area.code, Site.code)
        .join(Account, Account.id == BranchGrant.account_id)
        .outerjoin(Area, Area.id == BranchGrant.area_id)
        .outerjoin(Site, Site.id == BranchGrant.site_id)
        .where(Account.left_at.is_(None))
        .order_by(Account.name, BranchGrant.role)
    )
    return [
        Granted(row.id, AccountId(row.account_id), name, username, row.role, area or site or "")
        for row, name, username, area, site in rows
    ]


def without_administrator(session: ReadSession, site_ids: Iterable[UUID]) -> Sequence[str]:
    """The codes of those of these sites that nobody runs who could sign in."""
    runs = (
        select(RoleGrant.site_id)
        .join(Account, Account.id == RoleGrant.account_id)
        .where(RoleGrant.role == Role.ADMINISTRATOR.value, Account.left_at.is_(None), Account.accepted_at.is_not(None))
    )
    chosen = select(Site.code).where(Site.id.in_(list(site_ids)), Site.id.not_in(runs)).order_by(Site.code)
    return session.scalars(chosen).all()
