"""The programme's tree: what lies in a branch, who has a role at the whole of it, and putting a site in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.new_site import words_of_missing
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.branch_models import Area
from dispensary.staff.branch_queries import Branch, areas_run_by, granted, sites_run_by, tree
from dispensary.staff.branch_rules import AREAS, LIES_IN, Kind, degrees, plain_code
from dispensary.staff.branches import (
    add_area,
    change_area,
    grant_at_branch,
    place_site,
    remove_area,
    revoke_at_branch,
)
from dispensary.staff.models import Site
from dispensary.staff.queries import place as site_place
from dispensary.staff.rules import Actor, Role
from dispensary.takehome.opening import missing_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

PAGE = "/programme/tree"


@get(PAGE, sync_to_thread=True, guards=[requires_administrator])
def branches(
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
    at: FromQuery[str] = "",
    done: FromQuery[str] = "",
    of: FromQuery[str] = "",
    was: FromQuery[str] = "",
) -> Template:
    """One branch with what lies directly in it; without a code the country, or the form that begins it."""
    return _branch_page(database, actor, clock, at, done=done, of=of, was=was)


def _branch_page(
    database: Database,
    actor: Actor,
    clock: Clock,
    at: str,
    *,
    done: str = "",
    of: str = "",
    was: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        every = tree(session)
        found = _found(every, at)
        own = _owns(session, actor, found)
        return page(
            "office/branches.html",
            at=found,
            above=_path(every, found),
            inside=[each for each in every if each.parent == (found.code if found else "") and each != found],
            loose=[each for each in every if each.kind is Kind.MAIN and not each.parent] if found else [],
            may=own,
            kinds=[kind.value for kind in AREAS if found and found.kind in LIES_IN[kind]],
            parents=[
                (each.code, each.name) for each in every if found and found.is_area and each.kind in LIES_IN[found.kind]
            ],
            lacks=_lacks(session, found, own, clock()),
            works_here=found is not None and found.id == actor.site_id,
            granted=[each for each in granted(session) if found and each.branch == found.code],
            done=done,
            of=next((each for each in every if each.code == of), None),
            was=was,
            refused=refused,
            typed=typed,
        )


def _lacks(session: ReadSession, at: Branch | None, own: bool, now: datetime) -> list[tuple[str, str]]:
    """What a site of theirs needs before it can serve anybody, in words, and where that is seen to."""
    if at is None or at.is_area or not own:
        return []
    words, here = words_of_missing(), site_place(session, at.id)
    return [words[each] for each in missing_at(session, site_id=here.id, today=here.dose_day(now))]


def _found(every: Sequence[Branch], code: str) -> Branch | None:
    if not code:
        return next((each for each in every if each.kind is Kind.COUNTRY), None)
    found = next((each for each in every if each.code == plain_code(code)), None)
    if found is None:
        raise NotThere(Refusal("no-branch", "There is no such branch.", "Look at the tree again."))
    return found


def _path(every: Sequence[Branch], at: Branch | None) -> list[Branch]:
    """From the country down to the branch, without itself."""
    by_code = {each.code: each for each in every}
    path: list[Branch] = []
    above = by_code.get(at.parent) if at else None
    while above is not None:
        path.insert(0, above)
        above = by_code.get(above.parent)
    return path


def _owns(session: ReadSession, actor: Actor, at: Branch | None) -> bool:
    """Whether the actor runs the whole of the branch; before there is a tree, every site."""
    if actor.account_id is None:
        return False
    if at is None:
        return {each.id for each in session.query(Site.id)} <= sites_run_by(session, actor.account_id)
    if at.is_area:
        return at.id in areas_run_by(session, actor.account_id)
    return at.id in sites_run_by(session, actor.account_id)


def _on(at: str, done: str, of: str = "", was: str = "") -> str:
    return f"{PAGE}?{urlencode({'at': at, 'done': done, 'of': of, 'was': was})}"


@post("/programme/areas", sync_to_thread=True, guards=[requires_administrator])
def add(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Response[Any]:
    """Adds an area to the branch of the page, or begins the country."""

    def act(session: WriteSession) -> str:
        with Typed(data) as typed:
            kind = typed.choice("kind", Kind) if one(data, "kind") else Kind.COUNTRY
        area = add_area(
            session,
            actor=actor,
            kind=kind,
            code=one(data, "code"),
            name=one(data, "name"),
            parent=one(data, "parent"),
            zone=one(data, "zone"),
            language=one(data, "language"),
            at=clock(),
        )
        return area.code

    return done_or_again(
        database,
        act,
        then=lambda code: _on(one(data, "parent") or code, "added", code),
        else_again=lambda refused: _branch_page(
            database, actor, clock, one(data, "parent"), refused=refused, typed=data
        ),
    )


@post("/programme/areas/{area_id:uuid}", sync_to_thread=True, guards=[requires_administrator])
def change(
    area_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """Names an area anew, or lets it lie elsewhere; the page then offers to undo it."""
    code, name, parent = _area_before(database, area_id)

    def act(session: WriteSession) -> str:
        wanted = one(data, "area_parent") or parent
        return change_area(
            session, actor=actor, area_id=area_id, name=one(data, "area_name"), parent=wanted, at=clock()
        ).code

    undoes = bool(one(data, "undo"))
    return done_or_again(
        database,
        act,
        then=lambda _: _on(code, "undone" if undoes else "changed", code, f"{parent}|{name}"),
        else_again=lambda refused: _branch_page(database, actor, clock, code, refused=refused, typed=data),
    )


def _area_before(database: Database, area_id: UUID) -> tuple[str, str, str]:
    with database.reading() as session:
        area = session.get(Area, area_id)
        if area is None:
            raise NotThere(Refusal("no-branch", "There is no such area.", "Look at the tree again."))
        above = session.get(Area, area.parent_id) if area.parent_id else None
        return area.code, area.name, above.code if above else ""


@post("/programme/areas/{area_id:uuid}/remove", sync_to_thread=True, guards=[requires_administrator])
def remove(area_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> Response[Any]:
    """Takes an empty area away."""
    code, _, parent = _area_before(database, area_id)
    return done_or_again(
        database,
        lambda session: remove_area(session, actor=actor, area_id=area_id, at=clock()),
        then=lambda _: _on(parent, "removed"),
        else_again=lambda refused: _branch_page(database, actor, clock, code, refused=refused),
    )


@post("/programme/sites/{site_id:uuid}", sync_to_thread=True, guards=[requires_administrator])
def place(
    site_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """Puts a site into an area, or makes it a satellite; the page then offers to undo it."""
    with database.reading() as session:
        before = next((each for each in tree(session) if each.id == site_id), None)
    if before is None:
        raise NotThere(Refusal("no-site", "There is no such site.", "Look at the tree again."))

    def act(session: WriteSession) -> str:
        places: dict[str, Decimal | None] = {}
        with Typed(data) as typed:
            for axis in ("lat", "lon"):
                try:
                    places[axis] = degrees(one(data, axis))
                except ValueError:
                    typed.fault(axis, "not-degrees", "This is not a number of degrees.", "Write it like 21.0285.")
        parent = plain_code(one(data, "site_parent"))
        place_site(
            session, actor=actor, site_id=site_id, parent=parent, lat=places["lat"], lon=places["lon"], at=clock()
        )
        return parent

    undoes = bool(one(data, "undo"))
    was = "|".join([before.parent, *("" if each is None else f"{each:f}" for each in (before.lat, before.lon))])
    return done_or_again(
        database,
        act,
        then=lambda _: _on(before.code, "undone" if undoes else "placed", before.code, was),
        else_again=lambda refused: _branch_page(database, actor, clock, before.code, refused=refused, typed=data),
    )


@post("/programme/roles", sync_to_thread=True, guards=[requires_administrator])
def give(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Response[Any]:
    """Gives an account a role at the whole branch, at once also for those signed in."""
    branch = one(data, "branch")

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            role = typed.choice("role", Role)
        grant_at_branch(session, actor=actor, username=one(data, "username"), branch=branch, role=role, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: _on(branch, "given"),
        else_again=lambda refused: _branch_page(database, actor, clock, branch, refused=refused, typed=data),
    )


@post("/programme/roles/{grant_id:uuid}/take-back", sync_to_thread=True, guards=[requires_administrator])
def take_back(
    grant_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """Takes a role at a branch back; the form to give one stands beside it, should it have been a mistake."""
    branch = one(data, "branch")
    return done_or_again(
        database,
        lambda session: revoke_at_branch(session, actor=actor, grant_id=grant_id, at=clock()),
        then=lambda _: _on(branch, "taken-back"),
        else_again=lambda refused: _branch_page(database, actor, clock, branch, refused=refused),
    )


HANDLERS: list[ControllerRouterHandler] = [branches, add, change, remove, place, give, take_back]
