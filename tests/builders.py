"""A small clinic for tests, built through the services that people use."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import scheduling.service
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database, WriteSession
from dispensary.keys import Held, Keyring, Ring, Vault
from dispensary.prescribing.service import order_dose
from dispensary.staff.models import Account, RoleGrant, Site
from dispensary.staff.rules import Actor, Role, dose_day
from dispensary.staff.text_languages import begin_with
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import Handed, dispense
from dispensary.takehome.deciding import decide
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId, DoseDay, SiteId, milligrams, millilitres, strength
from notifications.texts import DRAFTS

_numbers = itertools.count(1)


@dataclass
class Clinic:
    """A site with a pharmacist, a doctor and a lot of 5 mg/mL."""

    database: Database
    site_id: SiteId
    pharmacist: Actor
    doctor: Actor
    lot_id: UUID
    now: datetime
    today: DoseDay
    clients: list[ClientId] = field(default_factory=list)

    def client(self, *, mg: str = "80", began: date | None = None, parts: tuple[str, ...] = ()) -> ClientId:
        """Enrols a client with an order from `began` (default today) on."""
        with self.database.writing() as session:
            return enrolled(session, self, mg=mg, began=began or self.today, parts=parts)

    def decide(self, client_id: ClientId, *, per_supply: int, per_week: int | None = None) -> UUID:
        """A take-home decision in force from today."""
        with self.database.writing() as session:
            return decided(session, self, client_id, per_supply=per_supply, per_week=per_week)

    def give(self, client_id: ClientId, *, key: str = "", **wanted: Any) -> Handed:
        """Dispenses as a careful pharmacist would, in a unit of work of its own."""
        asked = {"observed": True, "identified_by": "photo", "well": True, **wanted}
        return self.database.write(
            lambda session: dispense(
                session,
                actor=self.pharmacist,
                client_id=client_id,
                wanted=Wanted(**asked),
                key=key or f"test-key-{next(_numbers):06d}",
                today=self.today,
                at=self.now,
            )
        )

    def ahead(self, *days: int) -> tuple[DoseDay, ...]:
        """The dose days so many days after today."""
        return tuple(DoseDay(self.today + timedelta(days=n)) for n in days)

    def move_on(self, days: int = 1) -> None:
        """The clock moves on by whole days."""
        self.now += timedelta(days=days)
        self.today = DoseDay(self.today + timedelta(days=days))


def clinic(
    database: Database, now: datetime, *, code: str = "HRP", zone: str = "Asia/Kuala_Lumpur", ml: str = "5000"
) -> Clinic:
    """Opens a site at `now` with its people and its stock."""
    with database.writing() as session:
        site = Site(code=code, name="Harapan", zone=zone, region="MY", opened_at=now)
        session.add(site)
        session.flush()
        scheduling.service.add_place(session, place_id=site.id, zone=zone)
        begin_with(session, site_id=SiteId(site.id), languages=DRAFTS, at=now)
        pharmacist = _account(session, site.id, "Aishah binti Yusof", "AY", Role.PHARMACIST, now)
        doctor = _account(session, site.id, "Dr. Lim Wei", "LW", Role.DOCTOR, now)
        today = dose_day(zone, site.day_starts, now)
        lot = receive_lot(
            session,
            actor=pharmacist,
            batch=f"LOT-{code}",
            strength=strength("5"),
            expires_on=today + timedelta(days=400),
            ml=millilitres(ml),
            day=today,
            at=now,
        )
        publish_policies(session, at=now)
        adopt(
            session,
            actor=doctor,
            site_id=SiteId(site.id),
            policy="DEMONSTRATION-CLINIC-ADHERENCE",
            version="1",
            from_day=today,
            at=now,
        )
        return Clinic(database, SiteId(site.id), pharmacist, doctor, lot.id, now, today)


def _account(session: WriteSession, site_id: SiteId, name: str, initials: str, role: Role, at: datetime) -> Actor:
    account = Account(
        username=f"{initials.lower()}-{next(_numbers)}",
        name=name,
        initials=initials,
        made_at=at,
        accepted_at=at,
    )
    session.add(account)
    session.flush()
    session.add(RoleGrant(account_id=account.id, site_id=site_id, role=role.value))
    session.flush()
    return Actor(account.id, site_id, frozenset({role}), name, initials)


def enrolled(session: WriteSession, place: Clinic, *, mg: str, began: date, parts: tuple[str, ...] = ()) -> ClientId:
    number = next(_numbers)
    client = enrol(
        session,
        actor=place.doctor,
        number=f"H{number:04d}",
        identity=Identity(
            name=f"Ahmad Test {number}", born=date(1985, 4, 3), second_identifier="a scar on the left hand"
        ),
        began_on=began,
        today=place.today,
        at=place.now,
    )
    order_dose(
        session,
        actor=place.doctor,
        client_id=ClientId(client.id),
        mg=milligrams(mg),
        parts=[milligrams(part) for part in parts],
        from_day=place.today,
        reason="stable",
        today=place.today,
        at=place.now,
    )
    place.clients.append(ClientId(client.id))
    return ClientId(client.id)


def decided(
    session: WriteSession, place: Clinic, client_id: ClientId, *, per_supply: int, per_week: int | None
) -> UUID:
    assessment = assess_client(session, actor=place.doctor, client_id=client_id, on=place.today, at=place.now)
    decision = decide(
        session,
        actor=place.doctor,
        assessment_id=assessment.id,
        days_from=place.today,
        days_until=None,
        per_supply=per_supply,
        per_week=per_week,
        reason="the doctor knows the client",
        naloxone=Naloxone.GIVEN,
        at=place.now,
    )
    return decision.id


def known_vault() -> Vault:
    """A vault whose keys are the same in every run, so that what is signed and drawn by them is too."""
    nothing, counted = bytes(32), bytes(range(32))
    held = (Held("k001", {"k001": nothing}), Held("i001", {"i001": nothing}), Held("s001", {"s001": counted}))
    return Vault(Keyring(Ring(*held)))
