"""The types that carry units, and the only place where an amount or a day from outside becomes one of them."""

from __future__ import annotations

import calendar
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import NewType
from uuid import UUID

import uuid_utils.compat

Milligrams = NewType("Milligrams", Decimal)
"""An exact dose in mg, NUMERIC(7,2)."""
Millilitres = NewType("Millilitres", Decimal)
"""An exact volume in mL, NUMERIC(10,3)."""
Strength = NewType("Strength", Decimal)
"""A concentration in mg/mL, NUMERIC(7,3)."""
DoseDay = NewType("DoseDay", date)
"""The site's local calendar date that a dose is for, never the moment it was handed over."""

SiteId = NewType("SiteId", UUID)
ClientId = NewType("ClientId", UUID)
AccountId = NewType("AccountId", UUID)

MOST_MILLIGRAMS = Decimal("1000")
"""The largest amount that may be typed at all. Not a clinical limit: those are policies and orders."""
MOST_MILLILITRES = Decimal("1000000")
MOST_STRENGTH = Decimal("100")


class BadAmount(ValueError):
    """A number from outside that is not an amount: not a number, out of bounds, or finer than the column keeps."""


def new_id() -> UUID:
    """A UUID version 7: unique without asking the database, and in order of creation, so that indexes stay dense."""
    return uuid_utils.compat.uuid7()


def _exact(value: str | int | Decimal, *, unit: str, most: Decimal, step: Decimal, zero: bool) -> Decimal:
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 20:
            raise BadAmount(f"“{value[:20]}…” is too long for an amount in {unit}.")
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError, TypeError):
        raise BadAmount(f"“{value}” is not an amount in {unit}. Write digits, for example 40 or 62.5.") from None
    if not number.is_finite():
        raise BadAmount(f"“{value}” is not an amount in {unit}.")
    if number < 0 or number > most or (number == 0 and not zero):
        lowest = "0" if zero else "more than 0"
        raise BadAmount(f"{value} {unit} is out of bounds: it must be {lowest} to {most} {unit}.")
    exact = number.quantize(step)
    if exact != number:
        raise BadAmount(f"{value} {unit} is finer than {step} {unit}, which is the least that is recorded.")
    return exact


def milligrams(value: str | int | Decimal, *, zero: bool = False) -> Milligrams:
    """An exact dose, above 0 (or from 0 with `zero`) to 1000 mg, in steps of 0.01 mg. Raises BadAmount."""
    return Milligrams(_exact(value, unit="mg", most=MOST_MILLIGRAMS, step=Decimal("0.01"), zero=zero))


def millilitres(value: str | int | Decimal, *, zero: bool = False) -> Millilitres:
    """An exact volume, above 0 (or from 0) to 1,000,000 mL, in steps of 0.001 mL. Raises BadAmount."""
    return Millilitres(_exact(value, unit="mL", most=MOST_MILLILITRES, step=Decimal("0.001"), zero=zero))


def strength(value: str | int | Decimal) -> Strength:
    """A concentration above 0 to 100 mg/mL, in steps of 0.001 mg/mL. Raises BadAmount."""
    return Strength(_exact(value, unit="mg/mL", most=MOST_STRENGTH, step=Decimal("0.001"), zero=False))


def volume_of(dose: Milligrams, concentration: Strength) -> Millilitres:
    """The volume that holds this dose: mg divided by mg/mL, to the nearest 0.001 mL (half up).

    mg is the dose; mL always follows from the lot's strength and is never typed by hand.
    """
    return Millilitres((dose / concentration).quantize(Decimal("0.001"), rounding="ROUND_HALF_UP"))


def in_days(number: int) -> str:
    """A number of days as a person reads it: 1 day, 2 days."""
    return f"{number} day" if number == 1 else f"{number} days"


def in_bottles(number: int) -> str:
    """A number of bottles as a person reads it: 1 bottle, 2 bottles."""
    return f"{number} bottle" if number == 1 else f"{number} bottles"


def plain(amount: Decimal) -> str:
    """An amount as a person reads it: 40 and 62.5, never 40.00 or 4E+1."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def months_after(first: date, months: int) -> date:
    """The same day of the month so many months later, or the last day of a month that has no such day."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))
