"""Which lot a dose comes from, and what a count means. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from dispensary.refusals import Refusal
from dispensary.units import Millilitres, Strength, plain


@dataclass(frozen=True)
class LotOnHand:
    """A lot as the counter sees it."""

    lot_id: UUID
    book_id: UUID
    batch: str
    strength: Strength
    expires_on: date
    balance: Millilitres
    bottled: Millilitres
    """What of the balance stands in prepared bottles and is promised to somebody."""

    @property
    def free(self) -> Millilitres:
        return Millilitres(self.balance - self.bottled)


def choose_lot(lots: Iterable[LotOnHand], *, mg: Decimal, day: date) -> LotOnHand | Refusal:
    """The lot that expires first, has not expired on `day`, and holds `mg` beyond what is promised; else a refusal.

    A dose comes from one lot: mL follows from that lot's strength. Never clamps and never mixes silently.
    """
    usable = sorted((lot for lot in lots if lot.expires_on >= day), key=lambda lot: (lot.expires_on, lot.batch))
    for lot in usable:
        if lot.free * lot.strength >= mg:
            return lot
    held = sum((lot.free * lot.strength for lot in usable), Decimal(0))
    return Refusal(
        "no-stock",
        f"No lot in the safe holds {plain(mg)} mg that is not expired or promised ({plain(held)} mg in all).",
        "Receive a lot, or put prepared bottles that nobody collects back into stock.",
        {"needed_mg": mg, "free_mg": held},
    )


def difference(expected: Millilitres, measured: Millilitres) -> Decimal:
    """Above zero an overage, below a shortage, in mL. Neither is ever absorbed without a reason."""
    return measured - expected
