"""Who looked at a client's record and what was done with it, as the client is told it: by day, in plain words.

Names of staff or the work that they do, as the site has decided. What left the programme is listed too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.disclosing import Released, disclosures_of
from dispensary.clients.homes import in_the_chain_of_home
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession, through
from dispensary.looks.settings import thresholds_of
from dispensary.looks.told_rules import (
    LOOKED,
    NOT_KNOWN,
    REASONS,
    SOMEBODY,
    THE_PROGRAM,
    WORK,
    YOU,
    sentence_of,
)
from dispensary.staff import audit
from dispensary.staff.models import AuditEntry, RoleGrant
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from dispensary.wall import Door
from dispensary.words import _

USUAL_DAYS = 90
"""How far back is told unless somebody asks for more (the house's own figure)."""
TOLD = "told who looked"


@dataclass(frozen=True)
class Line:
    """One thing that one person did on a day, once or several times."""

    first_at: datetime
    who: str
    what: str
    times: int


@dataclass(frozen=True)
class Day:
    """What happened with the record on a day, the earliest first."""

    day: date
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Told:
    """The whole of it."""

    number: str
    since: date
    until: date
    days: tuple[Day, ...]
    released: Sequence[Released]
    by_name: bool


@through(Door.TOLD)
def told_of(session: ReadSession, *, site: Place, client_id: ClientId, since: date, until: date) -> Told:
    """What the trail says of a client of the site from one day to another, in the language of this moment.

    It reads the chain of each moment's home, where what other sites did with a guest stands too.
    """
    first, last = site.window_of(since)[0], site.window_of(until)[1]
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject_id == client_id, in_the_chain_of_home(AuditEntry))
        .where(AuditEntry.at >= first, AuditEntry.at < last)
        .order_by(AuditEntry.at, AuditEntry.seq)
    ).all()
    by_name = thresholds_of(session, site_id=site.id).names_to_clients
    people = _people(session, site, {row.account_id for row in rows if row.account_id}, by_name=by_name)
    days = tuple(
        Day(day, _lines(list(of_day), people)) for day, of_day in groupby(rows, key=lambda row: site.dose_day(row.at))
    )
    released = [each for each in disclosures_of(session, client_id=client_id) if first <= each.at < last]
    number = session.get_one(Client, client_id).number
    return Told(number, since, until, tuple(reversed(days)), released, by_name)


def _lines(entries: Sequence[AuditEntry], people: dict[UUID, str]) -> tuple[Line, ...]:
    found: dict[tuple[str, str], list[datetime]] = {}
    for entry in entries:
        by_text = entry.account_id is None and entry.act.endswith(" by text")
        who = people.get(entry.account_id, "") if entry.account_id else _(YOU) if by_text else _(THE_PROGRAM)
        found.setdefault((who, _said(entry)), []).append(entry.at)
    return tuple(Line(moments[0], who, what, len(moments)) for (who, what), moments in found.items())


def _said(entry: AuditEntry) -> str:
    sentence = sentence_of(entry.act)
    if sentence == NOT_KNOWN:
        return f"{_(sentence)} ({entry.act})"
    details = json.loads(entry.details)
    reason = REASONS.get(str(details.get("reason", ""))) if entry.act == LOOKED else None
    said = f"{_(sentence)}, {_(reason)}" if reason else _(sentence)
    return f"{said} ({details['at_site']})" if "at_site" in details else said


def _people(session: ReadSession, site: Place, account_ids: set[UUID], *, by_name: bool) -> dict[UUID, str]:
    if by_name:
        return names_of(session, list(account_ids))
    roles: dict[UUID, list[str]] = {}
    rows = session.execute(
        select(RoleGrant.account_id, RoleGrant.role)
        .where(RoleGrant.account_id.in_(account_ids))
        .order_by(RoleGrant.site_id != site.id, RoleGrant.role)
    )
    for account_id, role in rows:
        roles.setdefault(account_id, []).append(role)
    known = {who: [each for each in WORK if each in held] for who, held in roles.items()}
    return {who: _(WORK[known[who][0]]) if known.get(who) else _(SOMEBODY) for who in account_ids}


def note_told(session: WriteSession, *, actor: Actor, told: Told, client_id: ClientId, at: datetime) -> None:
    """Writes down that the list was given to the client, over which days."""
    details = {"since": told.since, "until": told.until, "days": len(told.days)}
    audit.record(session, actor=actor, act=TOLD, subject="client", subject_id=client_id, at=at, details=details)


def since_of(today: date, days: int | None) -> date:
    """The first day that is told."""
    return today - timedelta(days=(days or USUAL_DAYS) - 1)
