"""The tree of a programme from a file: areas made or named anew, sites opened or put in their place, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

import phonenumbers
from sqlalchemy import insert, select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.branch_models import Area
from dispensary.staff.branch_queries import known_nodes
from dispensary.staff.branch_rules import AREAS, Kind, Node, settled
from dispensary.staff.branches import place_site
from dispensary.staff.models import Site
from dispensary.staff.rules import the_program
from dispensary.units import SiteId, new_id

_AT_ONCE = 1000


@dataclass(frozen=True)
class Imported:
    """What became of a file."""

    areas: int
    """Areas that were made."""
    opened: Sequence[SiteId]
    """Sites that were opened, main sites first."""
    changed: int
    """Areas and sites that were there and are now as the file has them."""


def import_tree(session: WriteSession, *, nodes: Sequence[Node], region: str, at: datetime) -> Imported:
    """Makes what is not there and puts what is there in its place, for the command line.

    `region` is the country of telephone numbers (ISO 3166) of sites that are opened. Raises BadInput with every line
    that does not fit, and then nothing is changed.
    """
    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise BadInput(Refusal("bad-region", f"“{region}” is not a country.", "Write two letters, such as VN."))
    known = known_nodes(session)
    ordered = settled(nodes, known)
    areas = {area.code: area for area in session.scalars(select(Area))}
    new = [node for node in ordered if node.kind not in AREAS and node.code not in known]
    made = changed = 0
    for node in ordered:
        if node.kind in AREAS:
            kept = areas.get(node.code)
            made, changed = made + (kept is None), changed + (kept is not None and _named(kept, node, areas))
            if kept is None:
                areas[node.code] = _made(session, node, areas, at)
    session.flush()
    for kind in (Kind.MAIN, Kind.SATELLITE):
        _open(session, [node for node in new if node.kind is kind], areas, region.upper(), at)
    ids = _ids(session)
    for node in ordered:
        if node.kind not in AREAS and node.code in known:
            changed += _placed(session, node, ids[node.code], known[node.code], at)
    return Imported(made, [SiteId(ids[node.code]) for node in new], changed)


def _made(session: WriteSession, node: Node, areas: dict[str, Area], at: datetime) -> Area:
    area = Area(
        id=new_id(),
        parent_id=areas[node.parent].id if node.parent else None,
        kind=node.kind.value,
        code=node.code,
        name=node.name,
        zone=node.zone or None,
        language=node.language or None,
        made_at=at,
    )
    session.add(area)
    session.flush()
    return area


def _named(area: Area, node: Node, areas: dict[str, Area]) -> bool:
    parent = areas[node.parent].id if node.parent else None
    wanted = (node.name, parent, node.zone or area.zone, node.language or area.language)
    differs = wanted != (area.name, area.parent_id, area.zone, area.language)
    if differs:
        area.name, area.zone, area.language = node.name, wanted[2], wanted[3]
        if area.parent_id != parent:
            area.parent_id = parent
    return differs


def _open(session: WriteSession, nodes: Sequence[Node], areas: dict[str, Area], region: str, at: datetime) -> None:
    """Many sites by one statement, so that roles at branches are counted once."""
    mains = _ids(session)
    rows = [
        {
            "id": new_id(),
            "code": node.code,
            "name": node.name,
            "zone": node.zone,
            "day_starts": time(0, 0),
            "region": region,
            "language": node.language or "en",
            "opened_at": at,
            "area_id": areas[node.parent].id if node.kind is Kind.MAIN else None,
            "main_site_id": mains[node.parent] if node.kind is Kind.SATELLITE else None,
            "lat": node.lat,
            "lon": node.lon,
        }
        for node in nodes
    ]
    for first in range(0, len(rows), _AT_ONCE):
        session.execute(insert(Site).values(rows[first : first + _AT_ONCE]))
    for row in rows:
        actor = the_program(SiteId(UUID(str(row["id"]))))
        audit.record(session, actor=actor, act="open site", subject="site", subject_id=actor.site_id, at=at)


def _ids(session: ReadSession) -> dict[str, UUID]:
    return {row.code: row.id for row in session.execute(select(Site.code, Site.id))}


def _placed(session: WriteSession, node: Node, site_id: UUID, before: Node, at: datetime) -> bool:
    lat, lon = (node.lat, node.lon) if node.lat is not None else (before.lat, before.lon)
    differs = (node.name, node.parent, lat, lon) != (before.name, before.parent, before.lat, before.lon)
    if differs:
        site = place_site(
            session, actor=the_program(SiteId(site_id)), site_id=site_id, parent=node.parent, lat=lat, lon=lon, at=at
        )
        site.name = node.name
        session.flush()
    return differs
