"""What a site's downtime pack says: who is due what on the next days, read as the counter reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from uuid import UUID

from PIL import Image
from sqlalchemy import select, text

from dispensary.clients.models import Client
from dispensary.clients.queries import Face, faces
from dispensary.database import ReadSession
from dispensary.refusals import Refusal
from dispensary.staff.models import Site
from dispensary.stock.models import Lot
from dispensary.stock.queries import lots
from dispensary.supplies.day_list import day_list
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import (
    LONGEST_SUPPLY,
    Moment,
    Wanted,
    due_portions,
    may_dispense,
    portion_here,
    portions_on,
)
from dispensary.supplies.shown import proposed_days
from dispensary.takehome.carrying import DecisionLimits
from dispensary.units import ClientId, DoseDay, Milligrams, SiteId, volume_of

MOST_LOTS = 3
"""Lots for which mL are printed: those that expire first and still hold something."""
_PHOTO = (90, 112)
_SAY_FIRST = text("""
SELECT client_id, sentence FROM stop_flag
WHERE client_id = ANY(:clients) AND cleared_at IS NULL AND kind = 'say_first' AND days @> CAST(:today AS date)
ORDER BY set_at
""")
_LAST = text("""
SELECT DISTINCT ON (client_id) client_id, dose_day, sum(mg) OVER (PARTITION BY client_id, dose_day) AS mg
FROM dose WHERE client_id = ANY(:clients) AND voided_at IS NULL AND dose_day < :today AND dose_day >= :since
ORDER BY client_id, dose_day DESC
""")
_PICKUPS = text("""
SELECT p.client_id, p.collect_on, p.state, array_agg(DISTINCT b.dose_day ORDER BY b.dose_day) AS days,
    count(DISTINCT b.id) AS bottles,
    (SELECT max(t.valid_until) FROM pickup_pass t WHERE t.pickup_id = p.id AND t.ended_at IS NULL) AS pass_until
FROM pickup p JOIN bottle b ON b.pickup_id = p.id AND b.state IN ('prepared', 'checked', 'out')
WHERE p.client_id = ANY(:clients) AND p.site_id = :site AND p.state IN ('prepared', 'out')
GROUP BY p.id ORDER BY p.collect_on
""")
_LOOK_BACK = timedelta(days=90)


@dataclass(frozen=True)
class DayAhead:
    """One dose day of one client."""

    day: DoseDay
    mg: tuple[Milligrams, ...]
    """What each portion is; none without an order."""
    due: tuple[int, ...]
    """The portions that the client does not have yet."""
    held: str
    """Why a prescriber holds the dose; empty when nobody does."""


@dataclass(frozen=True)
class PreparedFor:
    """Bottles in the safe, or with a carrier, for one client."""

    collect_on: date
    bottles: int
    days: tuple[DoseDay, ...]
    with_carrier: bool
    pass_until: datetime | None
    """Until when a pass opens it. Its code is not in the pack: no paper could tell a right one from a guess."""


@dataclass(frozen=True)
class ClientInPack:
    """Everything that the counter needs of one client without the system."""

    face: Face
    photo: bytes | None
    """A small JPEG."""
    days: tuple[DayAhead, ...]
    here: tuple[int, Milligrams] | None
    """The portion that is due at the counter today, and how much it is."""
    ml: tuple[tuple[str, Decimal], ...]
    """How much that is in mL, of each open lot."""
    against: tuple[Refusal, ...]
    """Why today's dose may not be given, beside that the client has it already."""
    say_first: tuple[str, ...]
    limits: DecisionLimits | None
    bottles_due: tuple[DoseDay, ...]
    """The days for which bottles may be carried home today, at most."""
    pickups: tuple[PreparedFor, ...]
    last: tuple[date, Decimal] | None


@dataclass(frozen=True)
class Pack:
    """A downtime pack before it is put on paper."""

    site: Site
    made_at: datetime
    today: DoseDay
    days: tuple[DoseDay, ...]
    lots: tuple[Lot, ...]
    clients: tuple[ClientInPack, ...]


