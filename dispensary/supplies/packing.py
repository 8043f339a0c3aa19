"""Which lots or prepared bottle each dose comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.stock.rules import LotOnHand, Share, choose_lot, choose_shares
from dispensary.stock.service import settings_of
from dispensary.supplies.models import Bottle
from dispensary.supplies.rules import DosePlan
from dispensary.supplies.serials import SERIAL_DIGITS
from dispensary.units import ClientId, DoseDay, Milligrams, Millilitres, SiteId, Strength, new_id, plain, volume_of

_LOOK = """
SELECT id, book_id, batch, strength, expires_on, balance, bottled FROM lot
WHERE site_id = %(site)s AND balance > 0 ORDER BY expires_on, batch"""
_ON_HAND = _LOOK + " FOR NO KEY UPDATE"


@dataclass(frozen=True)
class Packed:
    """A dose with the lot that it comes from."""

    plan: DosePlan
    lot_id: UUID
    book_id: UUID
    ml: Millilitres
    bottle_id: UUID | None = None
    """The prepared bottle that it is in, when it was packed before."""
    shares: tuple[Share, ...] = ()
    """What each lot gives, of a dose that is poured from more than one; `lot_id` is then the first."""

    @property
    def drawn(self) -> tuple[Share, ...]:
        """What each lot gives, whether one or more."""
        return self.shares or (Share(self.lot_id, self.book_id, self.plan.mg, self.ml),)


def packed_from(plan: DosePlan, shares: Sequence[Share]) -> Packed:
    """A dose that these lots give together."""
    first, ml = shares[0], Millilitres(sum((share.ml for share in shares), Decimal(0)))
    return Packed(plan, first.lot_id, first.book_id, ml, shares=tuple(shares) if len(shares) > 1 else ())


def lots_on_hand(session: WriteSession, site_id: SiteId) -> dict[UUID, LotOnHand]:
    """The site's lots that hold anything, locked until the unit of work ends, so that what is free stays free."""
    return {row[0]: LotOnHand(*row) for row in session.run(_ON_HAND, {"site": site_id})}


def pack(
    session: WriteSession, *, site_id: SiteId, plans: Sequence[DosePlan], bottles: Sequence[Bottle], day: DoseDay
) -> list[Packed]:
    """Finds the prepared bottle, or the lot that expires first, for each dose.

    What is swallowed here may come from several lots, where the first has too little; a bottle and what is given beside
    the day's dose name one lot. A bottle's lot must not expire before the day it is taken. Raises Refused when the safe
    does not hold enough, when a prepared bottle no longer fits the order, or when one would stay behind: promised for
    ever, and in nobody's count.
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
        packed.append(packed_from(plan, _chosen(session, site_id, lots, plan, day)))
    if prepared:
        raise Refused(_not_due(min(prepared)))
    return packed


def _chosen(
    session: ReadSession, site_id: SiteId, lots: dict[UUID, LotOnHand], plan: DosePlan, day: DoseDay
) -> tuple[Share, ...]:
    """What each lot gives of a dose; `lots` hold so much less afterwards. Raises Refused."""
    shares: tuple[Share, ...] | Refusal
    if plan.kind == "observed" and not plan.extra:
        shares = choose_shares(
            lots.values(), mg=plan.mg, day=day, mixes=lambda: settings_of(session, site_id).mix_strengths
        )
    else:
        lot = choose_lot(lots.values(), mg=plan.mg, day=max(day, plan.day))
        shares = (
            lot
            if isinstance(lot, Refusal)
            else (Share(lot.lot_id, lot.book_id, plan.mg, volume_of(plan.mg, lot.strength)),)
        )
    if isinstance(shares, Refusal):
        raise Refused(shares)
    for share in shares:
        lot = lots[share.lot_id]
        lots[share.lot_id] = replace(lot, balance=Millilitres(lot.balance - share.ml))
    return shares


@dataclass(frozen=True)
class Pour:
    """What is poured from one lot, as the counter's screen says it."""

    lot_id: UUID
    batch: str
    strength: Strength
    ml: Millilitres


def to_pour(session: ReadSession, *, site_id: SiteId, mg: Milligrams, day: DoseDay) -> tuple[Pour, ...]:
    """From which lots a dose of so many mg would be poured now; nothing where the safe does not hold it."""
    lots = {row[0]: LotOnHand(*row) for row in session.run(_LOOK, {"site": site_id})}
    shares = choose_shares(lots.values(), mg=mg, day=day, mixes=lambda: settings_of(session, site_id).mix_strengths)
    if isinstance(shares, Refusal):
        return ()
    return tuple(Pour(share.lot_id, (lot := lots[share.lot_id]).batch, lot.strength, share.ml) for share in shares)


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
