"""For how many days the stock of many sites lasts, and which of them could send some to which. Pure.

Every figure here is the programme's own, for running its stores; none is clinical.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

STALE_AFTER = 28
"""Days without a close after which a site's stock is not known, and nothing of it is proposed."""
LONG_ON_ITS_WAY = 7
"""Days after which somebody asks where a transfer is."""
FOREVER = 3650
"""Days beyond which no day is named."""
_WHOLE = Decimal(1)


@dataclass(frozen=True)
class Moved:
    """Stock that went from one site to another, or is on its way."""

    from_site_id: UUID
    to_site_id: UUID
    product: str
    ml: Decimal
    sent_at: datetime
    state: str
    """`in_transit`, `received` or `taken_back`."""
    settled_at: datetime | None = None
    measured_ml: Decimal | None = None
    """What was received."""


def since_close(moves: Iterable[Moved], *, site_id: UUID, product: str, closed_at: datetime) -> tuple[Decimal, Decimal]:
    """What transfers changed in a safe since its last close, and what is on its way to it, in mL."""
    changed = on_way = Decimal(0)
    for each in moves:
        if each.product != product:
            continue
        settled_since = each.settled_at is not None and each.settled_at > closed_at
        if each.from_site_id == site_id:
            changed -= each.ml if each.sent_at > closed_at else 0
            changed += each.ml if each.state == "taken_back" and settled_since else 0
        elif each.to_site_id == site_id and each.state == "received" and settled_since:
            changed += each.measured_ml if each.measured_ml is not None else each.ml
        elif each.to_site_id == site_id and each.state == "in_transit":
            on_way += each.ml
    return changed, on_way


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
    """A product at a site: what is there by now, what is on its way, what goes out, and where the site lies."""

    site_id: UUID
    code: str
    product: str
    left_ml: Decimal
    daily_ml: Decimal
    """What goes out on a day."""
    near: str = ""
    """Its district; or its main site, for a site that lies in none."""
    around: str = ""
    """Its province."""
    on_way_ml: Decimal = Decimal(0)
    """Sent to it, and not received yet."""
    last_day: date | None = None
    """Its last closed day."""
    stale: bool = False
    """It has not closed a day for so long that its stock is not known."""

    @property
    def days(self) -> Decimal | None:
        """For how many days what is there lasts; nothing where none goes out."""
        return self._lasts(self.left_ml)

    @property
    def days_with_what_comes(self) -> Decimal | None:
        return self._lasts(self.left_ml + self.on_way_ml)

    def out_on(self, today: date) -> date | None:
        """The first day, from today, for which there is not enough."""
        days = self.days
        return today + timedelta(days=int(days)) if days is not None and days < FOREVER else None

    def _lasts(self, ml: Decimal) -> Decimal | None:
        return (ml / self.daily_ml).quantize(Decimal("0.1"), ROUND_DOWN) if self.daily_ml > 0 else None


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
    and no giver falls below what it keeps. Nothing is proposed for a site that gives nothing out, nothing twice that is
    on its way, and nothing of or to a site whose stock is not known.
    """
    found: list[Proposal] = []
    by_product: dict[str, list[OnHand]] = {}
    for each in stock:
        if not each.stale:
            by_product.setdefault(each.product, []).append(each)
    for product in sorted(by_product):
        found += _of_product(by_product[product], figures)
    return found


def _of_product(stock: Sequence[OnHand], figures: Figures) -> list[Proposal]:
    spare = {each.site_id: _spare(each, figures) for each in stock}
    needy = [each for each in stock if in_need(each, figures)]
    found = []
    for taker in sorted(needy, key=lambda each: (each.days, each.code)):
        missing = taker.daily_ml * figures.target - taker.left_ml - taker.on_way_ml
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


def in_need(each: OnHand, figures: Figures) -> bool:
    """Whether it runs low even when what is on its way has come."""
    days = each.days_with_what_comes
    return not each.stale and days is not None and days < figures.low


def _spare(each: OnHand, figures: Figures) -> Decimal:
    """What a site has beyond what it keeps; all of it where none goes out."""
    return max(each.left_ml - each.daily_ml * figures.keep, Decimal(0))


def _distance(one: OnHand, other: OnHand) -> int:
    if one.near and one.near == other.near:
        return 0
    return 1 if one.around and one.around == other.around else 2
