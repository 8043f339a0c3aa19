"""From which lot or prepared bottle a line of paper is taken, so that the safe and the register agree again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.rules import LotOnHand, choose_lot
from dispensary.supplies.models import Bottle, Pickup
from dispensary.supplies.outage_rules import PaperLine
from dispensary.supplies.packing import Packed, lots_on_hand
from dispensary.supplies.pickups import prepared_bottles, put_back
from dispensary.supplies.rules import DosePlan
from dispensary.units import DoseDay, Millilitres, plain, volume_of


@dataclass(frozen=True)
class WaitingPickup:
    """Bottles that were prepared for the client and that the record still has in the safe."""

    pickup: Pickup
    bottles: Sequence[Bottle]
    fits: bool
    """Whether they are the very bottles of the line: then they are what was carried away."""

    @property
    def whole(self) -> Pickup | None:
        return self.pickup if self.fits else None

    @property
    def conflicts(self) -> list[Refusal]:
        """Why bottles in the safe, by the record, are others than the paper's."""
        if self.fits:
            return []
        days = ", ".join(str(bottle.dose_day) for bottle in self.bottles)
        return [Refusal("pickup-waits", f"Other bottles than these were prepared for this client ({days}).")]


def waiting_pickup(
    session: WriteSession, actor: Actor, line: PaperLine, plans: Sequence[DosePlan], *, today: DoseDay, at: datetime
) -> WaitingPickup | None:
    """The client's prepared pickup, locked, when the line has bottles; nothing when none waits.

    One of other bottles is put back into stock: no day has a bottle with the client and another one in the safe.
    """
    if not line.bottle_days:
        return None
    pickup = session.scalar(
        select(Pickup).where(Pickup.client_id == line.client_id, Pickup.state == "prepared").with_for_update()
    )
    if pickup is None:
        return None
    bottles = prepared_bottles(session, pickup.id)
    carried = {(p.day, p.portion, p.order_id, p.mg) for p in plans if p.kind == "take_home"}
    fits = {(DoseDay(b.dose_day), b.portion, b.order_id, b.mg) for b in bottles} == carried
    if not fits:
        reason = "other bottles were handed over, by paper"
        put_back(session, actor=actor, pickup=pickup, state="cancelled", reason=reason, day=today, at=at)
    return WaitingPickup(pickup, bottles, fits)


def drawn(
    session: WriteSession,
    actor: Actor,
    line: PaperLine,
    plans: Sequence[DosePlan],
    in_error: DosePlan | None,
    pickup: WaitingPickup | None,
    today: DoseDay,
) -> tuple[list[Packed], list[Packed], list[Refusal]]:
    """The doses, what was given in error, and where the register must take another lot than the paper's.

    A lot gives no more than is free of it, and nothing once it has expired, whatever the paper says. Raises Refused
    when no lot of the safe holds what left it.
    """
    lots = lots_on_hand(session, actor.site_id)
    prepared = {(DoseDay(b.dose_day), b.portion): b for b in pickup.bottles} if pickup and pickup.fits else {}
    others: dict[UUID, Refusal] = {}

    def take(plan: DosePlan) -> Packed:
        bottle = prepared.get((plan.day, plan.portion)) if plan.kind == "take_home" else None
        if bottle is not None:
            return Packed(plan, bottle.lot_id, lots[bottle.lot_id].book_id, bottle.ml, bottle.id)
        lot = _lot_for(plan, lots, line.lot_id, today)
        if line.lot_id is not None and lot.lot_id != line.lot_id:
            others.setdefault(lot.lot_id, _other_lot(lots.get(line.lot_id), lot, plan, today))
        ml = volume_of(plan.mg, lot.strength)
        lots[lot.lot_id] = replace(lot, balance=Millilitres(lot.balance - ml))
        return Packed(plan, lot.lot_id, lot.book_id, ml)

    doses = [take(plan) for plan in plans]
    extra = [take(in_error)] if in_error else []
    return doses, extra, list(others.values())


def _lot_for(plan: DosePlan, lots: dict[UUID, LotOnHand], wanted: UUID | None, today: DoseDay) -> LotOnHand:
    chosen = lots.get(wanted) if wanted else None
    if chosen is not None and chosen.expires_on >= today and chosen.free >= volume_of(plan.mg, chosen.strength):
        return chosen
    found = choose_lot(lots.values(), mg=plan.mg, day=today)
    if isinstance(found, Refusal):
        raise Refused(
            Refusal(
                found.code,
                found.sentence,
                "Enter first what was received, or count the safe: then the register can give what left it.",
                found.evidence,
            )
        )
    return found


def _other_lot(wanted: LotOnHand | None, taken: LotOnHand, plan: DosePlan, today: DoseDay) -> Refusal:
    if wanted is None:
        why = "The lot on the paper is empty by the register"
    elif wanted.expires_on < today:
        why = f"Lot {wanted.batch} has expired"
    else:
        why = f"Lot {wanted.batch} does not hold {plain(plan.mg)} mg by the register"
    return Refusal("other-lot", f"{why}: the line is taken from lot {taken.batch}.")
