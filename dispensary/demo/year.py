"""The year of the demonstration, four weeks at a time: days, assessments, decisions, exits, as they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from dispensary.clients.circumstances import Circumstances, write_down
from dispensary.clients.models import Episode
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database, WriteSession
from dispensary.demo.course import STEP_DAYS, STEP_MG, Life, Order
from dispensary.demo.people import Person, portrait
from dispensary.demo.rows import LOT_ML, LOW_ML, STRENGTH, HistoryLot, Writer, write_orders
from dispensary.monitoring.service import note_condition
from dispensary.prescribing.course import Given
from dispensary.prescribing.models import DoseOrder
from dispensary.prescribing.planning import sign_plan
from dispensary.prescribing.plans import TOPIC, Aim, Draft, PlanKind, propose
from dispensary.prescribing.queries import course_of, held_by
from dispensary.prescribing.service import InHand
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, dose_day
from dispensary.stock.receiving import receive_lot
from dispensary.takehome.carrying import DecisionLimits
from dispensary.takehome.deciding import decide
from dispensary.takehome.models import Assessment
from dispensary.takehome.queries import last_assessment
from dispensary.takehome.rules import Answer
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId, Millilitres, Strength

WEEKS_AT_ONCE = 4
ASSESSED_AFTER = timedelta(days=56)
PLANNED_BEFORE = 4
"""So many days ago the doctor signed the plans that run today; the next rise of one of them is seen today."""
LEFT_OPEN = 2
"""So many proposals to raise, and as many to lower, the doctor has not come to this morning."""


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
        planned = self.today - timedelta(days=PLANNED_BEFORE)
        while day < self.today:
            last = min(day + timedelta(weeks=WEEKS_AT_ONCE), self.today)
            if day < planned < last:
                last = planned
            with self.database.writing() as session:
                self._enrol(session, day, last)
                self._weeks(session, day, last)
                self._exits(session, day, last)
            if last < self.today:
                with self.database.writing() as session:
                    self._sign_plans(session, last) if last == planned else self._assess(session, last)
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
                route=person.route,
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
        at = self.at(on, 5)
        for life in self._assessed(on):
            assessment = assess_client(session, actor=self.doctor, client_id=life.client_id, on=on, at=at)
            limits = _proposed(assessment)
            if limits != life.limits and not (life.limits is None and not limits.per_supply):
                self._decide(session, life, assessment, limits, at)

    def _assessed(self, on: date) -> Sequence[Life]:
        return [
            life
            for life in self.lives
            if life.in_care(on) and on - life.person.enrolled_on >= ASSESSED_AFTER and not life.person.leaves_on
        ]

    def this_morning(self, session: WriteSession, at: datetime) -> set[ClientId]:
        """The doctor decides on what the night has proposed, but for a few of either kind. Returns whom they are about.

        Of those who were away nothing is decided before they are seen.
        """
        left: dict[bool, set[ClientId]] = {True: set(), False: set()}
        for life in self._assessed(self.today):
            assessment = last_assessment(session, life.client_id)
            limits = _proposed(assessment) if assessment else None
            if assessment is None or limits is None or _size(limits) == _size(life.limits) or life.person.away_from:
                continue
            rises = _size(limits) > _size(life.limits)
            if len(left[rises]) < LEFT_OPEN:
                left[rises].add(life.client_id)
            else:
                self._decide(session, life, assessment, limits, at)
        return left[True] | left[False]

    def _decide(
        self, session: WriteSession, life: Life, assessment: Assessment, limits: DecisionLimits, at: datetime
    ) -> None:
        reasoned = assessment.result["allowance"]["answer"] == Answer.ALLOW_WITH_REASON or not limits.per_supply
        decision = decide(
            session,
            actor=self.doctor,
            assessment_id=assessment.id,
            days_from=dose_day(self.site.zone, self.site.day_starts, at),
            days_until=None,
            per_supply=limits.per_supply,
            per_week=limits.per_week,
            reason="Spoke with the client; benefit outweighs the risk." if reasoned else "",
            naloxone=Naloxone.HAS_ONE if life.decision_id else Naloxone.GIVEN,
            at=at,
        )
        life.limits, life.decision_id = limits, decision.id

    def _sign_plans(self, session: WriteSession, day: date) -> None:
        """The doctor signs two plans: for somebody whose dose is too low, and for somebody who wants to come off it."""
        for kind, least, most in ((PlanKind.TITRATION, 50, 80), (PlanKind.TAPER, 60, 110)):
            life = next(life for life in self.lives if _settled(life, day) and least <= life.orders[-1].mg <= most)
            mg, given_on = life.orders[-1].mg, max(each for each in life.covered if each < day)
            given = Given(given_on, mg)
            rises = kind is PlanKind.TITRATION
            aim = Aim(
                kind,
                day,
                current_mg=mg,
                target_mg=mg + 2 * STEP_MG if rises else None,
                step_mg=STEP_MG if rises else None,
                days_between=STEP_DAYS if rises else None,
            )
            course = course_of(session, episode_id=life.episode_id, last_given=given)
            held = held_by(session, site_id=self.site.id, day=day)
            proposed = propose(aim, course, held.of(TOPIC[kind]))
            steps = tuple(replace(step, why="" if rises else "The last steps are small.") for step in proposed.steps)
            plan = sign_plan(
                session,
                actor=self.doctor,
                client_id=life.client_id,
                draft=Draft(kind, steps, proposed.until_day),
                reason="Craving in the evening." if rises else "Wants to come off it slowly, and has thought about it.",
                last_given=given,
                in_hand=InHand(()),
                today=day,
                at=self.at(day, 5),
            )
            signed = session.scalars(
                select(DoseOrder).where(DoseOrder.plan_id == plan.id).order_by(func.lower(DoseOrder.days))
            ).all()
            self.known.update(order.id for order in signed)
            life.follow(
                [
                    Order(order.id, order.days.lower or day, order.mg, tuple(order.portions), order.reason)
                    for order in signed
                ]
            )


def _settled(life: Life, day: date) -> bool:
    """Whether the client has had one dose for a month, and has no bottle at home that a plan would be about."""
    person = life.person
    return (
        life.in_care(day)
        and not (person.leaves_on or person.away_from or person.split or life.planned or life.without)
        and life.orders[-1].mg == person.target_mg
        and life.changed_on is not None
        and (day - life.changed_on).days > 28
        and not any(covered >= day for covered in life.covered)
    )


def _proposed(assessment: Assessment) -> DecisionLimits:
    """What an assessment says may be carried; nothing where it leaves it to the prescriber."""
    allowance = assessment.result["allowance"]
    per_week, most = allowance["per_week"], allowance["per_supply"]
    if allowance["answer"] not in (Answer.ALLOW, Answer.ALLOW_WITH_REASON) or not (per_week or most):
        per_week, most = 0, 0
    return DecisionLimits(most if most is not None else per_week, per_week, allowance["closed_days_apart"])


def _size(limits: DecisionLimits | None) -> tuple[int, int]:
    if limits is None or not limits.per_supply:
        return 0, 0
    return (7 if limits.per_week is None else limits.per_week), limits.per_supply
