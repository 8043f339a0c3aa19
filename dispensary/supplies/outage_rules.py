"""What a line of a paper sheet says, what of it is against a rule, and what becomes of that. Pure.

A line is a fact: it was swallowed, it was carried away. No rule refuses it; each rule that it breaks is shown before it
is kept, and decides as what it is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from dispensary.refusals import Refusal
from dispensary.supplies.flags_rules import FlagKind, Stop
from dispensary.supplies.rules import LONGEST_SUPPLY, DosePlan, Moment, due_portions, portion_here, portions_on
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, plain

_IN_ERROR = "It is kept as given in error: the prescriber is told, and no dose leaves until one has reviewed it."
_COVERS = "The bottles cover their days all the same. The prescriber is told."
_KEPT_AS = {
    "already-covered": _IN_ERROR,
    "no-order": _IN_ERROR,
    "held": _IN_ERROR,
    "stop-dose": _IN_ERROR,
    "review-first": _IN_ERROR,
    "above-order": "As much as was ordered is the dose, the rest is kept as given in error. " + _IN_ERROR,
    "less-than-ordered": "The dose is what was given. The prescriber is told.",
    "day-closed": "The closed day stays as it was frozen; a correction stands beside it.",
    "supervised-portion": _COVERS,
    "stop-bottles": _COVERS,
    "no-decision": _COVERS,
    "not-well-today": _COVERS,
    "take-home-per-supply": _COVERS,
    "take-home-per-week": _COVERS,
    "take-home-weekday": _COVERS,
    "take-home-consecutive": _COVERS,
    "order-changed": "The bottle is kept with what is ordered now. The prescriber is told.",
    "pickup-waits": "They are put back into stock. Look in the safe whether they are there, and pour them back.",
    "entered-before": "Keep it only if the paper has two lines, for two hand-overs.",
    "other-lot": "The register takes it from the other lot. The next count shows the difference.",
    "guest-elsewhere": _IN_ERROR,
    "guest-over": _IN_ERROR,
    "guest-observed-only": _IN_ERROR,
    "ten-fold": "The prescriber is told.",
    "absent": "The dose counts. The prescriber is told.",
    "absent-call": "The dose counts. The prescriber is told.",
}
_NOT_FOR_PRESCRIBER = {"day-closed", "pickup-waits", "entered-before", "other-lot"}
_BEYOND = {"stop-bottles", "no-decision", "not-well-today", "supervised-portion"}


@dataclass(frozen=True)
class PaperLine:
    """One hand-over as a sheet of paper has it."""

    client_id: ClientId
    day: DoseDay
    at: datetime
    """The time on the paper."""
    observed: bool
    mg: Milligrams | None
    """What was swallowed; nothing where the paper says no more than that the dose was given: then as ordered."""
    bottle_days: tuple[DoseDay, ...]
    lot_id: UUID | None
    """Nothing where the paper names none: then the lot that expires first."""
    given_by: AccountId | None
    identified_by: str
    witnessed_by: AccountId | None = None
    sheet: str = ""
    line: int | None = None


def bottle_days(text: str, day: DoseDay) -> tuple[DoseDay, ...]:
    """The dose days that bottles were for, as people write them: `+2` for the next two, `25 26`, `25-27`, or nothing.

    A number is the first such day of a month from `day` on. Raises ValueError for what is none of these, and for days
    beyond the longest supply.
    """
    chosen: set[DoseDay] = set()
    for part in text.replace(",", " ").split():
        if part.startswith("+"):
            ahead = _number(part[1:])
            if not 1 <= ahead <= LONGEST_SUPPLY:
                raise ValueError(part)
            chosen.update(DoseDay(day + timedelta(days=n)) for n in range(1, ahead + 1))
            continue
        first, dash, last = part.partition("-")
        begins = _next(_number(first), day)
        ends = _next(_number(last), begins) if dash else begins
        chosen.update(DoseDay(begins + timedelta(days=n)) for n in range((ends - begins).days + 1))
    if any((each - day).days > LONGEST_SUPPLY for each in chosen):
        raise ValueError(text)
    return tuple(sorted(chosen))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise ValueError(text)
    return int(text)


def _next(number: int, day: date) -> DoseDay:
    for ahead in range(LONGEST_SUPPLY + 1):
        if (day + timedelta(days=ahead)).day == number:
            return DoseDay(day + timedelta(days=ahead))
    raise ValueError(number)


@dataclass(frozen=True)
class ThenInForce:
    """What was in force when the paper was written, though it may have ended since."""

    held: Mapping[DoseDay, str]
    stops: tuple[Stop, ...]
    """Flags that withheld."""
    blocked: tuple[DoseDay, ...]
    """Days on which something had gone wrong that no prescriber had reviewed by then."""


@dataclass(frozen=True)
class Kept:
    """As what a line is kept: doses that cover their portions, and what was given in error beside them."""

    doses: tuple[DosePlan, ...]
    in_error: Milligrams
    due_mg: Milligrams | None
    """The portion that was due at the counter on that day, when one was."""
    swallowed: Milligrams
    unknown: tuple[DoseDay, ...]
    """Days of which nobody knows how much was given: no order says it, and the line does not either."""

    @property
    def carried(self) -> bool:
        return any(plan.kind == "take_home" for plan in self.doses)


def kept_as(moment: Moment, then: ThenInForce, line: PaperLine) -> Kept:
    """What becomes of a line. What a portion is due and allowed for is its dose, and all else was given in error.

    PostgreSQL covers no portion twice, none without an order, none above it, none held and none before a review: what
    the paper has of these is an extra dose in error. So is what another site had to give.
    """
    here = portion_here(moment) if line.observed else None
    due = portions_on(moment, line.day)[here - 1] if here else None
    usual = portions_on(moment, line.day)
    swallowed = line.mg or due or (usual[0] if usual else None) if line.observed else Milligrams(Decimal(0))
    unknown = [] if swallowed is not None else [line.day]
    swallowed = swallowed or Milligrams(Decimal(0))
    doses, in_error = [], Decimal(0)
    if line.observed and here and due and not stopped(moment, then, line.day):
        doses.append(_plan(moment, line.day, here, "observed", Milligrams(min(swallowed, due))))
        in_error += max(swallowed - due, Decimal(0))
    else:
        in_error += swallowed
    for day in line.bottle_days:
        portions = [p for p in due_portions(moment, day) if not (day == line.day and p == here)]
        amounts = portions_on(moment, day)
        if portions and not stopped(moment, then, day) and not moment.observed_only:
            doses += [_plan(moment, day, p, "take_home", amounts[p - 1]) for p in portions]
        elif amounts or usual:
            in_error += sum(amounts or usual, Decimal(0))
        elif line.mg:
            in_error += line.mg
        else:
            unknown.append(day)
    return Kept(tuple(doses), Milligrams(in_error), due, swallowed, tuple(unknown))


def stopped(moment: Moment, then: ThenInForce, day: DoseDay) -> bool:
    """Whether a prescriber held or stopped the day's dose or had yet to review another, or another site gave it."""
    flagged = [stop for stop in then.stops if stop.kind is FlagKind.STOP_DOSE]
    return (
        day in moment.held
        or day in moment.elsewhere
        or day in then.held
        or any(before <= day for before in then.blocked)
        or any(stop.stands_on(each) for stop in flagged for each in (day, moment.today))
    )


