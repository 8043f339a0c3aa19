"""When a client may be erased. Pure."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from dispensary.refusals import Refusal

LONGEST_WORDS = 500


class Ground(StrEnum):
    """Why a client may be erased."""

    PERIOD_ENDED = "period_ended"
    """The site has kept the record for as long as its law asks."""
    REQUEST = "request"
    """The client asked for it, and a law gives them that right before the period has ended."""
    ORDER = "order"
    """A court or an authority ordered it."""


def kept_until(last_day: date, years: int) -> date:
    """The day from which a record of somebody who left on this day need not be kept: so many years later."""
    try:
        return last_day.replace(year=last_day.year + years)
    except ValueError:  # 29 February
        return last_day.replace(year=last_day.year + years, month=3, day=1)


def may_erase(
    *, in_treatment: bool, last_day: date, keep_years: int | None, ground: Ground, authority: str, today: date
) -> tuple[Refusal, ...]:
    """Every reason why not; nothing when they may be. Whoever is in treatment is never erased."""
    faults = []
    if in_treatment:
        faults.append(
            Refusal(
                "still-in-treatment",
                "This client is in treatment.",
                "Somebody is erased after their treatment has ended.",
                field="number",
            )
        )
    if not authority.strip():
        faults.append(
            Refusal(
                "erasing-authority",
                "What the ground can be looked up by is missing.",
                "Name the law and its article, the letter, or the order.",
                field="authority",
            )
        )
    if ground is Ground.PERIOD_ENDED and not in_treatment:
        if keep_years is None:
            faults.append(
                Refusal(
                    "no-period",
                    "This site has not said for how many years records are kept.",
                    "The administrator sets the years that the law asks for.",
                    field="ground",
                )
            )
        elif today < (until := kept_until(last_day, keep_years)):
            faults.append(
                Refusal(
                    "within-period",
                    f"The record is kept until {until}: {keep_years} years after the last day of treatment.",
                    "Wait until then, or name the law or the order that asks for it before.",
                    {"until": until},
                    field="ground",
                )
            )
    return tuple(faults)
