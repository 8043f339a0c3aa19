"""Which days' doses another site gives, and what the counter says then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dispensary.refusals import Refusal
from dispensary.units import DoseDay


@dataclass(frozen=True)
class Elsewhere:
    """The other site that gives the doses of a day: where the client is a verified guest, or their home."""

    code: str
    until: date | None = None
    """The first day after the stay, for a guest; nothing where home's satellite gives the doses from now on."""
    is_home: bool = False


def given_elsewhere(elsewhere: Mapping[DoseDay, Elsewhere], day: DoseDay) -> list[Refusal]:
    """Why nothing is given here for this day; nothing when it is this site's."""
    there = elsewhere.get(day)
    if there is None:
        return []
    if there.is_home:
        return [
            Refusal(
                "guest-over",
                f"The client's home site, {there.code}, gives the dose of {day}.",
                "Give what is for the days of the stay, and no later one.",
                {"day": day, "home": there.code},
            )
        ]
    if there.until is None:
        return [
            Refusal(
                "at-satellite",
                f"The satellite {there.code} gives the dose of {day}.",
                "If the client comes here from now on, say so under Guest doses.",
                {"day": day, "satellite": there.code},
            )
        ]
    return [
        Refusal(
            "guest-elsewhere",
            f"Guest at {there.code} until {there.until}, which is the first day here again.",
            f"The dose of {day} is given there. If the client is here for good, end the stay first.",
            {"day": day, "guest_at": there.code, "until": there.until},
        )
    ]


def no_bottles_here() -> Refusal:
    return Refusal(
        "guest-observed-only",
        "The client's home site allowed no bottles here.",
        "Give today's dose at the counter, or ask their home site.",
    )
