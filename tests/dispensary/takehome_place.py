"""A site for tests of take-home, written straight into the tables: what a service would refuse can be a record too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Client, Episode
from dispensary.database import Database, WriteSession
from dispensary.prescribing.models import DayOutcome, DoseOrder
from dispensary.refusals import Refused
from dispensary.staff.models import Account, AuditEntry, Site
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.supplies.models import Dose, Supply
from dispensary.takehome.deciding import decide
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.takehome.queries import decisions_of
from dispensary.takehome.service import assess_client
from dispensary.takehome.suspending import restore, suspend
from dispensary.takehome.terms import Naloxone
from dispensary.units import AccountId, ClientId, SiteId, new_id

TODAY = date(2026, 11, 24)  # a Tuesday, the dose day of the fixture `now`
CLINIC = "DEMONSTRATION-CLINIC-ADHERENCE"
US = "US-42CFR8.12i-2024"
Answer = TypeVar("Answer")
SIX = ("conditions", "attendance", "behaviour", "diversion", "storage", "other")


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@dataclass
class Place:
    """A site with a doctor, written straight into the tables."""

    database: Database
    now: datetime
    site_id: SiteId
    doctor: Actor

    def client(self, record: str = "", *, mg: str = "80", portions: int = 1, **flags: bool) -> ClientId:
        """A client whose closed days up to yesterday are this record: c covered, m missed, h held, o left open."""
        with self.database.writing() as session:
            return written_client(session, self, record, Decimal(mg), portions, flags)

    def adopt(self, policy: str, from_day: date = TODAY, version: str = "1") -> UUID:
        return self.do(
            lambda session: adopt(
                session,
                actor=the_program(self.site_id),
                site_id=self.site_id,
                policy=policy,
                version=version,
                from_day=from_day,
                at=self.now,
            )
        ).policy_version_id

    def assess(self, client_id: ClientId, on: date = TODAY, **judged: bool) -> Assessment:
        return self.do(
            lambda session: assess_client(
                session, actor=self.doctor, client_id=client_id, on=on, at=self.now, judged=judged
            )
        )

    def decide(
        self,
        assessment: Assessment,
        per_supply: int,
        per_week: int | None = None,
        *,
        days_from: date = TODAY,
        days_until: date | None = None,
        reason: str = "",
        naloxone: Naloxone | None = Naloxone.GIVEN,
        **more: Any,
    ) -> Decision:
        return self.do(
            lambda session: decide(
                session,
                actor=self.doctor,
                assessment_id=assessment.id,
                days_from=days_from,
                days_until=days_until,
                per_supply=per_supply,
                per_week=per_week,
                reason=reason,
                naloxone=naloxone,
                at=self.now,
                **more,
            )
        )

    def suspend(
        self,
        client_id: ClientId,
        from_day: date = TODAY,
        reason: str = "bottles were sold",
        review_on: date = TODAY + timedelta(days=14),
    ) -> Decision:
        return self.do(
            lambda session: suspend(
                session,
                actor=self.doctor,
                client_id=client_id,
                from_day=from_day,
                reason=reason,
                review_on=review_on,
                at=self.now,
            )
        )

    def restore(
        self,
        client_id: ClientId,
        from_day: date = TODAY,
        reason: str = "a lockbox was brought",
        review_on: date | None = None,
    ) -> Decision:
        return self.do(
            lambda session: restore(
                session,
                actor=self.doctor,
                client_id=client_id,
                from_day=from_day,
                reason=reason,
                review_on=review_on,
                at=self.now,
            )
        )

    def do(self, work: Callable[[WriteSession], Answer]) -> Answer:
        with self.database.writing() as session:
            return work(session)

    def live(self, client_id: ClientId) -> list[tuple[date | None, date | None, int]]:
        """The decisions that stand, by their first day: from, until, per supply."""
        with self.database.reading() as session:
            standing = [one for one in decisions_of(session, client_id) if one.voided_at is None]
            return sorted((one.days.lower, one.days.upper, one.per_supply) for one in standing)  # type: ignore[type-var]

    def acts(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.scalars(select(AuditEntry.act).order_by(AuditEntry.seq)))


def written_client(
    session: WriteSession, place: Place, record: str, mg: Decimal, portions: int, flags: dict[str, bool]
) -> ClientId:
    began = ago(len(record))
    client_id = ClientId(new_id())
    session.add(
        Client(
            id=client_id,
            site_id=place.site_id,
            number=str(client_id)[-12:],
            name_sealed=session.vault.seal("client.name", client_id, "Somebody"),
            made_at=place.now,
            **flags,
        )
    )
    session.flush()
    episode = Episode(client_id=client_id, site_id=place.site_id, began_on=began)
    session.add(episode)
    session.flush()
    order = DoseOrder(
        episode_id=episode.id,
        client_id=client_id,
        site_id=place.site_id,
        days=Range(began, None, bounds="[)"),
        mg=mg,
        portions=[mg / portions] * portions,
        reason="stable",
        ordered_at=place.now,
    )
    session.add(order)
    session.flush()
    for n, letter in enumerate(record):
        day = began + timedelta(days=n)
        if letter == "c":
            give(session, place, client_id, episode.id, order, day, range(1, portions + 1))
        if letter in "cmh":
            freeze(session, place, client_id, episode.id, order, day, letter)
    return client_id


def give(
    session: WriteSession,
    place: Place,
    client_id: ClientId,
    episode_id: UUID,
    order: DoseOrder,
    day: date,
    portions: range,
) -> None:
    supply = Supply(
        site_id=place.site_id,
        client_id=client_id,
        episode_id=episode_id,
        dose_day=day,
        at=place.now,
        key=f"{client_id}-{day}",
        request_sha256=b"-",
        identified_by="import",
        origin="import",
        answer={},
    )
    session.add(supply)
    session.flush()
    for portion in portions:
        session.add(
            Dose(
                supply_id=supply.id,
                site_id=place.site_id,
                client_id=client_id,
                order_id=order.id,
                dose_day=day,
                portion=portion,
                portions=len(order.portions),
                kind="observed",
                mg=order.portions[portion - 1],
            )
        )
    session.flush()


def freeze(
    session: WriteSession,
    place: Place,
    client_id: ClientId,
    episode_id: UUID,
    order: DoseOrder,
    day: date,
    *letters: str,
) -> None:
    """Closes a day; one letter for every portion, or one for all."""
    outcomes = {"c": "observed", "m": "missed", "h": "held"}
    parts = len(order.portions)
    for portion, letter in enumerate(letters if len(letters) == parts else letters * parts, 1):
        session.add(
            DayOutcome(
                client_id=client_id,
                dose_day=day,
                portion=portion,
                portions=parts,
                site_id=place.site_id,
                episode_id=episode_id,
                order_id=order.id,
                ordered_mg=order.portions[portion - 1],
                given_mg=order.portions[portion - 1] if letter == "c" else Decimal(0),
                outcome=outcomes[letter],
                frozen_at=place.now,
            )
        )
    session.flush()


def opened(database: Database, now: datetime) -> Place:
    """A site with its doctor and the shipped policies, none of them adopted yet."""
    with database.writing() as session:
        site = Site(code="TST", name="A clinic", zone="Asia/Kuala_Lumpur", region="MY", opened_at=now)
        account = Account(username="lim", name="Dr. Lim", initials="L", made_at=now)
        session.add_all([site, account])
        session.flush()
        doctor = Actor(AccountId(account.id), SiteId(site.id), frozenset({Role.DOCTOR}), "Dr. Lim", "L")
        place = Place(database, now, SiteId(site.id), doctor)
        publish_policies(session, at=now)
    return place


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]
