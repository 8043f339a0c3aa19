"""What a form says of the texts that a client wants: the same fields at enrolment, at reception and in the record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dispensary.clients.wish_rules import LEAST_HOURS, MOST_HOURS, Group, Wishes
from dispensary.web.forms import several
from dispensary.web.typed import Typed


class Reminder(StrEnum):
    """When a reminder reaches a client."""

    EVENING = "evening"
    HOURS = "hours"
    NONE = "none"


def wishes_from(data: Mapping[str, Any], typed: Typed) -> Wishes:
    """What was ticked and chosen. Hours count only where the reminder goes by them, and then they must be given."""
    ticked = set(several(data, "wish"))
    reminder = typed.choice("reminder", Reminder)
    hours = typed.whole("reminder_hours", LEAST_HOURS, MOST_HOURS) if reminder is Reminder.HOURS else None
    return Wishes(
        bookings=Group.BOOKINGS in ticked,
        reminder=reminder is not Reminder.NONE,
        hours=hours,
        missed=Group.MISSED in ticked,
        reviews=Group.REVIEWS in ticked,
        news=Group.NEWS in ticked,
        feedback=Group.FEEDBACK in ticked,
    )
