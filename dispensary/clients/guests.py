"""The counter's door for a client: their home site's on most days, on the days of a verified stay the guest site's too.

All that is not the counter (orders, decisions, the rest of the record) goes through `service.the_client`, which knows
no guest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from dispensary.clients.guest_models import GuestSetting, GuestStay
from dispensary.clients.guest_rules import LONGEST_STAY
from dispensary.clients.models import Client, ClientIndex
from dispensary.clients.not_here import not_here
from dispensary.clients.queries import MOST_FOUND, Face, face_of, find, named_by, sought_digests
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession, WriteSession, through
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door

_OF_WHOM = "SELECT site_id FROM client WHERE id = %(client)s FOR NO KEY UPDATE"
_IS_GUEST = """
SELECT FROM guest_stay WHERE client_id = %(client)s AND guest_site_id = %(site)s AND verified_at IS NOT NULL
    AND days @> %(today)s::date
"""


def _nobody() -> NotThere:
    return NotThere(Refusal("no-client", "There is no such client.", "Look for the client again."))


def lock_at_counter(session: WriteSession, client_id: ClientId, site_id: SiteId, today: date) -> SiteId:
    """Locks a client whom this counter serves on this day, its own or a verified guest, and says where home is.

    Whether anything may be given here today is asked afterwards: a client who is a guest elsewhere is still of this
    site. Raises NotThere.
    """
    row = session.run(_OF_WHOM, {"client": client_id}).fetchone()
    # Asked once the lock is held: a stay waits for it too.
    if row is None or (
        row[0] != site_id
        and session.run(_IS_GUEST, {"client": client_id, "site": site_id, "today": today}).rowcount == 0
    ):
        raise not_here(session, client_id, site_id)
    return SiteId(row[0])


def lock_for_record(session: WriteSession, client_id: ClientId) -> SiteId:
    """Locks a client of whatever site, for an act on a row that was written here; says where home is."""
    row = session.run(_OF_WHOM, {"client": client_id}).fetchone()
    if row is None:
        raise _nobody()
    return SiteId(row[0])


def home_of(session: ReadSession, client_id: ClientId) -> SiteId:
    """The site whose client this is: it prescribes, decides, and is told."""
    site_id = session.scalar(select(Client.site_id).where(Client.id == client_id))
    if site_id is None:
        raise _nobody()
    return SiteId(site_id)


def guest_at(site_id: SiteId, day: date) -> ColumnElement[bool]:
    """Whether a stay is verified for this day at this site, as a condition on `GuestStay`."""
    return and_(GuestStay.guest_site_id == site_id, GuestStay.verified_at.is_not(None), GuestStay.days.contains(day))


def served_at(site_id: SiteId, day: date) -> ColumnElement[bool]:
    """Whether this counter serves the client on this day, as a condition on `Client`."""
    guests = select(GuestStay.client_id).where(guest_at(site_id, day))
    return or_(Client.site_id == site_id, Client.id.in_(guests))


def face_at_counter(session: ReadSession, *, site_id: SiteId, client_id: ClientId, today: date) -> Face:
    """The identity of a client whom this counter serves on this day. Raises NotThere."""
    client = session.scalar(select(Client).where(Client.id == client_id, served_at(site_id, today)))
    if client is None:
        raise not_here(session, client_id, site_id)
    return face_of(session, client)


def away_on(session: ReadSession, *, client_id: ClientId, day: date) -> tuple[str, date] | None:
    """The site at which a client is a verified guest on a day, and the first day at home again.

    Nothing for whom home's satellite gives the doses: what home calls back is brought to home.
    """
    row = session.execute(
        select(Site.code, func.coalesce(GuestStay.ended_on, GuestStay.until_day))
        .join(Site, Site.id == GuestStay.guest_site_id)
        .where(GuestStay.client_id == client_id, GuestStay.verified_at.is_not(None), GuestStay.days.contains(day))
        .where(~GuestStay.satellite)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def photo_at_counter(session: ReadSession, client_id: ClientId, *, site_id: SiteId, today: date) -> bytes | None:
    """The photo of a client whom this counter serves on this day, opened."""
    sealed = session.scalar(select(Client.photo_sealed).where(Client.id == client_id, served_at(site_id, today)))
    return session.vault.open_bytes("client.photo", client_id, sealed) if sealed else None


def find_at_counter(session: ReadSession, *, site_id: SiteId, today: date, text: str) -> list[Face]:
    """The site's own clients as `clients.queries.find` finds them, and after them today's verified guests likewise.

    A guest is also found by the number with the code of home: `H0001@HRP`.
    """
    own = find(session, site_id=site_id, text=text)
    number, _, code = plain_number(text).rpartition("@")
    homes = select(Site.id, Site.code).join(GuestStay, GuestStay.home_site_id == Site.id)
    found: list[Face] = []
    for home_id, home_code in session.execute(homes.where(guest_at(site_id, today)).distinct().order_by(Site.code)):
        if number and code != home_code:
            continue
        found += _guests_of(session, SiteId(home_id), site_id, today, number or text)
    return [*own, *found][:MOST_FOUND]


def _guests_of(session: ReadSession, home_id: SiteId, site_id: SiteId, today: date, text: str) -> list[Face]:
    vault = session.vault
    exact = plain_number(text)
    words = sought_digests(vault, home_id, text)
    if not exact:
        return []
    index = select(ClientIndex.client_id).where(
        ClientIndex.site_id == home_id,
        ClientIndex.client_id.in_(select(GuestStay.client_id).where(guest_at(site_id, today))),
    )
    by_number = index.where(ClientIndex.digest.in_(vault.blinds(f"client.number|{home_id}", exact)))
    by_name = index.where(*named_by(words)).group_by(ClientIndex.client_id).having(func.count() == len(words))
    chosen = Client.id.in_(by_number.union(by_name)) if words else Client.id.in_(by_number)
    return [
        face_of(session, client) for client in session.scalars(select(Client).where(chosen).order_by(Client.number))
    ]


@dataclass(frozen=True)
class StayShown:
    """A stay with what its two sites are called, the client's number and who asked and answered."""

    stay: GuestStay
    number: str
    home: str
    guest: str

    @property
    def last_day(self) -> date | None:
        """The last dose day at the guest site; the day before the first one for a request that was withdrawn.

        Nothing while a satellite gives the doses: no last day was agreed.
        """
        if self.stay.satellite and self.stay.ended_on is None:
            return None
        return (self.stay.ended_on or self.stay.until_day) - timedelta(days=1)


