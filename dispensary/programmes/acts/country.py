"""Acts of a country: its provinces and sites open, people are enrolled at them and have doses, and a day is closed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

import scheduling.service
from dispensary.clients.models import Client
from dispensary.clients.rules import EntryRoute, Identity, Sex
from dispensary.clients.service import enrol
from dispensary.database import WriteSession
from dispensary.prescribing.service import order_dose
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, place_site, places_of
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.sites import add_site
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.closing import close_day
from dispensary.supplies.handover import hand_over
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId, DoseDay, SiteId, milligrams, millilitres, strength

_WITHIN: Final = 300
"""Days over which their stays began: brought in from paper as they are today."""


@act("country")
class Country(Act, frozen=True):
    """So many provinces, sites and clients in all, with those that the files have already.

    Main sites are dealt out to the provinces in turn, and clients to the main sites. Every so-maniest site is a
    satellite of the main site before it, which has the clients and prescribes for them.
    """

    code: str
    """Of the country, which is there already."""
    provinces: int
    sites: int
    clients: int
    clinic: str
    """What a site is called, before its number."""
    province: str = "Province {n}"
    """What a province is called, with its number."""
    satellites_every: int = 0

    def do(self, scene: Scene) -> None:
        session, program = scene.session, the_program(scene.site.id)
        provinces = [f"{self.code}-{n:02}" for n in range(2, self.provinces + 1)]
        for n, code in enumerate(provinces, 2):
            add_area(
                session,
                actor=program,
                kind=Kind.PROVINCE,
                code=code,
                name=self.province.format(n=n),
                parent=self.code,
                at=scene.at,
            )
        main = scene.site
        mains = [main]
        for n in range(len(places_of(session, self.code)) + 1, self.sites + 1):
            if n & (n - 1) == 0:
                plan_anew(session)
            satellite = bool(self.satellites_every) and n % self.satellites_every == 0
            here = self._opened(scene, n, main.code if satellite else provinces[len(mains) % len(provinces)])
            if not satellite:
                main = here
                mains.append(here)
        doctor = scene.actor(Role.DOCTOR)
        for n in range(1, self.clients + 1):
            if n & (n - 1) == 0:
                plan_anew(session)
            here = mains[n % len(mains)]
            enrol(
                session,
                actor=_at(doctor, here.id),
                number=f"N{n:06}",
                identity=Identity(
                    name=f"Person {n}",
                    second_identifier="as on the card",
                    sex=Sex.FEMALE if n % 10 == 0 else Sex.MALE,
                ),
                began_on=scene.today - timedelta(days=n % _WITHIN),
                today=scene.today,
                at=scene.at,
                route=EntryRoute.SELF,
            )

    def _opened(self, scene: Scene, n: int, parent: str) -> Place:
        session, near = scene.session, scene.site
        made = add_site(
            session,
            code=f"{self.code}{n:04}",
            name=f"{self.clinic} {n}",
            zone=near.zone,
            region=self.code,
            at=scene.at,
        )
        site_id = SiteId(made.id)
        scheduling.service.add_place(session, place_id=site_id, zone=near.zone)
        place_site(session, actor=the_program(site_id), site_id=site_id, parent=parent, lat=None, lon=None, at=scene.at)
        return place(session, site_id)


@act("country-dosed")
class CountryDosed(Act, frozen=True):
    """At each clinic of the country that has clients, and no counter of the files, a lot comes into the safe, and the
    first of its clients has an order and drinks a dose of it.
    """

    code: str
    mg: Decimal
    strength: Decimal
    """mg/mL of the lots that come in."""
    ml: Decimal = Decimal(1000)
    expires_in: int = 500

    def do(self, scene: Scene) -> None:
        session = scene.session
        of_the_file = {each.id for each in scene.house.sites.values()}
        clinics = set(places_of(session, self.code)) - of_the_file
        first = (
            select(Client.site_id, Client.id)
            .where(Client.site_id.in_(clinics))
            .ext(distinct_on(Client.site_id))
            .order_by(Client.site_id, Client.number)
        )
        for site_id, client_id in session.execute(first).all():
            self._doses(scene, SiteId(site_id), ClientId(client_id))

    def _doses(self, scene: Scene, site_id: SiteId, client_id: ClientId) -> None:
        session, today, at = scene.session, DoseDay(scene.today), scene.at
        doctor, pharmacist = (_at(scene.actor(role), site_id) for role in (Role.DOCTOR, Role.PHARMACIST))
        receive_lot(
            session,
            actor=pharmacist,
            batch=f"{self.code}-1",
            strength=strength(self.strength),
            expires_on=today + timedelta(days=self.expires_in),
            ml=millilitres(self.ml),
            day=today,
            at=at,
        )
        order_dose(
            session,
            actor=doctor,
            client_id=client_id,
            mg=milligrams(self.mg),
            from_day=today,
            reason="came on this dose",
            outside="This is the dose that they have had for months, by the paper record.",
            today=today,
            at=at,
        )
        visit = scheduling.service.check_in(session, place_id=site_id, holder_id=client_id, now=at)
        scheduling.service.start(session, visit_id=visit.id, now=at)
        hand_over(
            session,
            actor=pharmacist,
            client_id=client_id,
            wanted=Wanted(observed=True, take_home_days=(), identified_by="second_identifier", well=True),
            key=str(scene.key("dosed", site_id)),
            today=today,
            zone=scene.site.zone,
            at=at,
        )


def plan_anew(session: WriteSession) -> None:
    """PostgreSQL forgets how it meant to read tables: a connection's plans are made while they are still small, and
    would go through each of them whole for every row that is added. Call it when so many more are there.
    """
    session.run("DISCARD PLANS", {})


def _at(who: Actor, site_id: UUID) -> Actor:
    """Somebody who works at every site of the country, at this one."""
    return Actor(who.account_id, SiteId(site_id), who.roles, who.name, who.initials)


@act("country-closed")
class CountryClosed(Act, frozen=True):
    """The day is closed at every site of the country, as the night does it, and counted with that."""

    code: str

    def do(self, scene: Scene) -> None:
        day = DoseDay(scene.today)
        of_the_file = {each.id for each in scene.house.sites.values()}
        for site_id in places_of(scene.session, self.code):
            if site_id not in of_the_file:  # whose counters close their own
                close_day(scene.session, actor=the_program(site_id), day=day, today=day, counts=None, at=scene.at)
