"""The programme from above: a branch in figures, its map, how long its stock lasts, and who could send some to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.evaluation_taken import note_looked
from dispensary.evaluation.programme_setting import set_programme
from dispensary.evaluation.rollup import SPAN, last_day, last_seen, setting_of, site_figures, stocked
from dispensary.evaluation.rollup_rules import SILENT_HOURS, SiteFigures, Voice, rolled_up
from dispensary.evaluation.small_cells import LEAST
from dispensary.monitoring.doubles import Outcome, pairs, settle
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.reporting.map import drawn, said_of
from dispensary.reporting.pens import as_svg
from dispensary.staff.branch_queries import Branch, sites_run_by, tree
from dispensary.staff.branch_rules import Kind, plain_code
from dispensary.staff.rules import Actor, Role
from dispensary.staff.sessions import sites_of_roles
from dispensary.stock.sharing_rules import Figures, OnHand, proposals
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase
from dispensary.web.guards import requires_administrator, requires_overseer
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

MOST_NAMED = 60
MOST_PROPOSED = 200


@dataclass(frozen=True)
class _View:
    """What somebody sees of the tree: the branch, what lies directly in it, and the sites of each."""

    at: Branch | None
    above: Sequence[Branch]
    groups: Sequence[tuple[Branch, frozenset[UUID]]]
    sites: frozenset[UUID]
    shielded: bool
    """Whether they look as an evaluator at any of these sites, and not as who runs it."""


def _view(session: ReadSession, actor: Actor, code: str) -> _View:
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
        return _View(None, [], [(each, frozenset({each.id})) for each in inside], frozenset(seen), _shielded(
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
    return _View(top, above, [group for group in groups if group[1]], sites, _shielded(session, actor, sites))


def _top(every: Sequence[Branch], below: Mapping[str, set[UUID]], seen: set[Any]) -> Branch | None:
    """The smallest area in which all lie that the person sees; nothing where a site of theirs lies in no area."""
    whole = [each for each in every if each.is_area and len(below[each.code]) == len(seen)]
    return max(whole, key=lambda each: each.depth, default=None)


def _shielded(session: ReadSession, actor: Actor, sites: Any) -> bool:
    assert actor.account_id is not None, "a person looks"
    return not set(sites) <= sites_run_by(session, actor.account_id)


@get("/programme", sync_to_thread=True, guards=[requires_overseer])
def programme(database: TheDatabase, actor: TheActor, clock: TheClock, at: FromQuery[str] = "") -> Template:
    """A branch in figures, with its map and the sites that do not report."""
    now = clock()
    with database.reading() as session:
        view = _view(session, actor, at)
    seen = database.glance(lambda glance: last_seen(glance, site_ids=view.sites))
    with database.reading() as session:
        setting = setting_of(session)
        silent_hours = setting.silent_hours if setting else SILENT_HOURS
        figures = site_figures(session, site_ids=view.sites, seen=seen, now=now, silent_hours=silent_hours)
    by_id = {each.site_id: each for each in figures}
    name = view.at.name if view.at else _("All your sites")
    groups = [
        (branch.code, branch.name, branch.is_area or len(ids) > 1, [by_id[each] for each in ids])
        for branch, ids in view.groups
    ]
    rolled = rolled_up(groups, name=name, code=view.at.code if view.at else "", shielded=view.shielded, least=LEAST)
    picture = drawn(figures, title=_("Map of %(name)s", name=name) if view.at else _("Map of your sites"))
    if view.shielded:
        with database.writing() as session:
            asked = {"at": view.at.code if view.at else "", "until": last_day(now)}
            note_looked(session, actor, "programme in figures", now, asked)
    return page(
        "evaluation/programme.html",
        view=view,
        name=name,
        rolled=rolled,
        silent=_silent(figures),
        more_silent=max(rolled.total.silent - MOST_NAMED, 0),
        said_of=said_of,
        picture=as_svg(picture, name="map") if picture else "",
        until=last_day(now),
        span=SPAN,
        least=LEAST,
    )


def _silent(figures: Sequence[SiteFigures]) -> list[SiteFigures]:
    quiet = [each for each in figures if each.voice in (Voice.LATE, Voice.OFF_LINE)]
    return sorted(quiet, key=lambda each: (each.voice is not Voice.OFF_LINE, str(each.last_day), each.code))[
        :MOST_NAMED
    ]


@get("/programme/stock", sync_to_thread=True, guards=[requires_administrator])
def stock(
    database: TheDatabase, actor: TheActor, clock: TheClock, at: FromQuery[str] = "", done: FromQuery[str] = ""
) -> Template:
    """For how many days the stock of each site lasts, and which site could send some to which."""
    return _stock_page(database, actor, clock(), at, done=done)


def _stock_page(
    database: Database,
    actor: Actor,
    now: datetime,
    at: str,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        view = _view(session, actor, at)
        assert actor.account_id is not None, "a person looks"
        mine = view.sites & sites_run_by(session, actor.account_id)
        setting = setting_of(session)
        figures = Figures(setting.low_days, setting.target_days, setting.keep_days) if setting else Figures()
        on_hand = _on_hand(session, tree(session), mine, now)
        every = {each.id for each in tree(session) if not each.is_area}
    found = proposals(on_hand, figures)
    lasting = sorted((each for each in on_hand if each.days is not None), key=lambda each: (each.days, each.code))
    return page(
        "office/programme_stock.html",
        view=view,
        name=view.at.name if view.at else _("All your sites"),
        figures=figures,
        silent_hours=setting.silent_hours if setting else SILENT_HOURS,
        own=setting is not None,
        proposals=found[:MOST_PROPOSED],
        more=max(len(found) - MOST_PROPOSED, 0),
        lasting=lasting[:MOST_NAMED],
        unmet=_unmet(on_hand, found, figures),
        runs_all=every <= mine,
        near={"district": _("same district"), "province": _("same province"), "programme": _("farther")},
        done=done,
        refused=refused,
        typed=typed,
    )


def _on_hand(session: ReadSession, every: Sequence[Branch], mine: frozenset[UUID], now: datetime) -> list[OnHand]:
    by_code = {each.code: each for each in every}
    places: dict[UUID, tuple[str, str, str]] = {}
    for each in every:
        if not each.is_area:
            near = around = ""
            at = by_code.get(each.parent)
            while at is not None:
                near = near or (at.code if at.kind in (Kind.DISTRICT, Kind.MAIN) else "")
                near = at.code if at.kind is Kind.DISTRICT else near
                around = at.code if at.kind is Kind.PROVINCE else around
                at = by_code.get(at.parent)
            places[each.id] = (each.code, near, around)
    return [
        OnHand(row.site_id, places[row.site_id][0], row.product, row.left_ml, row.daily_ml, *places[row.site_id][1:])
        for row in stocked(session, site_ids=mine, until=last_day(now))
    ]


def _unmet(on_hand: Sequence[OnHand], found: Sequence[Any], figures: Figures) -> list[OnHand]:
    """Sites in need for which nobody has anything to spare."""
    helped = {(each.taker.site_id, each.product) for each in found}
    needy = (each for each in on_hand if each.days is not None and each.days < figures.low)
    return [each for each in needy if (each.site_id, each.product) not in helped][:MOST_NAMED]


@post("/programme/stock", sync_to_thread=True, guards=[requires_administrator])
def set_figures(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Response[Any]:
    """Sets the programme's own figures; whoever runs every site may."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            low, target, keep = (typed.whole(name, 1, 365) for name in ("low_days", "target_days", "keep_days"))
            silent = typed.whole("silent_hours", 1, 240)
        set_programme(session, actor=actor, low=low, target=target, keep=keep, silent_hours=silent, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _done: "/programme/stock?done=set",
        else_again=lambda why: _stock_page(database, actor, clock(), "", refused=why, typed=data),
    )


@get("/programme/doubles", sync_to_thread=True, guards=[requires_administrator])
def doubles(database: TheDatabase, actor: TheActor, done: FromQuery[str] = "") -> Template:
    """Records that may be one person's, by their numbers alone, at sites of which the person runs both."""
    return _doubles_page(database, actor, done=done)


def _doubles_page(database: Database, actor: Actor, *, done: str = "", refused: Refused | None = None) -> Template:
    assert actor.account_id is not None, "a person looks"
    with database.reading() as session:
        found = pairs(session, account_id=actor.account_id)
    return page("office/programme_doubles.html", pairs=found, done=done, refused=refused)


@post("/programme/doubles/{pair_id:uuid}", sync_to_thread=True, guards=[requires_administrator])
def settle_pair(
    pair_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock
) -> Response[Any]:
    """Says why there are two records."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            outcome = typed.choice("outcome", Outcome)
        return settle(session, actor=actor, pair_id=pair_id, outcome=outcome, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _done: "/programme/doubles?done=settled",
        else_again=lambda why: _doubles_page(database, actor, refused=why),
    )


HANDLERS: list[ControllerRouterHandler] = [programme, stock, set_figures, doubles, settle_pair]
