"""The demonstration's sites as a programme: a country with two provinces, a satellite, and somebody who sees to all."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import scheduling.service
from dispensary.database import Database, WriteSession
from dispensary.demo import guest
from dispensary.evaluation.rollup import count_site_day
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.queries import place, site_by_code
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from dispensary.staff.sites import add_site
from dispensary.units import DoseDay, SiteId

USERNAME = "programme"
NAME = "Dr. Noraini binti Salleh"
SATELLITE = "HRP-K"
_AREAS = (
    (Kind.COUNTRY, "MY", "Malaysia", ""),
    (Kind.PROVINCE, "KUL", "Kuala Lumpur", "MY"),
    (Kind.PROVINCE, "SEL", "Selangor", "MY"),
)


def is_planted(database: Database, *, code: str, password: str, today: DoseDay, now: datetime) -> None:
    """Puts the sites into the tree, opens a satellite of the first, and counts what their closed days came to."""
    with database.writing() as session:
        home = site_by_code(session, code)
        program = the_program(SiteId(home.id))
        for kind, area, name, parent in _AREAS:
            add_area(session, actor=program, kind=kind, code=area, name=name, parent=parent, at=now)
        opened = now - timedelta(days=1)
        satellite = add_site(
            session, code=SATELLITE, name="Kampung Baru, satellite of Harapan", zone=home.zone, region="MY", at=opened
        )
        scheduling.service.add_place(session, place_id=SiteId(satellite.id), zone=home.zone)
        _placed(session, code, "KUL", "3.13900", "101.68690", now)
        _placed(session, SATELLITE, code, "3.16420", "101.70480", now)
        _placed(session, guest.CODE, "SEL", "2.99350", "101.78740", now)
    with database.writing() as session:
        add_account(
            session,
            actor=program,
            site_id=program.site_id,
            username=USERNAME,
            name=NAME,
            initials="NS",
            password=password,
            roles=[Role.ADMINISTRATOR],
            at=now,
        )
        for role in (Role.ADMINISTRATOR, Role.EVALUATOR):
            grant_at_branch(session, actor=program, username=USERNAME, branch="MY", role=role, at=now)
        count_site_day(session, site_id=program.site_id, day=today - timedelta(days=1))


def _placed(session: WriteSession, code: str, parent: str, lat: str, lon: str, at: datetime) -> None:
    site = place(session, site_by_code(session, code).id)
    place_site(
        session,
        actor=the_program(site.id),
        site_id=site.id,
        parent=parent,
        lat=Decimal(lat),
        lon=Decimal(lon),
        at=at,
    )
