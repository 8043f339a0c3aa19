"""What a dose order must be, and when a dose that differs from the last one is looked at twice. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dispensary.refusals import Refusal
from dispensary.units import Milligrams, milligrams, plain

MOST_PORTIONS = 4
TEN_FOLD = 10


class Jump(StrEnum):
    """How a dose compares with the last one."""

    USUAL = "usual"
    SECOND_LOOK = "second look"
    TEN_FOLD = "ten-fold"


@dataclass(frozen=True)
class JumpGuard:
    """A site's guard against a slip of the pen: whichever of the two is less asks for a second look."""

    percent: int = 30
    mg: Decimal = Decimal(20)


def jump(last: Decimal | None, dose: Decimal, guard: JumpGuard) -> Jump:
    """Compares a day's dose with the last day's dose that the client had, both in mg.

    A rise or fall by more than the guard asks for a second look; ten times the last dose or more is refused, since
    ten-fold errors (11 mg read as 110 mg) are the commonest grave one (Ontario College of
    Pharmacists, incidents of 2022).
    """
    if last is None or last <= 0:
        return Jump.USUAL
    if dose >= TEN_FOLD * last:
        return Jump.TEN_FOLD
    allowed = min(last * guard.percent / 100, guard.mg)
    return Jump.SECOND_LOOK if abs(dose - last) > allowed else Jump.USUAL


def jump_refusal(last: Decimal | None, dose: Decimal, guard: JumpGuard, second_look: str) -> Refusal | None:
    """The refusal of a dose that jumps, unless it is merely large and somebody has said why it is right."""
    found = jump(last, dose, guard)
    if found is Jump.USUAL or last is None or (found is Jump.SECOND_LOOK and second_look.strip()):
        return None
    evidence = {"last_mg": last, "dose_mg": dose}
    if found is Jump.TEN_FOLD:
        return Refusal(
            "ten-fold",
            f"{plain(dose)} mg is ten times the last dose ({plain(last)} mg) or more.",
            "Check for a slipped decimal. A dose like this cannot be given in one step.",
            evidence,
            field="mg",
        )
    return Refusal(
        "second-look",
        f"{plain(dose)} mg differs from the last dose ({plain(last)} mg) by more than this site's guard.",
        "Look again at the amount and the order; if it is right, say why.",
        evidence,
        field="second_look",
    )


def portions_of(mg: Milligrams, parts: Sequence[Milligrams]) -> list[Milligrams] | Refusal:
    """The portions of a day's dose, in the order taken: the whole when none are given; they add up exactly."""
    chosen = list(parts) or [mg]
    if len(chosen) > MOST_PORTIONS:
        return Refusal("portions", f"A day has at most {MOST_PORTIONS} portions.", "Use fewer.", field="portions")
    if sum(chosen) != mg:
        total = plain(sum(chosen, Decimal(0)))
        return Refusal(
            "portions",
            f"The portions add up to {total} mg, the day's dose is {plain(mg)} mg.",
            "Make them add up.",
            field="portions",
        )
    return chosen


def parse_portions(text: str) -> list[Milligrams]:
    """Portions as people write them: `60+40`, or nothing for a whole dose. Raises BadAmount."""
    return [milligrams(part) for part in text.replace(" ", "").split("+")] if text.strip() else []


class PlaceOf(StrEnum):
    """Where a portion is taken on a day on which the client comes."""

    SUPERVISED = "supervised"
    TAKE_HOME = "take_home"


def places_of(portions: int, places: Sequence[str] | None) -> Refusal | None:
    """The refusal of places that do not fit the portions; none at all leave it to the take-home decision."""
    if not places:
        return None
    if len(places) != portions or any(place not in list(PlaceOf) for place in places):
        return Refusal(
            "places",
            f"There are {portions} portions and {len(places)} places for them.",
            "Say of each portion whether it is taken at the counter or at home.",
            field="places",
        )
    return None
