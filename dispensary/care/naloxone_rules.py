"""When naloxone is offered to somebody who carries doses home, and when a kit is due to be replaced. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final


class ToWhom(StrEnum):
    """Who was given a kit, or tells of one."""

    CLIENT = "client"
    PEER = "peer"
    FAMILY = "family"
    COMMUNITY = "community"
    """Anybody else who may be there when somebody does not breathe."""


class Said(StrEnum):
    """What a client said to the offer when they took none."""

    DECLINED = "declined"
    HAS_ONE = "has_one"


class Outcome(StrEnum):
    """What became of whoever it was used for, as it was told."""

    LIVES = "lives"
    DIED = "died"
    UNKNOWN = "unknown"


REPLACE_WITHIN: Final = timedelta(days=60)
"""So long before its expiry a kit is due to be replaced: the house's own figure."""


@dataclass(frozen=True)
class Standing:
    """What is known of somebody who carries doses home, on a day."""

    since: date
    """The day of the decision that began or renewed take-home."""
    answered_then: bool
    """Whether the decision itself says that they declined, or have one."""
    kit_until: date | None = None
    """The expiry of the newest kit that they were given and that was not used since; nothing without one."""
    answered_on: date | None = None
    """When they last said at the counter that they want none, or have one."""
    used_on: date | None = None
    """When it was last told, by whomever, that a kit of theirs was used; nothing where none was."""


def proposes(standing: Standing, today: date) -> bool:
    """Whether a kit is offered: at each start and renewal, and when the kit is used up or over, until it is answered.

    Saying no costs nothing, and is asked anew with the next renewal and no sooner.
    """
    if standing.kit_until is not None and standing.kit_until >= today:
        return False
    if standing.used_on is not None and standing.used_on >= standing.since:
        # What they said before it was used was of a kit that is gone.
        return standing.answered_on is None or standing.answered_on < standing.used_on
    if standing.answered_on is not None and standing.answered_on >= standing.since:
        return False
    return not standing.answered_then


def replacement_due(kit_until: date, today: date) -> bool:
    """Whether the newest kit of somebody is over, or soon will be."""
    return kit_until <= today + REPLACE_WITHIN
