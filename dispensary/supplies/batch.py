"""Tomorrow's bottles: who comes, which bottles to prepare for them, and the second look before any may leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.clients.queries import Face, faces_on_papers
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.countersign import the_second_person
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.stock.service import write_line
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.loss_models import PackingSetting
from dispensary.supplies.models import Bottle, Pickup
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import LONGEST_SUPPLY, Wanted, doses_of
from dispensary.supplies.shown import proposed_days
from dispensary.units import AccountId, ClientId, DoseDay, Millilitres, SiteId, plain

# Who comes on a day: a decision lets them carry, an order is in force, and that day's dose is not at home already.
# Those with a booking first, in the order of their times.
_COMING = text("""
SELECT c.id, p.id IS NOT NULL AS prepared
FROM client c
JOIN decision d ON d.client_id = c.id AND d.voided_at IS NULL AND d.days @> CAST(:on AS date) AND d.per_supply > 0
JOIN dose_order o ON o.client_id = c.id AND o.voided_at IS NULL AND o.days @> CAST(:on AS date)
LEFT JOIN pickup p ON p.client_id = c.id AND p.collect_on = :on AND p.state = 'prepared'
WHERE c.site_id = :site
    AND NOT EXISTS (SELECT 1 FROM dose x WHERE x.client_id = c.id AND x.dose_day = :on AND x.voided_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.client_id = c.id AND h.released_at IS NULL
        AND h.days @> CAST(:on AS date))
