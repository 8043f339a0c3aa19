"""The office's page of unusual looks: a month at a time, each read through by somebody; and from where on they are."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.numbers import client_numbered
from dispensary.database import Database, WriteSession
from dispensary.looks.rules import LONGEST_WORDS, Thresholds
from dispensary.looks.settings import set_thresholds, thresholds_of
from dispensary.looks.unusual import review, summary, unusual_looks
from dispensary.looks.watched import WatchKind, end_watch, watch, watches_of
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.queries import Place, colleagues
from dispensary.staff.rules import Actor
from dispensary.units import AccountId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_HERE = "/office/looks"


def _month(asked: str, today: date) -> date:
    """The first of the month that is asked for, such as 2026-11; this month when it is none."""
    try:
        return min(date.fromisoformat(f"{asked}-01"), today.replace(day=1))
    except ValueError:
        return today.replace(day=1)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    today: date,
    *,
    month: str = "",
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    first = _month(month, today)
    last = min(first.replace(day=monthrange(first.year, first.month)[1]), today)
    with database.reading() as session:
        lines = unusual_looks(session, site=site, first=first, last=last)
        thresholds = thresholds_of(session, site_id=site.id)
        watches = watches_of(session, site_id=site.id, standing=True)
        staff = [(str(each.id), each.name) for each in colleagues(session, site.id) if each.left_at is None]
    return page(
        "office/looks.html",
        lines=lines,
        summary=summary(first, lines),
        month=first,
        before=(first - timedelta(days=1)).strftime("%Y-%m"),
        after=(first + timedelta(days=32)).strftime("%Y-%m") if last < today else "",
        thresholds=thresholds,
        watches=watches,
        staff=staff,
        me=actor.account_id,
        longest=LONGEST_WORDS,
        done=done if done in ("reviewed", "set", "watched", "ended") else "",
        refused=refused,
        typed=typed,
    )


@get(_HERE, sync_to_thread=True, guards=[requires_administrator])
def looks(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    month: FromQuery[str] = "",
    done: FromQuery[str] = "",
) -> Template:
    """The month's unusual looks, what nobody has read through first, and the records that are watched."""
    return _page(database, actor, site, site.dose_day(clock()), month=month, done=done)


def _does(
    data: Form, database: Database, actor: Actor, site: Place, clock: TheClock, act: Any, done: str
) -> Response[Any]:
    month = one(data, "month")
    return done_or_again(
        database,
        act,
        then=lambda _: f"{_HERE}?month={month}&done={done}",
        else_again=lambda why: _page(
            database, actor, site, site.dose_day(clock()), month=month, refused=why, typed=data
        ),
    )


@post(f"{_HERE}/review", sync_to_thread=True, guards=[requires_administrator])
def read_through(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps what the administrator found about one line."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            day = typed.day("day")
        account_id = named(data, "account_id")
        if account_id is None:
            raise BadInput(Refusal("no-such-look", "There is no such look.", "Open the page again."))
        review(
            session,
            actor=actor,
            account_id=AccountId(account_id),
            day=day,
            kind=one(data, "kind"),
            words=one(data, "words"),
            at=clock(),
        )

    return _does(data, database, actor, site, clock, act, "reviewed")


@post(_HERE, sync_to_thread=True, guards=[requires_administrator])
def set_unusual(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets from where on looks are unusual, and whether clients are told names."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            wanted = Thresholds(
                most_charts=typed.whole("most_charts", 1, 1000),
                times_usual=typed.whole("times_usual", 1, 20),
                minutes_around=typed.whole("minutes_around", 0, 720),
                names_to_clients=one(data, "names_to_clients") == "yes",
            )
        set_thresholds(session, actor=actor, wanted=wanted, at=clock())

    return _does(data, database, actor, site, clock, act, "set")


@post(f"{_HERE}/watch", sync_to_thread=True, guards=[requires_administrator])
def watch_by_number(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Watches the record of the client with this number, or ends that; the administrator sees no record by it."""
    ends = bool(one(data, "end"))

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            number = typed.text("number", most=40)
            kind = WatchKind.OTHER if ends else typed.choice("kind", WatchKind)
        client_id = client_numbered(session, site_id=site.id, number=number)
        if ends:
            end_watch(session, actor=actor, client_id=client_id, at=clock())
            return
        account_id = named(data, "account_id")
        watch(
            session,
            actor=actor,
            client_id=client_id,
            kind=kind,
            words=one(data, "why"),
            account_id=AccountId(account_id) if account_id else None,
            at=clock(),
        )

    return _does(data, database, actor, site, clock, act, "ended" if ends else "watched")


HANDLERS: list[ControllerRouterHandler] = [looks, set_unusual, read_through, watch_by_number]