def _plan(moment: Moment, day: DoseDay, portion: int, kind: str, mg: Milligrams) -> DosePlan:
    order = moment.orders[day]
    return DosePlan(day, portion, len(order.portions), kind, mg, order.order_id, day in moment.closed_days)


def against_amount(kept: Kept) -> list[Refusal]:
    """What of the swallowed amount is not as ordered; nothing where no portion was due."""
    if kept.due_mg is None or kept.swallowed == kept.due_mg:
        return []
    said = f"{plain(kept.swallowed)} mg were given where {plain(kept.due_mg)} mg were ordered."
    return [Refusal("above-order" if kept.swallowed > kept.due_mg else "less-than-ordered", said)]


def told(conflicts: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """The conflicts as they are shown: what is against a rule, and what becomes of it when it is kept."""
    return tuple(
        Refusal(each.code, each.sentence, _KEPT_AS.get(each.code, "It is kept and marked."), each.evidence)
        for each in conflicts
    )


def seen_mark(conflicts: Sequence[Refusal]) -> str:
    """By which the page says which conflicts it has shown: others than these are shown again."""
    return sha256("|".join(sorted(f"{each.code} {each.sentence}" for each in conflicts)).encode()).hexdigest()[:20]


def is_beyond(codes: Collection[str]) -> bool:
    """Whether bottles were carried away that no take-home decision allowed."""
    return any(code in _BEYOND or code.startswith("take-home-") for code in codes)


def for_prescriber(conflicts: Sequence[Refusal]) -> list[Refusal]:
    """What of it a prescriber must hear."""
    return [each for each in conflicts if each.code not in _NOT_FOR_PRESCRIBER]
