"""A clinic whose staff sit at their browsers: the small clinic of builders.py behind the real application."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from litestar import Litestar
from sqlalchemy import event, select

from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.prescribing.service import order_dose
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role, the_program
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.units import ClientId, milligrams
from tests.builders import Clinic, clinic
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire

CLINIC_POLICY = "DEMONSTRATION-CLINIC-ADHERENCE"
LAW = "US-42CFR8.12i-2024"


@dataclass
class Desks:
    """The clinic, its application, and whoever has signed in."""

    database: Database
    place: Clinic
    app: Litestar
    clock: MovableClock
    seated: dict[str, Visitor] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.place.today

    def seat(self, *roles: Role) -> Visitor:
        """Somebody with these roles, signed in; the same person when asked again."""
        name = "-".join(role.value.replace(" ", "-") for role in roles)
        if name not in self.seated:
            with self.database.reading() as session:
                site = session.get_one(Site, self.place.site_id)
            hire(self.database, site, name, roles, self.place.now)
            self.seated[name] = Visitor(self.app)
            assert self.seated[name].signs_in(name).status_code == 303
        return self.seated[name]

    @property
    def doctor(self) -> Visitor:
        return self.seat(Role.DOCTOR)

    @property
    def administrator(self) -> Visitor:
        return self.seat(Role.ADMINISTRATOR)

    def days_pass(self, days: int) -> None:
        self.place.move_on(days)
        self.clock.moment = self.place.now

    def enrolled(self, number: str, name: str = "Somebody", **given: object) -> ClientId:
        """A client without an order."""
        with self.database.writing() as session:
            client = enrol(
                session,
                actor=self.place.doctor,
                number=number,
                identity=Identity(name=name, born=date(1985, 4, 3)),
                began_on=self.today,
                today=self.today,
                at=self.place.now,
                **given,  # type: ignore[arg-type]
            )
        return ClientId(client.id)

    def ordered(self, client_id: ClientId, mg: str, *, until: date | None = None, second_look: str = "slow") -> None:
        with self.database.writing() as session:
            order_dose(
                session,
                actor=self.place.doctor,
                client_id=client_id,
                mg=milligrams(mg),
                from_day=self.today,
                until_day=until,
                reason="titration",
                second_look=second_look,
                today=self.place.today,
                at=self.place.now,
            )

    def follow(self, policy: str = CLINIC_POLICY, version: str = "1") -> None:
        """The site follows a policy that comes with the program."""
        with self.database.writing() as session:
            publish_policies(session, at=self.place.now)
            adopt(
                session,
                actor=the_program(self.place.site_id),
                site_id=self.place.site_id,
                policy=policy,
                version=version,
                from_day=self.today,
                at=self.place.now,
            )

    def acts_about(self, subject: object) -> list[str]:
        with self.database.reading() as session:
            chosen = select(AuditEntry.act).where(AuditEntry.subject_id == subject).order_by(AuditEntry.seq)
            return list(session.scalars(chosen))

    def statements_of(self, visitor: Visitor, path: str) -> int:
        """How many statements PostgreSQL is sent while this page is asked for."""
        said = 0

        def count(*_: object) -> None:
            nonlocal said
            said += 1

        event.listen(self.database.engine, "before_cursor_execute", count)
        try:
            assert visitor.get(path).status_code == 200
        finally:
            event.remove(self.database.engine, "before_cursor_execute", count)
        return said


def desks(database: Database, now: datetime, folder: Path, *, code: str = "HRP") -> Desks:
    place = clinic(database, now, code=code)
    clock = MovableClock(now)
    return Desks(database, place, lent_app(demo_settings(folder), database, clock), clock)


def day(offset: int, of: Desks) -> str:
    """A day so many days after today, as a date field sends it."""
    return (of.today + timedelta(days=offset)).isoformat()
