"""The questions about doses, put to the rules of the prescribing room."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from dispensary.checks import questions as asked
from dispensary.checks.typed import bad, day, mg, mg_or_none
from dispensary.prescribing.guideline import Guideline, guidelines, guidelines_with
from dispensary.prescribing.lengths import order_length
from dispensary.prescribing.missed import missed_days
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.splitting import split
from dispensary.prescribing.steps import first_day, start, step
from dispensary.prescribing.tapering import taper_plan, taper_step
from dispensary.prescribing.vomited import replacement
from dispensary.prescribing.wrong_dose import after_wrong_dose
from dispensary.supplies.exceptions_rules import expected_at_count
from dispensary.units import plain

Answered = dict[str, object]


def of_missed_days(question: asked.MissedDays) -> Answered:
    ruling = missed_days(
        _guideline(question.guideline, Topic.MISSED),
        dose_mg=mg("dose_mg", question.dose_mg),
        missed=question.missed,
        intoxicated=question.intoxicated,
        day_of_treatment=question.day_of_treatment,
    )
    return ruling.as_json()


def of_induction_start(question: asked.InductionStart) -> Answered:
    ruling = start(
        _guideline(question.guideline, Topic.INDUCTION),
        mg=mg("mg", question.mg),
        tolerance=question.tolerance,
        at_risk=question.at_risk,
        reason=question.reason,
    )
    return ruling.as_json()


def of_first_day(question: asked.FirstDay) -> Answered:
    ruling = first_day(
        _guideline(question.guideline, Topic.INDUCTION),
        total_mg=mg("total_mg", question.total_mg),
        reason=question.reason,
    )
    return ruling.as_json()


def of_induction_step(question: asked.InductionStep) -> Answered:
    ruling = step(
        _guideline(question.guideline, Topic.INDUCTION),
        current_mg=mg("current_mg", question.current_mg),
        new_mg=mg("new_mg", question.new_mg),
        days_since_change=question.days_since_change,
        start_mg=mg_or_none("start_mg", question.start_mg),
        day_of_treatment=question.day_of_treatment,
        mg_a_week_ago=mg_or_none("mg_a_week_ago", question.mg_a_week_ago),
        reason=question.reason,
    )
    return ruling.as_json()


def of_taper(question: asked.Taper) -> Answered:
    ruling = taper_step(
        _guideline(question.guideline, Topic.TAPER),
        current_mg=mg("current_mg", question.current_mg),
        new_mg=mg("new_mg", question.new_mg, zero=True),
        days_since_change=question.days_since_change,
        pregnant=question.pregnant,
        reason=question.reason,
    )
    return ruling.as_json()


def of_taper_plan(question: asked.TaperPlan) -> Answered:
    plan = taper_plan(
        _guideline(question.guideline, Topic.TAPER),
        from_mg=mg("from_mg", question.from_mg),
        to_mg=mg("to_mg", question.to_mg, zero=True),
        first_day=day("first_day", question.first_day),
        pregnant=question.pregnant,
        finest_mg=mg("finest_mg", question.finest_mg),
    )
    steps = [{"first_day": each.first_day.isoformat(), "mg": plain(each.mg)} for each in plan.steps]
    return {**plan.ruling.as_json(), "steps": steps}


def of_vomited(question: asked.Vomited) -> Answered:
    ruling = replacement(
        _guideline(question.guideline, Topic.VOMITED),
        dose_mg=mg("dose_mg", question.dose_mg),
        minutes=Decimal(question.minutes),
        witnessed=question.witnessed,
        take_home=question.take_home,
        pregnant=question.pregnant,
        withdrawal=question.withdrawal,
    )
    return ruling.as_json()


def of_wrong_dose(question: asked.WrongDose) -> Answered:
    ruling = after_wrong_dose(
        _guideline(question.guideline, Topic.WRONG_DOSE),
        ordered_mg=mg("ordered_mg", question.ordered_mg, zero=True),
        given_mg=mg("given_mg", question.given_mg),
        day_of_treatment=question.day_of_treatment,
        takes_home_or_not_daily=question.takes_home_or_not_daily,
        intoxicated=question.intoxicated,
    )
    return ruling.as_json()


def of_split(question: asked.Split) -> Answered:
    ruling = split(
        _guideline(question.guideline, Topic.SPLIT),
        trough_ng_ml=None if question.trough_ng_ml is None else Decimal(question.trough_ng_ml),
        peak_ng_ml=None if question.peak_ng_ml is None else Decimal(question.peak_ng_ml),
        days_on_dose=question.days_on_dose,
        portions=question.portions,
        pregnant=question.pregnant,
        reason=question.reason,
    )
    return ruling.as_json()


def of_prescription_length(question: asked.PrescriptionLength) -> Answered:
    ruling = order_length(
        _guideline(question.guideline, Topic.PRESCRIPTION),
        first_day=day("first_day", question.first_day),
        last_day=None if question.last_day is None else day("last_day", question.last_day),
        reason=question.reason,
    )
    return ruling.as_json()


def of_recall_count(question: asked.RecallCount) -> Answered:
    """How many bottles should be full and how many empty when they are counted: none may be missing."""
    first, last = day("first_day", question.first_day), day("last_day", question.last_day)
    if last < first:
        raise bad("last_day", "The last day is before the first.", "Correct the days.")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    bottles = [(each, 1) for each in days]
    full = expected_at_count(bottles, day("on", question.on), portions_taken=int(question.after_dose))
    empty = len(days) - full
    return {
        "answer": "allow",
        "sentence": f"{full} full and {empty} empty bottles are expected.",
        "expected_full": full,
        "expected_empty": empty,
        "source": "Wis. Admin. Code DHS 75.59(21)(b) (all empties returned); Miss. Admin. Code 24-2-53.7 (call-backs)",
    }


def _guideline(name: str, topic: Topic) -> Guideline:
    found = guidelines().get(name)
    if found is None:
        known = ", ".join(guidelines_with(topic))
        raise bad("guideline", f"There is no guideline {name}.", f"These speak of it: {known}.")
    return found
