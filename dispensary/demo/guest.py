"""Another site of the demonstration's programme, and its one client who is a guest here for some days."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import scheduling.service
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.prescribing.service import order_dose
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.service import add_account
from dispensary.staff.sites import add_site
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.closing import close_day
from dispensary.supplies.guests import Asked, arrange
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import dispense
from dispensary.units import ClientId, DoseDay, SiteId, milligrams, millilitres, strength

CODE = "SGI"
NUMBER = "S0007"
USERNAME = "sungai"
_DAYS_BEFORE = 3
_MG = "70"


def comes_by(database: Database, *, host: str, zone: str, password: str, today: DoseDay, now: datetime) -> ClientId:
    """Opens the other site some days ago, doses its client there, and lets it verify a stay here from today on."""

    def at(day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), tzinfo=ZoneInfo(zone))

    first = DoseDay(today - timedelta(days=_DAYS_BEFORE))
    opened = at(first, 6)
    with database.writing() as session:
        site = add_site(
            session,
            code=CODE,
            name="Sungai",
            zone=zone,
            region="MY",
            at=opened,
            address="3 Jalan Sungai, 43000 Kajang",
            phone="03-0000 0002",
            prescriber_phone="03-0000 0003",
        )
        site_id = SiteId(site.id)
        scheduling.service.add_place(session, place_id=site_id, zone=zone)
        roles = frozenset({Role.PHARMACIST, Role.DOCTOR})
        name, initials = "Dr. Chong Mei Yin", "CMY"
        account = add_account(
            session,
            actor=the_program(site_id),
            site_id=site_id,
            username=USERNAME,
            name=name,
            initials=initials,
            password=password,
            roles=sorted(roles),
            at=opened,
        )
        actor = Actor(account.id, site_id, roles, name, initials)
        receive_lot(
            session,
            actor=actor,
            batch="SGI0001",
            strength=strength("5"),
            expires_on=today + timedelta(days=400),
            ml=millilitres("1000"),
            day=first,
            at=opened,
        )
        client = enrol(
            session,
            actor=actor,
            number=NUMBER,
            identity=Identity(name="Murugan a/l Subramaniam", born=date(1979, 8, 14)),
            began_on=first,
            today=first,
            at=opened,
        )
        client_id = ClientId(client.id)
        order_dose(
            session,
            actor=actor,
            client_id=client_id,
            mg=milligrams(_MG),
            from_day=first,
            reason="moved here from another programme, on this dose for two years",
            today=first,
            at=opened,
        )
    for n in range(_DAYS_BEFORE):
        day = DoseDay(first + timedelta(days=n))
        with database.writing() as session:
            dispense(
                session,
                actor=actor,
                client_id=client_id,
                wanted=Wanted(observed=True, identified_by="14 08 1979", well=True),
                key=f"demo-guest-{day}",
                today=day,
                at=at(day, 8),
            )
        with database.writing() as session:
            close_day(
                session, actor=actor, day=day, today=DoseDay(day + timedelta(days=1)), counts=None, at=at(day, 23)
            )
    with database.writing() as session:
        arrange(
            session,
            actor=actor,
            client_id=client_id,
            guest_code=host,
            asked=Asked(today, today + timedelta(days=4), bottles=False, reason="works in Kuala Lumpur this week"),
            confirmed=True,
            key=f"demo-guest-{today}",
            at=now,
        )
    return client_id
