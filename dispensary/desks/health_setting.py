"""The page on which a doctor sets when tests are due, and doctor or administrator how alerts and laboratories work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import acts_of, plain_day
from dispensary.desks.health_words import said_of
from dispensary.monitoring import due, results
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.judged import MAY_BE_QUIET
from dispensary.monitoring.setting import (
    MOST_MONTHS,
    due_settings,
    health_setting,
    laboratories,
    quiet_rules,
    set_due,
    set_health,
    set_quiet,
)
from dispensary.monitoring.sources import figures
from dispensary.refusals import Refused
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Act, Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_prescriber
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

HERE = "/office/health"


def _page(
    database: Database,
    site: Place,
    actor: Actor,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        own = due_settings(session, site_id=site.id)
        setting = health_setting(session, site_id=site.id)
        places = laboratories(session, site_id=site.id)
        quiet = quiet_rules(session, site_id=site.id)
        who = [row.set_by for row in quiet.values() if row.set_by]
        who += [row.set_by for row in own.values() if row.set_by] + ([setting.set_by] if setting.set_by else [])
        names = names_of(session, who)
    return page(
        "office/health.html",
        refused=refused,
        typed=typed,
        done=done,
        rules=due.rules(),
        own=own,
        quiet=quiet,
        may_be_quiet=MAY_BE_QUIET,
        setting=setting,
        versions=figures().viral_load,
        adherence=figures().adherence,
        laboratories=places,
        analytes=analytes(),
        numbered=[each for each in analytes().values() if not each.choices],
        names=names,
        most_months=MOST_MONTHS,
        said=said_of(),
        plain_day=plain_day,
        can=acts_of(actor),
    )


@get("/office/health", sync_to_thread=True, guards=[requires(Act.SET_HEALTH)])
def setting(database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site follows now. It names no client."""
    return _page(database, site, actor, done=done)


@post("/office/health/due", sync_to_thread=True, guards=[requires_prescriber])
def change_due(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets a rule's interval, has it ignored, or lets it stand as it ships. A doctor signs for it, by name."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            rule = typed.text("rule")
            months = typed.whole_or_none("every_months", 1, MOST_MONTHS)
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
        set_due(
            session,
            actor=actor,
            rule=rule,
            every_months=months,
            ignored=one(data, "ignored") == "yes",
            reason=reason,
            at=clock(),
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=due",
        else_again=lambda why: _page(database, site, actor, refused=why, typed=data),
    )


@post("/office/health/quiet", sync_to_thread=True, guards=[requires_prescriber])
def change_quiet(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Lets the warnings of a rule open no alert here, or again. A doctor signs for it, by name."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            rule = typed.text("quiet")
            reason = typed.text("quiet_reason", most=LONGEST_NOTE, required=False)
        set_quiet(session, actor=actor, rule=rule, quiet=one(data, "off") == "yes", reason=reason, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=quiet",
        else_again=lambda why: _page(database, site, actor, refused=why, typed=data),
    )


@post("/office/health/judging", sync_to_thread=True, guards=[requires(Act.SET_HEALTH)])
def change_judging(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets by which version viral loads are judged, the threshold of cover, and when alerts are passed on."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            version = typed.text("viral_load_version")
            percent = typed.whole("adherence_percent", 50, 100)
            urgent = typed.whole("urgent_hours", 1, 720)
            warning = typed.whole("warning_hours", 1, 2160)
        set_health(
            session,
            actor=actor,
            viral_load_version=version,
            adherence_percent=percent,
            urgent_hours=urgent,
            warning_hours=warning,
            at=clock(),
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=judging",
        else_again=lambda why: _page(database, site, actor, refused=why, typed=data),
    )


@post("/office/health/limits", sync_to_thread=True, guards=[requires(Act.SET_HEALTH)])
def change_limits(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps a laboratory's limits of a test; a laboratory that is named for the first time is made."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            name = typed.text("laboratory", most=120)
            analyte = typed.text("analyte")
            lower = typed.text("lower", most=20, required=False)
            upper = typed.text("upper", most=20, required=False)
            unit = typed.text("unit", most=20, required=False)
        place = results.laboratory(session, actor=actor, name=name)
        results.set_limit(
            session,
            actor=actor,
            laboratory_id=place.id,
            analyte=analyte,
            sex=one(data, "sex"),
            lower=lower,
            upper=upper,
            unit=unit,
            at=clock(),
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=limits",
        else_again=lambda why: _page(database, site, actor, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [setting, change_due, change_quiet, change_judging, change_limits]
