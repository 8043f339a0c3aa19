"""The year of the demonstration, four weeks at a time: days, assessments, decisions, exits, as they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from dispensary.clients.circumstances import Circumstances, write_down
from dispensary.clients.models import Episode
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database, WriteSession
from dispensary.demo.course import Life
from dispensary.demo.people import Person, portrait
from dispensary.demo.rows import LOT_ML, LOW_ML, STRENGTH, HistoryLot, Writer, write_orders
from dispensary.monitoring.service import note_condition
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, dose_day
from dispensary.stock.service import receive_lot
from dispensary.takehome.carrying import DecisionLimits
from dispensary.takehome.deciding import decide
from dispensary.takehome.rules import Answer
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId, Millilitres, Strength

WEEKS_AT_ONCE = 4
ASSESSED_AFTER = timedelta(days=56)


class Year:
    """Writes the clinic's history up to, and without, today."""

    def __init__(
        self, database: Database, site: Place, pharmacist: Actor, doctor: Actor, people: Sequence[Person], today: date
    ) -> None:
        self.database, self.site, self.people, self.today = database, site, people, today
        self.pharmacist, self.doctor = pharmacist, doctor
        self.zone = ZoneInfo(site.zone)
        self.random = Random(7)
        self.lives: list[Life] = []
        self.known: set[UUID] = set()
        self.writer: Writer | None = None
        self.batches = 0

    def at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), tzinfo=self.zone)

    def write(self, say: Callable[[int, int], None]) -> list[Life]:
        """Writes the year, telling `say` how many days are done of how many. Returns everybody as they are today."""
        first = min(person.enrolled_on for person in self.people)
        total, day = (self.today - first).days, first
        while day < self.today:
            last = min(day + timedelta(weeks=WEEKS_AT_ONCE), self.today)
            with self.database.writing() as session:
                self._enrol(session, day, last)
                self._weeks(session, day, last)
                self._exits(session, day, last)
            with self.database.writing() as session:
                self._assess(session, last)
            day = last
            say((day - first).days, total)
        return self.lives

    def _enrol(self, session: WriteSession, first: date, last: date) -> None:
        for number, person in enumerate(self.people):
            if not first <= person.enrolled_on < last:
                continue
            at = self.at(person.enrolled_on, 6)
            client = enrol(
                session,
                actor=self.doctor,
                number=person.number,
                identity=Identity(
                    name=person.name,
                    born=person.born,
                    second_identifier=person.second_identifier,
                    photo=portrait(person, number) if number % 8 else None,
                    sex=person.sex,
                ),
                began_on=person.enrolled_on,
                today=person.enrolled_on,
                at=at,
            )
            told = Circumstances(person.lockbox, person.housing_stable, person.employed, person.health_stable)
            write_down(client, told)
            for kind in person.conditions:
                note_condition(
                    session,
                    actor=self.doctor,
                    client_id=ClientId(client.id),
                    kind=kind,
                    noted_on=person.enrolled_on,
                    at=at,
                )
            episode = session.execute(select(Episode.id).where(Episode.client_id == client.id)).scalar_one()
            self.lives.append(Life(person, ClientId(client.id), episode))
        session.flush()

    def _weeks(self, session: WriteSession, first: date, last: date) -> None:
        day = first
        while day < last:
            self._stock(session, day)
            here = [life for life in self.lives if life.in_care(day)]
            came = [(life, visit) for life in here if (visit := life.live(day, self.random))]
            assert self.writer is not None
            self.writer.day(day, here, came, self.random)
            day += timedelta(days=1)
        assert self.writer is not None
        for life in self.lives:
            if life.ends_on is not None and first <= life.ends_on < last and life.orders:
                life.orders[-1].until, life.orders[-1].end_reason = life.ends_on, "exit"
        write_orders(session, self.lives, self.doctor, self.zone, self.known)
        self.writer.flush(session)

    def _stock(self, session: WriteSession, day: date) -> None:
        lots = self.writer.lots if self.writer else []
        if sum((lot.balance for lot in lots), Decimal(0)) > LOW_ML and self.writer:
            return
        if self.writer:
            write_orders(session, self.lives, self.doctor, self.zone, self.known)
            self.writer.flush(session)  # the register's lines follow each other in time
        self.batches += 1
        lot = receive_lot(
            session,
            actor=self.pharmacist,
            batch=f"MTD{day:%y%m}{self.batches:02d}",
            strength=Strength(STRENGTH),
            expires_on=day + timedelta(days=540),
            ml=Millilitres(LOT_ML),
            day=dose_day(self.site.zone, self.site.day_starts, self.at(day, 6)),
            at=self.at(day, 6),
        )
        if self.writer is None:
            self.writer = Writer(self.pharmacist, lot.book_id, self.zone)
        self.writer.lots = [kept for kept in self.writer.lots if kept.balance > 0] + [HistoryLot(lot.id, LOT_ML)]

    def _exits(self, session: WriteSession, first: date, last: date) -> None:
        for life in self.lives:
            if life.ends_on is not None and first <= life.ends_on < last:
                episode = session.get_one(Episode, life.episode_id)
                because = life.person.leaves_because
                episode.ended_on, episode.exit_reason = life.ends_on, because.value if because else None
        session.flush()

    def _assess(self, session: WriteSession, on: date) -> None:
        """The doctor's monthly round: everybody who has been here for two months is assessed, and decided on."""
        for life in self.lives:
            if not life.in_care(on) or on - life.person.enrolled_on < ASSESSED_AFTER or life.person.leaves_on:
                continue
            at = self.at(on, 5)
            assessment = assess_client(session, actor=self.doctor, client_id=life.client_id, on=on, at=at)
            allowance = assessment.result["allowance"]
            per_week, most = allowance["per_week"], allowance["per_supply"]
            if allowance["answer"] not in (Answer.ALLOW, Answer.ALLOW_WITH_REASON) or not (per_week or most):
                per_week, most = 0, 0
            limits = DecisionLimits(most if most is not None else per_week, per_week, allowance["closed_days_apart"])
            if limits == life.limits or (life.limits is None and not limits.per_supply):
                continue
            reasoned = allowance["answer"] == Answer.ALLOW_WITH_REASON or not limits.per_supply
            decision = decide(
                session,
                actor=self.doctor,
                assessment_id=assessment.id,
                days_from=on,
                days_until=None,
                per_supply=limits.per_supply,
                per_week=per_week,
                reason="Spoke with the client; benefit outweighs the risk." if reasoned else "",
                naloxone=Naloxone.HAS_ONE if life.decision_id else Naloxone.GIVEN,
                at=at,
            )
            life.limits, life.decision_id = limits, decision.id
