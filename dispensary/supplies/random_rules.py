"""When chance calls a client's bottles back: a day that nobody foresees and the key repeats. Pure."""

from __future__ import annotations

import calendar
from datetime import date, timedelta


def period_of(day: date, per_year: int) -> tuple[date, date]:
    """The part of the year that a day falls in, first and last day, when each year has `per_year` of them."""
    length = 366 if calendar.isleap(day.year) else 365
    first_of_year = date(day.year, 1, 1)
    part = (day - first_of_year).days * per_year // length
    first = -(-part * length // per_year)
    end = -(-(part + 1) * length // per_year)
    return first_of_year + timedelta(days=first), first_of_year + timedelta(days=end - 1)


def day_in(first: date, last: date, number: int) -> date:
    """The day of a period on which a client's turn comes: by a secret number, in its first four fifths.

    The last fifth stays for those who had no bottles at home when their turn came.
    """
    return first + timedelta(days=number % max(1, ((last - first).days + 1) * 4 // 5))
