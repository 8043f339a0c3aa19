"""A programme of two provinces: main sites with their people, a satellite, and somebody who runs all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor, Role, the_program
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import hire


@dataclass
class Programme:
    """Main site HRP with satellite KLG in district D1 of province P1; main site OTH in P2; `chief` runs all of it."""

    database: Database
    main: Clinic
    satellite: Clinic
    other: Clinic
    chief: Actor

    def chief_at(self, place: Clinic) -> Actor:
        return replace(self.chief, site_id=place.site_id)


def programme(database: Database, now: datetime) -> Programme:
    main, satellite, other = (clinic(database, now, code=code) for code in ("HRP", "KLG", "OTH"))
    with database.writing() as session:
        program = the_program(main.site_id)
        for kind, code, parent in (
            (Kind.COUNTRY, "MY", ""),
            (Kind.PROVINCE, "P1", "MY"),
            (Kind.PROVINCE, "P2", "MY"),
            (Kind.DISTRICT, "D1", "P1"),
        ):
            add_area(session, actor=program, kind=kind, code=code, name=f"Area {code}", parent=parent, at=now)
        for place, parent in ((main, "D1"), (satellite, "HRP"), (other, "P2")):
            place_site(
                session, actor=program, site_id=place.site_id, parent=parent, lat=None, lon=None, at=now
            )  # fmt: skip
        site = session.get_one(Site, main.site_id)
    hire(database, site, "chief", [Role.NURSE], now)
    with database.writing() as session:
        grant_at_branch(session, actor=program, username="chief", branch="MY", role=Role.ADMINISTRATOR, at=now)
        chief = session.scalars(select(Account).where(Account.username == "chief")).one()
    return Programme(
        database, main, satellite, other,
        Actor(chief.id, main.site_id, frozenset({Role.ADMINISTRATOR, Role.NURSE}), "Chief", "CH"),
    )  # fmt: skip
