"""For how many days the stock of many sites lasts, and which of them could send some to which. Pure.

Every figure here is the programme's own, for running its stores; none is clinical.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

LOOKED_BACK = 28
"""Days of which the mean of what a site gives in a day is taken."""
_WHOLE = Decimal(1)


@dataclass(frozen=True)
class Figures:
    """Days of stock: below `low` a site is in need, `target` is what it is filled up to, `keep` what its giver keeps.

    The house's own until the programme sets others.
    """

    low: int = 14
    target: int = 28
    keep: int = 42


@dataclass(frozen=True)
class OnHand:
    """A product at a site: what is there, what goes out, and where the site lies."""

    site_id: UUID
    code: str
    product: str
    left_ml: Decimal
    daily_ml: Decimal
    """Mean of the last 28 days."""
    near: str = ""
    """Its district; or its main site, for a site that lies in none."""
    around: str = ""
    """Its province."""

    @property
    def days(self) -> Decimal | None:
        """For how many days it lasts; nothing where none goes out."""
        return (self.left_ml / self.daily_ml).quantize(Decimal("0.1"), ROUND_DOWN) if self.daily_ml > 0 else None


@dataclass(frozen=True)
class Proposal:
    """So many mL from one site to another. A person decides, and sends it with a transfer of the register."""

    product: str
    giver: OnHand
    taker: OnHand
    ml: Decimal
    how_near: str
    """`district`, `province` or `programme`: the nearest that both lie in."""


def proposals(stock: Iterable[OnHand], figures: Figures) -> list[Proposal]:
    """Who could send how much to whom, the emptiest site first, from the nearest sites with more than they keep.

    Of equally near givers the one with most to spare gives first. What one gives is taken from its own surplus once,
    and no giver falls below what it keeps. Nothing is proposed for a site that gives nothing out.
    """
    found: list[Proposal] = []
    by_product: dict[str, list[OnHand]] = {}
    for each in stock:
        by_product.setdefault(each.product, []).append(each)
    for product in sorted(by_product):
        found += _of_product(by_product[product], figures)
    return found


def _of_product(stock: Sequence[OnHand], figures: Figures) -> list[Proposal]:
    spare = {each.site_id: _spare(each, figures) for each in stock}
    needy = [each for each in stock if each.days is not None and each.days < figures.low]
    found = []
    for taker in sorted(needy, key=lambda each: (each.days, each.code)):
        missing = taker.daily_ml * figures.target - taker.left_ml
        givers = [each for each in stock if spare[each.site_id] >= _WHOLE]
        for giver in sorted(givers, key=lambda each: (_distance(each, taker), -spare[each.site_id], each.code)):
            ml = min(missing, spare[giver.site_id]).quantize(_WHOLE, ROUND_DOWN)
            if ml < _WHOLE:
                break
            spare[giver.site_id] -= ml
            missing -= ml
            how_near = ("district", "province", "programme")[_distance(giver, taker)]
            found.append(Proposal(taker.product, giver, taker, ml, how_near))
    return found


def _spare(each: OnHand, figures: Figures) -> Decimal:
    """What a site has beyond what it keeps; all of it where none goes out."""
    return max(each.left_ml - each.daily_ml * figures.keep, Decimal(0))


def _distance(one: OnHand, other: OnHand) -> int:
    if one.near and one.near == other.near:
        return 0
    return 1 if one.around and one.around == other.around else 2
