"""Somebody who has come says so by themselves at the kiosk: a number is given, and nothing is said of anybody.

What opens there is a pass, its typed code, or the client's number as it stands on the card; whatever else it is, and
for whatever reason, the answer is the same few words, so that nobody learns from a kiosk who is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

import scheduling.service
import scheduling.waiting
from dispensary.clients.models import Client
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.devices import Bound
from dispensary.staff.rules import the_program
from dispensary.supplies import passes
from dispensary.supplies.verifying import verify_pass
from dispensary.units import ClientId, SiteId
from scheduling.rules import NotFound

LONGEST = 80
"""What a scanner or a hand sends; nothing longer is looked at."""


@dataclass(frozen=True)
class Arrived:
    """What somebody who has come is told: their number, and about how long it takes, where that is known."""

    ticket: int
    minutes: int | None
    waits: bool
    """Whether they still wait to be called."""


def please_ask() -> Refused:
    """The one answer to whatever the kiosk does not do."""
    return Refused(Refusal("please-ask", "Please go to the desk. Somebody there will help you."))


def arrive_by_themselves(session: WriteSession, *, device: Bound, text: str, at: datetime) -> Arrived:
    """Checks in whose pass, code or number this is, or finds them checked in already. Raises Refused (`please-ask`)."""
    site = device.site
    client_id = _whose(session, site_id=site.id, text=text[:LONGEST], at=at)
    if client_id is None:
        raise please_ask()
    try:
        visit, made = scheduling.service.check_in_once(session, place_id=site.id, holder_id=client_id, now=at)
    except NotFound:
        raise please_ask() from None
    minutes = scheduling.waiting.minutes_now(session, site.id, at, client_id)
    if made:
        details = {"visit": visit.id, "device": device.id}
        audit.record(
            session,
            actor=the_program(site.id),
            act="checked in",
            subject="client",
            subject_id=client_id,
            at=at,
            details=details,
        )
    return Arrived(visit.ticket, minutes, scheduling.waiting.waits(visit))


def _whose(session: ReadSession, *, site_id: SiteId, text: str, at: datetime) -> ClientId | None:
    reading = passes.read(session.vault, text)
    if reading in (passes.Reading.CARD, passes.Reading.SCREEN, passes.Reading.CODE):
        try:
            return verify_pass(session, site_id=site_id, text=text, at=at).client_id
        except Refused:
            if reading is not passes.Reading.CODE:
                return None
    return _by_number(session, site_id, text)


def _by_number(session: ReadSession, site_id: SiteId, text: str) -> ClientId | None:
    """The one client of the site whose number this is, as it is written or by its digits alone."""
    number = plain_number(text)
    if not number.isprintable() or not number:
        return None
    wanted = select(Client.id).where(Client.site_id == site_id)
    digits = func.ltrim(func.regexp_replace(Client.number, r"\D", "", "g"), "0")
    if number.isascii() and number.isdigit():
        wanted = wanted.where(digits == number.lstrip("0"), digits != "")
    else:
        wanted = wanted.where(func.upper(Client.number) == number)
    found: list[UUID] = list(session.scalars(wanted.limit(2)))
    return ClientId(found[0]) if len(found) == 1 else None
