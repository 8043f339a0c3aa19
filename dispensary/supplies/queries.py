"""What the counter sees: a client at the window, the day's list, a supply that was handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.guests import face_at_counter
from dispensary.clients.queries import Face, face_at
from dispensary.database import ReadSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.queries import open_alerts_of
from dispensary.monitoring.treatment_models import ScheduledLook
from dispensary.monitoring.treatments import open_looks_of
from dispensary.prescribing.guideline import Ruling
from dispensary.refusals import NotThere, Refusal
from dispensary.supplies.bottle_rules import IN_THE_SAFE, WITH_CLIENT
from dispensary.supplies.extras import ToppedUp, top_up_today
from dispensary.supplies.flags import Flag, flags_of, standing
from dispensary.supplies.found import found_last
from dispensary.supplies.models import (
    Bottle,
    DayClose,
    Dose,
    DoseException,
    ExtraDose,
    Pickup,
    Recall,
    Supply,
)
from dispensary.supplies.moment import Reading, read_moment
from dispensary.supplies.packing import Pour, to_pour
from dispensary.supplies.recalls import open_recall
from dispensary.supplies.rules import (
    LONGEST_SUPPLY,
    Wanted,
    carried_on,
    days_without,
    may_dispense,
    portion_here,
    portions_on,
    ruling_on,
)
from dispensary.supplies.shown import proposed_days
from dispensary.supplies.there import There, what_is_there
from dispensary.supplies.unusual import HadToday, Unusual, had_today, unusual_of
from dispensary.units import ClientId, DoseDay, SiteId


@dataclass(frozen=True)
class AtHome:
    """A bottle that the client carries for a day that is still to come."""

    day: DoseDay
    portion: int
    portions: int
    mg: Decimal
    serial: str


@dataclass(frozen=True)
class Waiting:
    """A prepared pickup."""

    pickup: Pickup
    bottles: Sequence[Bottle]

    @property
    def in_a_row(self) -> bool:
        """Whether there is one bottle for each day from the first to the last."""
        days = [bottle.dose_day for bottle in self.bottles]
        return all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


@dataclass(frozen=True)
class AtTheWindow:
    """One client at the counter: who, what today, why not if not, what they carry home, what is odd."""

    face: Face
    reading: Reading
    there: There
    refusals: tuple[Refusal, ...]
    """Why today's dose may not be given, once identity and safety are confirmed; empty when it may."""
    proposed: tuple[DoseDay, ...]
    """The take-home days that the decision in force allows now, at most."""
    at_home: Sequence[AtHome]
    waiting: Sequence[Waiting]
    alerts: Sequence[Alert]
    looks: Sequence[ScheduledLook]
    """Days to look that have come, for the effect of another medicine on methadone; none at a guest's counter."""
    last_supply: Supply | None
    unusual: Sequence[Unusual]
    """What was not as usual today, and what is open of earlier days."""
    recall: Recall | None
    """Bottles that are called back and not counted yet."""
    had_today: Sequence[HadToday]
    top_up: ToppedUp
    flags: Sequence[Flag]
    """What stands today: stops, and messages that are still to be said."""
    found_last: Supply | None
    """The last hand-over of these days at which something was not right."""
    pours: tuple[Pour, ...]
    """From which lots the portion that is due would be poured now; nothing when none is, or the safe has too little."""

    @property
    def due_mg(self) -> Decimal | None:
        """The portion that is due at the counter now, in mg, reduced where that was agreed; nothing when none is."""
        moment = self.reading.moment
        here = portion_here(moment)
        return portions_on(moment, moment.today)[here - 1] if here else None

    @property
    def ordered_mg(self) -> Decimal | None:
        """The same portion as it is ordered."""
        moment = self.reading.moment
        here = portion_here(moment)
        return moment.orders[moment.today].portions[here - 1] if here else None

    @property
    def ruling(self) -> Ruling | None:
        """What the site's guideline says of the days without a dose, where no order knows of them."""
        return ruling_on(self.reading.moment)

    @property
    def carried_today(self) -> tuple[int, ...]:
        """The portions of today that can be carried home beside the one that is taken here."""
        moment = self.reading.moment
        return carried_on(moment, moment.today, observed=True)

    @property
    def proposes_today(self) -> bool:
        """Whether the order itself says that the rest of today is taken at home."""
        order = self.reading.moment.orders.get(self.reading.moment.today)
        return bool(self.carried_today and order and order.places)

    @property
    def to_answer(self) -> Sequence[Unusual]:
        """What waits for a prescriber's word, or for what they allowed to be given."""
        return [one for one in self.unusual if one.row.closed_at is None and one.row.kind in ("vomited", "wrong_dose")]

    @property
    def missed_in_30_days(self) -> int:
        return self.there.missed_in_30_days

    @property
    def level(self) -> str:
        """The level that the policy gave when the decision in force was made; empty without a decision."""
        return self.there.level

    @property
    def days_without(self) -> int:
        return days_without(self.reading.moment)


