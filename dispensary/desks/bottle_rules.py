"""The office's rules for bottles: a second check before they leave, recalls at random, and full ones that come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.refusals import Refused
from dispensary.supplies.batch import checks_twice, set_second_check
from dispensary.supplies.full_bottles import rule_of, set_rule
from dispensary.supplies.random_recalls import no_recall_rule, recall_rule, set_recall_rule
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/office/bottles", sync_to_thread=True, guards=[requires_administrator])
def rules(database: TheDatabase, site: TheSite) -> Template:
    """What the site does with bottles, rule by rule."""
    return _page(database, site)


def _page(
    database: TheDatabase, site: TheSite, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with database.reading() as session:
        rule, source = rule_of(session, site_id=site.id)
        return page(
            "office/bottles.html",
            refused=refused,
            typed=typed,
            rule=rule,
            source=source,
            second_check=checks_twice(session, site_id=site.id),
            recalls=recall_rule(session, site_id=site.id),
        )


def _kept(
    database: TheDatabase, site: TheSite, data: Mapping[str, Any], act: Callable[[WriteSession], None]
) -> Response[Any]:
    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused, data)
    return Redirect("/office/bottles", status_code=303)


@post("/office/bottles", sync_to_thread=True, guards=[requires_administrator])
def full_ones(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets what the site does with bottles that come back full."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            source = typed.text("source", most=LONGEST_NOTE, required=False)
        set_rule(session, actor=actor, full_returns=one(data, "full_returns"), source=source, at=clock())

    return _kept(database, site, data, act)


@post("/office/bottles/check", sync_to_thread=True, guards=[requires_administrator])
def second_look(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets whether a second person checks each prepared bottle."""

    def act(session: WriteSession) -> None:
        set_second_check(session, actor=actor, second_check=one(data, "second_check") == "yes", at=clock())

    return _kept(database, site, data, act)


@post("/office/bottles/recalls", sync_to_thread=True, guards=[requires_administrator])
def at_random(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets how often chance calls bottles back, or that it calls nobody."""

    def act(session: WriteSession) -> None:
        if one(data, "act") == "none":
            no_recall_rule(session, actor=actor, at=clock())
            return
        with Typed(data) as typed:
            from_bottles = typed.whole("from_bottles", 1, 28)
            per_year = typed.whole("per_year", 1, 12)
            within_days = typed.whole("within_days", 1, 7)
            source = typed.text("recall_source", most=LONGEST_NOTE, required=False)
        set_recall_rule(
            session,
            actor=actor,
            from_bottles=from_bottles,
            per_year=per_year,
            within_days=within_days,
            source=source,
            at=clock(),
        )

    return _kept(database, site, data, act)


HANDLERS: list[ControllerRouterHandler] = [rules, full_ones, second_look, at_random]
"""Mounted at /."""
