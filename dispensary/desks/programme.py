"""The programme from above: a branch in figures, its map, how long its stock lasts, and who could send some to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.evaluation.programme_setting import set_programme
from dispensary.evaluation.rollup import SPAN, Stocked, last_day, setting_of, stocked
from dispensary.evaluation.rollup_rules import SILENT, SILENT_HOURS, SiteFigures, Voice
from dispensary.evaluation.small_cells import LEAST
from dispensary.monitoring.doubles import Outcome, pairs, settle
from dispensary.refusals import Refused
from dispensary.reporting.map import drawn, said_of
from dispensary.reporting.pens import as_svg
from dispensary.staff.branch_queries import Branch, sites_run_by, tree
from dispensary.staff.branch_rules import Kind
from dispensary.staff.rules import Actor
from dispensary.stock.sharing_rules import (
    LONG_ON_ITS_WAY,
    STALE_AFTER,
    Figures,
    Moved,
    OnHand,
    in_need,
    proposals,
    since_close,
)
from dispensary.stock.transfers import moves
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase
from dispensary.web.guards import requires_administrator, requires_overseer
from dispensary.web.overseeing import oversee, view_of
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

MOST_NAMED = 60
MOST_PROPOSED = 200


@get("/programme", sync_to_thread=True, guards=[requires_overseer])
def programme(database: TheDatabase, actor: TheActor, clock: TheClock, at: FromQuery[str] = "") -> Template:
    """A branch in figures, with its map and the sites that do not report."""
    now = clock()
    seen = oversee(database, actor=actor, code=at, alone=_("All your sites"), now=now)
    view, name = seen.view, seen.name
    picture = drawn(seen.figures, title=_("Map of %(name)s", name=name) if view.at else _("Map of your sites"))
    return page(
        "evaluation/programme.html",
        view=view,
        name=name,
        rolled=seen.rolled,
        silent=_silent(seen.figures),
        more_silent=max(seen.rolled.total.silent - MOST_NAMED, 0),
        lent=[each for each in seen.figures if each.apart_since],
        said_of=said_of,
        picture=as_svg(picture, name="map") if picture else "",
        until=last_day(now),
        span=SPAN,
        least=LEAST,
    )


def _silent(figures: Sequence[SiteFigures]) -> list[SiteFigures]:
    quiet = [each for each in figures if each.voice in SILENT]
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
    today = last_day(now) + timedelta(days=1)
    with database.reading() as session:
        view = view_of(session, actor, at)
        assert actor.account_id is not None, "a person looks"
        mine = view.sites & sites_run_by(session, actor.account_id)
        setting = setting_of(session)
        figures = Figures(setting.low_days, setting.target_days, setting.keep_days) if setting else Figures()
        branches = tree(session)
        kept = stocked(session, site_ids=mine)
        known = [each.closed_at for each in kept if each.last_day >= today - timedelta(days=STALE_AFTER)]
        under_way = moves(session, site_ids=mine, since=min(known, default=now))
    on_hand = _on_hand(branches, kept, under_way, today)
    every = {each.id for each in branches if not each.is_area}
    codes = {each.id: each.code for each in branches}
    found = proposals(on_hand, figures)
    lasting = sorted(
        (each for each in on_hand if each.days is not None and not each.stale), key=lambda each: (each.days, each.code)
    )
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
        stale=sorted({(each.code, each.last_day) for each in on_hand if each.stale})[:MOST_NAMED],
        stale_after=STALE_AFTER,
        late=[
            (codes[each.from_site_id], codes[each.to_site_id], each)
            for each in under_way
            if each.state == "in_transit" and now - each.sent_at > timedelta(days=LONG_ON_ITS_WAY)
        ][:MOST_NAMED],
        today=today,
        span=SPAN,
        unmet=_unmet(on_hand, found, figures),
        runs_all=every <= mine,
        near={"district": _("same district"), "province": _("same province"), "programme": _("farther")},
        done=done,
        refused=refused,
        typed=typed,
    )


def _on_hand(every: Sequence[Branch], kept: Sequence[Stocked], moved: Sequence[Moved], today: date) -> list[OnHand]:
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
    return [_by_now(row, *places[row.site_id], moved, today) for row in kept]


def _by_now(row: Stocked, code: str, near: str, around: str, moved: Sequence[Moved], today: date) -> OnHand:
    """A stock as it should be by this morning: what was there, less what went out since, and what transfers did."""
    changed, on_way = since_close(moved, site_id=row.site_id, product=row.product, closed_at=row.closed_at)
    return OnHand(
        row.site_id,
        code,
        row.product,
        max(row.left_by(today - timedelta(days=1)) + changed, Decimal(0)).quantize(Decimal(1), ROUND_DOWN),
        row.daily_ml,
        near,
        around,
        on_way_ml=on_way,
        last_day=row.last_day,
        stale=(today - row.last_day).days > STALE_AFTER,
    )


def _unmet(on_hand: Sequence[OnHand], found: Sequence[Any], figures: Figures) -> list[OnHand]:
    """Sites in need for which nobody has anything to spare."""
    helped = {(each.taker.site_id, each.product) for each in found}
    needy = (each for each in on_hand if in_need(each, figures))
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
