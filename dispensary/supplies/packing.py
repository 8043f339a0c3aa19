"""Which lot or prepared bottle each dose comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.rules import LotOnHand, choose_lot
from dispensary.supplies.models import Bottle
from dispensary.supplies.rules import DosePlan
from dispensary.supplies.serials import SERIAL_DIGITS
from dispensary.units import ClientId, DoseDay, Millilitres, SiteId, new_id, plain, volume_of

_ON_HAND = """
SELECT id, book_id, batch, strength, expires_on, balance, bottled FROM lot
WHERE site_id = %(site)s AND balance > 0 ORDER BY expires_on, batch FOR NO KEY UPDATE
"""


@dataclass(frozen=True)
class Packed:
    """A dose with the lot that it comes from."""

    plan: DosePlan
    lot_id: UUID
    book_id: UUID
    ml: Millilitres
    bottle_id: UUID | None = None
    """The prepared bottle that it is in, when it was packed before."""


def lots_on_hand(session: WriteSession, site_id: SiteId) -> dict[UUID, LotOnHand]:
    """The site's lots that hold anything, locked until the unit of work ends, so that what is free stays free."""
    return {row[0]: LotOnHand(*row) for row in session.run(_ON_HAND, {"site": site_id})}


def pack(
    session: WriteSession, *, site_id: SiteId, plans: Sequence[DosePlan], bottles: Sequence[Bottle], day: DoseDay
) -> list[Packed]:
    """Finds the prepared bottle, or the lot that expires first, for each dose.

    A bottle's lot must not expire before the day it is taken. Raises Refused when no lot holds enough, when a prepared
    bottle no longer fits the order, or when one would stay behind: promised for ever, and in nobody's count.
    """
    prepared = {(bottle.dose_day, bottle.portion): bottle for bottle in bottles}
    lots = lots_on_hand(session, site_id)
    packed = []
    for plan in plans:
        bottle = prepared.pop((plan.day, plan.portion), None) if plan.kind == "take_home" else None
        if bottle is not None:
            if bottle.order_id != plan.order_id or bottle.mg != plan.mg:
                raise Refused(_another_order(bottle, plan))
            lot = lots[bottle.lot_id]
            packed.append(Packed(plan, lot.lot_id, lot.book_id, bottle.ml, bottle.id))
            continue
        chosen = choose_lot(lots.values(), mg=plan.mg, day=max(day, plan.day))
        if isinstance(chosen, Refusal):
            raise Refused(chosen)
        ml = volume_of(plan.mg, chosen.strength)
        lots[chosen.lot_id] = replace(chosen, balance=Millilitres(chosen.balance - ml))
        packed.append(Packed(plan, chosen.lot_id, chosen.book_id, ml))
    if prepared:
        raise Refused(_not_due(min(prepared)))
    return packed


def _not_due(bottle: tuple[DoseDay, int]) -> Refusal:
    day, portion = bottle
    return Refusal(
        "prepared-not-due",
        f"The pickup has a bottle for {day}, portion {portion}, that is not to be carried home now.",
        "Hand it over without today's dose at the counter, or put the pickup back into stock and prepare it again.",
        {"day": day, "portion": portion},
    )


def _another_order(bottle: Bottle, plan: DosePlan) -> Refusal:
    return Refusal(
        "prepared-under-old-order",
        f"The bottle for {plan.day} holds {plain(bottle.mg)} mg; the order has changed since ({plain(plan.mg)} mg).",
        "Do not hand it over. Put the pickup back into stock and prepare it again.",
        {"day": plan.day},
    )


def bottle_row(
    actor: Actor,
    client_id: ClientId,
    one: Packed,
    at: datetime,
    *,
    state: str,
    dose_id: UUID | None = None,
    pickup_id: UUID | None = None,
) -> dict[str, Any]:
    """A new bottle's row, with a serial of its own."""
    bottle_id = new_id()
    return {
        "id": bottle_id,
        "serial": f"{bottle_id.int % 10**SERIAL_DIGITS:0{SERIAL_DIGITS}d}",
        "site_id": actor.site_id,
        "client_id": client_id,
        "order_id": one.plan.order_id,
        "pickup_id": pickup_id,
        "dose_id": dose_id,
        "lot_id": one.lot_id,
        "dose_day": one.plan.day,
        "portion": one.plan.portion,
        "portions": one.plan.portions,
        "mg": one.plan.mg,
        "ml": one.ml,
        "state": state,
        "packed_by": actor.account_id,
        "packed_at": at,
    }