def stays_of(session: ReadSession, *, client_id: ClientId, until_after: date) -> Sequence[StayShown]:
    """The client's stays that are not over before this day, refused ones too, the first to begin first."""
    return _shown(session, GuestStay.client_id == client_id, GuestStay.until_day > until_after)


def stays_at(session: ReadSession, *, site_id: SiteId, until_after: date) -> Sequence[StayShown]:
    """What a site has to do with, as home or as guest site, not over before this day, the first to begin first.

    Whoever comes to a satellite for good is no guest: the day's list and `at_satellites` have them.
    """
    mine = or_(GuestStay.home_site_id == site_id, GuestStay.guest_site_id == site_id)
    return _shown(session, mine, ~GuestStay.satellite, GuestStay.until_day > until_after)


def at_satellites(session: ReadSession, *, site_id: SiteId) -> Sequence[StayShown]:
    """The clients of a main site, or of its satellite, whose doses a satellite gives now; by when it began."""
    mine = or_(GuestStay.home_site_id == site_id, GuestStay.guest_site_id == site_id)
    return _shown(session, mine, GuestStay.satellite.is_(True), GuestStay.ended_on.is_(None))


def stay_at(session: ReadSession, *, site_id: SiteId, stay_id: UUID) -> StayShown:
    """One stay of which the site is home or host. Raises NotThere."""
    mine = or_(GuestStay.home_site_id == site_id, GuestStay.guest_site_id == site_id)
    found = _shown(session, mine, GuestStay.id == stay_id)
    if not found:
        raise NotThere(Refusal("no-stay", "There is no such stay at this site.", "Open the list again."))
    return found[0]


@through(Door.GUEST_STAYS)
def _shown(session: ReadSession, *which: ColumnElement[bool]) -> list[StayShown]:
    home, guest = aliased(Site), aliased(Site)
    rows = session.execute(
        select(GuestStay, Client.number, home.code, guest.code)
        .join(Client, Client.id == GuestStay.client_id)
        .join(home, home.id == GuestStay.home_site_id)
        .join(guest, guest.id == GuestStay.guest_site_id)
        .where(*which)
        .order_by(GuestStay.from_day, GuestStay.asked_at, GuestStay.id)
    )
    return [StayShown(*row) for row in rows]


def longest_stay(session: ReadSession, *, site_id: SiteId) -> int:
    """For how many days a client of this site may be a guest elsewhere."""
    found = session.get(GuestSetting, site_id)
    return found.longest_days if found else LONGEST_STAY


def set_longest(session: WriteSession, *, actor: Actor, days: int, at: datetime) -> None:
    """Sets for how many days a client of this site may be a guest elsewhere. Raises BadInput."""
    if not 1 <= days <= LONGEST_STAY:
        raise BadInput(
            Refusal("longest-days", f"A stay has 1 to {LONGEST_STAY} days.", "Correct it.", field="longest_days")
        )
    assert actor.account_id is not None, "a person sets it"
    setting = session.get(GuestSetting, actor.site_id) or GuestSetting(site_id=actor.site_id)
    setting.longest_days, setting.set_by, setting.set_at = days, actor.account_id, at
    session.add(setting)
    session.flush()
    audit.record(
        session, actor=actor, act="set longest guest stay", subject="site", subject_id=actor.site_id, at=at,
        details={"days": days},
    )  # fmt: skip
