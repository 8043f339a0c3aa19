"""The office's page of texts: how they fare by day and kind, what they cost against a bound, and their rules."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.legal_holds import held_clients
from dispensary.database import ReadSession, WriteSession
from dispensary.jobs import gateway_from
from dispensary.phone.text_rules import set_text_rules
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from notifications.figures import COLUMNS, Figures, Line, figures
from notifications.places import rules_of, spent, waiting_for_money
from notifications.waiting import LEAST_KEEP_DAYS, MOST_KEEP_DAYS, Quiet, TextRules

SHOWN_DAYS = (7, 30, 90)
"""What the page offers to look back on; the file has as many days as are asked for."""
MOST_DAYS = 366
_MONEY = re.compile(r"\d{1,9}(\.\d{1,4})?")


@get("/office/texts", sync_to_thread=True, guards=[requires_administrator])
def texts(
    database: TheDatabase,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
    days: FromQuery[int] = SHOWN_DAYS[0],
    done: FromQuery[bool] = False,
) -> Template:
    """How texts fared in the last days, and what the site has set for them."""
    return _page(database, site, settings, clock(), days=days, done=done)


def _page(
    database: TheDatabase,
    site: Place,
    settings: TheSettings,
    now: datetime,
    *,
    days: int = SHOWN_DAYS[0],
    done: bool = False,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    gateway = gateway_from(settings)
    with database.reading() as session:
        found = _figures(session, site, now, days)
        return page(
            "office/texts.html",
            figures=found,
            by_day=[(day, list(lines)) for day, lines in groupby(found.lines, key=lambda line: line.day)],
            columns=list(COLUMNS),
            days=days,
            shown_days=SHOWN_DAYS,
            rules=rules_of(session, site.id),
            spent=spent(session, place_id=site.id, day=now.astimezone(ZoneInfo(site.zone)).date()),
            waits=waiting_for_money(session, place_id=site.id),
            gateway=gateway.name if gateway else "",
            per_second=gateway.per_second if gateway else None,
            keep_bounds=(LEAST_KEEP_DAYS, MOST_KEEP_DAYS),
            held=len(held_clients(session, site_id=site.id)),
            done=done,
            refused=refused,
            typed=typed,
        )


def _figures(session: ReadSession, site: Place, now: datetime, days: int) -> Figures:
    zone = ZoneInfo(site.zone)
    first = now.astimezone(zone).date() - timedelta(days=min(max(days, 1), MOST_DAYS) - 1)
    return figures(session, place_id=site.id, zone=zone, since=datetime.combine(first, time(), tzinfo=zone))


@get("/office/texts.csv", sync_to_thread=True, guards=[requires_administrator])
def as_file(
    database: TheDatabase, site: TheSite, clock: TheClock, days: FromQuery[int] = SHOWN_DAYS[-1]
) -> Response[str]:
    """The same figures as a table to take away. There is nothing in it that tells one person from another."""
    with database.reading() as session:
        found = _figures(session, site, clock(), days)
        currency = rules_of(session, site.id).currency
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(["day", "kind", "texts", *COLUMNS, "segments", "cost", "currency", "opted_out"])
    table.writerows(_rows(found, currency))
    headers = {"content-disposition": f'attachment; filename="texts-{site.code}.csv"'}
    return Response(written.getvalue(), media_type="text/csv", headers=headers)


def _rows(found: Figures, currency: str) -> Iterator[Sequence[object]]:
    """A row for each day and kind; opt-outs belong to a day and no kind, and have a row of their own."""
    days: set[date] = {line.day for line in found.lines} | set(found.opted_out)
    by_day: dict[date, list[Line]] = {day: [] for day in sorted(days, reverse=True)}
    for line in found.lines:
        by_day[line.day].append(line)
    for day, lines in by_day.items():
        for line in lines:
            counts = [line.counts[name] for name in COLUMNS]
            yield [day, line.kind, line.texts, *counts, line.segments, line.cost, currency, ""]
        if day in found.opted_out:
            yield [day, "", "", *("" for _ in COLUMNS), "", "", "", found.opted_out[day]]


@post("/office/texts", sync_to_thread=True, guards=[requires_administrator])
def keep(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Sets the quiet hours, the price and its bound, and how long words are kept."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            rules = TextRules(
                quiet=_quiet(data, typed),
                price=_money(data, typed, "price"),
                currency=typed.text("currency", most=3, required=False).upper(),
                cap=_money(data, typed, "cap"),
                keep_days=typed.whole("keep_days", LEAST_KEEP_DAYS, MOST_KEEP_DAYS),
            )
        set_text_rules(session, actor=actor, rules=rules, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, settings, clock(), refused=refused, typed=data)
    return Redirect("/office/texts?done=true", status_code=303)


def _quiet(data: Form, typed: Typed) -> Quiet | None:
    if not one(data, "quiet_from") and not one(data, "quiet_until"):
        return None
    return Quiet(typed.time("quiet_from"), typed.time("quiet_until"))


def _money(data: Form, typed: Typed, name: str) -> Decimal | None:
    given = one(data, name)
    if not given:
        return None
    if not _MONEY.fullmatch(given):
        typed.fault(name, "not-money", f"“{given[:20]}” is not an amount of money.", "Write a number such as 0.05.")
        return None
    return Decimal(given)


HANDLERS: list[ControllerRouterHandler] = [texts, as_file, keep]
"""Mounted at /."""
