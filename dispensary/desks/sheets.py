"""Sheets of paper after an outage: who was due on the day, and each line entered as the paper has it, by keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.clients import queries as clients
from dispensary.clients.guests import find_at_counter
from dispensary.clients.numbers import with_number
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import amount
from dispensary.refusals import Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.staff.models import Account
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.stock.queries import lots
from dispensary.supplies.day_list import day_list
from dispensary.supplies.models import Supply
from dispensary.supplies.outage_entry import NotLookedAt, enter_line
from dispensary.supplies.outage_models import LateEntry
from dispensary.supplies.outage_reading import givers
from dispensary.supplies.outage_rules import PaperLine, bottle_days
from dispensary.supplies.writing import Handed
from dispensary.units import ClientId, DoseDay, SiteId
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import Typed

KEPT = ("sheet", "day", "lot_id", "given_by", "identified_by", "witnessed_by")
"""What the next line of a sheet mostly has too: it stands in the form again."""
MOST_SHOWN = 12


@get("/counter/sheets", sync_to_thread=True, guards=[requires_dispenser])
def sheets(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    sheet: FromQuery[str] = "1",
    line: FromQuery[str] = "1",
    day: FromQuery[str] = "",
    lot_id: FromQuery[str] = "",
    given_by: FromQuery[str] = "",
    identified_by: FromQuery[str] = "photo",
    witnessed_by: FromQuery[str] = "",
) -> Template:
    """An empty line of a sheet, what was entered last, and who was due on the day."""
    kept = {
        "sheet": sheet[:40],
        "line": line[:3],
        "day": day[:10] or str(site.dose_day(clock())),
        "lot_id": lot_id[:40],
        "given_by": given_by[:40] or str(actor.account_id),
        "identified_by": identified_by[:20],
        "witnessed_by": witnessed_by[:40],
    }
    return _page(database, actor, site, clock(), kept)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    now: datetime,
    typed: Mapping[str, Any],
    refused: Refused | None = None,
) -> Template:
    try:
        day = DoseDay(date.fromisoformat(one(typed, "day")))
    except ValueError:
        day = site.dose_day(now)
    shown = refused if isinstance(refused, NotLookedAt) else None
    with database.reading() as session:
        due = day_list(session, site_id=site.id, day=day)
        return page(
            "counter/sheets.html",
            refused=None if shown else refused,
            status=409 if shown else 200,
            typed=typed,
            conflicts=shown.refusals if shown else (),
            mark=shown.mark if shown else "",
            day=day,
            due=due,
            lots=[("", "–"), *((str(lot.id), lot.batch) for lot in lots(session, site_id=site.id))],
            givers=[(str(id_), name) for id_, name in givers(session, site_id=site.id)],
            seconds=[("", "–"), *((str(each.id), each.name) for each in who_can_stand_by(session, actor=actor))],
            entered=_entered(session, site.id),
            amount=amount,
        )


def _entered(session: ReadSession, site_id: SiteId) -> list[tuple[Supply, LateEntry, clients.Face, str]]:
    rows = session.execute(
        select(Supply, LateEntry, Account.initials)
        .join(LateEntry, LateEntry.supply_id == Supply.id)
        .join(Account, Account.id == LateEntry.recorded_by)
        .where(LateEntry.site_id == site_id)
        .order_by(LateEntry.recorded_at.desc(), Supply.id.desc())
        .limit(MOST_SHOWN)
    ).all()
    known = clients.faces_on_papers(session, {ClientId(supply.client_id) for supply, _, _ in rows})
    return [(supply, late, known[ClientId(supply.client_id)], by) for supply, late, by in rows]


@post("/counter/sheets", sync_to_thread=True, guards=[requires_dispenser])
def enter(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Enters a line. Against a rule, it comes again with what is against it, and is kept when that was looked at."""
    now = clock()

    def act(session: WriteSession) -> Handed:
        return enter_line(
            session,
            actor=actor,
            line=_line(session, site, data),
            seen=one(data, "seen"),
            zone=site.zone,
            key=str(key_of(data)),
            today=site.dose_day(now),
            at=now,
        )

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, actor, site, now, data, refused)
    number = one(data, "line")
    kept = {name: one(data, name) for name in KEPT}
    after = {**kept, "line": str(int(number) + 1) if number.isdigit() else ""}
    return Redirect(f"/counter/sheets?{urlencode(after)}", status_code=303)


def _line(session: ReadSession, site: Place, data: Mapping[str, Any]) -> PaperLine:
    with Typed(data) as typed:
        day = DoseDay(typed.day("day"))
        client_id = _client(session, site, day, typed, data)
        given = typed.time("time")
        written = one(data, "mg")
        nothing = written in ("-", "0")
        mg = typed.milligrams("mg") if written and not nothing else None
        try:
            carried = bottle_days(one(data, "bottles"), day)
        except ValueError:
            typed.fault("bottles", "no-days", "These are no days.", "Write +2 for the next two, or 25 26, or 25-27.")
            carried = ()
        lot_id = typed.id("lot_id") if one(data, "lot_id") else None
        given_by, witnessed_by = somebody(typed, data, "given_by"), somebody(typed, data, "witnessed_by")
        sheet, number = typed.text("sheet", most=40, required=False), typed.whole_or_none("line", 1, 999)
    return PaperLine(
        client_id=client_id,
        day=day,
        at=_moment(site, day, given),
        observed=not nothing,
        mg=mg,
        bottle_days=carried,
        lot_id=lot_id,
        given_by=given_by,
        identified_by=one(data, "identified_by"),
        witnessed_by=witnessed_by,
        sheet=sheet,
        line=number,
    )


def _client(session: ReadSession, site: Place, day: DoseDay, typed: Typed, data: Mapping[str, Any]) -> ClientId:
    written = one(data, "client")
    if (own := with_number(session, site_id=site.id, number=written)) is not None:
        return own
    found = find_at_counter(session, site_id=site.id, today=day, text=written)
    if len(found) == 1:
        return found[0].client_id
    code, sentence = ("not-one", "More than one client.") if found else ("no-client", "Nobody was found.")
    typed.fault("client", code, sentence, "Write the number that the sheet has.")
    return ClientId(UUID(int=0))


def _moment(site: Place, day: DoseDay, given: Any) -> datetime:
    """The moment of a time of day within a dose day: before the boundary it is of the next morning."""
    after = timedelta(days=1) if given < site.day_starts else timedelta(0)
    return datetime.combine(day + after, given, tzinfo=ZoneInfo(site.zone))


HANDLERS: list[ControllerRouterHandler] = [sheets, enter]
