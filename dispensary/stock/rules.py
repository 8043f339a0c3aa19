"""Which lots a dose comes from, what a count means, and what may leave the safe. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from uuid import UUID

from dispensary.refusals import Refusal
from dispensary.units import Milligrams, Millilitres, Strength, plain, volume_of

_LEAST_MG = Decimal("0.01")


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

    @property
    def free_mg(self) -> Milligrams:
        """What of it can be poured, in whole hundredths of a mg."""
        return Milligrams((self.free * self.strength).quantize(_LEAST_MG, rounding=ROUND_DOWN))


@dataclass(frozen=True)
class Share:
    """What one lot gives of a dose."""

    lot_id: UUID
    book_id: UUID
    mg: Milligrams
    ml: Millilitres


def _usable(lots: Iterable[LotOnHand], day: date) -> list[LotOnHand]:
    """First expired first, without what has expired by the day on which it is taken."""
    return sorted((lot for lot in lots if lot.expires_on >= day), key=lambda lot: (lot.expires_on, lot.batch))


def choose_lot(lots: Iterable[LotOnHand], *, mg: Decimal, day: date) -> LotOnHand | Refusal:
    """The lot that expires first, has not expired on `day`, and holds `mg` beyond what is promised; else a refusal.

    A bottle comes from one lot: its label names one batch, and mL follows from that lot's strength.
    """
    usable = _usable(lots, day)
    for lot in usable:
        if lot.free * lot.strength >= mg:
            return lot
    return _no_stock(usable, mg)


def choose_shares(
    lots: Iterable[LotOnHand], *, mg: Milligrams, day: date, mixes: Callable[[], bool]
) -> tuple[Share, ...] | Refusal:
    """What is poured from which lot for a dose that is swallowed at once, first expired first; else a refusal.

    Where the first lot holds too little, its rest is poured and the next lot gives what is missing. Lots of another
    strength are passed over, unless no strength alone holds the dose and the site mixes them (`mixes`, asked only
    then).
    """
    usable = [lot for lot in _usable(lots, day) if lot.free_mg > 0]
    for strength in dict.fromkeys(lot.strength for lot in usable):
        if shares := _shares([lot for lot in usable if lot.strength == strength], mg):
            return shares
    if len({lot.strength for lot in usable}) > 1 and mixes() and (shares := _shares(usable, mg)):
        return shares
    return _no_stock(usable, mg)


def _shares(lots: Sequence[LotOnHand], mg: Milligrams) -> tuple[Share, ...]:
    """All of it from these lots in their order, or nothing."""
    missing, shares = mg, []
    for lot in lots:
        whole = lot.free * lot.strength >= missing
        part = missing if whole else lot.free_mg
        shares.append(Share(lot.lot_id, lot.book_id, part, volume_of(part, lot.strength)))
        missing = Milligrams(missing - part)
        if whole:
            return tuple(shares)
    return ()


def _no_stock(usable: Iterable[LotOnHand], mg: Decimal) -> Refusal:
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


class Judged(StrEnum):
    """What a count says by the site's own figures."""

    AS_EXPECTED = "as_expected"
    WITHIN = "within"
    BEYOND = "beyond"


@dataclass(frozen=True)
class Tolerance:
    """By how much a count may differ, by the site's own figures. No source gives a universal one."""

    percent: Decimal | None = None
    """Of what was supplied since the last count."""
    ml: Decimal | None = None

    def allows(self, throughput: Decimal) -> Millilitres | None:
        """The mL by which a count may differ, the smaller one where two figures are set; nothing without a figure."""
        figures = [self.ml] if self.ml is not None else []
        if self.percent is not None:
            figures.append((throughput * self.percent / 100).quantize(Decimal("0.001"), rounding=ROUND_DOWN))
        return Millilitres(min(figures)) if figures else None


def judge(gap: Decimal, allowed: Decimal | None) -> Judged:
    """Whether a difference lies within what the site allows; without a figure every difference is beyond it."""
    if gap == 0:
        return Judged.AS_EXPECTED
    return Judged.WITHIN if allowed is not None and abs(gap) <= allowed else Judged.BEYOND


def is_investigated(gap: Decimal, judged: Judged, usual_ml: Decimal | None) -> bool:
    """Whether somebody must find out why: a shortage beyond the tolerance, and always one above one usual dose.

    An overage is entered as an overage; some is poured into every bottle of a manufacturer (thePSI inspectors' advice).
    """
    return gap < 0 and (judged is Judged.BEYOND or (usual_ml is not None and -gap > usual_ml))