GROUP BY c.id, c.number, p.id ORDER BY c.number
""")


@dataclass(frozen=True)
class OneBottle:
    """A bottle to prepare."""

    day: DoseDay
    portion: int
    portions: int
    mg: Decimal


@dataclass(frozen=True)
class ToPack:
    """A client who comes on the day, and what to prepare for them."""

    face: Face
    bottles: Sequence[OneBottle]
    prepared: bool
    """Whether a pickup stands prepared for the day already."""
    booked_at: datetime | None

    @property
    def days(self) -> tuple[DoseDay, ...]:
        return tuple(sorted({bottle.day for bottle in self.bottles}))

    @property
    def mg(self) -> Decimal:
        return sum((bottle.mg for bottle in self.bottles), Decimal(0))


def to_pack(session: ReadSession, *, site_id: SiteId, on: DoseDay, booked: dict[UUID, datetime]) -> Sequence[ToPack]:
    """Everybody who comes on a day and may carry bottles home then, with what the decision in force allows.

    Those with a booking come first, in the order of their times; then by number.
    """
    rows = session.execute(_COMING, {"site": site_id, "on": on}).all()
    known = faces_on_papers(session, [ClientId(row.id) for row in rows])
    ahead = [DoseDay(on + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
    found = []
    for row in rows:
        client_id = ClientId(row.id)
        moment = read_moment(session, site_id=site_id, client_id=client_id, today=on, days=ahead).moment
        days = proposed_days(moment)
        plans = doses_of(moment, Wanted(observed=False, take_home_days=days)) if days else []
        if plans or row.prepared:
            bottles = [OneBottle(plan.day, plan.portion, plan.portions, plan.mg) for plan in plans]
            found.append(ToPack(known[client_id], bottles, row.prepared, booked.get(client_id)))
    return [
        *sorted((one for one in found if one.booked_at), key=lambda one: (one.booked_at, one.face.number)),
        *(one for one in found if not one.booked_at),
    ]


@dataclass(frozen=True)
class ToCheck:
    """A prepared bottle as the second person looks at it."""

    bottle: Bottle
    face: Face
    collect_on: date
    batch: str
    expires_on: date
    packed_by: str
    """Initials."""

    @property
    def is_checked(self) -> bool:
        return self.bottle.state == BottleState.CHECKED


def to_check(session: ReadSession, *, site_id: SiteId) -> Sequence[ToCheck]:
    """Every bottle that stands prepared at a site, checked or not, by the day of collection and client."""
    rows = session.execute(
        select(Bottle, Pickup.collect_on, Lot.batch, Lot.expires_on, Account.initials)
        .join(Pickup, Pickup.id == Bottle.pickup_id)
        .join(Lot, Lot.id == Bottle.lot_id)
        .join(Account, Account.id == Bottle.packed_by)
        .where(Bottle.site_id == site_id, Bottle.state.in_((BottleState.PREPARED, BottleState.CHECKED)))
        .order_by(Pickup.collect_on, Bottle.client_id, Bottle.dose_day, Bottle.portion)
    ).all()
    known = faces_on_papers(session, [ClientId(row[0].client_id) for row in rows])
    return [
        ToCheck(bottle, known[ClientId(bottle.client_id)], collect_on, batch, expires_on, packed_by)
        for bottle, collect_on, batch, expires_on, packed_by in rows
    ]


def check_bottles(session: WriteSession, *, actor: Actor, bottle_ids: Sequence[UUID], at: datetime) -> int:
    """Writes down that the actor looked at these prepared bottles: client, day, amount, lot, seal. Returns how many.

    Whoever packed a bottle does not check it. What is checked already stays checked. Raises BadInput, NotThere and
    Refused, and then none of them is checked.
    """
    if not bottle_ids:
        raise BadInput(Refusal("bottles", "No bottle was chosen.", "Scan or tick the bottles.", field="bottle"))
    found = _standing(session, actor, bottle_ids)
    own = [bottle.serial for bottle in found if bottle.packed_by == actor.account_id]
    if own:
        raise Refused(
            Refusal(
                "own-bottle",
                f"You packed {len(own)} of these bottles yourself.",
                "Let a colleague come to the screen with their PIN and check them.",
                {"serials": own},
            )
        )
    fresh = [bottle for bottle in found if bottle.state == BottleState.PREPARED]
    move_bottles(session, actor=actor, bottle_ids=[b.id for b in fresh], into=BottleState.CHECKED, at=at)
    for client_id in sorted({ClientId(bottle.client_id) for bottle in fresh}):
        details = {"bottles": sorted(bottle.serial for bottle in fresh if bottle.client_id == client_id)}
        audit.record(
            session, actor=actor, act="checked bottles", subject="client", subject_id=client_id, at=at, details=details
        )
    return len(fresh)


def lost_in_the_safe(
    session: WriteSession,
    *,
    actor: Actor,
    bottle_id: UUID,
    reason: str,
    second_id: AccountId | None,
    pin: str,
    day: DoseDay,
    at: datetime,
) -> Millilitres:
    """Writes off a prepared bottle that broke or is gone before it left, with a second person. Returns how much.

    What was in it is a line of the register, with the reason. Its pickup stands with the other bottles. Raises BadInput
    with everything that is missing, NotThere for a bottle that does not stand prepared here.
    """
    (bottle,) = _standing(session, actor, [bottle_id])
    faults = list(the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at))
    if not reason.strip():
        faults.append(Refusal("reason", "Write what happened to it.", "It stands in the register.", field="reason"))
    if faults:
        raise BadInput(*faults)
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.id],
        into=BottleState.LOST,
        at=at,
        note=reason,
        second_id=second_id,
    )
    book_id = session.execute(select(Lot.book_id).where(Lot.id == bottle.lot_id)).scalar_one()
    write_line(
        session,
        actor=actor,
        lot_id=bottle.lot_id,
        book_id=book_id,
        kind="lost",
        ml=-bottle.ml,
        day=day,
        at=at,
        reason=f"prepared bottle {bottle.serial}, {plain(bottle.ml)} mL: {reason.strip()}",
        second_id=second_id,
    )
    details = {"bottle": bottle.serial, "ml": bottle.ml}
    audit.record(
        session,
        actor=actor,
        act="wrote off bottle",
        subject="client",
        subject_id=bottle.client_id,
        at=at,
        details=details,
    )
    return bottle.ml


def _standing(session: WriteSession, actor: Actor, bottle_ids: Sequence[UUID]) -> Sequence[Bottle]:
    """These bottles, their clients locked, all of them prepared and here. Raises NotThere."""
    wanted = set(bottle_ids)
    asked = select(Bottle).where(Bottle.id.in_(wanted), Bottle.site_id == actor.site_id)
    for client_id in sorted({ClientId(bottle.client_id) for bottle in session.scalars(asked)}):
        lock_client(session, client_id, actor.site_id)
    found = session.scalars(asked.execution_options(populate_existing=True)).all()
    here = [b for b in found if b.state in (BottleState.PREPARED, BottleState.CHECKED)]
    if len(here) != len(wanted):
        raise NotThere(
            Refusal("no-bottle", "One of these bottles does not stand prepared here.", "Open the list again.")
        )
    return here


def checks_twice(session: ReadSession, *, site_id: SiteId) -> bool:
    """Whether a site lets a second person check each prepared bottle before it may leave."""
    found = session.get(PackingSetting, site_id)
    return found is not None and found.second_check


def set_second_check(session: WriteSession, *, actor: Actor, second_check: bool, at: datetime) -> None:
    """Sets whether prepared bottles wait for a second person's look. PostgreSQL refuses unchecked ones from then on."""
    assert actor.account_id is not None, "a person sets a site's rule"
    values = {"second_check": second_check, "set_by": actor.account_id, "set_at": at}
    session.execute(
        upsert(PackingSetting)
        .values(site_id=actor.site_id, **values)
        .on_conflict_do_update(index_elements=["site_id"], set_=values)
    )
    details = {"second_check": second_check}
    audit.record(
        session, actor=actor, act="set packing rule", subject="site", subject_id=actor.site_id, at=at, details=details
    )
