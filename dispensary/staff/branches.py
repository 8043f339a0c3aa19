"""Use cases of the programme's tree: its areas, where each site lies, and roles that count at a whole branch.

A role at a branch counts at every site in it, and follows when the tree changes: PostgreSQL sees to that. Whoever
changes a branch runs the whole of it, and no change leaves a site without anybody who runs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.branch_models import Area, BranchGrant
from dispensary.staff.branch_queries import areas_run_by, sites_in, sites_run_by, without_administrator
from dispensary.staff.branch_rules import LIES_IN, Kind, Node, fault_of_place, faults_of_node, plain_code
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Act, Actor, Role, plain_username
from dispensary.staff.service import is_granted_administrator, open_account
from dispensary.units import AccountId, SiteId


@dataclass(frozen=True)
class At:
    """A branch: an area, or a main site with its satellites. One of the two."""

    code: str
    area_id: UUID | None = None
    site_id: SiteId | None = None


def branch_by_code(session: ReadSession, code: str) -> At:
    """The area or the main site with this code; an area where both have it. Raises NotThere."""
    code = plain_code(code)
    if (area := session.scalar(select(Area.id).where(Area.code == code))) is not None:
        return At(code, area_id=area)
    site = session.scalar(select(Site.id).where(Site.code == code, Site.main_site_id.is_(None)))
    if site is None:
        raise NotThere(
            Refusal("no-branch", f"No area and no main site has the code “{code[:20]}”.", "Read the tree.", field="at")
        )
    return At(code, site_id=SiteId(site))


def places_of(session: ReadSession, code: str) -> list[SiteId]:
    """Every site that lies in the branch of this code, main sites and satellites. Raises NotThere."""
    at = branch_by_code(session, code)
    return sorted(sites_in(session, area_id=at.area_id, site_id=at.site_id))


def add_area(
    session: WriteSession,
    *,
    actor: Actor,
    kind: Kind,
    code: str,
    name: str,
    parent: str,
    zone: str = "",
    language: str = "",
    at: datetime,
) -> Area:
    """Adds an area under one that the actor runs. Whoever runs every site begins the country, and runs it.

    Raises BadInput, NotThere or NotAllowed, and Refused for a code that is taken.
    """
    _one_at_a_time(session)
    node = Node(plain_code(code), kind, plain_code(parent), name.strip(), zone.strip(), language.strip())
    faults = list(faults_of_node(node))
    above = None
    if node.kind is not Kind.COUNTRY:
        above = session.scalar(select(Area).where(Area.code == node.parent))
        if above is None or Kind(above.kind) not in LIES_IN[node.kind]:
            wanted = " or ".join(LIES_IN[node.kind])
            faults.append(
                Refusal("no-branch", f"A {node.kind} lies in a {wanted}.", "Choose what it lies in.", field="parent")
            )
    if faults:
        raise BadInput(*faults)
    _refuse_unless_runs(session, actor, [above.id] if above else [], everything=above is None)
    if session.scalar(select(Site.id).where(Site.code == node.code)) is not None:
        raise _taken()
    area = Area(
        parent_id=above.id if above else None,
        kind=node.kind.value,
        code=node.code,
        name=node.name,
        zone=node.zone or None,
        language=node.language or None,
        made_at=at,
    )
    session.add(area)
    try:
        session.flush()
    except IntegrityError as reason:
        raise _mapped(reason) from None
    if above is None and actor.account_id is not None:
        _grant(session, actor, AccountId(actor.account_id), At(area.code, area_id=area.id), Role.ADMINISTRATOR, at)
    _write_down(session, actor, "add area", "area", area.id, at, code=area.code, parent=node.parent)
    return area


def change_area(session: WriteSession, *, actor: Actor, area_id: UUID, name: str, parent: str, at: datetime) -> Area:
    """Names an area anew, or lets it lie elsewhere with all that lies in it. Raises as `add_area` does."""
    _one_at_a_time(session)
    area = _area(session, area_id)
    above = session.scalar(select(Area).where(Area.code == plain_code(parent)))
    faults = list(faults_of_node(Node(area.code, Kind(area.kind), name=name.strip())))
    if area.parent_id is not None and (above is None or Kind(above.kind) not in LIES_IN[Kind(area.kind)]):
        faults.append(
            Refusal(
                "no-branch",
                f"A {area.kind} lies in a {' or '.join(LIES_IN[Kind(area.kind)])}.",
                "Choose what it lies in.",
                field="parent",
            )
        )
    if faults:
        raise BadInput(*faults)
    goes_to = above.id if above is not None and area.parent_id is not None else area.parent_id
    _refuse_unless_runs(session, actor, {area.id, *(each for each in (area.parent_id, goes_to) if each)})
    before = {"name": area.name, "parent": _code_of(session, area.parent_id)}
    with _nobody_locked_out(session, sites_in(session, area_id=area.id, site_id=None)):
        area.name = name.strip()
        if area.parent_id != goes_to:
            area.parent_id = goes_to
        session.flush()
    after = {"name": area.name, "parent": _code_of(session, area.parent_id)}
    if before != after:
        _write_down(session, actor, "changed area", "area", area.id, at, code=area.code, before=before, after=after)
    return area


def remove_area(session: WriteSession, *, actor: Actor, area_id: UUID, at: datetime) -> None:
    """Takes an area away in which nothing lies; roles at it end. Raises Refused for one that is not empty."""
    _one_at_a_time(session)
    area = _area(session, area_id)
    _refuse_unless_runs(session, actor, [area.id])
    holds = session.scalar(select(Area.id).where(Area.parent_id == area.id).limit(1))
    if holds is not None or session.scalar(select(Site.id).where(Site.area_id == area.id).limit(1)) is not None:
        raise Refused(
            Refusal("area-not-empty", f"{area.name} is not empty.", "Move first what lies in it.", {"area": area.code})
        )
    session.execute(delete(BranchGrant).where(BranchGrant.area_id == area.id))
    session.execute(delete(Area).where(Area.id == area.id))
    _write_down(session, actor, "removed area", "area", area.id, at, code=area.code)


def place_site(
    session: WriteSession,
    *,
    actor: Actor,
    site_id: UUID,
    parent: str,
    lat: Decimal | None,
    lon: Decimal | None,
    at: datetime,
) -> Site:
    """Lets a site lie in an area, or belong to a main site as its satellite; nothing as parent takes it out of both.

    Roles at branches follow at once, also for those signed in. Raises BadInput, NotThere, NotAllowed, and Refused where
    a satellite has clients, has other days than the main site, or nobody would run the site any more.
    """
    _one_at_a_time(session)
    site = session.scalar(select(Site).where(Site.id == site_id).with_for_update(key_share=True))
    if site is None:
        raise NotThere(Refusal("no-site", "There is no such site.", "Look at the tree again."))
    if fault := fault_of_place(lat, lon):
        raise BadInput(fault)
    to = branch_by_code(session, parent) if parent.strip() else At("")
    if to.site_id == site.id:
        raise BadInput(Refusal("own-satellite", "A site is not its own satellite.", "Choose another.", field="parent"))
    areas = [each for each in (site.area_id, to.area_id) if each and (site.area_id != to.area_id)]
    sites = {SiteId(site.id), *(SiteId(each) for each in (site.main_site_id, to.site_id) if each)}
    _refuse_unless_runs(session, actor, areas, sites=sites)
    before = _where(session, site)
    with _nobody_locked_out(session, [site.id]):
        for column, value in (("area_id", to.area_id), ("main_site_id", to.site_id), ("lat", lat), ("lon", lon)):
            if getattr(site, column) != value:
                setattr(site, column, value)
        try:
            session.flush()
        except IntegrityError as reason:
            raise _mapped(reason) from None
    after = _where(session, site)
    if before != after:
        here = replace(actor, site_id=SiteId(site.id))
        _write_down(session, here, "placed site", "site", site.id, at, before=before, after=after)
    return site


def refuse_unless_runs_above(session: WriteSession, actor: Actor, to: At | None) -> None:
    """Raises NotAllowed unless the actor runs all of what a new site is to lie in: every site where that is nothing.

    No other change of the tree is under way from here on.
    """
    _one_at_a_time(session)
    if to is None:
        _refuse_unless_runs(session, actor, [], everything=True)
    else:
        refuse_unless_runs_branch(session, actor, to)


def grant_at_branch(
    session: WriteSession, *, actor: Actor, username: str, branch: str, role: Role, at: datetime
) -> BranchGrant:
    """Gives an account a role at every site of a branch, those of later too. Given again it is found given.

    Raises NotAllowed for anybody but an administrator of the whole branch, NotThere, and Refused for a closed account.
    """
    _one_at_a_time(session)
    to = branch_by_code(session, branch)
    refuse_unless_runs_branch(session, actor, to)
    account_id = session.scalar(select(Account.id).where(Account.username == plain_username(username)))
    if account_id is None:
        raise BadInput(
            Refusal(
                "no-account", f"There is no account “{username[:40]}”.", "Invite the person first.", field="username"
            )
        )
    open_account(session, AccountId(account_id))
    return _grant(session, actor, AccountId(account_id), to, role, at)


def _grant(session: WriteSession, actor: Actor, account_id: AccountId, to: At, role: Role, at: datetime) -> BranchGrant:
    known = session.scalar(
        select(BranchGrant).where(
            BranchGrant.account_id == account_id,
            BranchGrant.area_id.is_not_distinct_from(to.area_id),
            BranchGrant.site_id.is_not_distinct_from(to.site_id),
            BranchGrant.role == role.value,
        )
    )
    if known is not None:
        return known
    given = BranchGrant(
        account_id=account_id,
        area_id=to.area_id,
        site_id=to.site_id,
        role=role.value,
        granted_by=actor.account_id,
        granted_at=at,
    )
    session.add(given)
    session.flush()
    _write_down(session, actor, "granted at branch", "account", account_id, at, role=role.value, branch=to.code)
    return given


def revoke_at_branch(session: WriteSession, *, actor: Actor, grant_id: UUID, at: datetime) -> BranchGrant:
    """Takes a role at a branch back, at once also for those signed in; what was given at a site itself stays there.

    Raises as `grant_at_branch` does, and Refused where a site would have nobody left who runs it.
    """
    _one_at_a_time(session)
    given = session.get(BranchGrant, grant_id)
    if given is None:
        raise NotThere(Refusal("no-grant", "There is no such role at a branch.", "Look at the list again."))
    code = _code_of(session, given.area_id) or session.scalar(select(Site.code).where(Site.id == given.site_id)) or ""
    refuse_unless_runs_branch(session, actor, At(code, given.area_id, given.site_id))
    with _nobody_locked_out(session, sites_in(session, area_id=given.area_id, site_id=given.site_id)):
        session.execute(delete(BranchGrant).where(BranchGrant.id == given.id))
    _write_down(session, actor, "revoked at branch", "account", given.account_id, at, role=given.role, branch=code)
    return given


def _one_at_a_time(session: WriteSession) -> None:
    """One change of the tree after the other: PostgreSQL asks the same lock before it lets roles follow."""
    session.execute(text("SELECT pg_advisory_xact_lock(7301447)"))


def refuse_unless_runs_branch(session: ReadSession, actor: Actor, at: At) -> None:
    """Raises NotAllowed for anybody but an administrator of the whole branch, or the program itself."""
    areas = [at.area_id] if at.area_id else []
    sites = sites_in(session, area_id=None, site_id=at.site_id) if at.site_id else ()
    _refuse_unless_runs(session, actor, areas, sites=sites)


def _refuse_unless_runs(
    session: ReadSession,
    actor: Actor,
    areas: Iterable[UUID],
    *,
    sites: Iterable[SiteId] = (),
    everything: bool = False,
) -> None:
    if actor.account_id is None:
        return
    wanted = set(sites) | (set(session.scalars(select(Site.id))) if everything else set())
    if (
        not actor.may(Act.RUN_SITE)
        or not is_granted_administrator(session, actor)
        or not set(areas) <= areas_run_by(session, actor.account_id)
        or not wanted <= sites_run_by(session, actor.account_id)
    ):
        raise NotAllowed(
            Refusal(
                "not-your-branch",
                "Only an administrator of the whole branch may do this.",
                "Ask whoever runs the area above.",
            )
        )


@contextmanager
def _nobody_locked_out(session: WriteSession, site_ids: Iterable[UUID]) -> Iterator[None]:
    """Raises Refused when what is done in the block leaves one of these sites with nobody who runs it."""
    chosen = list(site_ids)
    before = set(without_administrator(session, chosen))
    yield
    locked_out = [code for code in without_administrator(session, chosen) if code not in before]
    if locked_out:
        some = ", ".join(locked_out[:5]) + (" and others" if len(locked_out) > 5 else "")
        raise Refused(
            Refusal(
                "last-administrator",
                f"Nobody would run {some} any more.",
                "Make somebody an administrator there first.",
                {"sites": locked_out[:20]},
            )
        )


def _area(session: ReadSession, area_id: UUID) -> Area:
    area = session.get(Area, area_id)
    if area is None:
        raise NotThere(Refusal("no-branch", "There is no such area.", "Look at the tree again."))
    return area


def _code_of(session: ReadSession, area_id: UUID | None) -> str:
    return (session.scalar(select(Area.code).where(Area.id == area_id)) or "") if area_id else ""


def _where(session: ReadSession, site: Site) -> dict[str, object]:
    main = session.scalar(select(Site.code).where(Site.id == site.main_site_id)) if site.main_site_id else None
    return {"parent": main or _code_of(session, site.area_id), "lat": site.lat, "lon": site.lon}


def _taken() -> Refused:
    return Refused(Refusal("branch-code-taken", "An area or a site has this code.", "Choose another.", field="code"))


def _mapped(reason: IntegrityError) -> Refused:
    """What a person reads when the database refused a node of the tree."""
    constraint = broken_constraint(reason)
    if constraint == "uq_area_code":
        return _taken()
    if constraint == "uq_area_country":
        return Refused(Refusal("one-country", "There is a country already.", "Add a province to it.", field="kind"))
    if constraint == "satellite_of_a_main_site":
        return Refused(
            Refusal(
                "satellite-of-satellite",
                "A satellite belongs to a main site, and has no satellites itself.",
                "Choose a main site.",
                field="parent",
            )
        )
    if constraint == "satellite_has_its_days":
        return Refused(
            Refusal(
                "satellite-days",
                "A satellite has the time zone and the day boundary of its main site.",
                "Choose a main site whose days are the same.",
                field="parent",
            )
        )
    if constraint == "satellite_has_clients":
        return Refused(
            Refusal(
                "satellite-has-clients",
                "Clients of the main site come here for their doses.",
                "Let them come to the main site first.",
                field="parent",
            )
        )
    raise reason


def _write_down(
    session: WriteSession, actor: Actor, act: str, subject: str, subject_id: UUID, at: datetime, **details: object
) -> None:
    audit.record(session, actor=actor, act=act, subject=subject, subject_id=subject_id, at=at, details=details)