def pack_of(session: ReadSession, *, site: Site, today: DoseDay, days_ahead: int, made_at: datetime) -> Pack:
    """Reads everybody who has an order on one of these days, by client number, judged by the counter's own rule."""
    site_id = SiteId(site.id)
    days = tuple(DoseDay(today + timedelta(days=n)) for n in range(days_ahead + 1))
    numbers = {row.client_id: row.shown_number for day in days for row in day_list(session, site_id=site_id, day=day)}
    ids = sorted(numbers, key=lambda client_id: numbers[client_id])
    stock = tuple(lot for lot in lots(session, site_id=site_id) if lot.expires_on >= today)[:MOST_LOTS]
    known = faces(session, ids)
    photos = _photos(session, ids)
    asked = {"clients": list(ids), "today": today, "since": today - _LOOK_BACK, "site": site_id}
    last = {row.client_id: (row.dose_day, row.mg) for row in session.execute(_LAST, asked)}
    say_first: dict[UUID, list[str]] = defaultdict(list)
    for row in session.execute(_SAY_FIRST, asked):
        say_first[row.client_id].append(row.sentence)
    pickups = _pickups(session, asked)
    clients = []
    for client_id in ids:
        ahead = [DoseDay(today + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
        moment = read_moment(session, site_id=site_id, client_id=client_id, today=today, days=ahead).moment
        here = portion_here(moment)
        due = (here, portions_on(moment, today)[here - 1]) if here else None
        clients.append(
            ClientInPack(
                face=replace(known[client_id], number=numbers[client_id]),
                photo=photos.get(client_id),
                days=tuple(_day_of(moment, day) for day in days),
                here=due,
                ml=tuple((lot.batch, volume_of(due[1], lot.strength)) for lot in stock) if due else (),
                against=_against(moment, known[client_id]),
                say_first=tuple(say_first[client_id]),
                limits=moment.limits,
                bottles_due=proposed_days(moment),
                pickups=tuple(pickups[client_id]),
                last=last.get(client_id),
            )
        )
    return Pack(site, made_at, today, days, stock, tuple(clients))


def _against(moment: Moment, face: Face) -> tuple[Refusal, ...]:
    usual = Wanted(observed=True, identified_by=face.identified_by, well=True)
    return tuple(each for each in may_dispense(moment, usual) if each.code != "already-covered")


def _day_of(moment: Moment, day: DoseDay) -> DayAhead:
    return DayAhead(day, portions_on(moment, day), due_portions(moment, day), moment.held.get(day, ""))


def _pickups(session: ReadSession, asked: Mapping[str, object]) -> Mapping[UUID, Sequence[PreparedFor]]:
    found: dict[UUID, list[PreparedFor]] = defaultdict(list)
    for row in session.execute(_PICKUPS, asked):
        found[row.client_id].append(
            PreparedFor(row.collect_on, row.bottles, tuple(row.days), row.state == "out", row.pass_until)
        )
    return found


def _photos(session: ReadSession, ids: Sequence[ClientId]) -> dict[UUID, bytes]:
    sealed = session.execute(
        select(Client.id, Client.photo_sealed).where(Client.id.in_(ids), Client.photo_sealed.is_not(None))
    )
    session.vault.know(ids)
    return {row.id: small(session.vault.open_bytes("client.photo", row.id, row.photo_sealed)) for row in sealed}


def small(photo: bytes) -> bytes:
    """A photo as small as a face can still be known by, in some two kilobytes."""
    with Image.open(BytesIO(photo)) as image:
        image.draft("RGB", (_PHOTO[0] * 2, _PHOTO[1] * 2))
        plain_image = image.convert("RGB")
        plain_image.thumbnail(_PHOTO)
        out = BytesIO()
        plain_image.save(out, "JPEG", quality=60, optimize=True)
        return out.getvalue()
