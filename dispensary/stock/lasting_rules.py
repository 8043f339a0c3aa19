"""For how many days the safe lasts, and what of it expires before anybody needs it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from dispensary.stock.rules import LotOnHand


@dataclass(frozen=True)
class Leftover:
    """What of a lot will not be used before it expires."""

    batch: str
    expires_on: date
    ml: Decimal


@dataclass(frozen=True)
class Lasting:
    """A forecast from the orders in force: nobody new, nobody gone, nothing received."""

    days: int
    """Days from today on that are met wholly, up to the last one looked at."""
    looked: int
    """Days that were looked at."""
    short_on: date | None
    """The first day that is not met; nothing when all are."""
    daily_mg: Decimal
    """What is needed on a day on average."""
    leftovers: tuple[Leftover, ...]


def lasting(
    lots: Sequence[LotOnHand],
    needs: Mapping[date, Decimal],
    *,
    today: date,
    looked: int,
    closed: Collection[date] = (),
) -> Lasting:
    """Pours day by day, first expired first, until a day is not met.

    What is needed for a closed day is poured on the last open day before, in bottles, from a lot that has not expired
    by the day on which it is taken. What stands in prepared bottles already is neither there nor needed.
    """
    left = {lot.lot_id: lot.free * lot.strength for lot in lots}
    ordered = sorted(lots, key=lambda lot: (lot.expires_on, lot.batch))
    short_on: date | None = None
    days = [today + timedelta(days=n) for n in range(looked)]
    for day in days:
        missing = needs.get(day, Decimal(0))
        for lot in ordered:
            if lot.expires_on >= day and missing > 0:
                poured = min(left[lot.lot_id], missing)
                left[lot.lot_id] -= poured
                missing -= poured
        if missing > 0 and short_on is None:
            short_on = day
            break
    met = days.index(short_on) if short_on is not None else looked
    poured_on = _poured_on(short_on, closed, today) if short_on is not None else None
    leftovers = tuple(
        Leftover(lot.batch, lot.expires_on, (left[lot.lot_id] / lot.strength).quantize(Decimal("0.001")))
        for lot in ordered
        if left[lot.lot_id] > 0 and lot.expires_on < days[-1] and (short_on is None or lot.expires_on < short_on)
    )
    needed = sum((needs.get(day, Decimal(0)) for day in days), Decimal(0))
    lasts = (poured_on - today).days if poured_on is not None else met
    return Lasting(
        lasts, looked, short_on, (needed / looked).quantize(Decimal("0.1")) if looked else Decimal(0), leftovers
    )


def _poured_on(day: date, closed: Collection[date], today: date) -> date:
    """The day on which a dose of this day leaves the safe: the last open one up to it."""
    while day in closed and day > today:
        day -= timedelta(days=1)
    return day
