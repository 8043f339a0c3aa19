"""How the plan page's form is read: figures for a proposal, the rows of dated steps, a pattern of weekdays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dispensary.desks.dosing import about_of, milligrams_or_none
from dispensary.prescribing.plans import MOST_STEPS, Aim, Draft, PlanKind, Proposed, Step, by_weekday
from dispensary.prescribing.rules import MOST_PORTIONS, PlaceOf
from dispensary.refusals import Refusal
from dispensary.units import plain
from dispensary.web.forms import one
from dispensary.web.typed import LONGEST_NOTE, Typed

WEEK = 7
LONGEST_PATTERN = timedelta(days=366)
_ROW = ("day", "mg", "portions", "places", "why")


class Places(StrEnum):
    """Where the portions of a day are taken, in one choice."""

    OPEN = ""
    """As the take-home decision allows."""
    FIRST_HERE = "first"
    LAST_HERE = "last"
    ALL_HERE = "here"
    ALL_HOME = "home"

    def spelt(self, portions: int) -> tuple[str, ...]:
        """The place of each portion; none where it is left open."""
        here, home = PlaceOf.SUPERVISED.value, PlaceOf.TAKE_HOME.value
        return {
            Places.OPEN: (),
            Places.FIRST_HERE: (here, *[home] * (portions - 1)),
            Places.LAST_HERE: (*[home] * (portions - 1), here),
            Places.ALL_HERE: (here,) * portions,
            Places.ALL_HOME: (home,) * portions,
        }[self]


@dataclass(frozen=True)
class Written:
    """What the form says: the plan, its reason."""

    draft: Draft
    reason: str


def kind_of(form: Mapping[str, Any]) -> PlanKind | None:
    told = one(form, "kind")
    return PlanKind(told) if told in list(PlanKind) else None


def tidied(form: Mapping[str, Any], kind: PlanKind) -> dict[str, Any]:
    """The form with its rows counted from nought; a row without a day and without an amount is left out."""
    kept = {name: value for name, value in form.items() if name.rpartition("_")[0] not in _ROW}
    rows = [{part: one(form, f"{part}_{number}") for part in _ROW} for number in range(MOST_STEPS + 1)]
    if kind is not PlanKind.WEEKDAYS:
        rows = [row for row in rows if row["day"] or row["mg"]]
    elif any(row["mg"] for row in rows):
        rows = rows[:WEEK]
    else:
        rows = []
    for number, row in enumerate(rows):
        kept.update({f"{part}_{number}": value for part, value in row.items()})
    return kept


def rows_in(form: Mapping[str, Any]) -> int:
    """How many rows a tidied form has."""
    return next((number for number in range(MOST_STEPS + 1) if f"mg_{number}" not in form), MOST_STEPS + 1)


def read_aim(form: Mapping[str, Any], kind: PlanKind, current_mg: Decimal | None) -> Aim:
    """The few figures that a proposal is made from. Raises BadInput."""
    with Typed(form) as typed:
        return Aim(
            kind=kind,
            first_day=typed.day("first_day"),
            current_mg=current_mg,
            start_mg=milligrams_or_none(typed, form, "start_mg"),
            target_mg=milligrams_or_none(typed, form, "target_mg"),
            step_mg=milligrams_or_none(typed, form, "step_mg"),
            days_between=typed.whole_or_none("days_between", 1, 90),
            portions=typed.whole_or_none("count", 1, MOST_PORTIONS) or (2 if kind is PlanKind.SPLIT else 1),
            about=about_of(form),
        )


def proposed_rows(proposed: Proposed, kind: PlanKind) -> dict[str, str]:
    """A proposal as the form's rows; a pattern begins with the same dose on each day of the week."""
    steps = list(proposed.steps) * WEEK if kind is PlanKind.WEEKDAYS else proposed.steps
    rows = {}
    for number, step in enumerate(steps):
        rows[f"day_{number}"] = step.first_day.isoformat()
        rows[f"mg_{number}"] = plain(step.mg)
        rows[f"portions_{number}"] = "+".join(plain(part) for part in step.parts)
        rows[f"places_{number}"] = Places.OPEN.value
        rows[f"why_{number}"] = ""
    if proposed.until_day is not None:
        rows["until_day"] = (proposed.until_day - timedelta(days=1)).isoformat()
    return rows


def read_plan(form: Mapping[str, Any], kind: PlanKind) -> Written:
    """The plan that a tidied form says. Raises BadInput with every field that cannot be read."""
    with Typed(form) as typed:
        last = typed.day_or_none("until_day")
        until = last + timedelta(days=1) if last else None
        rows = [_row(typed, form, number, dated=kind is not PlanKind.WEEKDAYS) for number in range(rows_in(form))]
        steps = _pattern(typed, rows, until) if kind is PlanKind.WEEKDAYS else tuple(rows)
        return Written(
            Draft(
                kind=kind,
                steps=steps,
                until_day=until,
                outside=typed.text("outside", most=LONGEST_NOTE, required=False),
                about=about_of(form),
                trough_ng_ml=_level(typed, "trough"),
                peak_ng_ml=_level(typed, "peak"),
            ),
            typed.text("reason", most=LONGEST_NOTE, required=False),
        )


def beside_fields(refusals: Sequence[Refusal], draft: Draft | None) -> list[Refusal]:
    """The refusals of a plan's steps, beside the fields of the page: those of a pattern stand by their weekday."""
    if draft is None or draft.kind is not PlanKind.WEEKDAYS:
        return list(refusals)
    found: dict[tuple[str, str, str], Refusal] = {}
    for refusal in refusals:
        part, _, number = refusal.field.rpartition("_")
        if refusal.field == "day_0":
            refusal = replace(refusal, field="first_day")
        elif part in _ROW and number.isdigit() and int(number) < len(draft.steps):
            refusal = replace(refusal, field=f"{part}_{draft.steps[int(number)].first_day.weekday()}")
        found.setdefault((refusal.code, refusal.field, refusal.sentence), refusal)
    return list(found.values())


def row_of(draft: Draft, number: int) -> int:
    """The row of the page in which a step stands."""
    return draft.steps[number].first_day.weekday() if draft.kind is PlanKind.WEEKDAYS else number


def _row(typed: Typed, form: Mapping[str, Any], number: int, *, dated: bool) -> Step:
    parts = typed.portions(f"portions_{number}")
    places = one(form, f"places_{number}")
    return Step(
        first_day=typed.day(f"day_{number}") if dated else date.min,
        mg=typed.milligrams(f"mg_{number}"),
        parts=tuple(parts),
        places=(Places(places) if places in list(Places) else Places.OPEN).spelt(len(parts) or 1),
        why=typed.text(f"why_{number}", most=LONGEST_NOTE, required=False),
    )


def _pattern(typed: Typed, rows: Sequence[Step], until: date | None) -> tuple[Step, ...]:
    first = typed.day("first_day")
    if until is None:
        typed.fault("until_day", "no-last-day", "A pattern of weekdays has a last day.", "Add the last day.")
    elif until - first > LONGEST_PATTERN:
        typed.fault("until_day", "plan-long", "A pattern of weekdays is signed for a year at most.", "Correct the day.")
    elif len(rows) == WEEK:
        return tuple(by_weekday(rows, first, until))
    return ()


def _level(typed: Typed, name: str) -> Decimal | None:
    whole = typed.whole_or_none(name, 1, 9999)
    return Decimal(whole) if whole is not None else None
