"""What of a question is more than a type: amounts within their bounds, and days that a clinic can mean."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from dispensary.refusals import BadInput, Refusal
from dispensary.units import BadAmount, milligrams

_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


def bad(field: str, sentence: str, remedy: str = "") -> BadInput:
    """The refusal of a field."""
    return BadInput(Refusal("unusable-value", sentence, remedy, field=field))


def mg(field: str, typed: str, *, zero: bool = False) -> Decimal:
    """An amount of more than 0 mg, or from 0 with `zero`. Raises BadInput."""
    try:
        return milligrams(typed, zero=zero)
    except BadAmount as reason:
        raise bad(field, str(reason)) from None


def mg_or_none(field: str, typed: str | None) -> Decimal | None:
    return None if typed is None else mg(field, typed)


def day(field: str, typed: date) -> date:
    """A day between 1900 and 2199, so that counting days from it stays within the calendar. Raises BadInput."""
    if not _FIRST_DAY <= typed <= _LAST_DAY:
        raise bad(field, f"{typed} lies outside of {_FIRST_DAY} to {_LAST_DAY}.")
    return typed
