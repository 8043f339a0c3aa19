"""The people of a group: invented names in their own language, years of birth, nobody real."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dispensary.clients.rules import Identity, Sex
from dispensary.programmes.shapes import GroupTable, Milligrams, NamesTable, Spread


@dataclass(frozen=True)
class Somebody:
    """Who is enrolled: number, identity, language of texts and the phone, where they have one."""

    number: str
    identity: Identity
    phone: str


def spread(over: int | Spread, n: int, of: int) -> int:
    """How many days ago it was for the n-th (from 1) of so many: from `first` to `last`, evenly."""
    if isinstance(over, int):
        return over
    return over.first + round((over.last - over.first) * (n - 1) / max(1, of - 1))


def milligrams_of(over: Milligrams, n: int, of: int) -> Decimal:
    """The dose of the n-th (from 1) of so many, in whole steps."""
    steps = (over.last - over.first) / over.step
    return over.first + over.step * round(steps * (n - 1) / max(1, of - 1))


def somebody(group: GroupTable, n: int, names: NamesTable | None) -> Somebody:
    """The n-th of a group, from 1; without a list of names they are called by their number."""
    woman = n * group.women // group.count > (n - 1) * group.women // group.count
    digits = max(3, len(str(group.count)))
    number = f"{group.prefix}{n:0{digits}d}"
    name = number
    if names is not None and names.families and (given := names.women if woman else names.men):
        chosen = given[n % len(given)], names.families[n * 7 // len(given) % len(names.families)]
        name = names.made.format(given=chosen[0], family=chosen[1])
    first, last = group.born
    year = first + (n * 13) % (last - first + 1)
    identity = Identity(
        name=name,
        born=date(year, 1 + n % 12, 1 + n * 5 % 28),
        second_identifier=f"card {number}",
        sex=Sex.FEMALE if woman else Sex.MALE,
    )
    return Somebody(number, identity, group.phone.format(n=n) if group.phone else "")
