"""What is done with somebody who was given another dose than was ordered. Pure."""

from __future__ import annotations

from decimal import Decimal

from dispensary.prescribing.guideline import Guideline, Ruling, no_answer, ruled
from dispensary.prescribing.sections import Action, Consequence, Topic, Verdict, WrongDose, WrongDoseRow
from dispensary.units import plain

_AFTER_EXCESS = (Consequence.GIVE_NALOXONE, Consequence.NEXT_DOSE_AFTER_REVIEW)
_AT_ONCE = (Consequence.CALL_PRESCRIBER_AT_ONCE, *_AFTER_EXCESS)
_TELL = (Consequence.TELL_PRESCRIBER, *_AFTER_EXCESS)


def after_wrong_dose(
    guideline: Guideline,
    *,
    ordered_mg: Decimal,
    given_mg: Decimal,
    day_of_treatment: int | None,
    takes_home_or_not_daily: bool,
    intoxicated: bool = False,
) -> Ruling:
    """What to do now, who is called, and for how many hours the client is observed (figure `observe_hours`).

    A larger excess never leads to a milder action. Tolerance that is not proven counts as none: an unknown day of
    treatment is the first, doses taken home never prove it, and a dose given to somebody for whom none was ordered
    (0 mg) is an emergency, as is any excess in somebody intoxicated. The next dose waits for the prescriber.
    """
    if given_mg <= ordered_mg:
        return _not_more(guideline, ordered_mg, given_mg)
    section = guideline.wrong_dose
    if section is None or not guideline.answers(Topic.WRONG_DOSE):
        return no_answer(guideline, Topic.WRONG_DOSE, instruction=Action.EMERGENCY.value, consequences=_AT_ONCE)
    excess = None if ordered_mg == 0 else (given_mg - ordered_mg) / ordered_mg * 100
    row = _row(section, excess, ordered_mg, day_of_treatment or 1, takes_home_or_not_daily)
    emergency = intoxicated or row is None
    action = Action.EMERGENCY if row is None or intoxicated else row.action
    at_once = emergency or excess is None or excess > section.call_above_percent
    return ruled(
        guideline,
        Topic.WRONG_DOSE,
        Verdict.WITHHOLD_REFER,
        " ".join((_told(given_mg, ordered_mg, excess), _to_do(action, row), row.text if row else "")).strip(),
        instruction=action.value,
        consequences=_AT_ONCE if at_once else _TELL,
        advice=("If bottles were taken home by mistake, reach the client and recover them.",),
        figures={
            "ordered_mg": ordered_mg,
            "given_mg": given_mg,
            "excess_percent": excess.quantize(Decimal("0.1")) if excess is not None else None,
            "observe_hours": row.observe_hours if row else None,
        },
    )


def _row(
    section: WrongDose, excess: Decimal | None, ordered_mg: Decimal, day: int, not_seen_daily: bool
) -> WrongDoseRow | None:
    """The first row that fits; none for somebody without a dose of their own, whom the table does not speak of."""
    if excess is None:
        return None
    fitting = (
        row
        for row in section.rows
        if (row.until_day is None or day <= row.until_day)
        and (row.up_to_mg is None or ordered_mg <= row.up_to_mg)
        and (not row.not_seen_daily or not_seen_daily)
        and (row.excess_above_percent is None or excess > row.excess_above_percent)
    )
    return next(fitting, None)


def _not_more(guideline: Guideline, ordered_mg: Decimal, given_mg: Decimal) -> Ruling:
    figures = {"ordered_mg": ordered_mg, "given_mg": given_mg}
    if given_mg == ordered_mg:
        return ruled(guideline, Topic.WRONG_DOSE, Verdict.ALLOW, "The dose is the ordered one.", figures=figures)
    missing = plain(ordered_mg - given_mg)
    return ruled(
        guideline,
        Topic.WRONG_DOSE,
        Verdict.REFER,
        f"{missing} mg less than ordered were given: the prescriber decides whether they are given today.",
        consequences=(Consequence.TELL_PRESCRIBER,),
        figures=figures,
    )


def _told(given_mg: Decimal, ordered_mg: Decimal, excess: Decimal | None) -> str:
    if excess is None:
        return f"{plain(given_mg)} mg were given to somebody for whom no dose was ordered."
    percent = plain(excess.quantize(Decimal("0.1")))
    return f"{plain(given_mg)} mg were given in place of {plain(ordered_mg)} mg, {percent} % more."


def _to_do(action: Action, row: WrongDoseRow | None) -> str:
    if action is Action.EMERGENCY:
        return "Treat as an emergency: to the hospital, naloxone at hand."
    if action is Action.ADVISE:
        return "Tell the client what happened."
    hours = f" for at least {plain(row.observe_hours)} hours" if row and row.observe_hours is not None else ""
    return f"Observe{hours}."
