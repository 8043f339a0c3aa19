"""Two sites of one programme, and a client of the first who is a guest at the second."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.supplies.guests import Asked, answer, arrange, ask, end
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic

_keys = itertools.count(1)


@dataclass
class TwoSites:
    """`home` enrols and prescribes; `guest` has a counter, a safe and clients of its own."""

    database: Database
    home: Clinic
    guest: Clinic

    def asked(self, first: int = 0, last: int = 2, *, bottles: bool = False, reason: str = "a funeral") -> Asked:
        today = self.home.today
        return Asked(today + timedelta(days=first), today + timedelta(days=last), bottles, reason)

    def arrange(self, client_id: ClientId, first: int = 0, last: int = 2, *, bottles: bool = False) -> UUID:
        """Home arranges and verifies a stay, days counted from home's today."""
        return self.home.database.write(
            lambda session: (
                arrange(
                    session,
                    actor=self.home.doctor,
                    client_id=client_id,
                    guest_code="KLG",
                    asked=self.asked(first, last, bottles=bottles),
                    confirmed=True,
                    key=f"stay-key-{next(_keys):06d}",
                    at=self.home.now,
                ).id
            )
        )

    def ask(self, client_id: ClientId, first: int = 0, last: int = 2) -> UUID:
        number = self.number(client_id)
        return self.home.database.write(
            lambda session: (
                ask(
                    session,
                    actor=self.guest.pharmacist,
                    number=number,
                    home_code="HRP",
                    asked=self.asked(first, last),
                    key=f"stay-key-{next(_keys):06d}",
                    at=self.guest.now,
                ).id
            )
        )

    def accept(self, stay_id: UUID, *, bottles: bool = False) -> GuestStay:
        return self.home.database.write(
            lambda session: answer(
                session, actor=self.home.pharmacist, stay_id=stay_id, accepted=True, bottles=bottles, confirmed=True,
                at=self.home.now,
            )
        )  # fmt: skip

    def end(self, stay_id: UUID, *, by: Clinic | None = None) -> date:
        who = by or self.home
        return self.home.database.write(
            lambda session: (
                end(session, actor=who.pharmacist, stay_id=stay_id, reason="back early", at=who.now).ended_on
            )
        )

    def number(self, client_id: ClientId) -> str:
        with self.database.reading() as session:
            return session.get_one(Client, client_id).number

    def move_on(self, days: int = 1) -> None:
        self.home.move_on(days)
        self.guest.move_on(days)

    def damage(self) -> list[str]:
        with self.database.reading() as session:
            return [str(finding) for finding in verify(session, now=self.home.now)]


def two_sites(database: Database, now: datetime, *, guest_zone: str = "Asia/Kuala_Lumpur") -> TwoSites:
    return TwoSites(database, clinic(database, now), clinic(database, now, code="KLG", zone=guest_zone))