_FOR_A_GUESTS_COUNTER = frozenset(("", "interaction", "qtc"))
"""Rules whose alerts another site's counter is told of; what is known of HIV, hepatitis and TB stays at home."""


def at_the_window(
    session: ReadSession, *, site_id: SiteId, client_id: ClientId, today: DoseDay, guests: bool = False
) -> AtTheWindow:
    """Everything that the counter shows of a client: of the site, or with `guests` a verified guest of today too.

    A guest's counter sees no more of the record than this, and of the alerts the urgent ones that concern the dose: of
    results alone the QT time, of medicines what they do to methadone. Raises NotThere.
    """
    if guests:
        face = face_at_counter(session, site_id=site_id, client_id=client_id, today=today)
    else:
        face = face_at(session, site_id=site_id, client_id=client_id)
    ahead = [DoseDay(today + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
    reading = read_moment(session, site_id=site_id, client_id=client_id, today=today, days=ahead)
    there = what_is_there(session, client_id=client_id, today=today)
    usual = Wanted(observed=True, identified_by=face.identified_by, well=True)
    here = portion_here(reading.moment)
    due_mg = portions_on(reading.moment, today)[here - 1] if here else None
    had = had_today(session, client_id=client_id, today=today) if today in reading.moment.covered else ()
    return AtTheWindow(
        face=face,
        reading=reading,
        there=there,
        refusals=may_dispense(reading.moment, usual),
        proposed=proposed_days(reading.moment),
        at_home=bottles_at_home(session, client_id=client_id, today=today) if there.bottles else (),
        waiting=pickups_waiting(session, client_id=client_id, site_id=site_id) if there.pickups else (),
        alerts=[
            each
            for each in (open_alerts_of(session, client_id=client_id) if there.alerts else ())
            if reading.home_id == site_id or (each.severity == "urgent" and each.rule in _FOR_A_GUESTS_COUNTER)
        ],
        looks=[
            each
            for each in (open_looks_of(session, client_id=client_id) if there.looks else ())
            if reading.home_id == site_id and each.on_day <= today
        ],
        last_supply=session.scalar(
            select(Supply)
            .where(Supply.client_id == client_id, Supply.voided_at.is_(None))
            .order_by(Supply.at.desc())
            .limit(1)
        ),
        unusual=unusual_of(session, client_id=client_id, today=today) if there.unusual else (),
        recall=open_recall(session, client_id=client_id) if there.recall else None,
        had_today=had,
        top_up=top_up_today(session, client_id=client_id, reading=reading, had=had),
        flags=standing(flags_of(session, client_id=client_id), on=today) if there.flags else (),
        found_last=found_last(session, client_id=client_id, today=today) if there.found else None,
        pours=to_pour(session, site_id=site_id, mg=due_mg, day=today) if due_mg else (),
    )


def bottles_at_home(session: ReadSession, *, client_id: ClientId, today: date) -> list[AtHome]:
    """Bottles handed over for today or later days, by day."""
    rows = session.execute(
        select(Bottle.dose_day, Bottle.portion, Bottle.portions, Bottle.mg, Bottle.serial)
        .where(Bottle.client_id == client_id, Bottle.dose_day >= today, Bottle.state.in_(WITH_CLIENT))
        .order_by(Bottle.dose_day, Bottle.portion)
    )
    return [AtHome(DoseDay(row.dose_day), row.portion, row.portions, row.mg, row.serial) for row in rows]


def covered_days(session: ReadSession, *, client_id: ClientId, from_day: date) -> frozenset[DoseDay]:
    """The dose days from this one on for which the client already has a dose."""
    days = session.scalars(
        select(Dose.dose_day)
        .where(Dose.client_id == client_id, Dose.dose_day >= from_day, Dose.voided_at.is_(None))
        .distinct()
    )
    return frozenset(DoseDay(day) for day in days)


def last_whole_day(session: ReadSession, *, client_id: ClientId, before: date) -> tuple[date, Decimal] | None:
    """The last day before this one of which the client has every portion, and how much that is in mg with a top-up.

    A day on which a part was swallowed or another amount than ordered is no measure.
    """
    on_top = (
        select(func.coalesce(func.sum(ExtraDose.mg), 0))
        .where(ExtraDose.client_id == client_id, ExtraDose.dose_day == Dose.dose_day, ExtraDose.kind == "top_up")
        .where(ExtraDose.voided_at.is_(None))
        .correlate(Dose)
        .scalar_subquery()
    )
    unlike = select(DoseException.id).where(
        DoseException.dose_id == Dose.id, DoseException.kind.in_(("partly_taken", "wrong_dose"))
    )
    found = session.execute(
        select(Dose.dose_day, func.sum(Dose.mg) + on_top)
        .where(Dose.client_id == client_id, Dose.dose_day < before, Dose.voided_at.is_(None))
        .where(~unlike.exists())
        .group_by(Dose.dose_day)
        .having(func.count() == func.max(Dose.portions))
        .order_by(Dose.dose_day.desc())
        .limit(1)
    ).one_or_none()
    return (found[0], found[1]) if found else None


def last_observed_day(session: ReadSession, *, client_id: ClientId, from_day: date) -> date | None:
    """The last day from this one on of which a dose was taken at the counter; nothing when there is none."""
    return session.scalar(
        select(func.max(Dose.dose_day)).where(
            Dose.client_id == client_id,
            Dose.dose_day >= from_day,
            Dose.kind == "observed",
            Dose.voided_at.is_(None),
        )
    )


def pickups_waiting(session: ReadSession, *, client_id: ClientId, site_id: SiteId) -> list[Waiting]:
    """The client's pickups that stand prepared at this site, with their bottles, by day of collection."""
    pickups = session.scalars(
        select(Pickup)
        .where(Pickup.client_id == client_id, Pickup.site_id == site_id, Pickup.state == "prepared")
        .order_by(Pickup.collect_on)
    ).all()
    return _with_bottles(session, pickups)


def pickups_on(session: ReadSession, *, site_id: SiteId, day: date) -> list[Waiting]:
    """The site's prepared pickups to be collected on a day."""
    pickups = session.scalars(
        select(Pickup)
        .where(Pickup.site_id == site_id, Pickup.state == "prepared", Pickup.collect_on == day)
        .order_by(Pickup.prepared_at)
    ).all()
    return _with_bottles(session, pickups)


def pickups_before(session: ReadSession, *, site_id: SiteId, day: date) -> list[Waiting]:
    """Pickups that nobody collected on their day and that still stand prepared in the safe."""
    pickups = session.scalars(
        select(Pickup)
        .where(Pickup.site_id == site_id, Pickup.state == "prepared", Pickup.collect_on < day)
        .order_by(Pickup.collect_on)
    ).all()
    return _with_bottles(session, pickups)


def _with_bottles(session: ReadSession, pickups: Sequence[Pickup]) -> list[Waiting]:
    if not pickups:
        return []
    bottles = session.scalars(
        select(Bottle)
        .where(Bottle.pickup_id.in_([pickup.id for pickup in pickups]), Bottle.state.in_(IN_THE_SAFE))
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()
    return [Waiting(pickup, [b for b in bottles if b.pickup_id == pickup.id]) for pickup in pickups]


@dataclass(frozen=True)
class SupplyView:
    """A supply that was handed over, with its doses and bottles, and what was given beside the day's dose."""

    supply: Supply
    doses: Sequence[Dose]
    bottles: Sequence[Bottle]
    extras: Sequence[ExtraDose]


def supply_of(session: ReadSession, *, site_id: SiteId, supply_id: UUID) -> SupplyView:
    """One supply of the site. Raises NotThere."""
    supply = session.scalar(select(Supply).where(Supply.id == supply_id, Supply.site_id == site_id))
    if supply is None:
        raise NotThere(Refusal("no-supply", "There is no such supply at this site.", "Look at the client's page."))
    doses = session.scalars(select(Dose).where(Dose.supply_id == supply_id).order_by(Dose.dose_day, Dose.portion)).all()
    bottles = session.scalars(
        select(Bottle)
        .join(Dose, Dose.id == Bottle.dose_id)
        .where(Dose.supply_id == supply_id)
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()
    extras = session.scalars(select(ExtraDose).where(ExtraDose.supply_id == supply_id)).all()
    return SupplyView(supply, doses, bottles, extras)


def day_close_of(session: ReadSession, *, site_id: SiteId, day: date) -> DayClose | None:
    """How a dose day was closed; nothing while it is open."""
    return session.get(DayClose, (site_id, day))
