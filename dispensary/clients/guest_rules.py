"""What a guest stay is on a day, and what is wrong with one that somebody asks for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from dispensary.refusals import Refusal

LONGEST_STAY = 28
"""No stay is longer, whatever a site has set: as far ahead as any supply reaches."""


class StayState(StrEnum):
    """What a stay is today. Nothing moves it but an answer, an early end and the calendar."""

    ASKED = "asked"
    """Home has not answered yet."""
    REFUSED = "refused"
    LAPSED = "lapsed"
    """Nobody answered before it was over."""
    COMING = "coming"
    RUNNING = "running"
    OVER = "over"


@dataclass(frozen=True)
class Stay:
    """The days of a stay as a rule needs them: `until` is the first dose day at home again, an early end counted in."""

    first: date
    until: date
    verified: bool
    refused: bool


def state_of(stay: Stay, today: date) -> StayState:
    """What the stay is on this day; a withdrawn request is over."""
    if stay.refused:
        return StayState.REFUSED
    if stay.until <= today or stay.until <= stay.first:
        return StayState.OVER if stay.verified or stay.until <= stay.first else StayState.LAPSED
    if not stay.verified:
        return StayState.ASKED
    return StayState.COMING if today < stay.first else StayState.RUNNING


def faults_of_stay(
    *, first: date, until: date, today: date, farthest: date, longest: int, reason: str
) -> list[Refusal]:
    """Why a stay cannot be asked for so; nothing when it can. `today` is the earlier one of both sites' dose days."""
    faults = []
    if first < today:
        faults.append(
            Refusal("stay-begins-before", "A stay begins today or later.", "Correct the first day.", field="from_day")
        )
    if first > farthest:
        faults.append(
            Refusal(
                "stay-too-far",
                f"{first} is further ahead than anybody can verify now.",
                f"Ask again when it is within {LONGEST_STAY} days.",
                field="from_day",
            )
        )
    if until <= first:
        faults.append(
            Refusal("stay-ends-before", "The last day lies before the first.", "Correct the days.", field="last_day")
        )
    elif (until - first).days > longest:
        faults.append(
            Refusal(
                "stay-too-long",
                f"A client is a guest for {longest} days at most.",
                f"Choose {first + timedelta(days=longest - 1)} as the last day, or an earlier one.",
                {"longest": longest},
                field="last_day",
            )
        )
    if not reason.strip():
        faults.append(Refusal("reason", "Say why the doses are given there.", "A few words do.", field="reason"))
    return faults
