"""What the counter's screen proposes, and whether what leaves is what it showed when it was opened. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from dispensary.refusals import Refusal
from dispensary.supplies.rules import LONGEST_SUPPLY, Moment, Wanted, may_prepare, portion_here, portions_on
from dispensary.units import DoseDay, plain


def proposed_days(moment: Moment) -> tuple[DoseDay, ...]:
    """The take-home days from tomorrow on that the decision in force allows, one after the other; none without one.

    It stops at the first day that has no order, is held, is covered or goes beyond the decision; none is proposed on a
    day on which a dose was withheld for intoxication.
    """
    chosen: tuple[DoseDay, ...] = ()
    for ahead in range(1, LONGEST_SUPPLY + 1) if moment.limits and not moment.withheld else ():
        more = (*chosen, DoseDay(moment.today + timedelta(days=ahead)))
        if may_prepare(moment, Wanted(observed=False, take_home_days=more)):
            break
        chosen = more
    return chosen


@dataclass(frozen=True)
class Shown:
    """What was on the screen when the dose was poured."""

    day: DoseDay | None = None
    """The dose day that was today then; nothing where nobody says."""
    mg: Decimal | None = None
    """The dose to be taken here."""
    orders: frozenset[UUID] | None = None
    """The orders of today and of the days ahead, from which bottles were filled."""
    lots: Mapping[UUID, Decimal] | None = None
    """The mL that were to be poured from each lot for the dose that is taken here."""


def not_as_shown(moment: Moment, wanted: Wanted, shown: Shown | None) -> tuple[Refusal, ...]:
    """Why what was poured may be another amount than what would be recorded; empty when both are the same.

    The order may have been changed, less may have been agreed by telephone, or midnight may have passed. Bottles that
    were prepared are held against their order when they are packed into a supply.
    """
    if shown is None:
        return ()
    if shown.day is not None and shown.day != moment.today:
        return (
            Refusal(
                "another-day",
                f"The page was opened on {shown.day}, and it is {moment.today} now.",
                "Look at what is due today, then hand over.",
                {"shown": shown.day},
            ),
        )
    here = portion_here(moment) if wanted.observed else None
    due = portions_on(moment, moment.today)[here - 1] if here is not None else None
    if due is not None and shown.mg is not None and due != shown.mg:
        return (
            Refusal(
                "not-as-shown",
                f"{plain(due)} mg is due now, and not the {plain(shown.mg)} mg that the page showed.",
                "The order was changed meanwhile. Pour what is due now, then hand over.",
                {"shown": plain(shown.mg), "due": plain(due)},
            ),
        )
    changed = [
        day
        for day in wanted.take_home_days
        if shown.orders is not None and day in moment.orders and moment.orders[day].order_id not in shown.orders
    ]
    if not changed or wanted.pickup_id is not None:
        return ()
    return (
        Refusal(
            "not-as-shown",
            f"The order for {changed[0]} was changed since the page was opened.",
            "Look at each amount again before you fill a bottle.",
            {"days": changed},
        ),
    )


def poured_otherwise(drawn: Mapping[UUID, Decimal], shown: Shown | None) -> tuple[Refusal, ...]:
    """Why a dose would be recorded from other lots than it was poured from; empty when it is as the page showed it."""
    if shown is None or shown.lots is None or not drawn or dict(drawn) == dict(shown.lots):
        return ()
    return (
        Refusal(
            "other-lots",
            "The lots have changed since the page was opened: the dose would be recorded from others than it was "
            "poured from.",
            "Look at what is to be poured from which lot now, then hand over.",
        ),
    )
