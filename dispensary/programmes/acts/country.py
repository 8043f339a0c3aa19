"""Acts of a country: its provinces and sites are opened, people enrolled at them, and a day closed at each."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import scheduling.service
from dispensary.clients.rules import EntryRoute, Identity, Sex
from dispensary.clients.service import enrol
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, place_site, places_of
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.sites import add_site
from dispensary.supplies.closing import close_day
from dispensary.units import DoseDay, SiteId

_WITHIN: Final = 300
"""Days over which their stays began: brought in from paper as they are today."""


@act("country")
class Country(Act, frozen=True):
    """So many provinces, sites and clients in all, with those that the files have already.

    Sites are dealt out to the provinces in turn, and clients to the main sites. Every so-maniest site is a satellite of
    the main site before it, which has the clients and prescribes for them.
    """

    code: str
    """Of the country, which is there already."""
    provinces: int
    sites: int
    clients: int
    clinic: str
    """What a site is called, before its number."""
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
                name=f"Province {n}",
                parent=self.code,
                at=scene.at,
            )
        main = scene.site
        mains = [main]
        for n in range(len(places_of(session, self.code)) + 1, self.sites + 1):
            satellite = bool(self.satellites_every) and n % self.satellites_every == 0
            here = self._opened(scene, n, main.code if satellite else provinces[n % len(provinces)])
            if not satellite:
                main = here
                mains.append(here)
        doctor = scene.actor(Role.DOCTOR)
        for n in range(1, self.clients + 1):
            here = mains[n % len(mains)]
            enrol(
                session,
                actor=Actor(doctor.account_id, here.id, doctor.roles, doctor.name, doctor.initials),
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
