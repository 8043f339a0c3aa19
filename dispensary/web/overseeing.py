"""The programme from above, for its page and for programs: the sites that somebody sees, and a branch in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dispensary.database import Database, ReadSession
from dispensary.evaluation.rollup import last_day, last_seen, setting_of, site_figures
from dispensary.evaluation.rollup_rules import SILENT_HOURS, Rollup, SiteFigures, rolled_up
from dispensary.evaluation.small_cells import LEAST
from dispensary.evaluation.taken import note_looked
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.branch_queries import Branch, sites_run_by, tree
from dispensary.staff.branch_rules import plain_code
from dispensary.staff.rules import Actor, Role
from dispensary.staff.sessions import sites_of_roles


@dataclass(frozen=True)
class View:
    """What somebody sees of the tree: the branch, what lies directly in it, and the sites of each."""

    at: Branch | None
    above: Sequence[Branch]
    groups: Sequence[tuple[Branch, frozenset[UUID]]]
    sites: frozenset[UUID]
    shielded: bool
    """Whether they look as an evaluator at any of these sites, and not as who runs it."""


def view_of(session: ReadSession, actor: Actor, code: str) -> View:
    """What they see of a branch; without a code of the smallest area in which all of it lies. Raises NotThere."""
    assert actor.account_id is not None, "a person looks"
    seen = set(sites_of_roles(session, account_id=actor.account_id, roles=(Role.EVALUATOR, Role.ADMINISTRATOR)))
    every = tree(session)
    by_code = {each.code: each for each in every}
    below: dict[str, set[UUID]] = {each.code: set() for each in every}
    for each in every:
        if not each.is_area and each.id in seen:
            at: Branch | None = each
            while at is not None:
                below[at.code].add(each.id)
                at = by_code.get(at.parent)
    top = by_code.get(plain_code(code)) if code else _top(every, below, seen)
    if code and (top is None or not below[top.code]):
        raise NotThere(Refusal("no-branch", "There is no such branch.", "Look at the programme again."))
    if top is None:
        inside = [each for each in every if not each.is_area and each.id in seen]
        return View(None, [], [(each, frozenset({each.id})) for each in inside], frozenset(seen), _shielded(
            session, actor, seen))  # fmt: skip
    sites = frozenset(below[top.code])
    inside = [each for each in every if each.parent == top.code and below[each.code]]
    groups = [(each, frozenset(below[each.code])) for each in inside]
    if not top.is_area:
        groups.insert(0, (top, frozenset({top.id}) & sites))
    above: list[Branch] = []
    at = by_code.get(top.parent)
    while at is not None:
        above.insert(0, at)
        at = by_code.get(at.parent)
    return View(top, above, [group for group in groups if group[1]], sites, _shielded(session, actor, sites))


def _top(every: Sequence[Branch], below: Mapping[str, set[UUID]], seen: set[Any]) -> Branch | None:
    """The smallest area in which all lie that the person sees; nothing where a site of theirs lies in no area."""
    whole = [each for each in every if each.is_area and len(below[each.code]) == len(seen)]
    return max(whole, key=lambda each: each.depth, default=None)


def _shielded(session: ReadSession, actor: Actor, sites: Any) -> bool:
    assert actor.account_id is not None, "a person looks"
    return not set(sites) <= sites_run_by(session, actor.account_id)


@dataclass(frozen=True)
class Overseen:
    """A branch in figures: its sites, and what they add up to."""

    view: View
    name: str
    figures: Sequence[SiteFigures]
    rolled: Rollup


def oversee(database: Database, *, actor: Actor, code: str, alone: str, now: datetime) -> Overseen:
    """A branch as somebody sees it; `alone` is what all of their sites are called that lie in no area together.

    Who looks as an evaluator is told nothing of few people, and that they looked is put on record. Raises NotThere.
    """
    with database.reading() as session:
        view = view_of(session, actor, code)
    seen = database.glance(lambda glance: last_seen(glance, site_ids=view.sites))
    with database.reading() as session:
        setting = setting_of(session)
        silent_hours = setting.silent_hours if setting else SILENT_HOURS
        figures = site_figures(session, site_ids=view.sites, seen=seen, now=now, silent_hours=silent_hours)
    by_id = {each.site_id: each for each in figures}
    name = view.at.name if view.at else alone
    groups = [
        (branch.code, branch.name, branch.is_area or len(ids) > 1, [by_id[each] for each in ids])
        for branch, ids in view.groups
    ]
    rolled = rolled_up(groups, name=name, code=view.at.code if view.at else "", shielded=view.shielded, least=LEAST)
    if view.shielded:
        with database.writing() as session:
            asked = {"at": view.at.code if view.at else "", "until": last_day(now)}
            note_looked(session, actor, "programme in figures", now, asked)
    return Overseen(view, name, figures, rolled)
