"""How many dose days one order may cover. Pure."""

from __future__ import annotations

from datetime import date

from dispensary.prescribing.guideline import Guideline, Ruling, no_answer, ruled
from dispensary.prescribing.sections import Topic, Verdict


def order_length(guideline: Guideline, *, first_day: date, last_day: date | None, reason: str = "") -> Ruling:
    """Whether an order from one dose day to another, both included, is as short as the guideline has it.

    An order without a last day is longer than any limit. What the law limits is refused and no reason helps; what is
    good practice asks for a reason. A longer order is never answered more readily.
    """
    section = guideline.prescription
    if section is None or section.longest_days is None or not guideline.answers(Topic.PRESCRIPTION):
        return no_answer(guideline, Topic.PRESCRIPTION)
    days = (last_day - first_day).days + 1 if last_day is not None else None
    outside = Verdict.REFUSE if section.by_law else Verdict.ALLOW_WITH_REASON
    limits, sentence = [], f"{days} days are within the {section.longest_days} that one order may cover."
    if days is None:
        also = ", which must be written" if section.both_dates else ""
        limits, sentence = ["no-last-day"], f"The order has no last day{also}; at most {section.longest_days} days."
    elif days < 1:
        outside, limits, sentence = Verdict.REFUSE, ["dates"], "The order ends before it begins."
    elif days > section.longest_days:
        limits, sentence = (
            ["longest"],
            f"{days} days are more than the {section.longest_days} that one order may cover.",
        )
    return ruled(
        guideline,
        Topic.PRESCRIPTION,
        outside if limits else Verdict.ALLOW,
        sentence,
        reason=reason,
        limits=tuple(limits),
        advice=(section.note,) if section.note else (),
        figures={"days": days, "longest_days": section.longest_days},
    )
